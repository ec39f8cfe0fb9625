"""Complete one upload, with limits on its pixels."""

import io
import json
import threading

import numpy as np
from PIL import Image

from keras_inpaint.batch.completing import Completion, MaskOptions, complete_bytes
from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.photos.formats import FORMATS
from keras_inpaint.photos.masks import Holes
from keras_inpaint.photos.photo import Photo
from keras_inpaint.serving.errors import ServingError
from keras_inpaint.serving.models import Models

#: The `content-type` of each format.
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
_OPENED = [name for kind in FORMATS.values() for name in kind.pillow if name != "MPO"]

# Reading a photo collects its decoder's warnings, which changes the state of the whole process: two
# threads at a time might not restore it.
_reading = threading.Lock()


def check_size(data: bytes, what: str, max_pixels: int) -> None:
    """Raise a 413 if a file declares too many pixels, without decoding it.

    Args:
        data: The file's bytes.
        what: String, the file's name in messages.
        max_pixels: Int, the largest number of pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_OPENED) as picture:
            width, height = picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ServingError(413, f"{what} has more than the {max_pixels} pixels allowed") from None
    except Exception:  # any kind for a broken file; decoding it will give a better message
        return
    if width * height > max_pixels:
        raise ServingError(
            413, f"{what} has {width}x{height} pixels, more than the {max_pixels} allowed"
        )


def complete_upload(
    photo: bytes,
    mask: bytes | None,
    models: Models,
    model: str,
    options: MaskOptions,
    max_hole: int,
    **how: object,
) -> tuple[bytes, Completion]:
    """Complete an uploaded photo.

    Args:
        photo: The bytes of its file.
        mask: The bytes of the mask's file; None uses the photo's transparency.
        models: The server's models.
        model: String, the name of one of them, or `auto`.
        options: How the mask is read.
        max_hole: Int, the largest number of hole pixels.
        **how: The other arguments of `Inpainter`.

    Returns:
        The bytes of the completed file, in the photo's format, and the result.

    Raises:
        ServingError: 413 or 422, if the photo or the mask is invalid.
        Cancelled: If the work was cancelled.
    """

    def check(decoded: Photo, hole: np.ndarray, holes: Holes) -> None:
        check_cancelled()
        if holes.share == 1:
            raise ServingError(422, "mask: all pixels are in the hole, so that none are known")
        if holes.pixels > max_hole:
            raise ServingError(
                413, f"the hole has {holes.pixels} pixels, more than the {max_hole} allowed"
            )

    reading = True
    _reading.acquire()
    try:
        with models.lent(model, **how) as inpainter:

            def load() -> object:
                nonlocal reading
                reading = False
                _reading.release()
                return inpainter

            return complete_bytes(photo, mask, load, options=options, check=check)
    except (ValueError, OSError) as error:
        raise ServingError(422, str(error)) from error
    finally:
        if reading:
            _reading.release()


def notes_of(done: Completion) -> str:
    """Return the warnings and notes of a result as JSON in ASCII, for a header."""
    return json.dumps(done.warnings + done.notes)
