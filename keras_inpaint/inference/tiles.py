"""Plan which parts of a photo to compute to fill its holes: crops around them, and tiles.

A completion network has a limited receptive field. A crop gives exactly the whole photo's result
in its inner box if it has a margin of the receptive field around it (the halo), starts and ends at
multiples of 4 as the network's strides do, and ends at the photo's border if that is nearer: the
zero padding of convolutions at the border is part of the result.

The plan depends on the mask only. Coordinates are pixels of the photo padded to a multiple of 4
at the bottom and at the right.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from keras_inpaint.networks.receptive_field import SIZE_MULTIPLE, round_up

#: Side in pixels of the squares into which holes are grouped.
_CELL = 32
#: The smallest side of a tile's inner box in pixels.
_MIN_INNER = 16


class Box(NamedTuple):
    """A rectangle of pixels; bottom and right are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def area(self) -> int:
        """Pixels."""
        return self.height * self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box in an array `(height, width, ...)`."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def aligned(self) -> "Box":
        """Return the smallest box around this one with multiples of 4 as coordinates."""
        return Box(
            self.top // SIZE_MULTIPLE * SIZE_MULTIPLE,
            self.left // SIZE_MULTIPLE * SIZE_MULTIPLE,
            round_up(self.bottom),
            round_up(self.right),
        )

    def expanded(self, margin: int, size: tuple[int, int]) -> "Box":
        """Return the box with a margin around it, clipped to a photo of a size."""
        return Box(
            max(0, self.top - margin),
            max(0, self.left - margin),
            min(size[0], self.bottom + margin),
            min(size[1], self.right + margin),
        )

    def shifted(self, other: "Box") -> "Box":
        """Return this box in coordinates relative to another one's top left corner."""
        return Box(
            self.top - other.top,
            self.left - other.left,
            self.bottom - other.top,
            self.right - other.left,
        )


@dataclass(frozen=True)
class Tile:
    """One call of the network.

    Attributes:
        outer: The network's input box.
        inner: The box inside it whose result is exact and used.
    """

    outer: Box
    inner: Box


def padded_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return a size with both sides rounded up to multiples of 4."""
    return round_up(size[0]), round_up(size[1])


def cut(array: np.ndarray, box: Box) -> np.ndarray:
    """Return a box of an array, mirrored beyond the bottom and the right border.

    Args:
        array: `(height, width)` or `(height, width, channels)`, any dtype.
        box: A box that starts inside the array.

    Returns:
        The box's part of the array, a view if it lies inside. The border pixel is not repeated
        (NumPy's `reflect`).
    """
    rows = min(box.bottom, array.shape[0])
    columns = min(box.right, array.shape[1])
    inside = array[box.top : rows, box.left : columns]
    missing = [(0, box.bottom - rows), (0, box.right - columns)]
    if not any(after for _, after in missing):
        return inside
    return np.pad(inside, missing + [(0, 0)] * (array.ndim - 2), mode="reflect")


def reduced_mask(mask: np.ndarray, size: tuple[int, int], threshold: float = 0.0) -> np.ndarray:
    """Return a mask at a smaller size.

    Args:
        mask: Bool `(height, width)`, true in the hole.
        size: Height and width, at most the mask's.
        threshold: Float, the share of a pixel above which it belongs to the hole.

    Returns:
        Bool of that size.
    """
    share = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    return share > threshold


def hole_groups(mask: np.ndarray) -> Iterator[tuple[Box, np.ndarray]]:
    """Yield the groups of holes close to each other; each hole pixel belongs to one group.

    Args:
        mask: Bool `(height, width)`, true in the hole.

    Yields:
        The smallest box around the group, and bool `(box height, box width)`, true in the group's
        holes. Boxes may overlap; pixels of different groups are more than 32 pixels apart.
    """
    if 0 in mask.shape:
        return
    rows = np.logical_or.reduceat(mask, np.arange(0, mask.shape[0], _CELL), axis=0)
    cells = np.logical_or.reduceat(rows, np.arange(0, mask.shape[1], _CELL), axis=1)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        cells.astype(np.uint8), connectivity=8
    )
    for label in range(1, count):
        left, top, width, height, _ = stats[label].tolist()
        place = Box(top, left, top + height, left + width)
        own = labels[place.slices] == label
        around = Box(*(side * _CELL for side in place))
        part = mask[around.slices]
        if not own.all():
            own = np.kron(own, np.ones((_CELL, _CELL), bool))
            part = part & own[: part.shape[0], : part.shape[1]]
        box = tightened(part, Box(0, 0, *part.shape))
        yield (
            Box(
                box.top + around.top,
                box.left + around.left,
                box.bottom + around.top,
                box.right + around.left,
            ),
            part[box.slices],
        )


def hole_boxes(mask: np.ndarray) -> list[Box]:
    """Return the boxes of the groups of holes close to each other; see `hole_groups`."""
    return [box for box, _ in hole_groups(mask)]


def tightened(mask: np.ndarray, box: Box) -> Box | None:
    """Return the smallest box around the holes inside a box; None if there are no holes."""
    part = mask[box.slices]
    rows = np.flatnonzero(part.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(part[rows[0] : rows[-1] + 1].any(axis=0))
    return Box(
        box.top + int(rows[0]),
        box.left + int(columns[0]),
        box.top + int(rows[-1]) + 1,
        box.left + int(columns[-1]) + 1,
    )


def merged(boxes: list[Box], margin: int, size: tuple[int, int], max_pixels: int) -> list[Box]:
    """Merge boxes if one crop around both has at most as many pixels as two crops.

    Args:
        boxes: Boxes of holes.
        margin: Int, pixels that a crop adds on every side.
        size: Height and width of the photo.
        max_pixels: Int, the largest crop to merge into.

    Returns:
        Fewer boxes that cover the same holes.
    """
    while True:
        groups = np.empty((0, 4), np.int64)
        for box in boxes:
            candidate = np.asarray(box, np.int64)
            union = np.concatenate(
                [
                    np.minimum(groups[:, :2], candidate[:2]),
                    np.maximum(groups[:, 2:], candidate[2:]),
                ],
                axis=1,
            )
            cost = _crop_areas(union, margin, size)
            saving = _crop_areas(groups, margin, size) + _crop_areas(candidate[None], margin, size)
            saving = np.where(cost <= max_pixels, saving - cost, -1)
            if saving.size and saving.max() >= 0:
                groups[saving.argmax()] = union[saving.argmax()]
            else:
                groups = np.concatenate([groups, candidate[None]])
        if len(groups) == len(boxes):
            return boxes
        boxes = [Box(*map(int, group)) for group in groups]


def _crop_areas(boxes: np.ndarray, margin: int, size: tuple[int, int]) -> np.ndarray:
    low = np.maximum(boxes[:, :2] // SIZE_MULTIPLE * SIZE_MULTIPLE - margin, 0)
    high = np.minimum(-(-boxes[:, 2:] // SIZE_MULTIPLE) * SIZE_MULTIPLE + margin, size)
    return (high - low).prod(axis=1)


def plan(mask: np.ndarray, halo: int, max_pixels: int | None = None) -> list[Tile]:
    """Plan the calls of the network that fill all holes of a photo exactly.

    Args:
        mask: Bool `(height, width)`, true in the hole.
        halo: Int, the network's halo in pixels, see `networks.receptive_field.ReceptiveField`.
        max_pixels: Int, the largest crop that may be computed at once; None sets no limit, so
            that the whole photo is one tile.

    Returns:
        Tiles; every hole pixel lies in at least one tile's inner box. Empty without a hole.

    Raises:
        ValueError: If `max_pixels` is too small for the halo.
    """
    size = padded_size(mask.shape)
    if max_pixels is None:
        whole = Box(0, 0, *size)
        return [Tile(whole, whole)] if mask.any() else []
    minimum = (2 * halo + _MIN_INNER) ** 2
    if max_pixels < minimum:
        raise ValueError(
            f"tiles of {max_pixels} pixels are too small: this network needs at least {minimum} "
            f"({math.isqrt(minimum)} per side)"
        )
    tiles = []
    for box in merged(hole_boxes(mask), halo, size, max_pixels):
        for part in split(box.aligned(), halo, size, max_pixels):
            inner = tightened(mask, part)
            if inner is not None:
                inner = inner.aligned()
                tiles.append(Tile(inner.expanded(halo, size), inner))
    return tiles


def split(box: Box, halo: int, size: tuple[int, int], max_pixels: int) -> Iterator[Box]:
    """Split an aligned box into parts that have at most `max_pixels` with their halo.

    Yields:
        Aligned boxes that cover it, in the grid with the smallest total number of pixels.
    """
    best = None
    for rows in range(1, -(-box.height // _MIN_INNER) + 1):
        inner_height = round_up(-(-box.height // rows))
        outer_height = min(inner_height + 2 * halo, size[0])
        widest = max_pixels // outer_height
        if widest >= size[1]:
            columns = 1
        elif widest - 2 * halo >= _MIN_INNER:
            columns = -(-box.width // ((widest - 2 * halo) // SIZE_MULTIPLE * SIZE_MULTIPLE))
        else:
            continue
        inner_width = round_up(-(-box.width // columns))
        cost = rows * columns * outer_height * min(inner_width + 2 * halo, size[1])
        if best is None or cost < best[0]:
            best = (cost, inner_height, inner_width)
    if best is None:
        raise ValueError(f"a tile of {max_pixels} pixels is too small for a halo of {halo}")
    _, inner_height, inner_width = best
    for top in range(box.top, box.bottom, inner_height):
        for left in range(box.left, box.right, inner_width):
            yield Box(
                top,
                left,
                min(top + inner_height, box.bottom),
                min(left + inner_width, box.right),
            )
