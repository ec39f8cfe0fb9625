"""Masked photos for calibrating a quantised network and for checking the parity of an export."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from keras_inpaint.data import sample
from keras_inpaint.data.files import find_photos

logger = logging.getLogger(__name__)


def read_photos(folder: str | Path, count: int) -> list[np.ndarray]:
    """Return photos of a folder and its subfolders, spread evenly over the sorted names.

    Args:
        folder: Path of the folder.
        count: Int, the largest number of photos.

    Returns:
        List of upright uint8 arrays `(height, width, 3)`; files that cannot be read are skipped.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If none of its photos can be read.
    """
    folder = Path(folder)
    paths = find_photos(folder)
    chosen = [paths[i * len(paths) // count] for i in range(count)] if len(paths) > count else paths
    photos = []
    for path in chosen:
        try:
            with Image.open(path) as image:
                photos.append(np.asarray(ImageOps.exif_transpose(image).convert("RGB")))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            logger.warning("skipped %s: %s", path, error)
    if not photos:
        raise ValueError(f"{folder} has no photo that can be read")
    return photos


def masked_photos(
    photos: Sequence[np.ndarray], size: tuple[int, int], count: int, seed: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield photos of one size with holes, alternately rectangles and brush strokes.

    Args:
        photos: Uint8 arrays `(height, width, 3)` of any sizes; they are repeated in order.
        size: `(height, width)` in pixels.
        count: Int, the number of pairs.
        seed: Int, the seed of the holes.

    Yields:
        Uint8 `(height, width, 3)` and bool `(height, width)`, true in the hole.
    """
    rng = np.random.default_rng(seed)
    for number in range(count):
        photo = fit(photos[number % len(photos)], size)
        hole = _strokes(rng, size) if number % 2 else _rectangle(rng, size)
        yield photo, hole


def fit(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the centre crop of a uint8 photo, resized to `(height, width)`."""
    height, width = size
    image = ImageOps.fit(Image.fromarray(photo), (width, height), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _rectangle(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    hole = np.zeros(size, bool)
    sides = [max(1, round(side * rng.uniform(0.25, 0.5))) for side in size]
    top, left = (rng.integers(side - cut + 1) for side, cut in zip(size, sides, strict=True))
    hole[top : top + sides[0], left : left + sides[1]] = True
    return hole


def _strokes(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    hole = np.zeros(size, np.uint8)
    height, width = size
    for _ in range(3):
        points = rng.uniform(0, 1, (5, 2)) * (width - 1, height - 1)
        thickness = max(1, round(min(size) * rng.uniform(0.04, 0.12)))
        cv2.polylines(hole, [np.rint(points).astype(np.int32)], False, 1, thickness)
    return hole.astype(bool)


def sample_photos(count: int) -> list[np.ndarray]:
    """Return at most `count` built-in portraits of different people, uint8 `(157, 128, 3)`."""
    count = min(count, len(sample.names("train")))
    return [sample.portrait(number, "train") for number in range(count)]
