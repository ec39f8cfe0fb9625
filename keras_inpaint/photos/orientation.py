"""EXIF orientation: stored pixels <-> the photo as it is shown."""

import numpy as np

_SHOW = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: np.rot90(x, 1),
}
_BACK = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}


def as_shown(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Return an array the way a viewer shows it.

    Args:
        stored: `(height, width, ...)`, rows as they lie in the file.
        orientation: EXIF's value, 1 to 8.

    Returns:
        A contiguous array; the very same for orientation 1.
    """
    return np.ascontiguousarray(_SHOW[orientation](stored))


def as_stored(shown: np.ndarray, orientation: int) -> np.ndarray:
    """Return an array the way it lies in the file; the inverse of `as_shown`.

    Args:
        shown: `(height, width, ...)` as a viewer shows it.
        orientation: EXIF's value, 1 to 8.

    Returns:
        A contiguous array; the very same for orientation 1.
    """
    return np.ascontiguousarray(_SHOW[_BACK[orientation]](shown))
