"""Blend generated pixels with the known ones: feathering, and the paper's post-processing.

Both change pixels inside the holes only. The paper (section 3.5 of the text, the authors' script)
propagates the known colours into the hole by the fast marching method and clones the generated
gradients into the result by Poisson blending. Fast marching is OpenCV's. Its `seamlessClone` is
not used: it needs a frame of known pixels around the hole, so it fails on holes at the border,
and it shifts holes that consist of several parts. The same equation is solved here on the holes
only: the result is the generated pixels plus the harmonic surface (the membrane) through the
differences along the holes' rim. A photo's border has Neumann boundary conditions: no value is
fixed there, and no colour flows across it.

References:
    A. Telea, "An image inpainting technique based on the fast marching method", Journal of
    Graphics Tools 9(1), 2004, https://doi.org/10.1080/10867651.2004.10487596.
    P. Perez, M. Gangnet, A. Blake, "Poisson image editing", ACM Trans. Graph. 22(3), 2003,
    https://doi.org/10.1145/882262.882269.
"""

import cv2
import numpy as np

from keras_inpaint.inference import METHODS
from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.inference.tiles import hole_groups

#: How far feathering reaches into a hole, in pixels.
FEATHER_WIDTH = 16
#: The paper's radius of fast marching, in pixels.
TELEA_RADIUS = 1

_MARGIN = 8
#: How deep into a hole the known colours are propagated, in pixels. Only those on its rim are
#: used, which fast marching reaches before its fronts from opposite sides meet.
_CARRIED = 4
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
#: A grid with fewer free pixels is solved without a coarser one.
_SMALL = 64
#: Limits on the number of steps on one grid, and on pixels times steps: the error that remains
#: is not visible.
_MAX_STEPS, _MIN_STEPS, _MAX_WORK = 400, 40, 2e8


def blend(
    image: np.ndarray, completed: np.ndarray, mask: np.ndarray, method: str = "poisson"
) -> np.ndarray:
    """Blend generated pixels with the known ones around them.

    Args:
        image: Uint8 `(height, width, 3)`, the photo; its values in the holes are ignored.
        completed: Uint8 `(height, width, 3)`, the photo with generated pixels in the holes.
        mask: Bool or uint8 `(height, width)`, nonzero in the hole.
        method: String, one of `METHODS`; feathering fades out within `FEATHER_WIDTH` pixels.

    Returns:
        Uint8 `(height, width, 3)`, a new array, identical to `completed` outside the holes. No
        argument is changed.

    Raises:
        ValueError: If the shapes do not match or `method` is unknown.
        TypeError: If the photos are not uint8.
    """
    if method not in METHODS:
        raise ValueError(f"blend must be one of {METHODS}, got {method!r}")
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
        crops = (array[box.slices] for array in (image, completed, holes))
        result[box.slices][group] = _blended(*crops, group, method == "feather")[group]
    return result


def _blended(
    image: np.ndarray,
    completed: np.ndarray,
    holes: np.ndarray,
    group: np.ndarray,
    feathered: bool,
) -> np.ndarray:
    """Return a crop in which one group of holes is blended."""
    rim = group & (cv2.dilate((~holes).astype(np.uint8), _CROSS) > 0)
    if not rim.any():  # no pixel is known
        return completed
    carried = _carried_to_rim(image, holes)
    check_cancelled()
    difference = carried.astype(np.float32) - completed
    fixed, domain = rim, group
    if feathered:
        # Distances are measured from known pixels, so that a photo's border is not a rim.
        distance = cv2.distanceTransform(holes.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        domain = group & (distance <= FEATHER_WIDTH + 1)
        end = domain & (distance > FEATHER_WIDTH)
        difference[end & ~rim] = 0
        fixed = rim | end
    surface = solve_laplace(difference, fixed, domain)
    check_cancelled()
    return np.clip(np.rint(completed + surface), 0, 255).astype(np.uint8)


def _carried_to_rim(image: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Return a crop with the known colours propagated to the rims of its holes."""
    side = 2 * _CARRIED + 1
    deep = cv2.erode(holes.astype(np.uint8), np.ones((side, side), np.uint8))
    band = holes.astype(np.uint8) - deep
    return cv2.inpaint(np.ascontiguousarray(image), band, TELEA_RADIUS, cv2.INPAINT_TELEA)


def solve_laplace(
    values: np.ndarray, fixed: np.ndarray, domain: np.ndarray, tolerance: float = 5e-4
) -> np.ndarray:
    """Extend values harmonically from some pixels of a domain to all of it.

    Every free pixel becomes the mean of its neighbours in the domain, so that nothing flows
    across the domain's outline. Solved by conjugate gradients, starting from the solution on a
    grid of half the size.

    Args:
        values: Float32 `(height, width, channels)`; only the values at `fixed` are used.
        fixed: Bool `(height, width)`, where the values are given.
        domain: Bool `(height, width)`, the pixels to fill; it contains `fixed`. A connected part
            without a fixed pixel becomes 0.
        tolerance: Float, the residual to stop at, relative to that of a surface of zeros.

    Returns:
        Float32 `(height, width, channels)`, 0 outside the domain.
    """
    check_cancelled()
    fixed = fixed & domain
    known = np.zeros(values.shape, np.float32)
    known[fixed] = values[fixed]
    free = domain & ~fixed
    if not fixed.any() or not free.any():
        return known
    check_cancelled()
    start = _from_half_size(known, fixed, domain, tolerance)
    guess = start[free]
    check_cancelled()
    known[free] = _solved(known, free, domain, guess, tolerance)
    return known


def _solved(
    known: np.ndarray, free: np.ndarray, domain: np.ndarray, start: np.ndarray, tolerance: float
) -> np.ndarray:
    """Return the free pixels' values `(pixels, channels)` by conjugate gradients.

    Only the free pixels are computed, as rows of numbers, not the box around them: they are a
    small part of the box of a scratch across a photo.
    """
    count = len(start)
    number = np.full((free.shape[0] + 2, free.shape[1] + 2), count, np.int32)
    number[1:-1, 1:-1][free] = np.arange(count, dtype=np.int32)
    # Above, below, left, right; pixels that are not free have the index of a column of zeros.
    places = [number[:-2, 1:-1], number[2:, 1:-1], number[1:-1, :-2], number[1:-1, 2:]]
    neighbours = [place[free] for place in places]
    degree = _around(domain[..., None], free)
    rhs = _around(known, free)

    def applied(surface: np.ndarray) -> np.ndarray:
        result = degree * surface[:, :-1]
        for neighbour in neighbours:
            check_cancelled()
            result -= np.take(surface, neighbour, axis=1)
        return result

    surface, direction = np.zeros((2, rhs.shape[0], count + 1), np.float32)
    surface[:, :-1] = start.T
    residual = rhs - applied(surface)
    direction[:, :-1] = residual
    limit = tolerance**2 * _dot(rhs, rhs)
    energy = _dot(residual, residual)
    for _ in range(int(np.clip(_MAX_WORK / count, _MIN_STEPS, _MAX_STEPS))):
        if np.all(energy <= limit):
            break
        change = applied(direction)
        step = _ratio(energy, _dot(direction[:, :-1], change))
        surface += step * direction
        check_cancelled()
        residual -= step * change
        last, energy = energy, _dot(residual, residual)
        direction[:, :-1] = residual + _ratio(energy, last) * direction[:, :-1]
    return surface[:, :-1].T


def _around(values: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return the sum of each free pixel's four neighbours, float32 `(channels, pixels)`."""
    total = np.zeros((values.shape[2], np.count_nonzero(free)), np.float32)
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    for place in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        for channel, row in enumerate(total):
            check_cancelled()
            row += place[..., channel][free]
    return total


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the scalar product of each channel, `(channels, 1)`."""
    return np.array([[np.dot(x, y)] for x, y in zip(a, b, strict=True)])


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0).astype(np.float32)


def _from_half_size(
    known: np.ndarray, fixed: np.ndarray, domain: np.ndarray, tolerance: float
) -> np.ndarray:
    """Return an initial guess: the membrane on a grid of half the size, upsampled."""
    height, width = domain.shape
    if np.count_nonzero(domain & ~fixed) < _SMALL or min(height, width) < 4:
        mean = known.sum(axis=(0, 1)) / np.float32(np.count_nonzero(fixed))
        return np.broadcast_to(mean, known.shape)
    count = _blocks(fixed.astype(np.float32)[..., None])
    check_cancelled()
    half_known = _blocks(known) / np.maximum(count, 1)
    check_cancelled()
    half_domain = _blocks(domain.astype(np.float32)[..., None])[..., 0] > 0
    half = solve_laplace(half_known, count[..., 0] > 0, half_domain, tolerance)
    # Weights keep the zeros outside the domain out of the interpolation.
    size = (2 * half.shape[1], 2 * half.shape[0])
    weight = cv2.resize(half_domain.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    check_cancelled()
    enlarged = cv2.resize(half, size, interpolation=cv2.INTER_LINEAR).reshape(*size[::-1], -1)
    check_cancelled()
    return (enlarged / np.maximum(weight, 1e-6)[..., None])[:height, :width]


def _blocks(array: np.ndarray) -> np.ndarray:
    """Return the sums over 2 x 2 blocks."""
    height, width = array.shape[:2]
    array = np.pad(array, ((0, height % 2), (0, width % 2), (0, 0)))
    return array[::2, ::2] + array[1::2, ::2] + array[::2, 1::2] + array[1::2, 1::2]
