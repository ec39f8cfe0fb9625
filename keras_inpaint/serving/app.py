"""The HTTP application: routes, error answers, metrics, description."""

import pathlib
from typing import Any

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles

import keras_inpaint
from keras_inpaint.serving import openapi, photo_routes, v1_routes, v2_routes
from keras_inpaint.serving.errors import ServingError
from keras_inpaint.serving.kserve_sdk import InferenceError, InvalidInput
from keras_inpaint.serving.middleware import Door
from keras_inpaint.serving.services import Services

_DESCRIPTION = """
Completes the holes of photos with GLCIC networks.

`POST /complete` takes a photo and a mask as files and answers with the completed file. The
other routes speak TensorFlow Serving's REST protocol (`/v1`) and the Open Inference Protocol
(`/v2`). White in a mask is the hole.
"""
_ASSETS = pathlib.Path(fastapi_offline.__file__).parent / "static"


def build(services: Services) -> Any:
    """Return the ASGI application.

    Args:
        services: What the routes work with.
    """
    settings = services.settings
    app = FastAPI(
        title="keras-inpaint",
        version=keras_inpaint.__version__,
        description=_DESCRIPTION.strip(),
        docs_url=None,
        redoc_url=None,
        # A path with a slash too many is not found; answering with a redirect would make
        # clients send a photo twice.
        redirect_slashes=False,
    )
    app.include_router(photo_routes.router(services))
    app.include_router(v1_routes.router(services))
    app.include_router(v2_routes.router(services))
    _add_pages(app)
    _add_error_answers(app)
    described: dict[str, Any] = {}

    def description() -> dict[str, Any]:
        if not described:
            described.update(openapi.describe(app, with_key=settings.api_key is not None))
        return described

    app.openapi = description  # type: ignore[method-assign]
    door: Any = Door(app, settings, services.gate)
    if settings.allow_origins:
        return CORSMiddleware(
            door,
            allow_origins=settings.allow_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-api-key", "x-request-id"],
            expose_headers=["content-disposition", "x-request-id", "x-keras-inpaint-notes"],
        )
    return door


def _add_pages(app: FastAPI) -> None:
    @app.get(
        "/metrics",
        tags=["Operation"],
        summary="Prometheus metrics",
        response_class=Response,
        responses={
            200: {"description": "Text format", "content": {"text/plain": {"schema": {}}}},
            **openapi.errors(401, 421, 500),
        },
    )
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon.png",
        )

    app.mount("/docs/assets", StaticFiles(directory=_ASSETS), name="assets")


def _add_error_answers(app: FastAPI) -> None:
    def answer(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
        return JSONResponse({"error": message}, status, headers)

    @app.exception_handler(ServingError)
    async def serving_error(request: Request, error: ServingError) -> JSONResponse:
        headers = {}
        if error.retry_after is not None:
            headers["retry-after"] = str(error.retry_after)
        if error.status in (408, 413):
            headers["connection"] = "close"
        return answer(error.status, str(error), headers)

    @app.exception_handler(InvalidInput)
    async def invalid_input(request: Request, error: InvalidInput) -> JSONResponse:
        return answer(400, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first.get("loc", ()))
        return answer(400, f"{where}: {first.get('msg', 'does not fit')}")

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(InferenceError)
    @app.exception_handler(Exception)
    async def internal_error(request: Request, error: Exception) -> JSONResponse:
        # The traceback is logged by the door, under the same id.
        return answer(500, f"internal error, request {request.state.request_id}")
