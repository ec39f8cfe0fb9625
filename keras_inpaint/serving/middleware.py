"""Access control, limits and logging of requests."""

import asyncio
import hmac
import logging
import re
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keras_inpaint.serving.errors import ClientGone, ServingError
from keras_inpaint.serving.logs import request_fields
from keras_inpaint.serving.settings import Settings

logger = logging.getLogger(__name__)

#: Paths that need no key: they reveal nothing about photos, and probes and browsers send no key.
OPEN_PATHS = (
    *("/health", "/docs", "/openapi.json"),
    *("/js", "/css", "/icon.svg", "/example.png", "/examples"),
)
_REQUESTS = Counter("keras_inpaint_requests", "Requests processed", ["route", "code"])
_SECONDS = Histogram(
    "keras_inpaint_request_seconds",
    "Time from a request's headers to the end of its response",
    ["route"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


class RequestMiddleware:
    """Checks host, origin, key and size, and identifies, times, counts and logs each request.

    Args:
        app: The application.
        settings: Limits and access control.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        requested = headers.get("x-request-id", "")
        name = requested if _ID.fullmatch(requested) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = name
        started, status, sent = time.monotonic(), 0, 0
        fields: dict[str, Any] = {}
        token = request_fields.set(fields)

        async def respond(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = name
                MutableHeaders(scope=message)["x-content-type-options"] = "nosniff"
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        body = _Body(receive, self._settings)
        try:
            self._check(scope, headers)
            await self._app(scope, body.receive, respond)
        except ServingError as error:
            await error_answer(error)(scope, receive, respond)
        except Exception:
            logger.exception("internal error", extra={"fields": {"request_id": name}})
            if status:
                raise
            failed = ServingError(500, f"internal error, request {name}")
            await error_answer(failed)(scope, receive, respond)
        finally:
            request_fields.reset(token)
            seconds = time.monotonic() - started
            route = getattr(scope.get("route"), "path", None) or "none"
            _REQUESTS.labels(route, str(status)).inc()
            _SECONDS.labels(route).observe(seconds)
            quiet = route.startswith("/health") or route == "/metrics"
            line = {
                "request_id": name,
                "method": scope["method"],
                "route": route,
                "status": status,
                "milliseconds": round(1000 * seconds, 1),
                "bytes_in": body.read,
                "bytes_out": sent,
                **fields,
            }
            logger.log(logging.DEBUG if quiet else logging.INFO, "request", extra={"fields": line})

    def _check(self, scope: Scope, headers: Headers) -> None:
        settings = self._settings
        host = headers.get("host", "")
        if not settings.answers_to(_without_port(host)):
            raise ServingError(421, f"the host name {host[:100]!r} is not one of this server's")
        origin = headers.get("origin")
        if origin is not None and origin not in settings.origins:
            # Browsers send forms and plain text to other origins without a preflight request.
            if urlsplit(origin).netloc.lower() != host.lower():
                raise ServingError(403, f"requests from pages of {origin[:100]!r} are not allowed")
        elif origin is None and headers.get("sec-fetch-site") == "cross-site":
            raise ServingError(403, "requests from pages of other sites are not allowed")
        path = scope["path"]
        is_open = path == "/" or any(
            path == prefix or path.startswith(f"{prefix}/") for prefix in OPEN_PATHS
        )
        if settings.api_key is not None and not is_open and scope["method"] != "OPTIONS":
            self._check_key(headers, settings.api_key)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > settings.max_body:
            raise _too_large(settings.max_body)

    def _check_key(self, headers: Headers, key: str) -> None:
        kind, _, token = headers.get("authorization", "").partition(" ")
        received = token.strip() if kind.lower() == "bearer" else headers.get("x-api-key", "")
        if not hmac.compare_digest(received.encode(), key.encode()):
            raise ServingError(401, "the API key is missing or wrong")


class _Body:
    """Receives a request's body within limits on size and time."""

    def __init__(self, receive: Receive, settings: Settings) -> None:
        self._receive, self._settings = receive, settings
        self._deadline = time.monotonic() + settings.body_timeout
        self._whole = False
        self.read = 0

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            remaining = max(0.0, self._deadline - time.monotonic())
            message = await asyncio.wait_for(self._receive(), remaining)
        except TimeoutError:
            raise ServingError(
                408, f"the body was not received within {self._settings.body_timeout:g} seconds"
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        if message["type"] == "http.request":
            self.read += len(message.get("body", b""))
            if self.read > self._settings.max_body:
                raise _too_large(self._settings.max_body)
            self._whole = not message.get("more_body", False)
        return message


def error_answer(error: ServingError) -> JSONResponse:
    """Return the response of an error: `{"error": "..."}`."""
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if error.status_code == 401:
        headers["www-authenticate"] = "Bearer"
    # After other errors the rest of the body is received and discarded: closing the connection
    # could lose the response.
    if error.status_code == 408:
        headers["connection"] = "close"
    return JSONResponse({"error": str(error)}, error.status_code, headers)


def _too_large(limit: int) -> ServingError:
    return ServingError(413, f"the request has more than the {limit} bytes allowed")


def _without_port(host: str) -> str:
    return re.sub(r":\d*$", "", host)
