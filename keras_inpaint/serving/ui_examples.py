"""Portraits to try the page with, in the public domain, each with a hole painted."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from keras_inpaint.data import sample
from keras_inpaint.inference.photo import Photo
from keras_inpaint.serving.ui_canvas import BRUSH_ALPHA, BRUSH_COLOUR

#: People that neither the bundled weights nor a training on the sample have seen.
_INDICES = (12, 1, 2, 23)


class Example(NamedTuple):
    """A portrait and a hole in it.

    Attributes:
        photo: 128 by 157 pixels, a PNG's.
        hole: Bool `(157, 128)`.
        thumbnail: Uint8 `(height, width, 3)`, the portrait with the hole as if painted.
    """

    photo: Photo
    hole: np.ndarray
    thumbnail: np.ndarray


@cache
def examples() -> tuple[Example, ...]:
    """Return the portraits, read when first asked for; do not change them."""
    return tuple(_read(number, index) for number, index in enumerate(_INDICES, start=1))


def _read(number: int, index: int) -> Example:
    pixels = sample.portrait(index)
    photo = Photo(Path(f"portrait-{number}.png"), "PNG", "RGB", pixels)
    hole = sample.example_hole(index)
    # Twice as large, as most screens have two pixels to one of the page.
    picture = np.asarray(Image.fromarray(pixels).resize((2 * hole.shape[1], 2 * hole.shape[0])))
    picture, painted = picture.copy(), hole.repeat(2, axis=0).repeat(2, axis=1)
    share = BRUSH_ALPHA / 255
    tinted = picture[painted] * (1 - share) + np.array(BRUSH_COLOUR) * share
    picture[painted] = np.round(tinted).astype(np.uint8)
    return Example(photo, hole, picture)
