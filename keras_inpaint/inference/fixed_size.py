"""Fill holes with a network that takes images of a few fixed sizes only.

A window of a fixed size is placed around each hole. The network sees nothing outside of it, so the
result is close to that of the whole photo but not identical; `tiles` describes what is exact.
"""

from itertools import pairwise

import numpy as np

from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.inference.runtime import Runtime, as_bytes
from keras_inpaint.inference.tiles import Box, cut, hole_boxes, tightened


def fill(runtime: Runtime, image: np.ndarray, mask: np.ndarray) -> None:
    """Fill the holes of a photo in place, window by window.

    Args:
        runtime: A runtime of fixed sizes.
        image: Uint8 `(height, width, 3)`; only pixels in the holes are written.
        mask: Bool `(height, width)`, true in the hole.
    """
    remaining = mask.copy()
    for box in hole_boxes(mask):
        for part in _parts(box, runtime):
            check_cancelled()
            # Pixels filled by earlier windows are known to later ones, so that there are no seams.
            inner = tightened(remaining, part)
            if inner is None:
                continue
            size = _window_size(inner, runtime, mask.shape)
            top, bottom = _place(inner.top, inner.bottom, size[0], mask.shape[0])
            left, right = _place(inner.left, inner.right, size[1], mask.shape[1])
            outer = Box(top, left, bottom, right)
            hole = cut(remaining, outer)
            generated = runtime.generate(cut(image, outer)[None], hole[None])[0]
            target = remaining[inner.slices]
            inside = inner.shifted(outer).slices
            image[inner.slices][target] = as_bytes(generated[inside][target])
            target[:] = False


def _parts(box: Box, runtime: Runtime) -> list[Box]:
    """Split a box of holes into parts with at least a quarter of a window on each side."""
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
    """Return the smallest size that contains the receptive field, or the largest size."""
    need = [
        min(side + 2 * runtime.reach.halo, whole)
        for side, whole in zip((inner.height, inner.width), photo, strict=True)
    ]
    for size in sorted(runtime.fixed_sizes, key=lambda size: size[0] * size[1]):
        if size[0] >= need[0] and size[1] >= need[1]:
            return size
    return max(runtime.fixed_sizes, key=lambda size: size[0] * size[1])


def _place(start: int, end: int, window: int, photo: int) -> tuple[int, int]:
    """Return the start and end of a window centred on a hole, inside the photo if it fits."""
    begin = (start + end - window) // 2
    begin = max(0, min(begin, photo - window))
    return begin, begin + window
