"""From a mask's values to its hole: one rule for completing, training, measuring and serving."""

import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

#: What white is in files of more than 8 bits: of 8, 10, 12, 14 or 16 bits.
_WHITES = (255, 1023, 4095, 16383, 65535)
#: Parts of white between which a value is neither black nor white; JPEG blurs by less.
SOFT = (16 / 255, 239 / 255)


def hole_of(
    values: np.ndarray, name: str = "the mask", *, polarity: str = "white", colour: str = ""
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the hole that a mask's values mean: what is at least half white.

    White is 255; in masks of 0 and 1 only, 1; in masks of more bits, the largest value of the
    fewest bits that hold it; of floats, 1.0, or 255 where they go beyond. Single pixels of value
    1 strewn over a black mask are noise and no hole.

    Args:
        values: Bool, integer or float array `(height, width)`.
        name: What messages call the mask.
        polarity: `"white"` or `"black"`, whichever marks the hole.
        colour: What messages say about the brightest pixels, such as `", colour (255, 0, 0)"`.

    Returns:
        Bool `(height, width)`, true in the hole, and what may be wrong, a sentence each.

    Raises:
        ValueError: If nothing is white and something is clearly not black, or if a value is
            negative or no number.
    """
    if values.dtype == bool:
        return values == (polarity == "white"), ()
    brightest, notes = _brightest(values, name), []
    white = _white(values.dtype, brightest)
    if brightest == 1 and white != 1:
        if _is_noise(values == 1):
            notes.append(f"{name}: single pixels of value 1 are taken for noise, not for a hole")
        else:
            white = 1
            notes.append(f"{name}: holds the values 0 and 1 only; 1 is taken as white")
    low, high = SOFT[0] * white, SOFT[1] * white
    hole = values >= white / 2
    in_doubt = brightest > low or (brightest > 0 and not _is_noise(values > 0))
    if polarity == "white" and not hole.any() and in_doubt:
        share = np.count_nonzero(values) / values.size
        raise ValueError(
            f"{name}: nothing in it is white, and white marks the hole; its brightest value is "
            f"{brightest:g} of {white:g}{colour}, and {percent(share)} of its pixels are not "
            f"black: make what is to be filled {white:g} and the rest 0"
        )
    soft = np.count_nonzero((values >= low) & (values <= high)) / values.size if white != 1 else 0
    if soft:
        notes.append(
            f"{name}: {percent(soft)} of its pixels are neither black nor white; they were cut at "
            "50 %"
        )
    return hole if polarity == "white" else ~hole, tuple(notes)


def read_hole(path: str | os.PathLike[str]) -> np.ndarray:
    """Return the hole of a mask file, bool `(height, width)`, upright; white is the hole.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no picture, or its meaning is in doubt.
    """
    path = Path(path)
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
        values, colour = raw_values(image), ""
        if values is None:
            values, colour = luma(image), brightest_colour(image)
    return hole_of(values, str(path), colour=colour)[0]


def raw_values(image: Image.Image) -> np.ndarray | None:
    """Return the values of a grey picture of more than 8 bits; None for other modes."""
    return np.asarray(image) if image.mode[0] in "IF" else None


def luma(image: Image.Image, unpainted: int = 0) -> np.ndarray:
    """Return the luma of a picture, uint8, with transparent pixels as `unpainted`."""
    if image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        below = Image.new("RGBA", image.size, (unpainted,) * 3 + (255,))
        image = Image.alpha_composite(below, rgba).convert("RGB")
    return np.asarray(image.convert("L"))


def brightest_colour(image: Image.Image) -> str:
    """Return `", colour (r, g, b)"` of a picture's brightest pixel; nothing for grey ones."""
    if image.mode in ("1", "L", "LA"):
        return ""
    rgb = np.asarray(image.convert("RGB"))
    at = np.unravel_index(np.argmax(luma(image)), rgb.shape[:2])
    pixel = tuple(int(value) for value in rgb[at])
    return f", colour {pixel}" if len(set(pixel)) > 1 else ""


def percent(share: float) -> str:
    """Return a share as text, such as `"4.0 %"`."""
    return f"{share:.1%}".replace("%", " %") if share >= 0.001 else "less than 0.1 %"


def _brightest(values: np.ndarray, name: str) -> float:
    if values.size == 0:
        raise ValueError(f"{name}: holds no pixel")
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all() or low < 0:
        raise ValueError(f"{name}: its values must be numbers from 0, they are {low:g} to {high:g}")
    return high


def _white(dtype: np.dtype, brightest: float) -> float:
    if dtype.kind == "f" and brightest <= 1:
        return 1.0
    if dtype == np.uint8:
        return 255
    return next((white for white in _WHITES if brightest <= white), brightest)


def _is_noise(ones: np.ndarray) -> bool:
    count, _, figures, _ = cv2.connectedComponentsWithStats(ones.astype(np.uint8), connectivity=8)
    return count > 1 and float(figures[1:, cv2.CC_STAT_AREA].mean()) < 4
