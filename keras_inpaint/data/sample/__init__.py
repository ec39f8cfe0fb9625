"""The built-in data set: portraits of people who do not exist, drawn by the package itself.

A portrait is a function of two numbers, the collection's seed and its index in it, and the same
picture at every size: the same person, clothes, light and background, rendered finer or coarser.
Nothing is read from disk, and neither TensorFlow nor Keras is imported.
"""

import operator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_inpaint.data.sample.holes import hole
from keras_inpaint.data.sample.landmarks import landmarks
from keras_inpaint.data.sample.portrait import render
from keras_inpaint.processors import processors

DEFAULT_SIZE = (218, 178)

__all__ = [
    "DEFAULT_SIZE",
    "draw_portrait",
    "draw_portraits",
    "example_hole",
    "portrait_landmarks",
]


def _whole(name: str, value: int, least: int) -> int:
    """Returns `value` as an int of at least `least`."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"Expected {name} to be an integer. Received: {name}={value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"Expected {name} to be an integer. Received: {name}={value!r}") from None
    if number < least:
        raise ValueError(f"Expected {name} to be at least {least}. Received: {name}={number}")
    return number


def _checked(seed: int, index: int, height: int, width: int) -> tuple[int, int, int, int]:
    return (
        _whole("seed", seed, 0),
        _whole("index", index, 0),
        _whole("height", height, 1),
        _whole("width", width, 1),
    )


def draw_portrait(
    seed: int, index: int, height: int = DEFAULT_SIZE[0], width: int = DEFAULT_SIZE[1]
) -> np.ndarray:
    """Draws one portrait.

    The face stands in the middle as in CelebA's aligned pictures (178 wide, 218 high, the eyes
    at about 0.51 of the height and 39 pixels apart). In a picture of another shape the shorter
    side counts for 178, so that the whole face is always inside.

    Args:
        seed: Int, at least 0: the collection.
        index: Int, at least 0: the portrait in it.
        height: Int, rows, at least 1.
        width: Int, columns, at least 1.

    Returns:
        uint8 `(height, width, 3)`, RGB.

    Raises:
        TypeError: An argument is not an integer.
        ValueError: An argument is below its least value.
    """
    return render(*_checked(seed, index, height, width))


def draw_portraits(
    count: int,
    size: int | tuple[int, int] = DEFAULT_SIZE,
    seed: int = 0,
    threads: int | None = None,
) -> np.ndarray:
    """Draws the first portraits of a collection.

    Args:
        count: Int, at least 0, how many.
        size: Int for squares, or `(height, width)`, pixels.
        seed: Int, at least 0: the collection.
        threads: Int, how many portraits are drawn at once; one a core by default. It changes
            nothing but the time.

    Returns:
        uint8 `(count, height, width, 3)`, RGB; portrait i equals
        `draw_portrait(seed, i, height, width)`.

    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is below its least value, or `size` has not two numbers.

    Example:

    >>> draw_portraits(2, size=(109, 89)).shape
    (2, 109, 89, 3)
    """
    count = _whole("count", count, 0)
    if isinstance(size, (tuple, list)):
        if len(size) != 2:
            raise ValueError(f"Expected size to be (height, width). Received: size={size!r}")
        height, width = size
    else:
        height = width = size
    seed, _, height, width = _checked(seed, 0, height, width)
    threads = processors() if threads is None else _whole("threads", threads, 1)
    portraits = np.empty((count, height, width, 3), np.uint8)

    def draw(index: int) -> None:
        portraits[index] = render(seed, index, height, width)

    with ThreadPoolExecutor(max(1, min(threads, count))) as pool:
        for _ in pool.map(draw, range(count)):
            pass
    return portraits


def portrait_landmarks(
    seed: int, index: int, height: int = DEFAULT_SIZE[0], width: int = DEFAULT_SIZE[1]
) -> dict[str, tuple[float, float]]:
    """Tells where the parts of a portrait's face lie.

    Left and right are the picture's. Glasses, hair or a beard may cover a landmark.

    Args:
        seed: Int, at least 0: the collection.
        index: Int, at least 0: the portrait in it.
        height: Int, rows, at least 1.
        width: Int, columns, at least 1.

    Returns:
        `(y, x)` in pixels, whole numbers at pixel centres, by name: `left_eye`, `left_pupil`,
        `left_eye_inner` (the corner near the nose), `left_eye_outer`, `left_brow`, the same with
        `right`, `nose` (its tip), `mouth`, `mouth_left`, `mouth_right`, `chin`.

    Raises:
        TypeError: An argument is not an integer.
        ValueError: An argument is below its least value.
    """
    return landmarks(*_checked(seed, index, height, width))


def example_hole(
    seed: int, index: int, height: int = DEFAULT_SIZE[0], width: int = DEFAULT_SIZE[1]
) -> np.ndarray:
    """Marks a part of a portrait's face to be filled, as an example.

    By index in turn: the left eye, nose and mouth, two scratches across the face, the right eye.

    Args:
        seed: Int, at least 0: the collection.
        index: Int, at least 0: the portrait in it.
        height: Int, rows, at least 1.
        width: Int, columns, at least 1.

    Returns:
        bool `(height, width)`, True in the hole; at least one pixel is.

    Raises:
        TypeError: An argument is not an integer.
        ValueError: An argument is below its least value.
    """
    return hole(*_checked(seed, index, height, width))
