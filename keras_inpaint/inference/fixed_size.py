"""Filling holes with a network that takes pictures of a few fixed sizes only.

A window of a fixed size is laid around each hole. It sees what it holds and no more, so that the
result is close to the whole photo's but not the same: see `tiles` for what is exact.
"""

from itertools import pairwise

import numpy as np

from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.inference.runtime import Runtime, as_bytes
from keras_inpaint.inference.tiles import Box, cut, hole_boxes, tightened


def fill(runtime: Runtime, image: np.ndarray, mask: np.ndarray) -> None:
    """Fill the holes of a photo in place, window after window.

    Args:
        runtime: A runtime of fixed sizes.
        image: Uint8 `(height, width, 3)`; only pixels in the holes are written.
        mask: Bool `(height, width)`, true in the hole.
    """
    left_over = mask.copy()
    for box in hole_boxes(mask):
        for part in _parts(box, runtime):
            check_cancelled()
            # What an earlier window has filled is known to a later one, so that they fit.
            inner = tightened(left_over, part)
            if inner is None:
                continue
            size = _window_size(inner, runtime, mask.shape)
            top, bottom = _place(inner.top, inner.bottom, size[0], mask.shape[0])
            left, right = _place(inner.left, inner.right, size[1], mask.shape[1])
            outer = Box(top, left, bottom, right)
            hole = cut(left_over, outer)
            generated = runtime.generate(cut(image, outer)[None], hole[None])[0]
            take = left_over[inner.slices]
            inside = inner.shifted(outer).slices
            image[inner.slices][take] = as_bytes(generated[inside][take])
            take[:] = False


def _parts(box: Box, runtime: Runtime) -> list[Box]:
    """Split a box of holes into parts that leave a window at least a quarter on each side."""
    height, width = (side // 2 for side in runtime.fixed_sizes[-1])
    rows, columns = -(-box.height // height), -(-box.width // width)
    tops = np.linspace(box.top, box.bottom, rows + 1).astype(int).tolist()
    lefts = np.linspace(box.left, box.right, columns + 1).astype(int).tolist()
    return [
        Box(top, left, bottom, right)
        for top, bottom in pairwise(tops)
        for left, right in pairwise(lefts)
    ]


def _window_size(inner: Box, runtime: Runtime, photo: tuple[int, int]) -> tuple[int, int]:
    """Return the smallest size that shows all that the network would see, or the largest."""
    need = [
        min(side + 2 * runtime.reach.halo, whole)
        for side, whole in zip((inner.height, inner.width), photo, strict=True)
    ]
    for size in sorted(runtime.fixed_sizes, key=lambda size: size[0] * size[1]):
        if size[0] >= need[0] and size[1] >= need[1]:
            return size
    return max(runtime.fixed_sizes, key=lambda size: size[0] * size[1])


def _place(start: int, end: int, window: int, photo: int) -> tuple[int, int]:
    """Return where a window begins and ends: centred on a hole, inside the photo if it fits."""
    begin = (start + end - window) // 2
    begin = max(0, min(begin, photo - window))
    return begin, begin + window
