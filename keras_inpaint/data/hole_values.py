"""Convert a mask's values to its hole, for completion, training, evaluation and serving."""

import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

#: White for 8, 10, 12, 14 and 16 bits.
_WHITES = (255, 1023, 4095, 16383, 65535)
#: Values between these fractions of white are neither black nor white; JPEG's errors are smaller.
SOFT = (16 / 255, 239 / 255)


def hole_of(
    values: np.ndarray, name: str = "the mask", *, polarity: str = "white", colour: str = ""
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the hole of a mask: the values of at least half of white.

    White is 255 for uint8, or 1 if the values are 0 and 1 only. For wider integers it is the
    maximum of the smallest of 8, 10, 12, 14 and 16 bits that the values fit into. For floats it
    is 1.0, or chosen as for wider integers if a value exceeds 1. Isolated pixels of value 1 in a
    black mask are noise, not a hole.

    Args:
        values: Bool, integer or float array `(height, width)`.
        name: The name of the mask in messages.
        polarity: `"white"` or `"black"`, the value that marks the hole.
        colour: Description of the brightest pixel for messages, such as
            `", colour (255, 0, 0)"`.

    Returns:
        Bool `(height, width)`, True in the hole; and a tuple of warnings, one sentence each.

    Raises:
        ValueError: If no pixel is white but some are clearly not black, or if a value is
            negative or not finite.
    """
    if values.dtype == bool:
        return values == (polarity == "white"), ()
    brightest, notes = _brightest(values, name), []
    white = _white(values.dtype, brightest)
    if brightest == 1 and white != 1:
        if _is_noise(values == 1):
            notes.append(f"{name}: isolated pixels of value 1 are ignored as noise")
        else:
            white = 1
            notes.append(f"{name}: has the values 0 and 1 only; 1 is treated as white")
    low, high = SOFT[0] * white, SOFT[1] * white
    hole = values >= white / 2
    ambiguous = brightest > low or (brightest > 0 and not _is_noise(values > 0))
    if polarity == "white" and not hole.any() and ambiguous:
        share = np.count_nonzero(values) / values.size
        raise ValueError(
            f"{name}: no pixel is white, which marks the hole; its brightest value is "
            f"{brightest:g} of {white:g}{colour}, and {percent(share)} of its pixels are not "
            f"black: set the pixels to fill to {white:g} and the others to 0"
        )
    soft = np.count_nonzero((values >= low) & (values <= high)) / values.size if white != 1 else 0
    if soft:
        notes.append(
            f"{name}: {percent(soft)} of its pixels are neither black nor white; they are "
            "thresholded at 50 %"
        )
    return hole if polarity == "white" else ~hole, tuple(notes)


def read_hole(path: str | os.PathLike[str]) -> np.ndarray:
    """Return the hole of a mask file, bool `(height, width)`, upright; white is the hole.

    Raises:
        OSError: If the file cannot be read or is not an image.
        ValueError: If its values are not those of a mask (see `hole_of`).
    """
    path = Path(path)
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
        values, colour = raw_values(image), ""
        if values is None:
            values, colour = luma(image), brightest_colour(image)
    return hole_of(values, str(path), colour=colour)[0]


def raw_values(image: Image.Image) -> np.ndarray | None:
    """Return the values of a greyscale image of more than 8 bits; None for other modes."""
    return np.asarray(image) if image.mode[0] in "IF" else None


def luma(image: Image.Image, unpainted: int = 0) -> np.ndarray:
    """Return the luma of an image, uint8 `(height, width)`, composited on `unpainted`."""
    if image.mode in ("LA", "PA", "RGBA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        below = Image.new("RGBA", image.size, (unpainted,) * 3 + (255,))
        image = Image.alpha_composite(below, rgba).convert("RGB")
    return np.asarray(image.convert("L"))


def brightest_colour(image: Image.Image) -> str:
    """Return `", colour (r, g, b)"` of an image's brightest pixel; `""` if it is grey."""
    if image.mode in ("1", "L", "LA"):
        return ""
    rgb = np.asarray(image.convert("RGB"))
    at = np.unravel_index(np.argmax(luma(image)), rgb.shape[:2])
    pixel = tuple(int(value) for value in rgb[at])
    return f", colour {pixel}" if len(set(pixel)) > 1 else ""


def percent(share: float) -> str:
    """Format a fraction as a percentage, such as `"4.0 %"`."""
    return f"{share:.1%}".replace("%", " %") if share >= 0.001 else "less than 0.1 %"


def _brightest(values: np.ndarray, name: str) -> float:
    if values.size == 0:
        raise ValueError(f"{name}: has no pixels")
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all() or low < 0:
        raise ValueError(
            f"{name}: its values must be finite and at least 0, got {low:g} to {high:g}"
        )
    return high


def _white(dtype: np.dtype, brightest: float) -> float:
    if dtype.kind == "f" and brightest <= 1:
        return 1.0
    if dtype == np.uint8:
        return 255
    return next((white for white in _WHITES if brightest <= white), brightest)


def _is_noise(ones: np.ndarray) -> bool:
    count, _, stats, _ = cv2.connectedComponentsWithStats(ones.astype(np.uint8), connectivity=8)
    return count > 1 and float(stats[1:, cv2.CC_STAT_AREA].mean()) < 4
