"""Write the README's images, of built-in portraits and of scikit-image's photographs.

python -m benchmarks.pictures
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from keras_inpaint.data import sample
from keras_inpaint.inference.inpainter import Inpainter

IMAGES = Path(__file__).parents[1] / "docs" / "images"
#: The portrait of the README's first command, with two scratches.
FIRST = 10
#: The portraits of the sheet, with an eye, a mouth or scratches to complete; they are not used for
#: training.
SHEET = (1, 9, 12, 3, 6, 23)


#: What to remove from scikit-image's photographs, both CC0: lines of `(x, y)` points with their
#: thickness in pixels. The spoon and a scratch over table and saucer; whiskers, and a spot over the
#: rim of an eye.
REMOVED = {
    "coffee": (
        (95, (366, 283), (366, 285)),
        (30, (414, 72), (402, 130), (388, 190), (372, 240)),
        (7, (455, 20), (590, 150)),
        (7, (90, 165), (20, 300), (150, 385)),
    ),
    "chelsea": (
        (8, (0, 224), (60, 215), (170, 222)),
        (8, (0, 252), (90, 232), (180, 230)),
        (8, (20, 298), (100, 255), (185, 238)),
        (24, (248, 52), (249, 54)),
        (26, (345, 128), (342, 150)),
    ),
}
#: The holes in scikit-image's `astronaut` (512 px): left, top, right, bottom.
COVERED = {
    "an eye": (178, 92, 214, 116),
    "the nose": (200, 115, 245, 160),
    "the mouth": (205, 155, 260, 185),
    "the face": (178, 90, 262, 180),
    "hair": (196, 24, 246, 60),
    "the suit": (60, 300, 130, 360),
    "the background": (292, 120, 352, 180),
}
#: The sides at which `astronaut` is completed, the side of the part shown around a hole, in pixels
#: of 512, and the side of its image.
SIDES, SHOWN, SIDE = (256, 512, 1024), 220, 200

#: The rows of `stages`: photo, factor by which it is enlarged, hole as in `COVERED`.
STAGES = (
    ("astronaut", 2, (356, 184, 428, 232)),
    ("coffee", 1, (356, 326, 420, 370)),
    ("coffee", 1, (40, 250, 100, 300)),
    ("chelsea", 1, (180, 30, 230, 80)),
)
#: The number of random holes per photo, of which every eighth is shown.
HOLES, EVERY = 24, 8


def main() -> None:
    """Write all images."""
    portraits()
    photographs()
    astronaut()
    stages()


def astronaut() -> None:
    """Write astronaut.jpg: a row of holes, and a row for each size at which they are completed."""
    from skimage import data

    complete = Inpainter()
    columns = []
    for left, top, right, bottom in COVERED.values():
        x = min(max((left + right - SHOWN) // 2, 0), 512 - SHOWN)
        y = min(max((top + bottom - SHOWN) // 2, 0), 512 - SHOWN)
        rows = []
        for side in SIDES:
            scale = side / 512
            photo = cv2.resize(data.astronaut(), (side, side), interpolation=cv2.INTER_CUBIC)
            hole = np.zeros((side, side), bool)
            hole[int(top * scale) : int(bottom * scale), int(left * scale) : int(right * scale)] = 1
            for shown in (np.where(hole[..., None], np.uint8(128), photo), complete(photo, hole)):
                part = shown[int(y * scale) :, int(x * scale) :]
                part = part[: int(SHOWN * scale), : int(SHOWN * scale)]
                rows.append(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
        columns.append(np.vstack([rows[2], *rows[1::2]]))
    Image.fromarray(np.hstack(columns)).save(IMAGES / "astronaut.jpg", quality=88, optimize=True)


def photographs() -> None:
    """Write coffee.jpg and chelsea.jpg: the photo, its holes, the default completion."""
    from skimage import data

    complete = Inpainter()
    for name, lines in REMOVED.items():
        photo = getattr(data, name)()
        hole = np.zeros(photo.shape[:2], np.uint8)
        for thickness, *points in lines:
            cv2.polylines(hole, [np.array(points, np.int32)], False, 1, thickness)
        shown = np.where(hole[..., None] > 0, np.uint8(255), photo)
        sheet = Image.fromarray(np.hstack([photo, shown, complete(photo, hole > 0)]))
        sheet.save(IMAGES / f"{name}.jpg", quality=85, optimize=True)


def stages() -> None:
    """Write stages.jpg and every-eighth.jpg: a row per hole with the result of each stage."""
    from skimage import data

    settings = (
        {"model": "faces", "scale": 1, "texture": "off"},
        {"texture": "off"},
        {},
    )
    complete = [Inpainter(**each) for each in settings]

    def row(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
        rows, columns = np.nonzero(hole)
        x = min(max((columns.min() + columns.max() - SIDE) // 2, 0), hole.shape[1] - SIDE)
        y = min(max((rows.min() + rows.max() - SIDE) // 2, 0), hole.shape[0] - SIDE)
        shown = [np.where(hole[..., None], np.uint8(255), photo)]
        shown += [stage(photo, hole) for stage in complete]
        return np.hstack([each[y : y + SIDE, x : x + SIDE] for each in (*shown, photo)])

    chosen = []
    for name, enlarged, (left, top, right, bottom) in STAGES:
        photo = getattr(data, name)()
        photo = cv2.resize(photo, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_CUBIC)
        hole = np.zeros(photo.shape[:2], bool)
        hole[top:bottom, left:right] = True
        chosen.append(row(photo, hole))
    drawn, number, rng = [], 0, np.random.default_rng(7)
    for name in ("astronaut", "coffee", "chelsea"):
        photo = getattr(data, name)()
        for _ in range(HOLES):
            hole = _random_hole(photo.shape[:2], ("box", "ellipse", "strokes")[number % 3], rng)
            if number % EVERY == 0:
                drawn.append(row(photo, hole))
            number += 1
    for name, sheet in (("stages", chosen), ("every-eighth", drawn)):
        image = Image.fromarray(np.vstack(sheet))
        image.save(IMAGES / f"{name}.jpg", quality=85, optimize=True)


def _random_hole(size: tuple[int, int], kind: str, rng: np.random.Generator) -> np.ndarray:
    """Return a box or an ellipse of 28 to 84 px, or strokes of 10 px, bool `(height, width)`."""
    mask = np.zeros(size, np.uint8)
    height, width = rng.integers(28, 84, 2, endpoint=True).tolist()
    top, left = rng.integers(12, [size[0] - 96, size[1] - 96]).tolist()
    if kind == "box":
        mask[top : top + height, left : left + width] = 1
    elif kind == "ellipse":
        middle = (left + width // 2, top + height // 2)
        cv2.ellipse(mask, middle, (width // 2, height // 2), 0, 0, 360, 1, -1)
    else:
        points = rng.integers(0, 84, (5, 2)) + np.array([left, top])
        cv2.polylines(mask, [points.astype(np.int32)], False, 1, 10)
    return mask.astype(bool)


def portraits() -> None:
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
