"""The HTTP application: routes, their parameters and responses, and the OpenAPI description."""

import asyncio
import functools
import pathlib
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import fastapi_offline
from fastapi import FastAPI, Form, Path, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles

import keras_inpaint
from keras_inpaint.batch.completing import MaskOptions
from keras_inpaint.data import sample
from keras_inpaint.inference import AUTO, USUAL
from keras_inpaint.serving.completing import (
    MEDIA_TYPES,
    check_size,
    complete_upload,
    notes_of,
)
from keras_inpaint.serving.errors import ServingError
from keras_inpaint.serving.limiter import Limiter
from keras_inpaint.serving.logs import note
from keras_inpaint.serving.middleware import RequestMiddleware, error_answer
from keras_inpaint.serving.models import Models
from keras_inpaint.serving.settings import Settings

_DESCRIPTION = """
Completes the holes of photos: `POST /complete` takes a photo and a mask as files and returns the
completed file, with the photo's size, format, mode and metadata. White in a mask is the hole.
"""
_PAGE = pathlib.Path(keras_inpaint.__file__).parent / "page"
#: The number of example portraits on the page.
_PORTRAITS = 3
_ASSETS = pathlib.Path(fastapi_offline.__file__).parent / "static"
_MEANINGS = {
    400: "The form cannot be read",
    401: "The API key is missing or wrong",
    403: "Requests from pages of this origin are not allowed",
    404: "The model does not exist",
    408: "The body was not received in time",
    413: "Too many bytes, pixels, or pixels in the hole",
    421: "The host name is not one of the server's",
    422: "A parameter, the photo or the mask is invalid; the message gives the reason",
    429: "Too many requests; retry after the seconds in Retry-After",
    503: "The server is starting or stopping",
    504: "The request timed out and was cancelled",
}


class Error(BaseModel):
    """The error in one sentence."""

    error: str


class Model(BaseModel):
    """A model that completes photos.

    Attributes:
        name: Its value of the parameter `model`.
        default: Whether it is used if the parameter `model` is not given.
        card: Its model card: data, licence, limits, figures.
    """

    name: str
    default: bool
    card: dict[str, Any]


class ModelList(BaseModel):
    """The served models."""

    models: list[Model]


class Health(BaseModel):
    """Whether the server accepts photos."""

    status: Literal["live", "ready", "loading", "stopping"]


class CompleteForm(BaseModel):
    """The form of a request to complete a photo."""

    model_config = ConfigDict(extra="forbid")

    photo: UploadFile = Field(description="JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC")
    mask: UploadFile | None = Field(
        None,
        description="A file of the displayed photo's size, white in the hole; by default the hole "
        "is the photo's transparent part",
    )
    model: str = Field(
        "", max_length=100, description="A name from /models; by default the default model"
    )
    blend: Literal["none", "feather", "poisson"] = Field(
        USUAL, description="How the hole's rim is matched to the photo"
    )
    scale: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = Field(
        AUTO, description="Factor by which the photo is reduced before it is completed"
    )
    texture: Literal["auto", "on", "off"] = Field(
        AUTO, description="Whether to fill holes with texture from the photo"
    )
    coarse: Literal["auto", "off"] = Field(
        "auto",
        description="Complete holes wider than the network sees coarse to fine, or return an error",
    )
    polarity: Literal["white", "black"] = Field("white", description="The colour of the hole")
    grow: int = Field(0, ge=0, le=1000, description="Pixels by which to widen the hole")
    resize_mask: bool = Field(False, description="Resize a mask of another size")


class State:
    """The state shared by the routes.

    Attributes:
        settings: `Settings`.
        limiter: `Limiter`.
        models: `Models`, or None until they are loaded.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limiter = Limiter(settings.workers, settings.queue, settings.timeout)
        self.models: Models | None = None

    def loaded(self) -> Models:
        """Return the models; raise a 503 until they are loaded."""
        if self.models is None:
            raise ServingError(503, "the models are being loaded", retry_after=5)
        return self.models


def build(state: State) -> Any:
    """Return the ASGI application.

    Args:
        state: The state shared by the routes.
    """
    settings = state.settings
    # Uploads stay in memory: the middleware limits the size of a request.
    MultiPartParser.spool_max_size = settings.max_body
    app = FastAPI(
        title="keras-inpaint",
        version=keras_inpaint.__version__,
        description=_DESCRIPTION.strip(),
        docs_url=None,
        redoc_url=None,
        # After a redirect clients would send the photo twice.
        redirect_slashes=False,
    )
    _add_photos(app, state)
    _add_operation(app, state)
    _add_errors(app)
    if settings.api_key is not None:
        describe = app.openapi

        def with_key() -> dict[str, Any]:
            document = describe()
            parts = document.setdefault("components", {})
            parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"key": []}]
            return document

        app.openapi = with_key  # type: ignore[method-assign]
    guarded: Any = RequestMiddleware(Admission(app, state), settings)
    if not settings.origins:
        return guarded
    return CORSMiddleware(
        guarded,
        allow_origins=settings.origins,
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "x-api-key", "x-request-id"],
        expose_headers=["content-disposition", "x-request-id", "x-keras-inpaint-notes"],
    )


def _add_photos(app: FastAPI, state: State) -> None:
    settings = state.settings
    file = {"schema": {"type": "string", "format": "binary"}}
    files = dict.fromkeys(MEDIA_TYPES.values(), file)

    @app.post(
        "/complete",
        tags=["Photos"],
        summary="Complete a photo",
        description="The header `x-keras-inpaint-notes` has warnings and notes about the result, "
        "a JSON array of sentences.",
        response_class=Response,
        responses={200: {"description": "The completed file", "content": files}, **_errors()},
    )
    async def complete(
        request: Request, form: Annotated[CompleteForm, Form(media_type="multipart/form-data")]
    ) -> Response:
        models = state.loaded()
        model = form.model or models.default
        if not models.has(model):
            raise ServingError(404, f"no model {model!r}; models: {', '.join(models.names)}")
        photo = await form.photo.read()
        mask = None if form.mask is None else await form.mask.read()
        for what, data in (("photo", photo), ("mask", mask)):
            if data is not None:
                check_size(data, what, settings.max_pixels)
        note(model=model)
        work = functools.partial(
            complete_upload,
            photo,
            mask,
            models,
            model,
            MaskOptions(form.polarity, form.grow, form.resize_mask, refuse_grey=True),
            settings.max_hole,
            blend=form.blend,
            scale=form.scale,
            texture=form.texture,
            coarse=form.coarse,
        )
        contents, done = await state.limiter.run(work, _gone(request))
        note(size=list(done.size), hole=done.holes.pixels)
        name = f"completed.{MEDIA_TYPES[done.format].partition('/')[2]}"
        return Response(
            contents,
            media_type=MEDIA_TYPES[done.format],
            headers={
                "content-disposition": f'inline; filename="{name}"',
                "x-keras-inpaint-notes": notes_of(done),
            },
        )

    @app.get("/models", tags=["Photos"], summary="The models", responses=_errors(401, 503))
    async def models() -> ModelList:
        loaded = state.loaded()
        names = list(loaded.names) if len(loaded.names) == 1 else [AUTO, *loaded.names]
        about = "Chooses one of the other models for each hole, on known places around it."
        cards = {AUTO: {"description": about}, **loaded.cards}
        return ModelList(
            models=[
                Model(name=name, default=name == loaded.default, card=cards[name]) for name in names
            ]
        )


def _add_operation(app: FastAPI, state: State) -> None:
    @app.api_route("/health/live", methods=["GET", "HEAD"], tags=["Operation"])
    async def live() -> Health:
        return Health(status="live")

    @app.api_route(
        "/health/ready",
        methods=["GET", "HEAD"],
        tags=["Operation"],
        responses={503: {"description": "Loading or stopping", "model": Health}},
    )
    async def ready(response: Response) -> Health:
        if state.limiter.draining or state.models is None:
            response.status_code = 503
            return Health(status="stopping" if state.limiter.draining else "loading")
        return Health(status="ready")

    @app.api_route(
        "/metrics",
        methods=["GET", "HEAD"],
        tags=["Operation"],
        summary="Prometheus metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}, **_errors(401)},
    )
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon.png",
        )

    # The page is that of export/web; the attribute makes it send photos to the server.
    text = (_PAGE / "index.html").read_text("utf-8")
    page = text.replace('<html lang="en">', '<html lang="en" data-server>')

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(page, headers={"x-frame-options": "DENY"})

    @app.get("/examples/portrait-{index}.jpg", include_in_schema=False)
    def portrait(index: Annotated[int, Path(ge=0, lt=_PORTRAITS)]) -> Response:
        return Response(sample.encoded("test", _PORTRAITS)[index], media_type="image/jpeg")

    for name in ("icon.svg", "example.png"):
        file = functools.partial(FileResponse, _PAGE / name)
        app.add_api_route(f"/{name}", _responding(file), include_in_schema=False)
    for name in ("js", "css"):
        app.mount(f"/{name}", StaticFiles(directory=_PAGE / name), name=name)
    app.mount("/docs/assets", StaticFiles(directory=_ASSETS), name="assets")


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(ServingError)
    async def serving_error(request: Request, error: ServingError) -> JSONResponse:
        return error_answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = str(first.get("loc", ("", "body"))[1]) if len(first.get("loc", ())) > 1 else "body"
        value = first.get("input")
        received = f", got {value[:60]!r}" if isinstance(value, str) else ""
        return error_answer(ServingError(422, f"{where}: {first['msg']}{received}"))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


class Admission:
    """Admits requests to complete a photo before their body is read.

    Args:
        app: The application.
        state: The state shared by the routes.
    """

    def __init__(self, app: Any, state: State) -> None:
        self._app, self._limiter = app, state.limiter

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/complete" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        self._limiter.enter()
        try:
            await self._app(scope, receive, send)
        finally:
            self._limiter.leave()


def _responding(make: Callable[[], Response]) -> Callable[[], Awaitable[Response]]:
    async def respond() -> Response:
        return make()

    return respond


async def _gone(request: Request) -> None:
    """Return when the client has disconnected."""
    while (await request.receive())["type"] != "http.disconnect":
        await asyncio.sleep(0)


def _errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"description": _MEANINGS[code], "model": Error} for code in codes or _MEANINGS}
