"""A photo as it lies in its file: stored pixels, how they are shown, and all that is kept."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from keras_inpaint.photos.cmyk import colour_space
from keras_inpaint.photos.formats import FORMATS, holds
from keras_inpaint.photos.metadata import Metadata, is_sound
from keras_inpaint.photos.orientation import as_shown, as_stored
from keras_inpaint.photos.pixels import (
    GREY,
    WITH_ALPHA,
    Transparency,
    alpha_of,
    filled,
    to_rgb,
)


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo as it lies in its file, and as it is shown.

    Attributes:
        path: Where it was read.
        format: A key of `FORMATS`, by the file's content.
        mode: How its pixels are stored; a key of `pixels.BANDS`.
        pixels: The stored pixels, `(height, width[, bands])`, rows as in the file.
        orientation: EXIF's 1 to 8: how the stored rows are turned to be shown.
        palette: uint8 `(colours, 4)` RGBA, for `P` and `PA`.
        transparency: The value that the file declares transparent, if any.
        metadata: EXIF, ICC profile, XMP, resolution and more.
        frames: 2 where the file holds further pages or frames, which were not read; else 1.
        notes: What a user should know about the reading, a sentence each.
    """

    path: Path
    format: str
    mode: str
    pixels: np.ndarray
    orientation: int = 1
    palette: np.ndarray | None = None
    transparency: Transparency = None
    metadata: Metadata = field(default_factory=Metadata)
    frames: int = 1
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown, in pixels."""
        height, width = self.pixels.shape[:2]
        return (height, width) if self.orientation >= 5 else (width, height)

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height as stored, in pixels."""
        height, width = self.pixels.shape[:2]
        return width, height

    @cached_property
    def image(self) -> np.ndarray:
        """The photo as shown, uint8 `(height, width, 3)` RGB in [0, 255]; do not change it."""
        rgb = to_rgb(self.pixels, self.mode, self.palette, self.metadata.icc)
        return as_shown(rgb, self.orientation)

    @cached_property
    def alpha(self) -> np.ndarray | None:
        """Its opacity as shown, uint8 `(height, width)`, or None; do not change it."""
        alpha = alpha_of(self.pixels, self.mode, self.palette, self.transparency)
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
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"Expected a uint8 image of shape {(height, width, 3)}. "
                f"Received: {image.dtype} {image.shape}"
            )
        if hole.shape != (height, width) or hole.dtype != bool:
            raise ValueError(
                f"Expected a bool hole of shape {(height, width)}. "
                f"Received: {hole.dtype} {hole.shape}"
            )
        pixels = filled(
            self.pixels,
            self.mode,
            as_stored(hole, self.orientation),
            as_stored(image, self.orientation),
            palette=self.palette,
            transparency=self.transparency,
            icc=self.metadata.icc,
            opaque=opaque,
        )
        return replace(self, pixels=pixels)


def fit(photo: Photo, format: str) -> tuple[Photo, list[str]]:
    """Return the photo in a mode that a format holds, and a note if that is another mode.

    Args:
        photo: Any photo.
        format: A key of `FORMATS`.

    Raises:
        ValueError: If the photo has transparent pixels and the format holds none.
    """
    notes = []
    if photo.orientation != 1 and not FORMATS[format].orientation:
        photo = replace(
            photo,
            pixels=as_shown(photo.pixels, photo.orientation),
            orientation=1,
            metadata=replace(photo.metadata, exif=None, tiff=None),
        )
        notes.append(f"{format} cannot say how a photo is turned: written as it is shown")
    if format != photo.format:
        metadata = replace(photo.metadata, chunks=None, compression=None)
        if format == "TIFF" and metadata.exif and not is_sound(metadata.exif):
            metadata = replace(metadata, exif=None)
            notes.append("its EXIF is damaged and is not kept")
        photo = replace(photo, metadata=metadata)
    if holds(format, photo.mode, photo.transparency):
        return photo, notes
    alpha = alpha_of(photo.pixels, photo.mode, photo.palette, photo.transparency)
    grey = photo.mode in GREY
    wanted = ["L", "RGB"] if grey else ["RGB"]
    if alpha is not None:
        kept = [
            mode for mode in (["LA", "RGBA"] if grey else ["RGBA"]) if mode in FORMATS[format].modes
        ]
        if kept:
            wanted = kept
        elif alpha.min() < 255:
            raise ValueError(f"the photo has transparent pixels, which {format} cannot hold")
    mode = next((mode for mode in wanted if mode in FORMATS[format].modes), None)
    if mode is None:
        raise ValueError(f"{format} cannot hold pixels of mode {photo.mode}")
    pixels = to_rgb(photo.pixels, photo.mode, photo.palette, photo.metadata.icc)
    if mode in GREY:
        pixels = np.ascontiguousarray(pixels[..., 0])
    if mode in WITH_ALPHA and alpha is not None:
        pixels = np.dstack([pixels, alpha])
    notes.append(f"{format} cannot hold pixels of mode {photo.mode}: written as {mode}")
    metadata = photo.metadata
    if colour_space(metadata.icc) not in (None, "GRAY" if mode in GREY else "RGB"):
        metadata = replace(metadata, icc=None)
        notes.append("its ICC profile is for other pixels and is not kept")
    return (
        replace(
            photo, mode=mode, pixels=pixels, palette=None, transparency=None, metadata=metadata
        ),
        notes,
    )
