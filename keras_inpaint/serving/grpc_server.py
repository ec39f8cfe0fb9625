"""Open Inference Protocol v2 over gRPC, on KServe's servicer."""

import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from keras_inpaint.serving import metrics
from keras_inpaint.serving.errors import NotFound, ServingError, Unauthorized
from keras_inpaint.serving.kserve_sdk import (
    InferenceServicer,
    InferRequest,
    InvalidInput,
    ModelRepositoryExtension,
    add_GRPCInferenceServiceServicer_to_server,
    oip_pb2,
)
from keras_inpaint.serving.logs import request_fields
from keras_inpaint.serving.middleware import given_key, key_matches
from keras_inpaint.serving.registry import qualified_name
from keras_inpaint.serving.services import Services

logger = logging.getLogger(__name__)

_HEALTH = ("ServerLive", "ServerReady")


class Servicer(InferenceServicer):
    """KServe's servicer with versions and admission, without loading from outside.

    Args:
        services: What it works with.
    """

    def __init__(self, services: Services) -> None:
        super().__init__(services.dataplane, ModelRepositoryExtension(services.registry))
        self._services = services

    async def ModelReady(self, request: Any, context: Any) -> Any:
        """Tell whether a model, or a version of it, is served; an unknown one is not."""
        try:
            ready = await self._services.dataplane.model_ready(_key(request.name, request.version))
        except NotFound:
            ready = False
        return oip_pb2.ModelReadyResponse(ready=ready)

    async def ModelMetadata(self, request: Any, context: Any) -> Any:
        """Tell the inputs and outputs of a model's default signature."""
        known = await self._services.dataplane.model_metadata(_key(request.name, request.version))
        return oip_pb2.ModelMetadataResponse(**known)

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        """Complete photos."""
        services = self._services
        with services.gate.ticket():
            key = _key(request.model_name, request.model_version)
            await services.dataplane.get_model(key)  # unknown and unready models first
            self.validate_grpc_request(request)
            asked = await services.loop.run_in_executor(
                services.codec, InferRequest.from_grpc, request
            )
            answer, _ = await services.gate.run(services.dataplane.infer(key, asked, {}))
            return await services.loop.run_in_executor(services.codec, answer.to_grpc)

    async def RepositoryModelLoad(self, request: Any, context: Any) -> Any:
        """Refuse: models are loaded from the server's own folders only."""
        raise ServingError("models are not loaded from outside", status=501)

    async def RepositoryModelUnload(self, request: Any, context: Any) -> Any:
        """Refuse: models are unloaded by removing their folders."""
        raise ServingError("models are not unloaded from outside", status=501)


def _key(name: str, version: str) -> str:
    if not version:
        return name
    if not version.isdecimal() or len(version) > 18:
        raise NotFound(f"Servable not found for request: Specific({name}, {version[:40]})")
    return qualified_name(name, int(version))


class Door(grpc.aio.ServerInterceptor):
    """API key, error codes, metrics and a line in the log for each call.

    Args:
        api_key: The key that calls must carry, or None.
    """

    def __init__(self, api_key: str | None) -> None:
        self._api_key = api_key

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: Any
    ) -> Any:
        """Return a handler that answers through the door."""
        handler = await continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler
        method = details.method.rpartition("/")[2]
        answer = handler.unary_unary
        headers = dict(details.invocation_metadata or ())

        async def guarded(request: Any, context: Any) -> Any:
            return await self._answer(answer, method, headers, request, context)

        return grpc.unary_unary_rpc_method_handler(
            guarded,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    async def _answer(
        self, answer: Any, method: str, headers: dict[str, Any], request: Any, context: Any
    ) -> Any:
        began = time.monotonic()
        request_id = uuid.uuid4().hex
        fields: dict[str, Any] = {}
        token = request_fields.set(fields)
        code, message = "OK", ""
        try:
            if self._api_key and method not in _HEALTH:
                texts = {k: v for k, v in headers.items() if isinstance(v, str)}
                if not key_matches(given_key(texts), self._api_key):
                    raise Unauthorized("a valid API key is needed: authorization: Bearer KEY")
            return await answer(request, context)
        except ServingError as error:
            code, message = error.grpc_code, str(error)
            metrics.REFUSED.labels(error.reason).inc()
        except (InvalidInput, OverflowError) as error:
            code, message = "INVALID_ARGUMENT", str(error)
        except Exception:
            code, message = "INTERNAL", f"internal error, request {request_id}"
            logger.exception("internal error", extra={"fields": {"request_id": request_id}})
        finally:
            seconds = time.monotonic() - began
            metrics.REQUESTS.labels("grpc", method, code).inc()
            metrics.REQUEST_SECONDS.labels("grpc", method).observe(seconds)
            line = {
                "request_id": request_id,
                "protocol": "grpc",
                "route": method,
                "status": code,
                "milliseconds": round(1000 * seconds, 1),
                **fields,
            }
            level = logging.DEBUG if method in _HEALTH else logging.INFO
            logger.log(level, "request", extra={"fields": line})
            request_fields.reset(token)
        await context.abort(grpc.StatusCode[code], message)


def build(services: Services) -> tuple[Any, int]:
    """Return a gRPC server that is not yet started, and the port that it is bound to.

    Args:
        services: What it works with.

    Raises:
        OSError: If the address cannot be bound.
    """
    settings = services.settings
    most = settings.grpc_max_message_bytes
    server = grpc.aio.server(
        interceptors=[Door(settings.api_key)],
        maximum_concurrent_rpcs=settings.max_concurrency + settings.max_queue + 16,
        options=[
            ("grpc.max_receive_message_length", most),
            ("grpc.max_send_message_length", most),
            ("grpc.so_reuseport", 0),
        ],
    )
    add_GRPCInferenceServiceServicer_to_server(Servicer(services), server)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"{host}:{settings.grpc_port}"
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address} for gRPC: is the port taken?") from error
    return server, port
