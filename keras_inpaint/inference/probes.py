"""Known places around a hole on which networks and working scales are compared.

The scale is chosen on places of the hole's own shape beside it; the network on a lattice of squares
around it, in a window as large as the photos of the training. All of them are masked at once.
"""

import cv2
import numpy as np

from keras_inpaint.inference.tiles import Box

#: A probe is used if at least this share of the hole's shape falls on known pixels.
_KNOWN_SHARE = 0.5
#: The longest side of a hole, and the margin around the places beside it, in pixels at the finest
#: scale that is tried; for longer holes a part is used.
_LONGEST, _MARGIN = 96, 32
#: The side of the squares on which networks are compared, the distance from one to the next, and
#: how far they reach from the hole's middle, in pixels at the working scale.
_SQUARE, _STEP, _REACH = 32, 64, 112


def hole_width(own: np.ndarray) -> int:
    """Return the width of a hole in pixels at its widest place: twice its depth."""
    padded = np.pad(own.astype(np.uint8), 1)
    return int(2 * cv2.distanceTransform(padded, cv2.DIST_C, cv2.DIST_MASK_3).max())


def probe_squares(mask: np.ndarray, box: Box, scale: int) -> tuple[Box, list[list[np.ndarray]]]:
    """Return a window around a hole, and squares of known pixels in it for one or two passes.

    Args:
        mask: Bool `(height, width)`, true in all holes of the photo.
        box: The box of the hole.
        scale: Int, the working scale.

    Returns:
        The window, and for each pass bool masks of the window's size, true in one square.
    """
    middle = Box(*[(box.top + box.bottom) // 2, (box.left + box.right) // 2] * 2)
    crop = middle.expanded(_REACH * scale, mask.shape)
    hole = mask[crop.slices]
    side, step, edge = _SQUARE * scale, _STEP * scale, _SQUARE // 4 * scale
    passes = []
    for start in (edge, edge + step // 2):
        places = []
        for top in range(start, hole.shape[0] - side - edge, step):
            for left in range(start, hole.shape[1] - side - edge, step):
                if not hole[top : top + side, left : left + side].any():
                    place = np.zeros_like(hole)
                    place[top : top + side, left : left + side] = True
                    places.append(place)
        if places:
            passes.append(places)
    return crop, passes


def probe_shapes(
    mask: np.ndarray, box: Box, own: np.ndarray, scale: int
) -> tuple[Box, list[np.ndarray]]:
    """Return a crop around a group of holes, and known places in it of the same shape.

    Args:
        mask: Bool `(height, width)`, true in all holes of the photo.
        box: The smallest box around the group.
        own: Bool `(box height, box width)`, true in the group.
        scale: Int, the finest working scale that is tried.

    Returns:
        The crop, and bool masks of its size, each true in one place: above, below, left, right.
    """
    width = hole_width(own)
    box, own = _most_of(box, own, _LONGEST * scale)
    gap = max(4, width // 4)
    if np.count_nonzero(own) * 3 >= own.size:
        down, right = box.height + gap, box.width + gap
    else:  # long and thin: places beside it are nearer than beyond its ends
        down = min(box.height, 2 * width) + gap
        right = min(box.width, 2 * width) + gap
    margin = _MARGIN * scale
    crop = Box(
        max(0, box.top - down - margin),
        max(0, box.left - right - margin),
        min(mask.shape[0], box.bottom + down + margin),
        min(mask.shape[1], box.right + right + margin),
    )
    free = ~mask[crop.slices]
    size = np.count_nonzero(own)
    probes = []
    for dy, dx in ((-down, 0), (down, 0), (0, -right), (0, right)):
        probe = _moved(own, box.shifted(crop), dy, dx, free.shape) & free
        if np.count_nonzero(probe) >= _KNOWN_SHARE * size:
            probes.append(probe)
            free &= ~probe
    return crop, probes


def _most_of(box: Box, own: np.ndarray, side: int) -> tuple[Box, np.ndarray]:
    """Return the part of a group of holes in the square window with most of its pixels."""
    if max(own.shape) <= side:
        return box, own
    height, width = min(side, own.shape[0]), min(side, own.shape[1])
    total = cv2.integral(own.astype(np.uint8))
    count = total[height:, width:] - total[:-height, width:]
    count -= total[height:, :-width] - total[:-height, :-width]
    top, left = map(int, np.unravel_index(count.argmax(), count.shape))
    part = own[top : top + height, left : left + width]
    top, left = box.top + top, box.left + left
    return Box(top, left, top + height, left + width), part


def _moved(own: np.ndarray, place: Box, dy: int, dx: int, shape: tuple[int, int]) -> np.ndarray:
    """Return a shape moved away from its place, cut off at the image's border."""
    moved = np.zeros(shape, bool)
    target = Box(place.top + dy, place.left + dx, place.bottom + dy, place.right + dx)
    inside = target.expanded(0, shape)
    if inside.height > 0 and inside.width > 0:
        moved[inside.slices] = own[inside.shifted(target).slices]
    return moved
