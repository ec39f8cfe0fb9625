"""Beards, moustaches and stubble."""

import numpy as np

from keras_inpaint.data.sample.canvas import Canvas, Region
from keras_inpaint.data.sample.geometry import Pose, mirror, smooth
from keras_inpaint.data.sample.head import jaw_line
from keras_inpaint.data.sample.mouth import mouth_lines
from keras_inpaint.data.sample.parameters import Portrait
from keras_inpaint.data.sample.strands import paint_strands


def _moustache(portrait: Portrait) -> np.ndarray:
    f = portrait.features
    corner = f.mouth_y - 0.6 * f.smile
    right = [
        (0.001, f.nose_length + 5.2),
        (5, f.nose_length + 5.0),
        (11, f.nose_length + 7.5),
        (f.mouth_width + 1.5, corner - 1),
        (f.mouth_width + 2.0, corner + 3.5),
        (f.mouth_width - 3, corner - 0.5),
        (7, f.mouth_y - 2.6),
        (0.001, f.mouth_y - 2.8),
    ]
    return smooth(np.concatenate([right, mirror(right)]), closed=True, count=4)


def _goatee(portrait: Portrait, drop: float) -> np.ndarray:
    head, f = portrait.head, portrait.features
    under = mouth_lines(f)[3][12, 1] + 2.5
    corner = f.mouth_y - 0.5 * f.smile
    right = [
        (0.001, under),
        (0.5 * f.mouth_width, under),
        (f.mouth_width + 0.5, corner + 2),
        (f.mouth_width + 4.5, corner + 1),
        (f.mouth_width + 4, corner + 12),
        (12, head.length - 2 + 0.5 * drop),
        (0.001, head.length + 0.5 + drop),
    ]
    return smooth(np.concatenate([right, mirror(right)]), closed=True, count=4)


def _full(portrait: Portrait, drop: float) -> np.ndarray:
    head, f = portrait.head, portrait.features
    w = head.width
    right = [
        (0.001, f.nose_length + 5.5),
        (6, f.nose_length + 5.2),
        (f.mouth_width + 2, f.mouth_y - 6.5),
        (0.56 * w, f.mouth_y - 5.5),
        (0.78 * w, 27),
        (w - 5.5, 12),
        (w - 5, 0),
    ]
    inner = smooth(np.concatenate([mirror(right), right]), count=4)
    return np.concatenate([jaw_line(head, drop, 0.45 * drop), inner[::-1]])


def paint_beard(
    canvas: Canvas, portrait: Portrait, pose: Pose, face: Region, rng: np.random.Generator
) -> None:
    """Paints the hair of the face, before the lips."""
    hair, head = portrait.hair, portrait.head
    kind = hair.beard
    if kind == "none":
        return
    drop = {"full": hair.beard_length, "short": 1.2, "stubble": 0.0}.get(
        kind, 0.4 * hair.beard_length
    )
    shapes = {
        "moustache": [_moustache(portrait)],
        "goatee": [_moustache(portrait), _goatee(portrait, drop)],
    }.get(kind) or [_full(portrait, drop)]
    soft = {"stubble": 2.6, "short": 1.7, "full": 1.4}.get(kind, 0.8)
    clip = face if kind in ("stubble", "short") else None
    region = canvas.region([pose(s) for s in shapes], soft, clip)
    if kind in ("full", "short", "stubble"):
        # The small bare place under the lower lip.
        under = mouth_lines(portrait.features)[3][12, 1] + 2.2
        bare = smooth([(-8, under), (0, under + 3), (8, under), (0, under - 3)], closed=True)
        hole = canvas.region(pose(bare), 1.3).clipped(region)
        rows, columns = hole.window
        view = region.alpha[
            rows.start - region.top : rows.stop - region.top,
            columns.start - region.left : columns.stop - region.left,
        ]
        view *= 1 - 0.55 * hole.alpha
    count = {"moustache": 70, "goatee": 140, "stubble": 560}.get(kind, 420)
    every = np.concatenate(shapes)
    start = rng.uniform(every.min(axis=0), every.max(axis=0), (count, 2))
    length = (2.0 + 0.5 * drop) * (0.5 if kind == "stubble" else 1)
    lean = np.stack([0.035 * start[:, 0] + rng.normal(0, 0.25, count), np.ones(count)], 1)
    curl = rng.normal(0, 0.25, (count, 2))
    lines = np.stack([start, start + (0.5 * lean + curl) * length, start + lean * length], 1)
    opacity = {"stubble": 0.36, "short": 0.74}.get(kind, 0.94)
    colour = hair.beard_colour * 0.9 + 0.04 * head.skin
    paint_strands(
        canvas, portrait, region, pose(lines), colour, rng,
        width=0.55, shine=None, depth=0.6 if kind == "stubble" else 1.05, opacity=opacity,
    )  # fmt: skip
