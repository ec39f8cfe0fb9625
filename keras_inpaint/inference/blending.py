"""Making generated pixels meet the known ones: feathering, and the paper's post-processing.

Both change pixels inside the holes only. The paper (section 3.5 of the text, the authors' script)
lets the fast marching method carry the known colours into the hole and clones the generated
gradients into that by Poisson blending. Fast marching is OpenCV's. Its `seamlessClone` is not
used: it needs a frame of known pixels around the hole, so that it fails on holes at the border,
and it moves holes of several parts. The equation it solves is solved here on the holes
themselves: what is generated plus the harmonic surface (the membrane) through the differences
along the holes' rim. At a photo's border nothing is fixed, and no colour flows across it.

References:
    A. Telea, "An image inpainting technique based on the fast marching method", Journal of
    Graphics Tools 9(1), 2004, https://doi.org/10.1080/10867651.2004.10487596.
    P. Perez, M. Gangnet, A. Blake, "Poisson image editing", ACM Trans. Graph. 22(3), 2003,
    https://doi.org/10.1145/882262.882269.
"""

import cv2
import numpy as np

from keras_inpaint.inference.blend_methods import METHODS
from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.inference.laplace import solve_laplace
from keras_inpaint.inference.tiles import hole_groups

#: How far feathering reaches into a hole, in pixels.
FEATHER_WIDTH = 16
#: Radius of fast marching in pixels, the paper's.
TELEA_RADIUS = 1

_MARGIN = 8
#: How deep into a hole the known colours are carried, in pixels. Only those on its rim are used,
#: which fast marching reaches before it meets what comes from the depth.
_CARRIED = 4
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def blend(
    image: np.ndarray,
    completed: np.ndarray,
    mask: np.ndarray,
    method: str = "poisson",
    *,
    feather_width: int = FEATHER_WIDTH,
) -> np.ndarray:
    """Blend generated pixels with the known ones around them.

    Args:
        image: Uint8 `(height, width, 3)`, the photo; what it holds in the holes does not matter.
        completed: Uint8 `(height, width, 3)`, the photo with generated holes.
        mask: Bool or uint8 `(height, width)`, nonzero in the hole.
        method: String, one of `METHODS`.
        feather_width: Int, pixels within which feathering fades out.

    Returns:
        Uint8 `(height, width, 3)`, a new array. Outside the holes it is `completed` byte for
        byte. No argument is changed.

    Raises:
        ValueError: If a shape or a setting does not fit.
        TypeError: If the photos are not uint8.
    """
    if method not in METHODS:
        raise ValueError(f"blend must be one of {METHODS}, got {method!r}")
    if feather_width < 1:
        raise ValueError(f"feather_width must be at least 1, got {feather_width}")
    if image.dtype != np.uint8 or completed.dtype != np.uint8:
        raise TypeError(f"photos must be uint8, got {image.dtype} and {completed.dtype}")
    if image.ndim != 3 or image.shape[2] != 3 or completed.shape != image.shape:
        raise ValueError(
            f"photos must both be (height, width, 3), got {image.shape} and {completed.shape}"
        )
    if mask.shape != image.shape[:2]:
        raise ValueError(f"mask must be {image.shape[:2]}, got {mask.shape}")
    result = completed.copy()
    if method == "none":
        return result
    holes = mask if mask.dtype == np.bool_ else mask != 0
    for tight, own in hole_groups(holes):
        check_cancelled()
        box = tight.expanded(_MARGIN, holes.shape)
        group = np.zeros((box.height, box.width), bool)
        group[tight.shifted(box).slices] = own
        result[box.slices][group] = _blended(
            image[box.slices],
            completed[box.slices],
            holes[box.slices],
            group,
            feather_width if method == "feather" else None,
        )[group]
    return result


def _blended(
    image: np.ndarray,
    completed: np.ndarray,
    holes: np.ndarray,
    group: np.ndarray,
    feather_width: int | None,
) -> np.ndarray:
    """Return a crop in which one group of holes is blended."""
    rim = group & (cv2.dilate((~holes).astype(np.uint8), _CROSS) > 0)
    if not rim.any():  # nothing is known
        return completed
    carried = _carried_to_rim(image, holes)
    check_cancelled()
    difference = carried.astype(np.float32) - completed
    fixed, domain = rim, group
    if feather_width is not None:
        # Unknown distances count from known pixels, so that a photo's border is no rim.
        distance = cv2.distanceTransform(holes.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        domain = group & (distance <= feather_width + 1)
        end = domain & (distance > feather_width)
        difference[end & ~rim] = 0
        fixed = rim | end
    surface = solve_laplace(difference, fixed, domain)
    check_cancelled()
    return np.clip(np.rint(completed + surface), 0, 255).astype(np.uint8)


def _carried_to_rim(image: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Return a crop with the known colours carried as far as the rims of its holes."""
    side = 2 * _CARRIED + 1
    deep = cv2.erode(holes.astype(np.uint8), np.ones((side, side), np.uint8))
    band = holes.astype(np.uint8) - deep
    return cv2.inpaint(np.ascontiguousarray(image), band, TELEA_RADIUS, cv2.INPAINT_TELEA)
