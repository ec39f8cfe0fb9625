"""The smoothest surface through given values: Laplace's equation on any set of pixels."""

import cv2
import numpy as np

#: Neighbours above, below, left and right.
_CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)
#: A grid with fewer free pixels is solved without a coarser one below it.
_SMALL = 64
#: Steps on one grid at most, and pixels times steps: what is left then is below what shows.
_MOST_STEPS, _FEWEST_STEPS, _MOST_WORK = 400, 40, 2e8


def membrane(
    values: np.ndarray, fixed: np.ndarray, domain: np.ndarray, tolerance: float = 5e-4
) -> np.ndarray:
    """Extend values from some pixels of a domain to all of it harmonically.

    Every free pixel becomes the mean of its neighbours in the domain, so that nothing flows
    across the domain's outline. Conjugate gradients, started from the solution on a grid of half
    the size.

    Args:
        values: Float32 `(height, width, channels)`; read where `fixed`.
        fixed: Bool `(height, width)`, where the values are given.
        domain: Bool `(height, width)`, the pixels to fill; it holds `fixed`. A part of it
            without a fixed pixel becomes 0.
        tolerance: Float, the residual to stop at, as a share of that of a surface of zeros.

    Returns:
        Float32 `(height, width, channels)`, 0 outside the domain.
    """
    fixed = fixed & domain
    known = np.where(fixed[..., None], values, 0).astype(np.float32)
    free = domain & ~fixed
    if not fixed.any() or not free.any():
        return known
    start = _from_half_size(known, fixed, domain, tolerance)
    inside = domain.astype(np.float32)
    degree = cv2.filter2D(inside, -1, _CROSS, borderType=cv2.BORDER_CONSTANT)[..., None]
    active = free.astype(np.float32)[..., None]

    def residual_of(surface: np.ndarray) -> np.ndarray:
        return active * (_neighbours(surface) - degree * surface)

    surface = known + active * start
    least = tolerance * np.sqrt(np.sum(np.square(residual_of(known)), axis=(0, 1)))
    residual = residual_of(surface)
    direction = residual.copy()
    energy = _dot(residual, residual)
    for _ in range(int(np.clip(_MOST_WORK / domain.size, _FEWEST_STEPS, _MOST_STEPS))):
        if np.all(np.sqrt(energy) <= least):
            break
        change = -residual_of(direction)
        step = _ratio(energy, _dot(direction, change))
        surface += step * direction
        residual -= step * change
        last, energy = energy, _dot(residual, residual)
        direction = residual + _ratio(energy, last) * direction
    return surface


def _neighbours(surface: np.ndarray) -> np.ndarray:
    total = cv2.filter2D(surface, -1, _CROSS, borderType=cv2.BORDER_CONSTANT)
    return total.reshape(surface.shape)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("ijk,ijk->k", a, b, dtype=np.float64)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0).astype(np.float32)


def _from_half_size(
    known: np.ndarray, fixed: np.ndarray, domain: np.ndarray, tolerance: float
) -> np.ndarray:
    """Return a first guess: the membrane on a grid of half the size, drawn up."""
    height, width = domain.shape
    if np.count_nonzero(domain & ~fixed) < _SMALL or min(height, width) < 4:
        mean = known.sum(axis=(0, 1)) / np.float32(np.count_nonzero(fixed))
        return np.broadcast_to(mean, known.shape)
    count = _blocks(fixed.astype(np.float32)[..., None])
    half_known = _blocks(known) / np.maximum(count, 1)
    half_domain = _blocks(domain.astype(np.float32)[..., None])[..., 0] > 0
    half = membrane(half_known, count[..., 0] > 0, half_domain, tolerance)
    # Weights keep the zeros outside the domain out of the interpolation.
    size = (2 * half.shape[1], 2 * half.shape[0])
    weight = cv2.resize(half_domain.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    drawn = cv2.resize(half, size, interpolation=cv2.INTER_LINEAR).reshape(*size[::-1], -1)
    return (drawn / np.maximum(weight, 1e-6)[..., None])[:height, :width]


def _blocks(array: np.ndarray) -> np.ndarray:
    """Return the sums over blocks of two by two."""
    height, width = array.shape[:2]
    array = np.pad(array, ((0, height % 2), (0, width % 2), (0, 0)))
    return array[::2, ::2] + array[1::2, ::2] + array[::2, 1::2] + array[1::2, 1::2]
