"""Completes uploaded photo files with the code of the `complete` command."""

import dataclasses
import json
import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from keras_inpaint.inference.completing import Completer, Completion, MaskOptions, complete_file
from keras_inpaint.inference.photo_formats import FORMATS
from keras_inpaint.serving.errors import ServingError, TooLarge

logger = logging.getLogger(__name__)

#: The word for a photo's own transparency as its mask.
ALPHA = "alpha"

#: What each format is called in `content-type`.
MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "GIF": "image/gif",
}

# Reading a photo collects its decoder's warnings, which Python does for the whole process: two
# at a time would leave the collector in place.
_reading = threading.Lock()


class Unusable(ServingError):
    """A photo or mask that was read and cannot be worked with."""

    status = 422


@dataclasses.dataclass(frozen=True)
class PhotoAnswer:
    """A completed file.

    Attributes:
        contents: Bytes of the file.
        media_type: String.
        filename: String, a name for it.
        notes: What a user should know, a sentence each.
        size: Width and height in pixels.
    """

    contents: bytes
    media_type: str
    filename: str
    notes: tuple[str, ...]
    size: tuple[int, int]

    @property
    def notes_header(self) -> str:
        """The notes as JSON in ASCII, for a header."""
        return json.dumps(self.notes)


@contextmanager
def upload_folder(scratch: Path) -> Iterator[Path]:
    """Yield a folder for one request's files; it is removed at the end.

    Args:
        scratch: The server's temporary folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="upload-", dir=scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep(stream: BinaryIO, path: Path) -> None:
    """Copy an upload to a file.

    Args:
        stream: The upload, at any position.
        path: The file.
    """
    stream.seek(0)
    with open(path, "xb") as file:
        shutil.copyfileobj(stream, file)


def check_size(path: Path, what: str, max_pixels: int) -> int:
    """Return how many pixels a file declares; nothing is decoded.

    Args:
        path: The file.
        what: String, what the sender calls it.
        max_pixels: Int, most pixels.

    Returns:
        Int; 0 where the file is no photo, which reading it will tell better.

    Raises:
        TooLarge: If there are more than `max_pixels`.
    """
    names = [name for kind in FORMATS.values() for name in kind.pillow if name != "MPO"]
    try:
        with Image.open(path, formats=names) as picture:
            width, height = picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooLarge(f"{what} has more than the {max_pixels} pixels that are taken") from None
    except Exception:  # Pillow's parsers raise many kinds for broken files
        return 0
    if width * height > max_pixels:
        raise TooLarge(
            f"{what} of {width} by {height} pixels has more than the {max_pixels} that are taken"
        )
    return width * height


def complete_upload(
    folder: Path, mask: str, completer: Callable[[], Completer], options: MaskOptions
) -> PhotoAnswer:
    """Complete the photo in an upload's folder.

    Args:
        folder: Holds the file `photo`, and `mask` unless the mask is `alpha`.
        mask: String, `"mask"` or `"alpha"`.
        completer: Returns what fills the holes.
        options: How the mask is read.

    Returns:
        The completed file, in the photo's format.

    Raises:
        Unusable: If photo or mask cannot be worked with.
    """
    _reading.acquire()
    read = False

    def load() -> Completer:
        nonlocal read
        read = True
        _reading.release()
        return completer()

    output = folder / "completed"
    try:
        done = complete_file(
            folder / "photo",
            ALPHA if mask == ALPHA else folder / "mask",
            output,
            load,
            options=options,
            keep_format=True,
        )
    except ServingError:
        raise
    except (ValueError, OSError) as error:
        raise Unusable(_for_sender(str(error), folder)) from error
    finally:
        if not read:
            _reading.release()
    return _answer(done, output, folder)


def _answer(done: Completion, output: Path, folder: Path) -> PhotoAnswer:
    return PhotoAnswer(
        output.read_bytes(),
        MEDIA_TYPES[done.format],
        f"completed{FORMATS[done.format].suffixes[0]}",
        tuple(_for_sender(note, folder) for note in done.warnings + done.notes),
        done.size,
    )


def _for_sender(text: str, folder: Path) -> str:
    """Return a message without the server's paths, and with the form's names for options."""
    for command, form in (
        (f"{folder}/", ""),
        ("--mask-polarity black", "polarity=black"),
        ("--mask-polarity", "polarity"),
        ("--resize-mask", "resize_mask=true"),
        ("--mask alpha", "mask=alpha"),
        ("--coarse", "coarse"),
    ):
        text = text.replace(command, form)
    return text
