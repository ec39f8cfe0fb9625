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


def layer_of(hole: np.ndarray) -> np.ndarray:
    """Return a hole as strokes on the canvas.

    Args:
        hole: Bool `(height, width)` of the photo.

    Returns:
        Uint8 `(canvas height, canvas width, 4)`, RGBA.
    """
    height, width = hole.shape
    size = canvas_size(width, height)
    painted = cv2.resize(hole.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT) > 0
    layer = np.zeros((size[1], size[0], 4), np.uint8)
    layer[painted] = (*BRUSH_COLOUR, BRUSH_ALPHA)
    return layer


def editor_value(image: np.ndarray, hole: np.ndarray | None = None) -> dict[str, Any]:
    """Return what the image editor is given to show a photo, and a hole painted on it.

    Args:
        image: Uint8 `(height, width, 3)`.
        hole: Bool `(height, width)`, or None.
    """
    layers = [] if hole is None or not hole.any() else [layer_of(hole)]
    return {"background": view(image), "layers": layers, "composite": None}


def hole_of(value: Mapping[str, Any] | None, width: int, height: int) -> np.ndarray:
    """Return the hole that was painted, at the photo's own size.

    Args:
        value: What the image editor gives: a mapping whose `layers` are uint8 arrays
            `(any height, any width, 4)`, RGBA.
        width: Int, the photo's, in pixels.
        height: Int, the photo's, in pixels.

    Returns:
        Bool `(height, width)`, true in the hole: where half of a pixel or more is painted.

    Raises:
        ValueError: If a layer has another shape.
    """
    hole = np.zeros((height, width), bool)
    for layer in (value or {}).get("layers") or []:
        if layer.ndim != 3 or layer.shape[-1] != 4:
            raise ValueError(
                f"Expected layers of shape (height, width, 4). Received: {layer.shape}"
            )
        painted = (layer[..., 3] >= _PAINTED).astype(np.uint8)
        if painted.shape != (height, width):
            way = cv2.INTER_AREA if painted.shape[1] > width else cv2.INTER_LINEAR
            painted = cv2.resize(painted * np.uint8(255), (width, height), interpolation=way)
            painted = painted >= 128
        hole |= painted.astype(bool)
    return hole
