"""What stands before the page: whom it answers, how much it takes, what a browser may load."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from keras_inpaint.serving.loopback import is_loopback

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

#: A browser that keeps to this cannot be made to ask any other host for anything.
_POLICY = "; ".join(
    (
        "default-src 'self' data: blob:",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "frame-ancestors 'self'",
        "form-action 'self'",
        "base-uri 'self'",
    )
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Gate:
    """An ASGI application around another.

    Args:
        app: The application.
        loopback: Whether to answer only to names of this computer, so that no web page elsewhere
            can pose as this one by naming its own host after this address.
        max_body: Int, most bytes of one request.
    """

    def __init__(self, app: App, *, loopback: bool, max_body: int) -> None:
        self._app = app
        self._loopback = loopback
        self._max_body = max_body

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with 400 or 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if self._loopback and not is_loopback(_host(headers.get(b"host", b""))):
            await _refuse(send, 400, "This page answers to localhost and its addresses only.")
            return
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._max_body:
            await _refuse(send, 413, _too_large(self._max_body))
            return
        await self._answer(scope, receive, send)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        taken, started = 0, False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            return message if taken <= self._max_body else {"type": "http.disconnect"}

        async def guarded(message: Message) -> None:
            nonlocal started
            if taken > self._max_body and not started:
                return
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        try:
            await self._app(scope, counted, guarded)
        except Exception:
            if taken <= self._max_body or started:
                raise
        if taken > self._max_body and not started:
            await _refuse(send, 413, _too_large(self._max_body))


def _host(value: bytes) -> str:
    """Return the name in a Host header, without its port."""
    name = value.decode("latin-1").lower()
    head, colon, port = name.rpartition(":")
    return head if colon and port.isdecimal() else name


def _too_large(most: int) -> str:
    return f"At most {most / 2**20:.4g} MiB are taken."


async def _refuse(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
