"""Glasses, earrings, a knitted cap and a headscarf."""

# ruff: noqa: RUF005 - the sums here add offsets to arrays of points

import numpy as np

from keras_inpaint.data.sample.canvas import Canvas, Region
from keras_inpaint.data.sample.geometry import Pose, ellipse, mirror, ribbon, smooth
from keras_inpaint.data.sample.head import light_on
from keras_inpaint.data.sample.parameters import Portrait


def paint_glasses(canvas: Canvas, portrait: Portrait, pose: Pose, face: Region) -> None:
    """Puts glasses on the nose, with a reflection and a thin shadow."""
    wear, f = portrait.wear, portrait.features
    if wear.glasses == "none":
        return
    rx, ry, power = {
        "round": (13.6, 13.0, 1.0),
        "oval": (14.6, 10.8, 0.85),
        "box": (15.2, 11.0, 0.55),
    }[wear.glasses]
    x, y, depth = f.eye_x + 0.4, 1.6, 4.0
    colour = wear.frame * light_on(portrait, 0.7) + 0.02
    rims = [ellipse(side * x, y, rx, ry, power=power) for side in (-1, 1)]
    closed = [pose(np.concatenate([r, r[:1]]), depth) for r in rims]
    nose = x - rx
    bridge = smooth([(-nose - 0.3, y - 2.5), (0, y - 5.0), (nose + 0.3, y - 2.5)])
    arms = [
        smooth([(side * (x + rx - 0.5), y - 3), (side * (portrait.head.width + 3), y - 4)])
        for side in (-1, 1)
    ]
    lines = [*closed, pose(bridge, depth), *(pose(a, 1.0) for a in arms)]
    drop = np.array([0, 1.8 * canvas.unit], np.float32)
    shadow = canvas.region([line + drop for line in lines], 0.9, face, wear.frame_width)
    canvas.multiply(shadow, (0.62, 0.5, 0.47), 0.5)
    toward = 1.0 if portrait.scene.light[0] > 0 else -1.0
    for rim in rims:
        lens = canvas.fill(pose(rim, depth), (0.9, 0.95, 1.0), 0.05, 0.3)
        middle = rim.mean(axis=0)
        streak = np.array([(-9, 14), (-4, 14), (7, -14), (2, -14)]) * (toward, 1) + middle
        streak = streak + (toward * 0.35 * rx, 0)
        canvas.fill(pose(streak, depth), (1, 1, 1), 0.13, 0.6, lens)
    canvas.paint(canvas.region(lines, 0.15, lines=wear.frame_width), colour, 0.95)
    upper = [line[13:23] - (0, 0.25 * wear.frame_width * canvas.unit) for line in closed]
    gloss = np.minimum(colour * 1.5 + 0.16, 1)
    canvas.paint(canvas.region(upper, 0.3, lines=0.35 * wear.frame_width), gloss, 0.45)


def paint_earrings(canvas: Canvas, portrait: Portrait, pose: Pose) -> None:
    """Hangs a small ring or stud on each ear lobe."""
    if not portrait.wear.earrings or portrait.wear.hat == "headscarf":
        return
    metal = np.array([0.88, 0.74, 0.42], np.float32) * light_on(portrait, 0.9)
    for side in (-1, 1):
        x, y = side * (portrait.head.width + 2.2), 27.5
        canvas.fill(pose(ellipse(x, y + 2.0, 1.7, 2.6)), metal * 0.7, 1, 0.3)
        canvas.fill(pose(ellipse(x - 0.3, y + 1.4, 0.8, 1.1)), np.minimum(metal * 1.4, 1), 0.9, 0.3)


def _beanie(canvas: Canvas, portrait: Portrait, pose: Pose, face: Region) -> None:
    w = portrait.head.width
    cloth = portrait.wear.second * light_on(portrait, 0.75)
    right = [(0.6 * w, -80), (w + 2, -56), (w + 4.5, -34)]
    dome = smooth(np.concatenate([mirror(right), [(0, -88)], right]))
    brim = smooth([(w + 4.5, -30), (0.5 * w, -36), (0, -37.5), (-0.5 * w, -36), (-w - 4.5, -30)])
    shape = np.concatenate([dome, brim])
    canvas.shade(pose(shape) + (0, 3 * canvas.unit), (0.55, 0.43, 0.4), 0.6, 1.6, face)
    region = canvas.fill(pose(shape), cloth, 1, 0.5)
    band = ribbon(brim + (0, -7), (14, 14))
    middle = smooth([(0.35 * w, -86), (0.85 * w, -62), (w + 3, -30)])
    ribs = pose([middle * (t, 1) for t in np.linspace(-1, 1, 23)])
    canvas.multiply(canvas.region(ribs, 0.6, region, lines=1.0), (0.62, 0.62, 0.66), 0.55)
    rim = canvas.fill(pose(band), np.minimum(cloth * 1.12, 1), 0.75, 0.4)
    canvas.multiply(canvas.region(ribs, 0.5, rim, lines=1.0), (0.62, 0.62, 0.66), 0.5)
    lower = ribbon(brim + (0, -15), (0.6, 2.2, 0.6))
    canvas.shade(pose(lower), (0.5, 0.5, 0.54), 0.7, 0.8, region)
    lx = float(portrait.scene.light[0])
    away = -1 if lx > 0 else 1
    side = smooth([(away * 0.7 * w, -84), (away * (w + 2), -50), (away * (w + 3), -25)])
    canvas.shade(
        pose(ribbon(side, (16, 20, 16))), (0.5, 0.5, 0.54), 0.25 + 0.5 * abs(lx), 5, region
    )


def _headscarf(canvas: Canvas, portrait: Portrait, pose: Pose, face: Region) -> None:
    head = portrait.head
    w, n = head.width, head.length
    cloth = portrait.wear.second * light_on(portrait, 0.72)
    right = [
        (0.55 * w, -79),
        (w + 3, -50),
        (w + 10, -10),
        (w + 9, 35),
        (w + 6, 66),
        (w + 24, 92),
        (w + 40, 112),
        (w + 34, 160),
    ]
    outer = smooth(np.concatenate([mirror(right), [(0, -84)], right]))
    opening = [(0.45 * w, -50), (0.80 * w, -30), (0.89 * w, 0), (0.84 * w, 26), (0.67 * w, 46)]
    opening += [(0.36 * w, n - 9)]
    inner = smooth(
        np.concatenate([[(0, -54)], opening, [(0, n - 4.5)], mirror(opening)]), closed=True
    )
    # The scarf is its outline less the face: a ring, cut at the top.
    hole = canvas.region(pose(inner), 0.5)
    canvas.multiply(
        canvas.region(pose(ribbon(np.concatenate([inner, inner[:1]]), (6, 6))), 2.2, hole),
        (0.5, 0.4, 0.38),
        0.8,
    )
    region = canvas.region(pose(outer), 0.5)
    rows, columns = hole.window
    region.alpha[
        rows.start - region.top : rows.stop - region.top,
        columns.start - region.left : columns.stop - region.left,
    ] *= 1 - hole.alpha
    canvas.paint(region, cloth)
    lx = float(portrait.scene.light[0])
    for side in (-1, 1):
        for k, out in enumerate((0.25, 0.55, 0.8)):
            fold = smooth(
                [
                    (side * (0.3 + 0.3 * out) * w, -58 - 22 * out),
                    (side * (0.86 * w + 8 * out), -14),
                    (side * (0.80 * w + 14 * out), 36),
                    (side * (0.4 - 0.35 * out) * w, n + 8 + 14 * k),
                ]
            )
            factor = 0.62 if k != 1 else 1.22
            canvas.shade(pose(ribbon(fold, (0.6, 3.0, 1.5))), (factor,) * 3, 0.6, 1.4, region)
    away = -1 if lx > 0 else 1
    side = smooth([(away * 0.8 * w, -80), (away * (w + 8), -20), (away * (w + 6), 60)])
    canvas.shade(
        pose(ribbon(side, (12, 18, 22))), (0.45, 0.45, 0.5), 0.3 + 0.5 * abs(lx), 5, region
    )


def paint_hat(canvas: Canvas, portrait: Portrait, pose: Pose, face: Region) -> None:
    """Puts on the knitted cap or the headscarf that the portrait wears, over the hair."""
    if portrait.wear.hat == "beanie":
        _beanie(canvas, portrait, pose, face)
    elif portrait.wear.hat == "headscarf":
        _headscarf(canvas, portrait, pose, face)
