"""Portraits to try the page with: people who do not exist, each with a hole painted."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_inpaint.data import sample
from keras_inpaint.inference.photo import Photo
from keras_inpaint.serving.ui_canvas import BRUSH_ALPHA, BRUSH_COLOUR

#: The collection is no training set's, which take small seeds.
_SEED = 2017
_INDICES = (0, 1, 2, 3)
#: Thumbnails are drawn twice as large, as most screens have two pixels to one of the page.
_THUMBNAIL = (436, 356)


class Example(NamedTuple):
    """A portrait and a hole in it.

    Attributes:
        photo: 178 by 218 pixels, a PNG's.
        hole: Bool `(218, 178)`.
        thumbnail: Uint8 `(height, width, 3)`, the portrait with the hole as if painted.
    """

    photo: Photo
    hole: np.ndarray
    thumbnail: np.ndarray


@cache
def examples() -> tuple[Example, ...]:
    """Return the portraits, drawn when first asked for; do not change them."""
    return tuple(_draw(number, index) for number, index in enumerate(_INDICES, start=1))


def _draw(number: int, index: int) -> Example:
    pixels = sample.draw_portrait(_SEED, index)
    photo = Photo(Path(f"portrait-{number}.png"), "PNG", "RGB", pixels)
    hole = sample.example_hole(_SEED, index)
    picture = sample.draw_portrait(_SEED, index, *_THUMBNAIL)
    painted = sample.example_hole(_SEED, index, *_THUMBNAIL)
    share = BRUSH_ALPHA / 255
    tinted = picture[painted] * (1 - share) + np.array(BRUSH_COLOUR) * share
    picture[painted] = np.round(tinted).astype(np.uint8)
    return Example(photo, hole, picture)
