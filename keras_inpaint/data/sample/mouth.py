"""Nose and mouth."""

# ruff: noqa: RUF005 - the sums here add offsets to arrays of points

import numpy as np

from keras_inpaint.data.sample.canvas import Canvas, Region
from keras_inpaint.data.sample.geometry import Pose, ellipse, ribbon, smooth
from keras_inpaint.data.sample.head import light_on, skin_colour
from keras_inpaint.data.sample.parameters import Features, Portrait, rgb

NOSE_DEPTH = 7.0
MOUTH_DEPTH = 3.0
_ALONG = np.linspace(-1, 1, 25, dtype=np.float32)


def paint_nose(canvas: Canvas, portrait: Portrait, pose: Pose, face: Region) -> None:
    """Draws what the relief leaves out: nostrils, wings, cast shadow and the tip's gloss."""
    f = portrait.features
    n, w = f.nose_length, f.nose_width
    skin = skin_colour(portrait)
    lx = float(portrait.scene.light[0])
    under = smooth(
        [(-0.9 * w, n + 0.5), (-0.4 * w, n + 3), (0.4 * w, n + 3), (0.9 * w, n + 0.5)], closed=True
    )
    canvas.shade(pose(under, 0.5 * NOSE_DEPTH), (0.60, 0.44, 0.42), 0.55, 1.3, face)
    if abs(lx) > 0.2:
        away = -np.sign(lx)
        cast = [(away * 3, 6), (away * (w + 1), n - 3), (away * (w + 4), n + 2), (away * 2, n + 2)]
        strength = 0.5 * min(1.0, abs(lx) * 1.4)
        canvas.shade(pose(smooth(cast, closed=True)), (0.66, 0.5, 0.46), strength, 2.2, face)
    wing = smooth([(0.88 * w, n - 5.5), (1.06 * w, n - 2), (0.84 * w, n + 1.2)])
    line = ribbon(wing, (0.3, 1.1, 0.8))
    wings = np.stack([line * (-1, 1), line])
    canvas.shade(pose(wings, 0.4 * NOSE_DEPTH), (0.58, 0.42, 0.38), 0.6, 0.55, face)
    hole = ellipse(0.47 * w, n + 0.7, 0.25 * w, 1.15, -0.25)
    dark = skin * np.array([0.34, 0.2, 0.18], np.float32)
    holes = np.stack([hole * (-1, 1), hole])
    canvas.fill(pose(holes, 0.6 * NOSE_DEPTH), dark, 0.78, 0.5, face)
    gloss = np.minimum(skin * 1.1 + 0.16, 1)
    canvas.fill(pose(ellipse(1.6 * lx, n - 4.8, 1.9, 1.5), NOSE_DEPTH), gloss, 0.42, 0.9, face)
    bridge = ribbon(smooth([(1.2 * lx, 2), (1.8 * lx, 9), (1.5 * lx, n - 9)]), (1, 1.8, 1))
    canvas.fill(pose(bridge, 0.6 * NOSE_DEPTH), gloss, 0.24, 1.0, face)


def mouth_lines(features: Features) -> tuple[np.ndarray, ...]:
    """The four edges of the lips.

    Args:
        features: The face's features.

    Returns:
        Upper lip's outer and inner, lower lip's inner and outer edge, each float32 `(25, 2)` face
        coordinates from left to right.
    """
    f, t = features, _ALONG
    bend = 1 - t**2
    line = f.mouth_y + 0.55 * f.smile - f.smile * 1.15 * np.abs(t) ** 1.8
    spread = f.mouth_open
    inner_upper = line - 0.16 * spread * bend - 0.35 * np.exp(-((t / 0.3) ** 2))
    inner_lower = line + 0.84 * spread * bend**0.75
    cupid = (
        1 - 0.24 * np.exp(-((t / 0.13) ** 2)) + 0.10 * np.exp(-(((np.abs(t) - 0.24) / 0.14) ** 2))
    )
    thin = 1 - 0.05 * min(spread, 5)
    outer_upper = inner_upper - f.upper_lip * thin * cupid * np.maximum(0, 1 - np.abs(t) ** 1.7)
    outer_lower = inner_lower + f.lower_lip * thin * np.maximum(0, 1 - np.abs(t) ** 2.2) ** 0.9
    x = f.mouth_width * t
    return tuple(np.stack([x, y], 1) for y in (outer_upper, inner_upper, inner_lower, outer_lower))


def _paint_teeth(canvas: Canvas, portrait: Portrait, pose: Pose, gap: Region) -> None:
    f = portrait.features
    _, inner_upper, _, _ = mouth_lines(f)
    tall = min(5.6, 0.55 * f.mouth_open + 2.6)
    x = inner_upper[:, 0]
    keep = np.abs(_ALONG) < 0.90
    lower_edge = inner_upper[:, 1] + tall * np.maximum(0.05, 1 - (x / (1.02 * f.mouth_width)) ** 4)
    row = np.concatenate([inner_upper[keep] - (0, 0.5), np.stack([x, lower_edge], 1)[keep][::-1]])
    white = np.clip(rgb(238, 231, 219) * light_on(portrait, 0.65) ** 0.9, 0, 0.97)
    if f.mouth_open > 4.6:
        tongue = ellipse(0, f.mouth_y + 0.98 * f.mouth_open, 0.55 * f.mouth_width, 2.8)
        canvas.fill(pose(tongue, MOUTH_DEPTH), rgb(168, 84, 84), 0.75, 1.0, gap)
    teeth = canvas.fill(pose(row, MOUTH_DEPTH), white, 1, 0.3, gap)
    at = (-9.2, -6.4, -3.4, 0, 3.4, 6.4, 9.2)
    seams = pose([[(x, f.mouth_y - 6), (x, f.mouth_y + 8)] for x in at], MOUTH_DEPTH)
    canvas.multiply(canvas.region(seams, 0.15, teeth, lines=0.3), (0.78, 0.72, 0.68), 0.45)
    canvas.shade(
        pose(ribbon(inner_upper, (2, 2.6, 2)), MOUTH_DEPTH), (0.5, 0.4, 0.4), 0.6, 0.7, gap
    )
    dim = [ellipse(e * f.mouth_width * 0.93, inner_upper[12, 1], 4.4, 6) for e in (-1, 1)]
    canvas.shade(pose(dim, MOUTH_DEPTH), (0.30, 0.2, 0.2), 0.75, 1.5, gap)


def paint_mouth(canvas: Canvas, portrait: Portrait, pose: Pose) -> None:
    """Paints the lips, and the teeth of an open mouth."""
    f = portrait.features
    outer_upper, inner_upper, inner_lower, outer_lower = mouth_lines(f)
    light = light_on(portrait, 0.75)
    lip = np.clip(f.lip * light, 0, 1)

    def place(points):
        return pose(points, MOUTH_DEPTH)

    below = outer_lower[5:-5] + (0, 1.6)
    canvas.shade(place(ribbon(below, (0.5, 3.2, 0.5))), (0.66, 0.52, 0.48), 0.5, 1.3)
    whole = np.concatenate([outer_upper, outer_lower[::-1]])
    canvas.fill(place(whole), lip * 0.92, 0.9, 0.55)
    upper = np.concatenate([outer_upper, inner_upper[::-1]])
    canvas.fill(place(upper), lip * np.array([0.84, 0.76, 0.76], np.float32), 0.85, 0.5)
    lower = canvas.fill(place(np.concatenate([inner_lower, outer_lower[::-1]])), lip, 0.8, 0.4)
    ridge = 0.5 * (inner_lower + outer_lower)
    shine = np.minimum(lip * 1.12 + 0.14, 1)
    canvas.fill(place(ribbon(ridge[7:-7], (0.4, 1.7, 0.4))), shine, 0.5, 0.7, lower)
    canvas.shade(place(ribbon(outer_lower[3:-3], (0.5, 1.4, 0.5))), (0.7, 0.56, 0.54), 0.5, 0.6)
    canvas.fill(place(ribbon(outer_upper[8:-8] - (0, 0.5), (0.3, 0.8, 0.3))), shine, 0.2, 0.4)

    dark = lip * np.array([0.36, 0.24, 0.24], np.float32)
    if f.mouth_open > 0:
        opening = np.concatenate([inner_upper, inner_lower[::-1]])
        gap = canvas.fill(place(opening), rgb(52, 20, 20) * light, 1, 0.3)
        if f.mouth_open > 1.6:
            _paint_teeth(canvas, portrait, pose, gap)
        canvas.fill(place(ribbon(inner_lower[3:-3], (0.3, 0.7, 0.3))), dark, 0.5, 0.35)
    canvas.fill(place(ribbon(inner_upper, (0.7, 1.0, 0.85, 1.0, 0.7))), dark, 0.85, 0.35)
    corners = [ellipse(*inner_upper[end], 1.7, 1.2) for end in (0, -1)]
    canvas.shade(place(corners), (0.5, 0.36, 0.34), 0.6, 0.7)
