"""Between a photo and the canvas that its hole is painted on.

The canvas holds a view of the photo of about a million pixels: a large photo is reduced, a small
one enlarged by a whole factor, so that a brush of one size suits both. Only the mask comes back
from the canvas; the photo's own pixels never pass through the browser.
"""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

CANVAS_PIXELS = 1_200_000
"""About how many pixels the canvas has."""

LONGEST_SIDE = 4096
"""Most pixels along a side of the canvas."""

BRUSH_COLOUR = (255, 45, 85)
BRUSH_ALPHA = 153
"""What the brush paints: RGB, and an opacity of 0 to 255 that lets the photo shine through."""

_PAINTED = 48  # opacity from which a pixel counts: fringes of strokes and of the eraser do not


def canvas_size(width: int, height: int) -> tuple[int, int]:
    """Return the width and height of the canvas for a photo.

    Args:
        width: Int, the photo's, in pixels.
        height: Int, the photo's, in pixels.

    Returns:
        Two ints, at least 1: whole multiples of a small photo's, or a large one's reduced.
    """
    scale = min((CANVAS_PIXELS / (width * height)) ** 0.5, LONGEST_SIDE / max(width, height))
    if scale >= 1:
        return width * int(scale), height * int(scale)
    return max(1, round(width * scale)), max(1, round(height * scale))


def view(image: np.ndarray) -> np.ndarray:
    """Return a photo as the canvas shows it.

    Args:
        image: Uint8 `(height, width, 3)`.

    Returns:
        Uint8 `(canvas height, canvas width, 3)`.
    """
    height, width = image.shape[:2]
    size = canvas_size(width, height)
    if size == (width, height):
        return image
    way = cv2.INTER_CUBIC if size[0] > width else cv2.INTER_AREA
    return cv2.resize(image, size, interpolation=way)


def editor_value(image: np.ndarray, strokes: np.ndarray | None = None) -> dict[str, Any]:
    """Return what the image editor is given to show a photo, and strokes on it.

    Args:
        image: Uint8 `(height, width, 3)`.
        strokes: Bool `(canvas height, canvas width)`, true where it is painted, or None.
    """
    shown = view(image)
    layers = []
    if strokes is not None and strokes.any():
        layer = np.zeros((*strokes.shape, 4), np.uint8)
        layer[strokes] = (*BRUSH_COLOUR, BRUSH_ALPHA)
        layers.append(layer)
    return {"background": shown, "layers": layers, "composite": None}


def strokes_of(value: Mapping[str, Any] | None) -> np.ndarray | None:
    """Return what was painted.

    Args:
        value: What the image editor gives: a mapping whose `layers` are uint8 arrays
            `(canvas height, canvas width, 4)`, RGBA.

    Returns:
        Bool `(canvas height, canvas width)`, true where any layer is painted; None without one.

    Raises:
        ValueError: If a layer has another shape than RGBA, or than the others.
    """
    painted = None
    for layer in (value or {}).get("layers") or []:
        if layer.ndim != 3 or layer.shape[-1] != 4:
            raise ValueError(
                f"Expected layers of shape (height, width, 4). Received: {layer.shape}"
            )
        here = layer[..., 3] >= _PAINTED
        if painted is not None and painted.shape != here.shape:
            raise ValueError(
                f"Expected layers of one size. Received: {painted.shape}, {here.shape}"
            )
        painted = here if painted is None else painted | here
    return painted


def strokes_over(hole: np.ndarray) -> np.ndarray:
    """Return strokes that cover a hole.

    Args:
        hole: Bool `(height, width)` of the photo.

    Returns:
        Bool `(canvas height, canvas width)`. On a canvas that enlarges the photo, `hole_under`
        makes the same hole of them.
    """
    height, width = hole.shape
    size = canvas_size(width, height)
    return cv2.resize(hole.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT) > 0


def hole_under(strokes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return the hole that strokes mean, at the photo's own size.

    Args:
        strokes: Bool, of any size in the photo's proportions.
        width: Int, the photo's, in pixels.
        height: Int, the photo's, in pixels.

    Returns:
        Bool `(height, width)`, true in the hole: where half of a pixel or more is painted.
    """
    if strokes.shape == (height, width):
        return strokes
    way = cv2.INTER_AREA if strokes.shape[1] > width else cv2.INTER_LINEAR
    share = cv2.resize(strokes * np.uint8(255), (width, height), interpolation=way)
    return share >= 128
