"""Run the server: load models in the background, shut down gracefully."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import uvicorn
from PIL import Image
from uvicorn.protocols.http.h11_impl import H11Protocol

from keras_inpaint.serving import app
from keras_inpaint.serving.models import Models
from keras_inpaint.serving.settings import Settings

logger = logging.getLogger(__name__)

#: The largest number of connections; further ones receive a 503.
_MAX_CONNECTIONS = 1000


def serve(
    references: Sequence[str], settings: Settings, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve models until the process receives SIGTERM or SIGINT.

    Args:
        references: As for `Models`.
        settings: Address and limits.
        on_ready: Called with the server's address when it accepts photos.

    Raises:
        OSError: If the address cannot be bound.
        ValueError: If a model cannot be loaded.
    """
    # Sizes are checked against the server's limits; Pillow's warning would only fill the log.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    asyncio.run(_serve(references, settings, on_ready or (lambda address: None)))


async def _serve(
    references: Sequence[str], settings: Settings, on_ready: Callable[[str], None]
) -> None:
    state = app.State(settings)
    listener = _listen(settings.host, settings.port)
    stop = asyncio.Event()
    _catch_signals(stop)
    http = _Http(
        uvicorn.Config(
            app.build(state),
            http=_protocol(settings.body_timeout),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=5,
            ws="none",
        )
    )
    serving = asyncio.create_task(http.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    address = _url(settings.host, listener.getsockname()[1])
    logger.info("listening", extra={"fields": {"url": address}})
    if not settings.on_loopback and settings.api_key is None:
        logger.warning("no API key: anyone who reaches %s can use this server", settings.host)
    loading = asyncio.create_task(asyncio.to_thread(_load, references, settings.workers))
    try:
        await asyncio.wait([loading, stopping, serving], return_when=asyncio.FIRST_COMPLETED)
        if loading.done():
            state.models = loading.result()
            fields = {"url": address, "models": list(state.models.names)}
            logger.info("ready", extra={"fields": fields})
            on_ready(address)
            await asyncio.wait([stopping, serving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped = await state.limiter.close(settings.grace)
        http.should_exit = True
        stopping.cancel()
        await asyncio.gather(serving, loading, return_exceptions=True)
        logger.info("stopped", extra={"fields": {"unanswered": stopped}})


def _load(references: Sequence[str], workers: int) -> Models:
    models = Models(references, workers)
    models.warm_up()
    return models


class _Http(uvicorn.Server):
    """Uvicorn without its signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _protocol(seconds: float) -> type[H11Protocol]:
    """Return uvicorn's protocol, closing connections whose headers are not received in time."""

    class Protocol(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.loop.call_later(seconds, self._too_slow)

        def _too_slow(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self.transport.close()

    return Protocol


def _catch_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def handle(number: int) -> None:
        if stop.is_set():
            logger.error("second signal: stopping immediately")
            os._exit(1)
        logger.info("stopping", extra={"fields": {"signal": signal.Signals(number).name}})
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, handle, number)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda n, _: loop.call_soon_threadsafe(handle, n))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    listener.setblocking(False)
    return listener


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
