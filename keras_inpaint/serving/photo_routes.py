"""`POST /complete`: a photo and a mask as files in, the completed file out."""

import asyncio
import functools
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException

from keras_inpaint.inference.completing import MaskOptions
from keras_inpaint.serving import openapi, photo_work
from keras_inpaint.serving.batched_runtime import (
    AUTO,
    BLENDS,
    COARSE,
    TEXTURE,
    USUAL_BLEND,
    completer,
)
from keras_inpaint.serving.completion_model import CompletionModel
from keras_inpaint.serving.errors import BadRequest, Unsupported
from keras_inpaint.serving.logs import note
from keras_inpaint.serving.services import Services

_MAX_GROW = 1000
_POLARITIES = ("white", "black")
_SCALES = (AUTO, *map(str, range(1, 65)))
_OPTIONS = (
    *("blend", "grow", "polarity", "coarse", "scale", "texture"),
    *("resize_mask", "model", "version"),
)
_FIELDS = ("photo", "mask", *_OPTIONS)

_FILE = {"type": "string", "format": "binary"}
_FORM = {
    "type": "object",
    "required": ["photo", "mask"],
    "additionalProperties": False,
    "properties": {
        "photo": {**_FILE, "description": "JPEG, PNG, WebP, TIFF, BMP or GIF"},
        "mask": {
            **_FILE,
            "description": "A file of the photo's size; or the word `alpha` for the transparent "
            "part of the photo",
        },
        "blend": {"type": "string", "enum": list(BLENDS), "default": USUAL_BLEND},
        "grow": {
            "type": "integer",
            "minimum": 0,
            "maximum": _MAX_GROW,
            "default": 0,
            "description": "Pixels to widen the hole by",
        },
        "polarity": {
            "type": "string",
            "enum": list(_POLARITIES),
            "default": "white",
            "description": "What marks the hole in the mask",
        },
        "coarse": {
            "type": "string",
            "enum": list(COARSE),
            "default": "auto",
            "description": "Complete holes wider than the network sees coarsely first",
        },
        "scale": {
            "type": "string",
            "enum": list(_SCALES),
            "default": AUTO,
            "description": "Complete on the photo reduced to one part in so many",
        },
        "texture": {
            "type": "string",
            "enum": list(TEXTURE),
            "default": AUTO,
            "description": "Compose holes of texture from the photo",
        },
        "resize_mask": {"type": "boolean", "default": False},
        "model": {
            "type": "string",
            "description": "Needed where several are served; `auto` chooses among them what fits "
            "the hole",
        },
        "version": {"type": "string", "pattern": "^[0-9]{1,18}$"},
    },
}


def router(services: Services) -> APIRouter:
    """Return the route of photo files.

    Args:
        services: What it works with.
    """
    routes = APIRouter(tags=["Photos"])
    images = {kind: {"schema": _FILE} for kind in photo_work.MEDIA_TYPES.values()}

    @routes.post(
        "/complete",
        summary="Complete a photo file",
        description="Answers with the completed file in the photo's format, its metadata kept. "
        "What should be known about the result is in the header `x-keras-inpaint-notes`, a JSON "
        "array of sentences.",
        response_class=Response,
        responses={
            200: {"description": "The completed file", "content": images},
            **openapi.errors(*openapi.WORK_ERRORS, 422),
        },
        openapi_extra=openapi.body({"multipart/form-data": _FORM}),
    )
    async def complete(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "multipart/form-data":
            raise Unsupported(
                f"/complete takes multipart/form-data, got {kind[:60] or 'nothing'!r}"
            )
        with photo_work.upload_folder(services.scratch) as folder:
            try:
                async with request.form(
                    max_files=2, max_fields=len(_FIELDS), max_part_size=4096
                ) as form:
                    wish = _Wish(form, services)
                    await wish.keep_files(folder)
            except (MultiPartException, HTTPException) as error:
                detail = getattr(error, "message", None) or getattr(error, "detail", "")
                raise BadRequest(f"the form cannot be read: {detail}") from None
            answer = await services.gate.run(_complete(services, wish, folder))
        note(size=list(answer.size), media_type=answer.media_type)
        return Response(
            answer.contents,
            media_type=answer.media_type,
            headers={
                "content-disposition": f'inline; filename="{answer.filename}"',
                "x-keras-inpaint-notes": answer.notes_header,
            },
        )

    return routes


async def _complete(services: Services, wish: "_Wish", folder: Path) -> photo_work.PhotoAnswer:
    loop = asyncio.get_running_loop()
    most = services.settings.max_photo_pixels
    parts = ("photo",) if wish.mask == photo_work.ALPHA else ("photo", "mask")
    pixels = [
        await loop.run_in_executor(
            services.photos, photo_work.check_size, folder / part, part, most
        )
        for part in parts
    ]
    first = wish.models[0]
    note(model=wish.name, version=first.version if len(wish.models) == 1 else None)
    load = functools.partial(completer, wish.models, services, **wish.how)
    async with services.pixels.spend(max(pixels)):
        return await loop.run_in_executor(
            services.photos, photo_work.complete_upload, folder, wish.mask, load, wish.options
        )


class _Wish:
    """What a form asks for."""

    def __init__(self, form: FormData, services: Services) -> None:
        unknown = [name for name in form if name not in _FIELDS]
        if unknown:
            raise BadRequest(f"unknown field {unknown[0][:60]!r}; known: {', '.join(_FIELDS)}")
        for name in form:
            if len(form.getlist(name)) > 1:
                raise BadRequest(f"field {name!r} is given twice")
        self._form = form
        self._files: dict[str, UploadFile] = {"photo": self._file("photo")}
        self.mask = "mask"
        if form.get("mask") == photo_work.ALPHA:
            self.mask = photo_work.ALPHA
        else:
            self._files["mask"] = self._file("mask")
        scale = self._choice("scale", _SCALES, AUTO)
        self.how = {
            "blend": self._choice("blend", BLENDS, USUAL_BLEND),
            "coarse": self._choice("coarse", COARSE, "auto"),
            "scale": scale if scale == AUTO else int(scale),
            "texture": self._choice("texture", TEXTURE, AUTO),
        }
        self.options = MaskOptions(
            polarity=self._choice("polarity", _POLARITIES, "white"),
            grow=self._grow(),
            resize=self._choice("resize_mask", ("false", "true"), "false") == "true",
        )
        self.name, self.models = self._find_models(services)

    async def keep_files(self, folder: Path) -> None:
        loop = asyncio.get_running_loop()
        for name, upload in self._files.items():
            await loop.run_in_executor(None, photo_work.keep, upload.file, folder / name)

    def _file(self, name: str) -> UploadFile:
        value = self._form.get(name)
        if not isinstance(value, UploadFile):
            raise BadRequest(f"the form needs a file {name!r}")
        return value

    def _text(self, name: str, default: str) -> str:
        value: Any = self._form.get(name, default)
        if not isinstance(value, str):
            raise BadRequest(f"field {name!r} must be text, got a file")
        return value

    def _choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self._text(name, default)
        if value not in choices:
            raise BadRequest(f"{name} must be one of {', '.join(choices)}, got {value[:60]!r}")
        return value

    def _grow(self) -> int:
        text = self._text("grow", "0")
        if not (text.isascii() and text.isdecimal()) or len(text) > 6 or int(text) > _MAX_GROW:
            raise BadRequest(f"grow must be 0 to {_MAX_GROW}, got {text[:60]!r}")
        return int(text)

    def _find_models(self, services: Services) -> tuple[str, list[CompletionModel]]:
        names = services.registry.names
        name = self._text("model", names[0] if len(names) == 1 else "")
        if not name:
            raise BadRequest(f"several models are served; name one of {', '.join(names)}, or auto")
        version = self._text("version", "")
        if version and not (version.isascii() and version.isdecimal() and len(version) <= 18):
            raise BadRequest(f"version must be a whole number, got {version[:60]!r}")
        if name == AUTO and AUTO not in names:
            if version:
                raise BadRequest("version goes with one model, and model is auto")
            return name, [services.registry.find(other, None) for other in names]
        model = services.registry.find(name, int(version) if version else None)
        return model.model_name, [model]
