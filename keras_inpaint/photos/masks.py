"""Convert mask files to holes (white is the hole), with warnings about ambiguous masks."""

import contextlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageOps

from keras_inpaint.data.hole_values import SOFT, brightest_colour, hole_of, percent, raw_values
from keras_inpaint.files import printable
from keras_inpaint.photos.codec import decode_photo
from keras_inpaint.photos.photo import Photo, as_shown
from keras_inpaint.photos.raster import GREY

POLARITIES = ("white", "black")
"""The values that can mark the hole in a mask file."""

REACH = 151
"""Distance in pixels that a completion network sees from a pixel; 303 pixels in total."""

_SOFT = tuple(round(255 * part) for part in SOFT)


@dataclass(frozen=True)
class Holes:
    """Statistics of the holes in a mask.

    Attributes:
        count: Number of holes (8-connected components).
        pixels: Number of pixels in the holes.
        share: Fraction of the photo in the holes, 0 to 1.
        depth: The largest chessboard distance, in pixels, of a hole's pixel from the nearest
            known one; 0 if there is no hole, and the photo's longer side if there is no known
            pixel.
    """

    count: int
    pixels: int
    share: float
    depth: int


@dataclass(frozen=True)
class MaskOptions:
    """Options for reading a mask.

    Attributes:
        polarity: `"white"` or `"black"`, the value that marks the hole.
        grow: Number of pixels to dilate the hole by, at least 0.
        resize: Whether to resize a mask of another size to the photo's, by nearest neighbour,
            instead of rejecting it.
        without_hole: The action for a mask without a hole: `"refuse"` raises ValueError, `"keep"`
            leaves the photo unchanged.
        refuse_grey: Whether to raise ValueError if most of a mask is neither black nor white,
            since it may be the photo.
    """

    polarity: str = "white"
    grow: int = 0
    resize: bool = False
    without_hole: Literal["refuse", "keep"] = "refuse"
    refuse_grey: bool = False

    def __post_init__(self) -> None:
        if self.polarity not in POLARITIES:
            raise ValueError(
                f"polarity must be one of {', '.join(POLARITIES)}, got {self.polarity!r}"
            )
        if self.grow < 0:
            raise ValueError(f"grow must be at least 0, got {self.grow!r}")


def decode_mask(
    data: bytes,
    photo: Photo,
    name: str | Path = "mask",
    options: MaskOptions | None = None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Decode the hole of a mask file, before it is dilated.

    All formats and modes of photos are supported, as well as 32-bit and floating-point pixels.
    Colours are converted to luma, transparent pixels are not part of the hole, and the EXIF
    orientation is applied. `data.hole_values.hole_of` interprets the values.

    Args:
        data: The file's bytes.
        photo: The photo; the mask must have its displayed size.
        name: The name of the mask in messages.
        options: Options for reading the mask.

    Returns:
        Bool `(height, width)`, True in the hole; and a tuple of warnings, one sentence each.

    Raises:
        ValueError: If it cannot be read, or has another size and `resize` is not set.
    """
    options = options or MaskOptions()
    values, colour, file_notes = _values(data, name, options)
    name = printable(name)
    hole, value_notes = hole_of(values, name, polarity=options.polarity, colour=colour)
    notes = [*(f"{name}: {note}" for note in file_notes), *value_notes]
    width, height = photo.size
    if hole.shape != (height, width):
        if not options.resize:
            raise ValueError(_other_size(name, hole.shape[::-1], photo))
        if abs(hole.shape[1] * height - hole.shape[0] * width) > 0.01 * hole.shape[0] * width:
            notes.append(f"{name}: its aspect ratio differs from the photo's; it was stretched")
        resized = cv2.resize(hole.view(np.uint8), photo.size, interpolation=cv2.INTER_NEAREST_EXACT)
        hole = resized.astype(bool)
    return hole, tuple(notes)


def alpha_mask(photo: Photo) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the pixels of a photo that are less than half opaque as the hole.

    Args:
        photo: A photo with an alpha channel or a transparent colour.

    Returns:
        Bool `(height, width)`, True in the hole; and a tuple of warnings, one sentence each.

    Raises:
        ValueError: If the photo has no transparency.
    """
    name = printable(photo.path)
    if photo.alpha is None:
        raise ValueError(
            f"{name}: has no alpha channel to use as the mask (mode {photo.raster.mode})"
        )
    hole = photo.alpha < 128
    soft = np.mean((photo.alpha >= _SOFT[0]) & (photo.alpha <= _SOFT[1]))
    if not soft:
        return hole, ()
    share = percent(soft)
    return hole, (
        f"{name}: {share} of its pixels are partly transparent; they are thresholded at 50 %",
    )


def dilate(hole: np.ndarray, pixels: int) -> np.ndarray:
    """Dilate a hole by a disk of radius `pixels`.

    Args:
        hole: Bool `(height, width)`; not modified.
        pixels: Radius in pixels, at least 0.

    Raises:
        ValueError: If `pixels` is negative.
    """
    if pixels < 0:
        raise ValueError(f"pixels must be at least 0, got {pixels!r}")
    box = _box(hole, pixels)
    if pixels == 0 or box is None:
        return hole
    out = hole.copy()
    outside = (~hole[box]).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    out[box] = distance <= pixels
    return out


def mask_statistics(hole: np.ndarray) -> Holes:
    """Return statistics of the holes in a mask, bool `(height, width)`."""
    box = _box(hole, 1)
    if box is None:
        return Holes(0, 0, 0.0, 0)
    part = hole[box].astype(np.uint8)
    count = cv2.connectedComponents(part, connectivity=8)[0] - 1
    pixels = int(np.count_nonzero(part))
    depth = max(hole.shape)
    if not part.all():
        depth = round(float(cv2.distanceTransform(part, cv2.DIST_C, 3).max()))
    return Holes(count, pixels, pixels / hole.size, depth)


def warnings_about(holes: Holes) -> tuple[str, ...]:
    """Return warnings about holes that may give poor results, one sentence each."""
    notes = []
    if holes.pixels == 0:
        notes.append("the mask has no hole")
    if holes.share > 0.5:
        notes.append(
            f"the hole is {percent(holes.share)} of the photo; "
            "if the mask is inverted, change its polarity"
        )
    if holes.depth > REACH:
        notes.append(
            f"a hole has pixels {holes.depth} px away from the nearest known one; the network "
            f"sees {REACH} px in each direction (303 px in total)"
        )
    return tuple(notes)


def _values(
    data: bytes, name: str | Path, options: MaskOptions
) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """Return a mask's values as displayed, its brightest colour as text, and notes on the file."""
    unread = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # reported below
    with warnings.catch_warnings(), contextlib.suppress(*unread):
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data)) as image:
            if image.mode[0] in "IF":
                return raw_values(ImageOps.exif_transpose(image)), "", ()
    mask = decode_photo(data, name)
    colour = brightest_colour(Image.fromarray(mask.image)) if mask.raster.mode not in GREY else ""
    values = _brightness(mask, unpainted=0 if options.polarity == "white" else 255)
    if options.refuse_grey and mask.raster.mode not in ("P", "PA"):
        _check_not_grey(values, printable(name))
    return values, colour, mask.notes


def _check_not_grey(values: np.ndarray, name: str) -> None:
    counts = np.bincount(values.ravel(), minlength=256)
    grey = counts[16:240].sum() / values.size
    if grey > 0.5 and np.count_nonzero(counts) > 16:
        raise ValueError(
            f"{name}: {grey:.0%} of its pixels are neither black nor white; were photo and mask "
            "swapped? White marks the hole"
        )


def _brightness(mask: Photo, unpainted: int) -> np.ndarray:
    """Return the luma of a mask as displayed, uint8, composited on `unpainted`."""
    value = as_shown(mask.raster.luma, mask.orientation)
    if mask.alpha is None or mask.alpha.min() == 255:
        return value
    share = mask.alpha.astype(np.float32) / 255
    return np.round(value * share + unpainted * (1 - share)).astype(np.uint8)


def _box(hole: np.ndarray, margin: int) -> tuple[slice, slice] | None:
    """Return the slices of the bounding box of all holes, or None if there is no hole."""
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    if not len(rows):
        return None
    return (
        slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
        slice(max(0, columns[0] - margin), columns[-1] + 1 + margin),
    )


def _other_size(name: str, size: tuple[int, int], photo: Photo) -> str:
    text = (
        f"{name}: its size is {size[0]}x{size[1]}, that of {printable(photo.path)} is "
        f"{photo.size[0]}x{photo.size[1]}"
    )
    if photo.size != photo.raster.size and size == photo.raster.size:
        return (
            f"{text} as displayed: the mask was drawn without its EXIF orientation; rotate the mask"
        )
    return f"{text}; resize it, or set the option to resize masks"
