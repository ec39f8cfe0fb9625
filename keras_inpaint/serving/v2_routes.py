"""Open Inference Protocol v2 over HTTP: health, metadata, inference with binary tensors."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from keras_inpaint.serving import oip, openapi
from keras_inpaint.serving.errors import NotReady
from keras_inpaint.serving.registry import qualified_name
from keras_inpaint.serving.services import Services
from keras_inpaint.serving.v1_routes import Name, Version

_PARAMETERS = {"type": "object", "additionalProperties": True}
_TENSOR = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": {"type": "string"},
        "datatype": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
    },
}
_METADATA = {
    "type": "object",
    "required": ["name", "platform", "inputs", "outputs"],
    "properties": {
        "name": {"type": "string"},
        "versions": {"type": "array", "items": {"type": "string"}},
        "platform": {"type": "string"},
        "inputs": {"type": "array", "items": _TENSOR},
        "outputs": {"type": "array", "items": _TENSOR},
    },
}
_SERVER = {
    "type": "object",
    "required": ["name", "version", "extensions"],
    "properties": {
        "name": {"type": "string"},
        "version": {"type": "string"},
        "extensions": {"type": "array", "items": {"type": "string"}},
    },
}
_INPUT = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string", "example": "image"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"type": "string", "enum": ["UINT8", "FP32", "BYTES"]},
        "parameters": _PARAMETERS,
        "data": {"type": "array", "items": {}},
    },
}
_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {
            "type": "object",
            "properties": {
                "signature_name": {"type": "string"},
                "binary_data_output": {"type": "boolean"},
            },
        },
        "inputs": {"type": "array", "items": _INPUT},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "parameters": _PARAMETERS},
            },
        },
    },
}
_RESPONSE = {
    "type": "object",
    "required": ["id", "model_name", "outputs"],
    "properties": {
        "id": {"type": "string"},
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "outputs": {"type": "array", "items": _TENSOR},
    },
}


def _flag(name: str, of_model: bool = False) -> dict[str, Any]:
    properties: dict[str, Any] = {name: {"type": "boolean"}}
    if of_model:
        properties["name"] = {"type": "string"}
    return {"type": "object", "required": list(properties), "properties": properties}


def router(services: Services) -> APIRouter:
    """Return the routes under `/v2`.

    Args:
        services: What the routes work with.
    """
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol v2"])
    registry, gate, dataplane = services.registry, services.gate, services.dataplane
    reading = openapi.errors(*openapi.READ_ERRORS)

    async def infer(request: Request, name: str, version: str | None) -> Response:
        model = registry.find(name, None if version is None else int(version))
        body = await request.body()
        loop = asyncio.get_running_loop()
        headers = {key.lower(): value for key, value in request.headers.items()}
        asked, _ = await loop.run_in_executor(
            services.codec, dataplane.decode, body, headers, "v2", name
        )
        del body
        result, _ = await gate.run(dataplane.infer(model.name, asked, headers))
        content, length = await loop.run_in_executor(
            services.codec, oip.write_response, result, asked
        )
        if length is None:
            return Response(content, media_type=openapi.JSON)
        return Response(
            content,
            media_type="application/octet-stream",
            headers={oip.JSON_LENGTH_HEADER: str(length)},
        )

    async def ready(name: str, version: str | None) -> JSONResponse:
        key = name if version is None else qualified_name(name, int(version))
        if not await dataplane.model_ready(key):
            raise NotReady(f"model {key!r} is not ready", retry_after=5)
        return JSONResponse({"name": name, "ready": True})

    inferring = {
        "response_class": Response,
        "responses": {
            200: {
                "description": "The outputs, in JSON, or with binary tensors after it",
                "content": {
                    openapi.JSON: {"schema": _RESPONSE},
                    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                },
            },
            **openapi.errors(*openapi.WORK_ERRORS),
        },
        "openapi_extra": openapi.body({openapi.JSON: _REQUEST}),
    }
    ready_answer = {**openapi.json_answer("It is ready", _flag("ready", True)), **reading}
    metadata_answer = {**openapi.json_answer("Inputs and outputs", _METADATA), **reading}

    @routes.get(
        "", summary="Server metadata", responses={**openapi.json_answer("", _SERVER), **reading}
    )
    async def server_metadata() -> JSONResponse:
        return JSONResponse(dataplane.metadata())

    @routes.get(
        "/health/live",
        summary="Liveness",
        responses={**openapi.json_answer("It lives", _flag("live")), **openapi.errors(421, 500)},
    )
    async def live() -> JSONResponse:
        return JSONResponse({"live": True})

    @routes.get(
        "/health/ready",
        summary="Readiness",
        responses={
            **openapi.json_answer("It is ready", _flag("ready")),
            **openapi.errors(421, 500, 503),
        },
    )
    async def server_ready() -> JSONResponse:
        if not await dataplane.ready():
            raise NotReady("the server is starting or stopping", retry_after=5)
        return JSONResponse({"ready": True})

    @routes.get("/models/{name}", summary="Model metadata", responses=metadata_answer)
    async def metadata_latest(name: Name) -> JSONResponse:
        return JSONResponse(await dataplane.model_metadata(name.replace("/", "")))

    @routes.get(
        "/models/{name}/versions/{version}",
        summary="Metadata of one version",
        responses=metadata_answer,
    )
    async def metadata_version(name: Name, version: Version) -> JSONResponse:
        return JSONResponse(await dataplane.model_metadata(qualified_name(name, int(version))))

    @routes.get("/models/{name}/ready", summary="Model readiness", responses=ready_answer)
    async def ready_latest(name: Name) -> JSONResponse:
        return await ready(name, None)

    @routes.get(
        "/models/{name}/versions/{version}/ready",
        summary="Readiness of one version",
        responses=ready_answer,
    )
    async def ready_version(name: Name, version: Version) -> JSONResponse:
        return await ready(name, version)

    @routes.post("/models/{name}/infer", summary="Complete photos", **inferring)
    async def infer_latest(request: Request, name: Name) -> Response:
        return await infer(request, name, None)

    @routes.post(
        "/models/{name}/versions/{version}/infer",
        summary="Complete photos with one version",
        **inferring,
    )
    async def infer_version(request: Request, name: Name, version: Version) -> Response:
        return await infer(request, name, version)

    return routes
