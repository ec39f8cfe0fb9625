"""Marks on the skin: lines of age and laughter, freckles, a mole."""

import numpy as np

from keras_inpaint.data.sample.canvas import Canvas, Region
from keras_inpaint.data.sample.geometry import Pose, ellipse, mirror, ribbon, smooth
from keras_inpaint.data.sample.parameters import Portrait

_FOLD = np.array([0.66, 0.52, 0.48], np.float32)


def paint_lines(canvas: Canvas, portrait: Portrait, pose: Pose, face: Region) -> None:
    """Draws the folds that age and a smile leave."""
    f, age = portrait.features, portrait.head.age
    smile = max(0.0, f.smile)
    old = max(0.0, age - 0.45) / 0.55
    nose, mouth = f.nose_length, f.mouth_y

    def folds(lines, width: float, strength: float, soft: float = 0.8) -> None:
        shapes = [ribbon(smooth(line), (0.3 * width, width, 0.3 * width)) for line in lines]
        canvas.shade(pose(shapes), _FOLD, strength, soft, face)

    def both(*points) -> list[np.ndarray]:
        return [np.array(points), mirror(points)]

    wing, corner = f.nose_width + 2, f.mouth_width + 4.5
    laughter = both(
        (wing, nose - 4),
        (0.45 * wing + 0.55 * corner + 1.5, 0.5 * (nose + mouth) - 1),
        (corner, mouth - 1.2 * smile),
        (corner - 0.5, mouth + 4),
    )
    folds(laughter, 2.2, min(0.6, 0.10 + 0.09 * smile + 0.33 * old), 1.0)
    bags = both((f.eye_x - 8, 5.5), (f.eye_x, 8.6), (f.eye_x + 8, 6.2))
    folds(bags, 1.5, 0.12 + 0.38 * old + 0.03 * smile, 0.9)
    if old > 0.15:
        brow = []
        for y in (-26.0, -32.0, -39.0):
            brow.append([(-23, y + 2), (-10, y - 0.6), (0, y + 0.5), (10, y - 0.6), (23, y + 2)])
        folds(brow, 1.0, 0.27 * old, 0.8)
    if old > 0.25:
        x = f.eye_x + f.eye_width + 2.5
        crow = []
        for rise in (-2.5, 1.0, 4.0):
            crow += both((x, 0.5 * rise + 1), (x + 6, 1.5 * rise))
        folds(crow, 0.9, 0.40 * old, 0.5)
        down = both((f.mouth_width + 2, mouth + 4), (f.mouth_width + 3, mouth + 13))
        folds(down, 1.6, 0.32 * old, 0.9)
        frown = both((3.2, -f.brow_height - 1), (2.8, -f.brow_height + 6))
        folds(frown, 0.9, 0.35 * old, 0.6)


def paint_freckles(
    canvas: Canvas, portrait: Portrait, pose: Pose, face: Region, rng: np.random.Generator
) -> None:
    """Scatters freckles over nose and cheeks, and sets a mole."""
    head = portrait.head
    brown = head.skin * np.array([0.70, 0.52, 0.42], np.float32)
    count = int(70 * head.freckles)
    if count:
        x = rng.normal(0, 19, count)
        y = 13 + rng.normal(0, 6, count) + 0.004 * x**2
        size = rng.uniform(0.3, 0.75, count)
        dots = [ellipse(a, b, s, s)[::3] for a, b, s in zip(x, y, size, strict=True)]
        canvas.fill(pose(dots), brown, 0.42, 0.25, face)
    if head.mole is not None:
        canvas.fill(pose(ellipse(*head.mole, 0.95, 0.9)), brown * 0.55, 0.85, 0.3, face)
