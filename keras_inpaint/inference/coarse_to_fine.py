"""Coarse-to-fine completion of holes wider than the network's receptive field.

Deep inside such a hole no known pixel is in the receptive field, and the network generates the
same pixels everywhere. So a reduced photo is completed first, in which the hole is as wide as
those of the training; enlarged again, it gives the colours and the large shapes. At every size
between this and the photo's own, the hole is then completed again in rings from its rim
inwards: each ring lies between known or completed pixels and the enlarged guess, and is fitted to
both by Poisson blending.
"""

from collections.abc import Callable

import cv2
import numpy as np

from keras_inpaint.inference.blending import blend
from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.inference.filling import fill
from keras_inpaint.inference.runtime import Runtime
from keras_inpaint.inference.tiles import hole_groups, reduced_mask

#: The depth of a hole, in pixels from its rim to its middle, that is completed well in one pass:
#: half the width of the widest holes that the networks are trained on.
COMFORTABLE_DEPTH = 64
#: Width in pixels of the rings in which an enlarged guess is completed again.
RING_WIDTH = 48


def hole_radius(mask: np.ndarray) -> int:
    """Return the depth of a photo's holes.

    Args:
        mask: Bool `(height, width)`, true in the hole.

    Returns:
        The largest Chebyshev distance in pixels from a hole's pixel to the nearest known one; 0
        without a hole, the longer side if no pixel is known.
    """
    if mask.all():
        return max(mask.shape)
    deepest = 0
    for box, _ in hole_groups(mask):
        if max(box.height, box.width) > deepest:  # only such a hole can be deeper
            around = box.expanded(1, mask.shape)
            deepest = max(deepest, int(_distances(mask[around.slices]).max()))
    return deepest


def _distances(mask: np.ndarray) -> np.ndarray:
    if mask.all():
        return np.full(mask.shape, max(mask.shape), np.float32)
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_C, cv2.DIST_MASK_3)


def widest(runtime: Runtime) -> int:
    """Return the depth in pixels beyond which the middle of a hole sees no known pixels.

    If the network takes fixed sizes only, a quarter of a window has to lie on each side of the
    hole.
    """
    reach = min(runtime.reach.before, runtime.reach.after) + 1
    return min([reach, *(min(size) // 4 for size in runtime.fixed_sizes[-1:])])


def _reduced_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return the height and width of a photo reduced by `scale`."""
    return max(1, round(size[0] / scale)), max(1, round(size[1] / scale))


def complete_at(
    image: np.ndarray,
    mask: np.ndarray,
    scale: float,
    complete: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Complete a photo that is resized first, and resize the result back.

    Args:
        image: Uint8 `(height, width, 3)`.
        mask: Bool `(height, width)`, true in the hole.
        scale: Float, the factor by which the photo is reduced; below 1 it is enlarged.
        complete: Function `(image, mask) -> completed` that completes a photo of any size.

    Returns:
        Uint8 `(height, width, 3)`, a new array, identical to `image` outside the holes.
    """
    if scale == 1:
        return complete(image, mask)
    size = _reduced_size(mask.shape, scale)
    there, back = (cv2.INTER_AREA, cv2.INTER_CUBIC)[:: 1 if scale > 1 else -1]
    check_cancelled()
    resized = cv2.resize(image, size[::-1], interpolation=there)
    filled = complete(resized, reduced_mask(mask, size))
    check_cancelled()
    restored = cv2.resize(filled, mask.shape[::-1], interpolation=back)
    return np.where(mask[..., None], restored, image)


def fill_coarse_to_fine(
    runtime: Runtime, image: np.ndarray, mask: np.ndarray, max_pixels: int
) -> np.ndarray:
    """Fill holes that are too wide for one pass, in place.

    Args:
        runtime: The runtime of the network.
        image: Uint8 `(height, width, 3)`; only pixels in the holes are written.
        mask: Bool `(height, width)`, true in the hole.
        max_pixels: Int, the largest number of pixels computed at once.

    Returns:
        Bool `(height, width)`, the holes that remain: groups not deeper than `widest`.
    """
    remaining, limit = mask.copy(), widest(runtime)
    for box, own in hole_groups(mask):
        check_cancelled()
        if max(box.height, box.width) <= limit:
            continue
        depth = hole_radius(mask[box.expanded(1, mask.shape).slices])
        if depth <= limit:
            continue
        comfortable = min(COMFORTABLE_DEPTH, limit)
        margin = int(runtime.reach.halo * max(1.0, depth / comfortable)) + 1
        around = box.expanded(margin, mask.shape)
        part = _completed(
            runtime, image[around.slices].copy(), mask[around.slices], max_pixels, comfortable
        )
        image[box.slices][own] = part[box.shifted(around).slices][own]
        remaining[box.slices][own] = False
    return remaining


def _completed(
    runtime: Runtime, image: np.ndarray, mask: np.ndarray, max_pixels: int, comfortable: int
) -> np.ndarray:
    """Complete a region, reduced until its holes are narrow enough; may write into `image`."""
    check_cancelled()
    scale = min(2.0, hole_radius(mask) / comfortable)
    if scale <= 1 or _reduced_size(mask.shape, scale) == mask.shape:
        fill(runtime, image[None], mask[None], max_pixels)
        return image

    def complete(photo: np.ndarray, holes: np.ndarray) -> np.ndarray:
        return _completed(runtime, photo, holes, max_pixels, comfortable)

    guess = complete_at(image, mask, scale, complete)
    _refine(runtime, guess, mask, max_pixels)
    return guess


def _refine(runtime: Runtime, image: np.ndarray, mask: np.ndarray, max_pixels: int) -> None:
    """Complete a hole filled with a guess again, ring by ring from its rim inwards.

    A ring is fitted to the pixels on both sides of it. Otherwise every ring inherits the colour
    errors of the one before, and the middle drifts.
    """
    check_cancelled()
    ring = np.ceil(_distances(mask) / RING_WIDTH).astype(int)
    for number in np.unique(ring[mask]):
        check_cancelled()
        hole = ring == number
        generated = image.copy()
        fill(runtime, generated[None], hole[None], max_pixels)
        image[hole] = blend(image, generated, hole, "poisson")[hole]
