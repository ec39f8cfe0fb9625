"""TensorFlow Serving's REST routes: predict, status, metadata."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse, Response

from keras_inpaint.serving import openapi
from keras_inpaint.serving.services import Services

Name = Annotated[str, Path(description="The model's name", max_length=200)]
Version = Annotated[
    str, Path(description="The version's number", pattern=r"^[0-9]{1,18}$", examples=["1"])
]

_VALUES: dict[str, Any] = {
    "description": 'Nested lists of numbers, or a list of {"b64": "..."} for strings of bytes'
}
PREDICT = {
    "type": "object",
    "properties": {
        "signature_name": {"type": "string", "default": "serving_default"},
        "instances": {
            "type": "array",
            "items": {"type": "object", "properties": {"image": _VALUES, "mask": _VALUES}},
        },
        "inputs": {"type": "object", "properties": {"image": _VALUES, "mask": _VALUES}},
    },
    "oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}],
    "additionalProperties": False,
    "example": {
        "signature_name": "complete_bytes",
        "instances": [{"image": {"b64": "..."}, "mask": {"b64": "..."}}],
    },
}
PREDICTED = {
    "type": "object",
    "properties": {"predictions": {"type": "array"}, "outputs": {}},
}
STATUS = {
    "type": "object",
    "required": ["model_version_status"],
    "properties": {
        "model_version_status": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["version", "state", "status"],
                "properties": {
                    "version": {"type": "string"},
                    "state": {"type": "string"},
                    "status": {
                        "type": "object",
                        "properties": {
                            "error_code": {"type": "string"},
                            "error_message": {"type": "string"},
                        },
                    },
                },
            },
        }
    },
}
METADATA = {
    "type": "object",
    "required": ["model_spec", "metadata"],
    "properties": {"model_spec": {"type": "object"}, "metadata": {"type": "object"}},
}


def router(services: Services) -> APIRouter:
    """Return the routes under `/v1`.

    Args:
        services: What the routes work with.
    """
    routes = APIRouter(prefix="/v1", tags=["TensorFlow Serving REST"])
    registry, gate, dataplane = services.registry, services.gate, services.dataplane

    async def predict(request: Request, name: str, version: str | None) -> Response:
        model = registry.find(name, _number(version))
        body = await request.body()
        loop = asyncio.get_running_loop()
        headers = dict(request.headers)
        payload, _ = await loop.run_in_executor(services.codec, dataplane.decode, body, headers)
        del body
        answer, _ = await gate.run(dataplane.infer(model.name, payload, headers))
        return Response(answer, media_type=openapi.JSON)

    def metadata(name: str, version: str | None) -> JSONResponse:
        model = registry.find(name, _number(version))
        spec = {"name": name, "signature_name": "", "version": str(model.version)}
        definitions = model.loaded.signature_definitions()
        return JSONResponse(
            {"model_spec": spec, "metadata": {"signature_def": {"signature_def": definitions}}}
        )

    predicting = {
        "response_class": Response,
        "responses": {
            **openapi.json_answer("Rows or columns, as asked", PREDICTED),
            **openapi.errors(*openapi.WORK_ERRORS),
        },
        "openapi_extra": openapi.body({openapi.JSON: PREDICT}),
    }
    reading = openapi.errors(*openapi.READ_ERRORS)
    status_answer = {**openapi.json_answer("State of each version", STATUS), **reading}
    metadata_answer = {**openapi.json_answer("Signatures", METADATA), **reading}

    @routes.post("/models/{name}:predict", summary="Complete photos", **predicting)
    async def predict_latest(request: Request, name: Name) -> Response:
        return await predict(request, name, None)

    @routes.post(
        "/models/{name}/versions/{version}:predict",
        summary="Complete photos with one version",
        **predicting,
    )
    async def predict_version(request: Request, name: Name, version: Version) -> Response:
        return await predict(request, name, version)

    @routes.get(
        "/models/{name}/metadata",
        summary="Signatures",
        response_class=JSONResponse,
        responses=metadata_answer,
    )
    async def metadata_latest(name: Name) -> JSONResponse:
        return metadata(name, None)

    @routes.get(
        "/models/{name}/versions/{version}/metadata",
        summary="Signatures of one version",
        response_class=JSONResponse,
        responses=metadata_answer,
    )
    async def metadata_version(name: Name, version: Version) -> JSONResponse:
        return metadata(name, version)

    @routes.get(
        "/models/{name}",
        summary="State of all versions",
        response_class=JSONResponse,
        responses=status_answer,
    )
    async def status_all(name: Name) -> JSONResponse:
        return JSONResponse(registry.status(name))

    @routes.get(
        "/models/{name}/versions/{version}",
        summary="State of one version",
        response_class=JSONResponse,
        responses=status_answer,
    )
    async def status_version(name: Name, version: Version) -> JSONResponse:
        return JSONResponse(registry.status(name, int(version)))

    return routes


def _number(version: str | None) -> int | None:
    return None if version is None else int(version)
