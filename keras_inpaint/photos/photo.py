"""A photo: its stored pixels, their orientation when displayed, and its metadata."""

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
    """A photo as stored in its file and as displayed.

    Attributes:
        path: The file it was read from.
        format: A key of `FORMATS`, determined from the file's content.
        raster: The stored pixels, rows as in the file.
        orientation: The EXIF orientation, 1 to 8, which maps stored to displayed pixels.
        metadata: EXIF, XMP, resolution and more.
        frames: 2 if the file contains further pages or frames, which were not read; otherwise 1.
        notes: Notes for the user about reading the file, one sentence each.
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
        """Width and height as displayed, in pixels."""
        width, height = self.raster.size
        return (height, width) if self.orientation >= 5 else (width, height)

    @cached_property
    def image(self) -> np.ndarray:
        """The photo as displayed, uint8 `(height, width, 3)` RGB in [0, 255]; do not modify it."""
        return as_shown(self.raster.rgb, self.orientation)

    @cached_property
    def alpha(self) -> np.ndarray | None:
        """Its opacity as displayed, uint8 `(height, width)`, or None; do not modify it."""
        alpha = self.raster.alpha
        return None if alpha is None else as_shown(alpha, self.orientation)

    def completed(self, image: np.ndarray, hole: np.ndarray, *, opaque: bool = False) -> "Photo":
        """Return the photo with `image` in the hole and every other stored pixel unchanged.

        Args:
            image: uint8 `(height, width, 3)` as displayed; used inside the hole only.
            hole: Bool `(height, width)` as displayed.
            opaque: Whether to make the hole opaque; otherwise its opacity is unchanged.

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
    """Return a stored array `(height, width, ...)` as a viewer displays it, contiguous.

    Args:
        stored: The array, with rows as in the file.
        orientation: The EXIF orientation, 1 to 8.
    """
    return np.ascontiguousarray(_SHOW[orientation](stored))


def as_stored(shown: np.ndarray, orientation: int) -> np.ndarray:
    """Return a displayed array as it is stored in the file; the inverse of `as_shown`."""
    return np.ascontiguousarray(_SHOW[_BACK[orientation]](shown))


def fit(photo: Photo, format: str) -> tuple[Photo, list[str]]:
    """Convert a photo to a mode that a format can store.

    Args:
        photo: Any photo.
        format: A key of `FORMATS`.

    Returns:
        The photo, and a note for each change.

    Raises:
        ValueError: If the photo is too large for the format, or has transparent pixels, which
            the format cannot store.
    """
    notes, raster, metadata = [], photo.raster, photo.metadata
    orientation, longest = photo.orientation, FORMATS[format].longest
    if longest is not None and max(raster.size) > longest:
        width, height = raster.size
        raise ValueError(f"{format} stores at most {longest} pixels per side, got {width}x{height}")
    if orientation != 1 and not FORMATS[format].orientation:
        raster = replace(raster, pixels=as_shown(raster.pixels, orientation))
        orientation, metadata = 1, replace(metadata, exif=None, tiff=None)
        notes.append(f"{format} cannot store an orientation: written as displayed")
    if format != photo.format:
        metadata = replace(metadata, chunks=None, compression=None)
        if format == "TIFF" and metadata.exif and not is_sound(metadata.exif):
            metadata = replace(metadata, exif=None)
            notes.append("its EXIF is damaged and is dropped")
    if not holds(format, raster):
        mode = _nearest_mode(raster, format)
        notes.append(f"{format} cannot store pixels of mode {raster.mode}: written as {mode}")
        icc, raster = raster.icc, raster.converted(mode)
        if raster.icc != icc:
            notes.append("its ICC profile is for another colour space and is dropped")
    photo = replace(photo, raster=raster, orientation=orientation, metadata=metadata)
    return photo, notes


def _nearest_mode(raster: Raster, format: str) -> str:
    """Return the mode of a format that preserves opacity first, then a single grey channel."""
    kinds = ("L", "RGB") if raster.mode in GREY else ("RGB",)
    supported = [mode for mode in kinds if mode in FORMATS[format].modes]
    if raster.alpha is not None:
        with_alpha = [f"{mode}A" for mode in kinds if f"{mode}A" in FORMATS[format].modes]
        if not with_alpha and raster.alpha.min() < 255:
            raise ValueError(f"the photo has transparent pixels, which {format} cannot store")
        supported = with_alpha or supported
    if not supported:
        raise ValueError(f"{format} cannot store pixels of mode {raster.mode}")
    return supported[0]
