"""A photo as it lies in its file: stored pixels, how they are shown, and all that is kept."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from keras_inpaint.photos.formats import FORMATS, holds
from keras_inpaint.photos.metadata import Metadata, is_sound
from keras_inpaint.photos.raster import GREY, Raster

_SHOW = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: np.rot90(x, 1),
}
_BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo as it lies in its file, and as it is shown.

    Attributes:
        path: Where it was read.
        format: A key of `FORMATS`, by the file's content.
        raster: The stored pixels, rows as in the file.
        orientation: EXIF's 1 to 8: how the stored rows are turned to be shown.
        metadata: EXIF, XMP, resolution and more.
        frames: 2 where the file holds further pages or frames, which were not read; else 1.
        notes: What a user should know about the reading, a sentence each.
    """

    path: Path
    format: str
    raster: Raster
    orientation: int = 1
    metadata: Metadata = field(default_factory=Metadata)
    frames: int = 1
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown, in pixels."""
        width, height = self.raster.size
        return (height, width) if self.orientation >= 5 else (width, height)

    @cached_property
    def image(self) -> np.ndarray:
        """The photo as shown, uint8 `(height, width, 3)` RGB in [0, 255]; do not change it."""
        return as_shown(self.raster.rgb, self.orientation)

    @cached_property
    def alpha(self) -> np.ndarray | None:
        """Its opacity as shown, uint8 `(height, width)`, or None; do not change it."""
        alpha = self.raster.alpha
        return None if alpha is None else as_shown(alpha, self.orientation)

    def completed(self, image: np.ndarray, hole: np.ndarray, *, opaque: bool = False) -> "Photo":
        """Return the photo with `image` in the hole and every other stored pixel as it is.

        Args:
            image: uint8 `(height, width, 3)` as shown; read inside the hole only.
            hole: bool `(height, width)` as shown.
            opaque: Make the hole opaque; otherwise transparency stays as it is.

        Raises:
            ValueError: If the shapes do not fit the photo.
        """
        width, height = self.size
        for name, array, dtype, shape in (
            ("image", image, "uint8", (height, width, 3)),
            ("hole", hole, "bool", (height, width)),
        ):
            if array.shape != shape or array.dtype != dtype:
                raise ValueError(f"{name} must be {dtype} {shape}, got {array.dtype} {array.shape}")
        raster = self.raster.filled(
            as_stored(hole, self.orientation), as_stored(image, self.orientation), opaque=opaque
        )
        return replace(self, raster=raster)


def as_shown(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Return an array `(height, width, ...)` the way a viewer shows it, contiguous.

    Args:
        stored: Its rows as they lie in the file.
        orientation: EXIF's value, 1 to 8.
    """
    return np.ascontiguousarray(_SHOW[orientation](stored))


def as_stored(shown: np.ndarray, orientation: int) -> np.ndarray:
    """Return an array the way it lies in the file; the inverse of `as_shown`."""
    return np.ascontiguousarray(_SHOW[_BACK[orientation]](shown))


def fit(photo: Photo, format: str) -> tuple[Photo, list[str]]:
    """Return the photo in a mode that a format holds, and a note if that is another mode.

    Args:
        photo: Any photo.
        format: A key of `FORMATS`.

    Raises:
        ValueError: If the photo is too large for the format, or has transparent pixels and the
            format holds none.
    """
    notes, raster, metadata = [], photo.raster, photo.metadata
    orientation, longest = photo.orientation, FORMATS[format].longest
    if longest is not None and max(raster.size) > longest:
        width, height = raster.size
        raise ValueError(f"{width}x{height} pixels; {format} holds at most {longest} a side")
    if orientation != 1 and not FORMATS[format].orientation:
        raster = replace(raster, pixels=as_shown(raster.pixels, orientation))
        orientation, metadata = 1, replace(metadata, exif=None, tiff=None)
        notes.append(f"{format} cannot say how a photo is turned: written as it is shown")
    if format != photo.format:
        metadata = replace(metadata, chunks=None, compression=None)
        if format == "TIFF" and metadata.exif and not is_sound(metadata.exif):
            metadata = replace(metadata, exif=None)
            notes.append("its EXIF is damaged and is not kept")
    if not holds(format, raster):
        mode = _nearest_mode(raster, format)
        notes.append(f"{format} cannot hold pixels of mode {raster.mode}: written as {mode}")
        icc, raster = raster.icc, raster.converted(mode)
        if raster.icc != icc:
            notes.append("its ICC profile is for other pixels and is not kept")
    photo = replace(photo, raster=raster, orientation=orientation, metadata=metadata)
    return photo, notes


def _nearest_mode(raster: Raster, format: str) -> str:
    """Return the mode of a format that keeps most of a raster: its opacity, then its greyness."""
    kinds = ("L", "RGB") if raster.mode in GREY else ("RGB",)
    held = [mode for mode in kinds if mode in FORMATS[format].modes]
    if raster.alpha is not None:
        with_alpha = [f"{mode}A" for mode in kinds if f"{mode}A" in FORMATS[format].modes]
        if not with_alpha and raster.alpha.min() < 255:
            raise ValueError(f"the photo has transparent pixels, which {format} cannot hold")
        held = with_alpha or held
    if not held:
        raise ValueError(f"{format} cannot hold pixels of mode {raster.mode}")
    return held[0]
