"""Make the README's pictures of the built-in portraits anew: python -m benchmarks.pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

from keras_inpaint.data import sample
from keras_inpaint.inference.inpainter import Inpainter

IMAGES = Path(__file__).parents[1] / "docs" / "images"
#: The portrait of the README's first command, with two scratches.
FIRST = 10
#: The portraits of the sheet: an eye, a mouth or scratches of people who were not trained on.
SHEET = (1, 9, 12, 3, 6, 23)


def main() -> None:
    """Write portrait.png, portrait-mask.png and sample-sheet.png."""
    Image.fromarray(sample.portrait(FIRST)).save(IMAGES / "portrait.png", optimize=True)
    hole = sample.example_hole(FIRST).astype(np.uint8) * 255
    Image.fromarray(hole).save(IMAGES / "portrait-mask.png")
    complete = Inpainter("faces", scale=1, texture="off")
    columns = []
    for number in SHEET:
        photo, hole = sample.portrait(number), sample.example_hole(number)
        shown = np.where(hole[..., None], np.uint8(255), photo)
        columns.append(np.vstack([photo, shown, complete(photo, hole)]))
    Image.fromarray(np.hstack(columns)).save(IMAGES / "sample-sheet.png", optimize=True)


if __name__ == "__main__":
    main()
