"""What the page's buttons do, without the page: photos in, completions, files out."""

import shutil
import threading
import time
import uuid
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_inpaint.inference.blend_methods import USUAL
from keras_inpaint.inference.hole_masks import Holes, grown, measure, warnings_about
from keras_inpaint.inference.photo import Photo
from keras_inpaint.inference.photo_formats import FORMATS
from keras_inpaint.inference.photos import read_photo, write_photo
from keras_inpaint.serving.ui_canvas import hole_under, strokes_of, strokes_over, view
from keras_inpaint.serving.ui_examples import examples
from keras_inpaint.serving.ui_models import Models
from keras_inpaint.serving.ui_session import Session, Sessions

_PILLOW_NAMES = [name for kind in FORMATS.values() for name in kind.pillow if name != "MPO"]

# Reading collects the decoders' warnings, which Python does for the whole process.
_reading = threading.Lock()


@dataclass(frozen=True)
class Options:
    """How a photo is completed.

    Attributes:
        model: String, one of the names of `Models`.
        blend: String, as `Inpainter` takes it.
        grow: Int, pixels of the photo to widen the hole by, all around.
    """

    model: str
    blend: str = USUAL
    grow: int = 0


@dataclass(frozen=True)
class Written:
    """A completed file.

    Attributes:
        path: Where it lies.
        notes: What a user should know about it, a sentence each.
    """

    path: Path
    notes: tuple[str, ...]


class Work:
    """The photos that pages work on, and what can be done with them.

    Args:
        models: The completion networks.
        folder: A folder for the files to download.
        max_pixels: Int, the largest photo that is taken.
        max_sessions: Int, how many photos are held.
    """

    def __init__(
        self, models: Models, folder: Path, *, max_pixels: int, max_sessions: int = 8
    ) -> None:
        self.models = models
        self.sessions = Sessions(max_sessions)
        self._folder = folder
        self._max_pixels = max_pixels

    def open_file(self, key: str, path: Path) -> Session:
        """Read a photo that was uploaded, and remove the upload.

        Args:
            key: String, the page.
            path: The file; its name is the photo's.

        Raises:
            ValueError: If it is no photo, or too large.
        """
        try:
            self._check_size(path)
            with _reading:
                photo = read_photo(path)
        except ValueError as error:
            raise ValueError(str(error).replace(f"{path.parent}/", "")) from error
        finally:
            path.unlink(missing_ok=True)
        return self._open(key, photo)

    def open_example(self, key: str, number: int) -> Session:
        """Open an example portrait, with its hole painted."""
        example = examples()[number]
        return self._open(key, example.photo, strokes_over(example.hole))

    def complete(self, key: str, painted: Mapping[str, Any] | None, options: Options) -> Session:
        """Fill what was painted on a page's photo.

        Args:
            key: String, the page.
            painted: What the image editor gives.
            options: How.

        Raises:
            ValueError: If nothing or everything was painted, or the network cannot do it.
        """
        session = self.sessions.get(key)
        strokes = strokes_of(painted)
        hole = None if strokes is None else hole_under(strokes, *session.photo.size)
        if strokes is None or hole is None or not hole.any():
            raise ValueError("Nothing is painted yet. Brush over what should be filled.")
        hole = grown(hole, options.grow)
        if hole.all():
            raise ValueError("All of the photo is painted. Leave some of it to go on from.")
        self.models.load(options.model)  # not part of the time that is told
        start = time.perf_counter()
        filled, chosen = self.models.complete(
            options.model, session.photo.image, hole, options.blend
        )
        report = _report(measure(hole), session.photo, time.perf_counter() - start, chosen)
        return self._put(key, session.completed(filled, hole, strokes, report))

    def go_on(self, key: str) -> Session:
        """Take the result as the photo."""
        return self._put(key, self.sessions.get(key).continued())

    def step_back(self, key: str) -> Session:
        """Take the last completion, or the last `go_on`, back."""
        return self._put(key, self.sessions.get(key).stepped_back())

    def write(self, key: str) -> Written:
        """Write what a page's photo has become, in the photo's format and at its size."""
        photo = self.sessions.get(key).shown
        suffix = photo.path.suffix
        if suffix.lower() not in FORMATS[photo.format].suffixes:
            suffix = FORMATS[photo.format].suffixes[0]
        # Each file has an address of its own, so that no browser takes an earlier one for it.
        shutil.rmtree(self._folder / key, ignore_errors=True)
        folder = self._folder / key / uuid.uuid4().hex
        folder.mkdir(parents=True)
        path = folder / f"{photo.path.stem or 'photo'}-completed{suffix}"
        notes = write_photo(photo, path, format=photo.format)
        return Written(path, notes)

    def close(self, key: str) -> None:
        """Forget a page's photo and remove its files."""
        self.sessions.drop(key)
        shutil.rmtree(self._folder / key, ignore_errors=True)

    def _open(self, key: str, photo: Photo, strokes: np.ndarray | None = None) -> Session:
        self.close(key)
        return self._put(key, Session(photo, view(photo.image), strokes=strokes))

    def _put(self, key: str, session: Session) -> Session:
        self.sessions.put(key, session)
        return session

    def _check_size(self, path: Path) -> None:
        """Refuse a file by the size that it declares; one that cannot be told, reading refuses."""
        with _reading, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            try:
                with Image.open(path, formats=_PILLOW_NAMES) as picture:
                    width, height = picture.size
            except Image.DecompressionBombError as error:
                raise ValueError(f"{path.name} is too large ({error}).") from error
            except Exception:  # Pillow's parsers raise many kinds for broken files
                return
        if width * height > self._max_pixels:
            raise ValueError(
                f"{path.name} has {width}x{height} pixels; at most "
                f"{self._max_pixels / 1e6:.3g} million are taken (--max-pixels)."
            )


def described(photo: Photo) -> str:
    """Return a line on a photo: its name, size and format."""
    width, height = photo.size
    return f"{photo.path.name} · {width}x{height} · {photo.format}"


def _report(holes: Holes, photo: Photo, seconds: float, chosen: Sequence[str]) -> str:
    width, height = photo.size
    count = "1 hole" if holes.count == 1 else f"{holes.count} holes"
    told = [f"{count} filled: {holes.pixels} of {width}x{height} pixels in {seconds:.1f} s."]
    told += [f"{line[0].upper()}{line[1:]}." for line in chosen]
    for warning in warnings_about(holes):
        warning = warning.removesuffix("; if the mask is inverted, use --mask-polarity")
        told.append(f"{warning[0].upper()}{warning[1:]}.")
    return " ".join(told)
