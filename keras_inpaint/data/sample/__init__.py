"""The built-in data set: official portraits of members of the US Congress, in the public domain.

`portraits.zip` contains JPEG files of 128x157 pixels with aligned eyes; `sources.csv` lists each
one's source, terms and the SHA-256 of the original. The people of the part `"test"` were held
out when the bundled `faces` weights were trained, and are excluded from training on the sample.
Neither TensorFlow nor Keras is imported.

Source: photographs of the US Government Printing Office from
https://github.com/unitedstates/images, which states that all of them are in the public domain.
"""

import csv
import functools
import io
import zipfile
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image

HERE = Path(__file__).parent
ARCHIVE, SOURCES = HERE / "portraits.zip", HERE / "sources.csv"
#: Height and width of a portrait in pixels.
SIZE = (157, 128)

Part = Literal["train", "test"]
PARTS = ("train", "test")

__all__ = ["PARTS", "SIZE", "encoded", "example_hole", "names", "portrait"]


def names(part: Part) -> tuple[str, ...]:
    """Return the names of a part's portraits in order, such as `PERSON__gpo.jpg`.

    Args:
        part: `"train"` or `"test"`; their people differ.

    Raises:
        ValueError: If the part is unknown.
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {PARTS}, got {part!r}")
    return _names()[part]


@functools.cache
def _names() -> dict[str, tuple[str, ...]]:
    with SOURCES.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {part: tuple(row["name"] for row in rows if row["part"] == part) for part in PARTS}


def encoded(part: Part, count: int | None = None) -> list[bytes]:
    """Return a part's portraits as JPEG files.

    Args:
        part: `"train"` or `"test"`.
        count: Int, the number of portraits, from the first; None is all.

    Raises:
        ValueError: If the part is unknown or has fewer portraits.
    """
    available = names(part)
    if count is not None and not 1 <= count <= len(available):
        raise ValueError(
            f"the sample has 1 to {len(available)} portraits to {part} on, got {count}"
        )
    with zipfile.ZipFile(ARCHIVE) as archive:
        return [archive.read(name) for name in available[:count]]


def portrait(index: int, part: Part = "test") -> np.ndarray:
    """Return a portrait, uint8 `(157, 128, 3)`, RGB.

    Args:
        index: Int, its index in the part.
        part: `"train"` or `"test"`.

    Raises:
        ValueError: If the part is unknown.
        IndexError: If the index is out of range.
    """
    with zipfile.ZipFile(ARCHIVE) as archive:
        data = archive.read(names(part)[index])
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def example_hole(index: int) -> np.ndarray:
    """Return an example hole in an aligned face.

    Indices cycle through the left eye, nose and mouth, two scratches across the face, and the
    right eye.

    Args:
        index: Int, at least 0.

    Returns:
        Bool `(157, 128)`, True in the hole.
    """
    hole = np.zeros(SIZE, np.uint8)
    kind = index % 4
    if kind == 2:
        for line in ([(30, 58), (57, 78), (96, 70)], [(44, 112), (68, 96), (92, 116)]):
            cv2.polylines(hole, [np.array(line, np.int32)], False, 1, thickness=6)
    else:
        boxes = {0: (35, 58, 32, 24), 1: (46, 82, 38, 38), 3: (62, 58, 32, 24)}
        left, top, wide, tall = boxes[kind]
        hole[top : top + tall, left : left + wide] = 1
    return hole.astype(bool)
