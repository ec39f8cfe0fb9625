"""One upload: checks on its pixels, and the completed file."""

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

#: What each format is called in `content-type`.
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

# Reading a photo collects its decoder's warnings, which Python does for the whole process: two
# at a time would leave the collector in place.
_reading = threading.Lock()


def check_size(data: bytes, what: str, max_pixels: int) -> None:
    """Raise a 413 where a file declares too many pixels; nothing is decoded.

    Args:
        data: The file's bytes.
        what: String, what the sender calls it.
        max_pixels: Int, most pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_OPENED) as picture:
            width, height = picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ServingError(413, f"{what} has more than the {max_pixels} pixels allowed") from None
    except Exception:  # Pillow's parsers raise many kinds for broken files; reading says it better
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
        mask: The bytes of the mask's file; None takes the photo's transparency.
        models: The server's models.
        model: String, which of them.
        options: How the mask is read.
        max_hole: Int, most pixels of holes.
        **how: What `Inpainter` takes beside the model.

    Returns:
        The bytes of the completed file, in the photo's format, and what was done.

    Raises:
        ServingError: 413 or 422, where photo or mask cannot be worked with.
        Cancelled: If the work was told to stop.
    """

    def check(decoded: Photo, hole: np.ndarray, holes: Holes) -> None:
        check_cancelled()
        if holes.share == 1:
            raise ServingError(422, "mask: all of it is hole, so nothing of the photo is known")
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
    """Return what should be known about a result as JSON in ASCII, for a header."""
    return json.dumps(done.warnings + done.notes)
