"""Serves the page: one process, one folder for its files, an orderly end."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from keras_inpaint.serving.loopback import is_loopback
from keras_inpaint.serving.ui_gate import Gate
from keras_inpaint.serving.ui_models import Models

logger = logging.getLogger(__name__)

_STYLE = Path(__file__).with_name("ui.css")
_ENVIRONMENT = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
_GRACE_SECONDS = 2
_REMOVALS, _REMOVAL_SECONDS = 10, 0.2


@dataclass(frozen=True)
class Settings:
    """Where the page is served, and what it takes.

    Attributes:
        host: String, the address to listen on.
        port: Int; 0 takes a free one.
        max_upload_bytes: Int, the largest file.
        max_pixels: Int, the largest photo.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    max_upload_bytes: int = 64 * 2**20
    max_pixels: int = 40_000_000

    @property
    def on_loopback(self) -> bool:
        """Whether only this computer can reach the page."""
        return is_loopback(self.host)


def serve(models: Models, settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Serve the page until the process is told to stop by SIGTERM or SIGINT.

    Args:
        models: The completion networks; the first is loaded before the page is.
        settings: Address and limits.
        on_ready: Called with the page's address once it answers.

    Raises:
        OSError: If the address cannot be listened on.
        ValueError: If the first model cannot be loaded.
    """
    listener = _listen(settings)
    try:
        models.load(models.names[0])
        with _scratch() as folder:
            asyncio.run(_serve(_app(models, settings, folder), settings, listener, on_ready))
    finally:
        listener.close()


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """Yield a folder for everything that is written; Gradio, imported later, uses it too."""
    name = tempfile.mkdtemp(prefix="keras-inpaint-ui-")
    settings = {**_ENVIRONMENT, "GRADIO_TEMP_DIR": name}
    before = {key: os.environ.get(key) for key in settings}, tempfile.tempdir
    os.environ.update(settings)
    tempfile.tempdir = name
    try:
        yield Path(name).resolve()
    finally:
        tempfile.tempdir = before[1]
        for key, value in before[0].items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
        _remove(name)


def _remove(folder: str) -> None:
    """Remove a folder, also where a thread that was at work still writes its last file there."""
    for _ in range(_REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_REMOVAL_SECONDS)
        if not os.path.exists(folder):
            return
    logger.warning("could not remove %s", folder)


def _app(models: Models, settings: Settings, folder: Path) -> Any:
    """Return the page as an ASGI application."""
    import fastapi
    import gradio

    from keras_inpaint.serving import ui_layout, ui_page
    from keras_inpaint.serving.ui_work import Work

    work = Work(models, folder / "completed", max_pixels=settings.max_pixels)
    app = gradio.mount_gradio_app(
        fastapi.FastAPI(openapi_url=None),
        ui_page.build(
            work,
            max_upload_bytes=settings.max_upload_bytes,
            on_loopback=settings.on_loopback,
        ),
        path="/",
        server_name=settings.host,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=settings.max_upload_bytes,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        theme=ui_layout.theme(),
        css=_STYLE.read_text("utf-8"),
    )
    return Gate(app, loopback=settings.on_loopback, max_body=settings.max_upload_bytes + 2**20)


class _Server(uvicorn.Server):
    """Uvicorn, which tells when it listens and leaves the signals to us."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


async def _serve(
    app: Any, settings: Settings, listener: socket.socket, on_ready: Callable[[str], None]
) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ws="none",
    )
    # An open page holds a connection for events; that it is cut at the end is no error.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    await _Server(config, lambda: on_ready(address)).serve(sockets=[listener])


def _listen(settings: Settings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OSError(
            f"cannot listen on {settings.host}:{settings.port} ({reason}); "
            "choose another --port, or 0 for a free one"
        ) from error
    return listener
