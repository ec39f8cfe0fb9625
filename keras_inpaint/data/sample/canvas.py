"""A picture under the brush: soft, anti-aliased shapes blended into float planes."""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

_SUBPIXEL_BITS = 4
_SUBPIXEL = 1 << _SUBPIXEL_BITS


class Region(NamedTuple):
    """A rectangle of the canvas and how much of each of its pixels a shape covers.

    Attributes:
        top: Int, the rectangle's first row.
        left: Int, the rectangle's first column.
        alpha: float32 `(rows, columns)` in [0, 1].
    """

    top: int
    left: int
    alpha: np.ndarray

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the rectangle."""
        rows, columns = self.alpha.shape
        return slice(self.top, self.top + rows), slice(self.left, self.left + columns)

    def clipped(self, other: "Region") -> "Region":
        """Returns the part of this shape that lies on another."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + self.alpha.shape[0], other.top + other.alpha.shape[0])
        right = min(self.left + self.alpha.shape[1], other.left + other.alpha.shape[1])
        if bottom <= top or right <= left:
            return Region(top, left, np.zeros((0, 0), np.float32))
        mine = self.alpha[top - self.top : bottom - self.top, left - self.left : right - self.left]
        theirs = other.alpha[
            top - other.top : bottom - other.top, left - other.left : right - other.left
        ]
        return Region(top, left, mine * theirs)


def fixed_point(points: np.ndarray) -> np.ndarray:
    """Converts pixel coordinates for OpenCV's `shift`; int32."""
    return np.rint(np.asarray(points) * _SUBPIXEL).astype(np.int32)


@functools.lru_cache(maxsize=256)
def _kernel(sigma: float, scale: float) -> np.ndarray:
    reach = math.ceil(2.7 * sigma)
    return cv2.getGaussianKernel(2 * reach + 1, sigma, cv2.CV_32F) * np.float32(math.sqrt(scale))


def blurred(mask: np.ndarray, sigma: float, scale: float = 1.0) -> np.ndarray:
    """Blurs an 8-bit plane.

    Args:
        mask: uint8 `(rows, columns)`.
        sigma: Float, standard deviation in pixels, above 0.
        scale: Float, a factor for the result.

    Returns:
        float32 `(rows, columns)`. (`cv2.GaussianBlur` is five times as slow on 8 bits.)
    """
    kernel = _kernel(round(sigma, 3), scale)
    return cv2.sepFilter2D(mask, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REPLICATE)


class Canvas:
    """Three float32 planes, red, green and blue in [0, 1], to paint on.

    Planes rather than pixels, since a shape's coverage multiplies each plane as a whole.

    Args:
        height: Int, rows.
        width: Int, columns.
        unit: Float, pixels a face unit, by which softness and line widths scale.
    """

    def __init__(self, height: int, width: int, unit: float):
        self.planes = np.zeros((3, height, width), np.float32)
        self.unit = unit

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.planes.shape[1:]

    def region(
        self,
        shapes: np.ndarray | Sequence[np.ndarray],
        soft: float = 0.0,
        clip: Region | None = None,
        lines: float | None = None,
    ) -> Region:
        """Rasterises shapes.

        Args:
            shapes: One `(n, 2)` polygon in pixels, or several, also as `(k, n, 2)`; x then y.
            soft: Float, standard deviation of the edge's blur in face units.
            clip: Region that the shape is cut to.
            lines: Float, width in face units where the shapes are open lines to draw; polygons
                are filled otherwise.

        Returns:
            The covered region; its rectangle is empty where the shape lies outside the canvas.
        """
        if isinstance(shapes, np.ndarray) and shapes.ndim == 2:
            shapes = shapes[None]
        sigma = soft * self.unit
        every = shapes.reshape(-1, 2) if isinstance(shapes, np.ndarray) else np.concatenate(shapes)
        margin = 2.8 * sigma + 2 + (lines or 0) * self.unit
        left, top = np.minimum.reduce(every).tolist()
        right, bottom = np.maximum.reduce(every).tolist()
        if clip is None:
            first_row, first_column, (last_row, last_column) = 0, 0, self.size
        else:
            first_row, first_column = clip.top, clip.left
            last_row, last_column = first_row + len(clip.alpha), first_column + clip.alpha.shape[1]
        left, top = (
            max(math.floor(left - margin), first_column),
            max(math.floor(top - margin), first_row),
        )
        right, bottom = (
            min(math.ceil(right + margin), last_column),
            min(math.ceil(bottom + margin), last_row),
        )
        if bottom <= top or right <= left:
            return Region(0, 0, np.zeros((0, 0), np.float32))

        # A very soft shape is drawn small and enlarged: the same picture, much cheaper.
        step = max(1, int(sigma / 1.2))
        rows, columns = -(-(bottom - top) // step), -(-(right - left) // step)
        mask = np.zeros((rows, columns), np.uint8)
        # Pixel centres lie at whole numbers, also in the small picture.
        origin = np.array([left + (step - 1) / 2, top + (step - 1) / 2], np.float32)
        finer = np.float32(_SUBPIXEL / step)
        if isinstance(shapes, np.ndarray):
            fixed = list(np.rint((shapes - origin) * finer).astype(np.int32))
        else:
            fixed = [np.rint((s - origin) * finer).astype(np.int32) for s in shapes]
        if lines is None:
            for polygon in fixed:  # one by one: together, overlaps would cancel out
                cv2.fillPoly(mask, [polygon], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        else:
            thickness = max(1, round(lines * self.unit / step))
            cv2.polylines(mask, fixed, False, 255, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
        hard = sigma <= 0.35  # pixels: no more than anti-aliasing
        alpha = mask * np.float32(1 / 255) if hard else blurred(mask, sigma / step, 1 / 255)
        if step > 1:
            alpha = cv2.resize(alpha, (columns * step, rows * step), interpolation=cv2.INTER_LINEAR)
            alpha = alpha[: bottom - top, : right - left]
        if clip is not None:  # the rectangle already lies within the clip's
            alpha *= clip.alpha[
                top - clip.top : bottom - clip.top, left - clip.left : right - clip.left
            ]
        return Region(top, left, alpha)

    def paint(self, region: Region, colour, opacity: float = 1.0) -> None:
        """Blends a colour, `(3,)`, or a picture, `(3, rows, columns)`, into a region."""
        view = self.planes[(slice(None), *region.window)]
        colour = np.asarray(colour, dtype=np.float32)
        if colour.ndim == 1:
            colour = colour[:, None, None]
        view += (colour - view) * (region.alpha * np.float32(opacity))

    def multiply(self, region: Region, colour, opacity: float = 1.0) -> None:
        """Darkens (or lightens, above 1) a region by a factor a plane."""
        factor = np.asarray(colour, dtype=np.float32).reshape(-1, 1, 1)
        self.planes[(slice(None), *region.window)] *= 1 + (factor - 1) * (
            region.alpha * np.float32(opacity)
        )

    def fill(self, shapes, colour, opacity: float = 1.0, soft: float = 0.0, clip=None) -> Region:
        """Paints shapes (see `region`) in a colour, and returns what they covered."""
        region = self.region(shapes, soft, clip)
        self.paint(region, colour, opacity)
        return region

    def shade(self, shapes, colour, opacity: float = 1.0, soft: float = 0.0, clip=None) -> Region:
        """Multiplies shapes (see `region`) into what is there, and returns what they covered."""
        region = self.region(shapes, soft, clip)
        self.multiply(region, colour, opacity)
        return region
