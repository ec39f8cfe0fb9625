"""The smoothest surface through given values: Laplace's equation on any set of pixels."""

import cv2
import numpy as np

from keras_inpaint.inference.cancelling import check_cancelled

#: A grid with fewer free pixels is solved without a coarser one below it.
_SMALL = 64
#: Steps on one grid at most, and pixels times steps: what is left then is below what shows.
_MOST_STEPS, _FEWEST_STEPS, _MOST_WORK = 400, 40, 2e8


def solve_laplace(
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

    Only free pixels are computed with, as rows of numbers, not the box around them: of a
    scratch across a photo that is a small part.
    """
    count = len(start)
    number = np.full((free.shape[0] + 2, free.shape[1] + 2), count, np.int32)
    number[1:-1, 1:-1][free] = np.arange(count, dtype=np.int32)
    # Above, below, left, right; what is not free has the number of a column of zeros.
    places = [number[:-2, 1:-1], number[2:, 1:-1], number[1:-1, :-2], number[1:-1, 2:]]
    neighbours = [place[free] for place in places]
    degree = _around(domain[..., None], free)
    given = _around(known, free)

    def applied(surface: np.ndarray) -> np.ndarray:
        result = degree * surface[:, :-1]
        for neighbour in neighbours:
            check_cancelled()
            result -= np.take(surface, neighbour, axis=1)
        return result

    surface, direction = np.zeros((2, given.shape[0], count + 1), np.float32)
    surface[:, :-1] = start.T
    residual = given - applied(surface)
    direction[:, :-1] = residual
    least = tolerance**2 * _dot(given, given)
    energy = _dot(residual, residual)
    for _ in range(int(np.clip(_MOST_WORK / count, _FEWEST_STEPS, _MOST_STEPS))):
        if np.all(energy <= least):
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
    """Return a first guess: the membrane on a grid of half the size, drawn up."""
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
    drawn = cv2.resize(half, size, interpolation=cv2.INTER_LINEAR).reshape(*size[::-1], -1)
    check_cancelled()
    return (drawn / np.maximum(weight, 1e-6)[..., None])[:height, :width]


def _blocks(array: np.ndarray) -> np.ndarray:
    """Return the sums over blocks of two by two."""
    height, width = array.shape[:2]
    array = np.pad(array, ((0, height % 2), (0, width % 2), (0, 0)))
    return array[::2, ::2] + array[1::2, ::2] + array[::2, 1::2] + array[1::2, 1::2]
