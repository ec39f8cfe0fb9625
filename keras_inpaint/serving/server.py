"""Starts and stops a server: both protocols, models in the background, a graceful end."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image

from keras_inpaint.serving import app, grpc_server, services
from keras_inpaint.serving.loader import Loader
from keras_inpaint.serving.repository import ModelSource
from keras_inpaint.serving.settings import Settings

logger = logging.getLogger(__name__)

#: Connections at a time, beyond which new ones are told 503 at once.
_MAX_CONNECTIONS = 1000


class _Http(uvicorn.Server):
    """Uvicorn, which leaves the signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(sources: list[ModelSource], settings: Settings, *, versions: str = "all") -> None:
    """Serve models until the process is told to stop by SIGTERM or SIGINT.

    Args:
        sources: The models; see `repository.find_sources`.
        settings: Addresses and limits.
        versions: String, which versions; see `repository.check_policy`.

    Raises:
        OSError: If an address cannot be bound.
        ValueError: If a model cannot be served.
    """
    # Sizes are checked against our own limits; Pillow's warning would only fill the log.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    with tempfile.TemporaryDirectory(prefix="keras-inpaint-serve-") as folder:
        scratch = Path(folder)
        before = tempfile.tempdir
        tempfile.tempdir = folder  # uploads that are too large for memory go here too
        try:
            asyncio.run(_Server(sources, settings, versions, scratch).run())
        finally:
            tempfile.tempdir = before


class _Server:
    def __init__(
        self, sources: list[ModelSource], settings: Settings, versions: str, scratch: Path
    ) -> None:
        self._sources = sources
        self._settings = settings
        self._versions = versions
        self._scratch = scratch
        self._stop = asyncio.Event()
        self._signals = 0

    async def run(self) -> None:
        settings = self._settings
        parts = services.build(settings, self._scratch)
        listener = _listen(settings.host, settings.port)
        rpc, rpc_port = None, None
        if settings.grpc_port is not None:
            rpc, rpc_port = grpc_server.build(parts)
        self._catch_signals()
        http = _Http(
            uvicorn.Config(
                app.build(parts),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=True,
                limit_concurrency=_MAX_CONNECTIONS,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=max(1, round(settings.grace_seconds)),
                ws="none",
            )
        )
        serving = asyncio.create_task(http.serve(sockets=[listener]))
        if rpc is not None:
            await rpc.start()
        addresses = {"http": _url(settings.host, listener.getsockname()[1])}
        if rpc_port is not None:
            addresses["grpc"] = _url(settings.host, rpc_port).removeprefix("http://")
        logger.info("listening", extra={"fields": addresses})
        if not settings.on_loopback and not settings.api_key:
            logger.warning("anyone who reaches %s can use this server: no API key", settings.host)
        try:
            with ThreadPoolExecutor(1, "loader") as executor:
                await self._serve_models(parts, executor, serving, addresses)
        finally:
            await self._end(parts, http, serving, rpc)
            parts.close()

    async def _serve_models(
        self,
        parts: services.Services,
        executor: ThreadPoolExecutor,
        serving: "asyncio.Task[None]",
        addresses: dict[str, str],
    ) -> None:
        loader = Loader(
            parts.registry,
            self._sources,
            policy=self._versions,
            scratch=self._scratch / "models",
            executor=executor,
            build=parts.served,
            processor_threads=self._settings.processor_threads,
        )
        stopping = asyncio.create_task(self._stop.wait())
        loading = asyncio.create_task(loader.load_all())
        tasks: list[asyncio.Task[Any]] = [stopping, loading, serving]
        try:
            await asyncio.wait([stopping, loading, serving], return_when=asyncio.FIRST_COMPLETED)
            if loading.done():
                loading.result()
                served = {name: parts.registry.available(name) for name in parts.registry.names}
                logger.info("ready", extra={"fields": {**addresses, "models": served}})
                if self._settings.poll_seconds:
                    tasks.append(asyncio.create_task(loader.watch(self._settings.poll_seconds)))
                await asyncio.wait([stopping, serving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                if task is not serving:
                    task.cancel()

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                loop.add_signal_handler(number, self._on_signal, number)
            except NotImplementedError:  # Windows
                signal.signal(
                    number,
                    lambda n, _: loop.call_soon_threadsafe(self._on_signal, signal.Signals(n)),
                )

    def _on_signal(self, number: signal.Signals) -> None:
        self._signals += 1
        if self._signals > 1:
            logger.error("told to stop twice: stopping at once")
            os._exit(1)
        logger.info("stopping", extra={"fields": {"signal": signal.Signals(number).name}})
        self._stop.set()

    async def _end(
        self,
        parts: services.Services,
        http: _Http,
        serving: "asyncio.Task[None]",
        rpc: Any,
    ) -> None:
        """Answer what was taken, then close.

        First the server says that it is not ready and ends each connection with the answer on
        it, while it still takes requests; then it takes none and finishes what is in work.
        """
        parts.gate.draining = True
        if self._stop.is_set() and not serving.done():
            await asyncio.sleep(self._settings.drain_seconds)
        http.should_exit = True
        ends = [serving]
        if rpc is not None:
            ends.append(asyncio.create_task(rpc.stop(self._settings.grace_seconds)))
        await asyncio.gather(*ends, return_exceptions=True)
        parts.gate.closed = True
        logger.info("stopped", extra={"fields": {"unanswered": parts.gate.admitted}})


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
