"""Coarse to fine: holes wider than the network can see.

Deep inside such a hole the network sees nothing that is known, and what it generates there is
the same everywhere. So a reduced photo is completed first, in which the hole is as wide as the
network is used to; drawn up again it tells the colours and the large shapes. At every size on
the way back to the photo's own, the hole is then completed once more in rings from its rim
inwards: each ring lies between what is known or done already and the drawn-up guess, and is
fitted to both by Poisson blending.
"""

from collections.abc import Callable

import cv2
import numpy as np

from keras_inpaint.inference.blending import blend
from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.inference.filling import fill
from keras_inpaint.inference.runtime import Runtime
from keras_inpaint.inference.tiles import hole_groups, reduced_mask

#: A hole that is this deep, in pixels from its rim to its middle, is completed well at once:
#: half of the widest holes that the networks are trained on.
COMFORTABLE_DEPTH = 64
#: How wide the rings are, in pixels, in which a drawn-up guess is completed again.
RING_WIDTH = 48


def hole_radius(mask: np.ndarray) -> int:
    """Return how deep a photo's holes are.

    Args:
        mask: Bool `(height, width)`, true in the hole.

    Returns:
        The greatest distance in pixels of a hole's pixel from a known one, along the longer of
        the two axes; 0 without a hole. Where nothing is known, the longer side.
    """
    if mask.all():
        return max(mask.shape)
    deepest = 0
    for box, _ in hole_groups(mask):
        if max(box.height, box.width) > deepest:  # it cannot be deeper than it is large
            around = box.expanded(1, mask.shape)
            deepest = max(deepest, int(_distances(mask[around.slices]).max()))
    return deepest


def _distances(mask: np.ndarray) -> np.ndarray:
    if mask.all():
        return np.full(mask.shape, max(mask.shape), np.float32)
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_C, cv2.DIST_MASK_3)


def widest(runtime: Runtime) -> int:
    """Return the depth of a hole in pixels from which on its middle sees nothing known.

    Where the network takes fixed sizes only, a window has to show a quarter around the hole.
    """
    reach = min(runtime.reach.before, runtime.reach.after) + 1
    return min([reach, *(min(size) // 4 for size in runtime.fixed_sizes[-1:])])


def _reduced_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return the height and width of a photo that is reduced to one part in `scale`."""
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
        scale: Float, the photo is reduced to one part in so many; below 1 it is enlarged.
        complete: Completes a photo, of any size, as it is.

    Returns:
        Uint8 `(height, width, 3)`, a new array, `image` outside the holes.
    """
    if scale == 1:
        return complete(image, mask)
    size = _reduced_size(mask.shape, scale)
    there, back = (cv2.INTER_AREA, cv2.INTER_CUBIC)[:: 1 if scale > 1 else -1]
    check_cancelled()
    resized = cv2.resize(image, size[::-1], interpolation=there)
    filled = complete(resized, reduced_mask(mask, size))
    check_cancelled()
    drawn = cv2.resize(filled, mask.shape[::-1], interpolation=back)
    return np.where(mask[..., None], drawn, image)


def fill_coarse_to_fine(
    runtime: Runtime, image: np.ndarray, mask: np.ndarray, max_pixels: int
) -> np.ndarray:
    """Fill holes that are too wide for one look, in place.

    Args:
        runtime: What computes the network.
        image: Uint8 `(height, width, 3)`; only pixels in the holes are written.
        mask: Bool `(height, width)`, true in the hole.
        max_pixels: Int, pixels computed at once.

    Returns:
        Bool `(height, width)`, the holes that are left: groups no deeper than `widest`.
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
    """Complete a region, its holes reduced until they are comfortable; may write into `image`."""
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

    A ring is fitted to what lies on both sides of it. Without that, every ring inherits the
    colours that the network got wrong in the one before, and the middle drifts away.
    """
    check_cancelled()
    ring = np.ceil(_distances(mask) / RING_WIDTH).astype(int)
    for number in np.unique(ring[mask]):
        check_cancelled()
        hole = ring == number
        generated = image.copy()
        fill(runtime, generated[None], hole[None], max_pixels)
        image[hole] = blend(image, generated, hole, "poisson")[hole]
