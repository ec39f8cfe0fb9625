"""The door of the HTTP server: who may ask, how much, and a line in the log for each."""

import asyncio
import hmac
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from keras_inpaint.serving import metrics
from keras_inpaint.serving.errors import (
    BadRequest,
    ServingError,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unsupported,
)
from keras_inpaint.serving.gate import Gate
from keras_inpaint.serving.logs import request_fields
from keras_inpaint.serving.settings import Settings

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: Answered without the API key, so that an orchestrator can ask.
HEALTH_PATHS = frozenset({"/v2/health/live", "/v2/health/ready"})

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

#: How much of a body that is refused is read and dropped, so that its sender reads the answer.
_DISCARD_FACTOR = 4
_DISCARD_SECONDS = 10.0


def key_matches(given: str | None, key: str) -> bool:
    """Return whether a sent API key is the right one, in constant time.

    Args:
        given: What came, or None.
        key: The right one.
    """
    return hmac.compare_digest((given or "").encode("utf-8", "replace"), key.encode())


def given_key(headers: dict[str, str]) -> str | None:
    """Return the API key in headers or gRPC metadata, or None.

    Args:
        headers: Lower-case names to values; `authorization: Bearer KEY` or `x-api-key: KEY`.
    """
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else headers.get("x-api-key")


class Door:
    """ASGI middleware: host, API key, admission, body limit, request id, metrics, log.

    Args:
        app: The ASGI application behind it.
        settings: Limits and key.
        gate: Admission.
    """

    def __init__(self, app: Any, settings: Settings, gate: Gate) -> None:
        self._app = app
        self._settings = settings
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        visit = _Visit(scope, headers, receive, send, self._gate)
        token = request_fields.set(visit.fields)
        try:
            await self._enter(visit)
        except ServingError as error:
            await self._refuse(visit, error)
        except Exception:
            logger.exception("internal error", extra={"fields": {"request_id": visit.id}})
            if not visit.started:
                await visit.answer(500, {"error": f"internal error, request {visit.id}"})
        finally:
            visit.close()
            request_fields.reset(token)

    async def _enter(self, visit: "_Visit") -> None:
        self._check_host(visit.headers)
        key = self._settings.api_key if visit.path not in HEALTH_PATHS else None
        if key and not key_matches(given_key(visit.headers), key):
            raise Unauthorized("a valid API key is needed: Authorization: Bearer KEY")
        if visit.scope["method"] == "HEAD":  # what GET answers, without its body
            await self._app({**visit.scope, "method": "GET"}, visit.receive, _headless(visit.send))
            return
        if visit.scope["method"] in ("GET", "OPTIONS"):
            await self._app(visit.scope, visit.receive, visit.send)
            return
        if visit.headers.get("content-encoding", "identity").lower() != "identity":
            raise Unsupported("compressed bodies are not read; send it as it is")
        with self._gate.ticket():
            self._check_length(visit.headers)
            body = _Body(visit, self._settings.max_body_bytes, self._settings.body_seconds)
            await self._app(visit.scope, body.receive, visit.send)

    def _check_host(self, headers: dict[str, str]) -> None:
        allowed = self._settings.answered_hosts
        if not allowed:
            return
        host = headers.get("host", "")
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        if name.lower() not in {one.lower() for one in allowed}:
            raise ServingError(f"this server does not answer to {name[:100]!r}", status=421)

    def _check_length(self, headers: dict[str, str]) -> None:
        length = headers.get("content-length")
        if length is None:
            return
        if not length.isdecimal() or len(length) > 18:
            raise BadRequest("content-length must be a whole number")
        if int(length) > self._settings.max_body_bytes:
            raise _too_large(self._settings.max_body_bytes, f"{int(length)} bytes")

    async def _refuse(self, visit: "_Visit", error: ServingError) -> None:
        metrics.REFUSED.labels(error.reason).inc()
        if visit.started:
            return
        await visit.discard(self._settings.max_body_bytes * _DISCARD_FACTOR)
        extra = {}
        if error.retry_after is not None:
            extra["retry-after"] = str(error.retry_after)
        if error.status == 401:
            extra["www-authenticate"] = "Bearer"
        if error.status in (408, 413):
            extra["connection"] = "close"
        await visit.answer(error.status, {"error": str(error)}, extra)


def _too_large(limit: int, what: str) -> TooLarge:
    return TooLarge(f"the body may have {limit} bytes, got {what}")


def _headless(send: Any) -> Any:
    async def without_body(message: Any) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return without_body


class _Visit:
    """One request on its way through the door."""

    def __init__(
        self, scope: Scope, headers: dict[str, str], receive: Receive, send: Send, gate: Gate
    ) -> None:
        self.scope = scope
        self.headers = headers
        self.receive = receive
        self.path = scope["path"]
        wished = headers.get("x-request-id", "")
        self.id = wished if _REQUEST_ID.fullmatch(wished) else uuid.uuid4().hex
        self.fields: dict[str, Any] = {}
        self.started = False
        self.body_is_read = False
        self._send = send
        self._gate = gate
        self._status = 0
        self._sent = 0
        self._began = time.monotonic()
        scope.setdefault("state", {})["request_id"] = self.id

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self._status = message["status"]
            headers = list(message.get("headers", []))
            headers.append((b"x-request-id", self.id.encode()))
            headers.append((b"x-content-type-options", b"nosniff"))
            if self._gate.draining and not any(name == b"connection" for name, _ in headers):
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        else:
            self._sent += len(message.get("body", b""))
        await self._send(message)

    async def answer(
        self, status: int, content: dict[str, Any], extra: dict[str, str] | None = None
    ) -> None:
        body = orjson.dumps(content)
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        headers.update(extra or {})
        await self.send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await self.send({"type": "http.response.body", "body": body})

    async def discard(self, most: int) -> None:
        """Read and drop a body, so that its sender does not see a reset instead of the answer."""
        if self.body_is_read or self.scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return
        if "100-continue" in self.headers.get("expect", "").lower():
            return
        deadline = time.monotonic() + _DISCARD_SECONDS
        while most > 0:
            try:
                left = max(0.0, deadline - time.monotonic())
                message = await asyncio.wait_for(self.receive(), left)
            except TimeoutError:
                return
            most -= len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body", False):
                return

    def close(self) -> None:
        seconds = time.monotonic() - self._began
        route = getattr(self.scope.get("route"), "path", None) or "none"
        metrics.REQUESTS.labels("http", route, str(self._status)).inc()
        metrics.REQUEST_SECONDS.labels("http", route).observe(seconds)
        fields = {
            "request_id": self.id,
            "protocol": "http",
            "method": self.scope["method"],
            "route": route,
            "status": self._status,
            "milliseconds": round(1000 * seconds, 1),
            "bytes_out": self._sent,
            **self.fields,
        }
        quiet = self.path in HEALTH_PATHS or self.path == "/metrics"
        logger.log(logging.DEBUG if quiet else logging.INFO, "request", extra={"fields": fields})


class _Body:
    """Receives a request's body within limits of size and time."""

    def __init__(self, visit: _Visit, most: int, seconds: float) -> None:
        self._visit = visit
        self._most = most
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._read = 0

    async def receive(self) -> Message:
        visit = self._visit
        if visit.body_is_read:
            return await visit.receive()
        try:
            left = max(0.0, self._deadline - time.monotonic())
            message = await asyncio.wait_for(visit.receive(), left)
        except TimeoutError:
            visit.body_is_read = True  # nothing more of it is waited for
            raise TimedOut(
                f"the body did not arrive within {self._seconds:g} seconds", status=408
            ) from None
        if message["type"] == "http.disconnect":
            visit.body_is_read = True
            return message
        self._read += len(message.get("body", b""))
        visit.fields["bytes_in"] = self._read
        if not message.get("more_body", False):
            visit.body_is_read = True
        if self._read > self._most:
            raise _too_large(self._most, "more")
        return message
