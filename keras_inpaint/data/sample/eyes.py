"""Eyes, lids, lashes and brows."""

# ruff: noqa: RUF005 - the sums here add offsets to arrays of points

import numpy as np

from keras_inpaint.data.sample.canvas import Canvas, Region
from keras_inpaint.data.sample.geometry import Pose, ellipse, ribbon, smooth
from keras_inpaint.data.sample.head import light_on, skin_colour
from keras_inpaint.data.sample.parameters import Features, Portrait, rgb

_ALONG = np.linspace(-1, 1, 17, dtype=np.float32)
_LASH = rgb(30, 20, 18)
IRIS_RADIUS = 4.9
_SIDES = (-1, 1)


def lids(features: Features, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The edges of both lids.

    Args:
        features: The face's features.
        side: Int, -1 for the eye on the picture's left, 1 for the one on its right.

    Returns:
        Upper and lower edge, each float32 `(17, 2)` face coordinates, from the corner near the
        nose to the outer one.
    """
    f, t = features, _ALONG
    base = 0.9 - f.eye_tilt * t - 0.45 * t**2
    squint = 0.10 * max(0.0, f.smile)
    upper = base - f.eye_open * np.maximum(0, 1 - np.abs(t + 0.05) ** 2.3) ** 0.85 + 0.15 * squint
    lower = base + (2.7 - 0.9 * squint) * np.maximum(0, 1 - np.abs(t - 0.12) ** 2.2)
    lower[[0, -1]] = upper[[0, -1]] = (base[0], base[-1])
    x = side * (f.eye_x + f.eye_width * t)
    return np.stack([x, upper], 1), np.stack([x, lower], 1)


def pupil(features: Features, side: int) -> tuple[float, float]:
    """Where a pupil's middle lies, face coordinates."""
    gaze_x, gaze_y = features.gaze
    return side * features.eye_x + gaze_x, -0.6 + gaze_y - 0.12 * (features.eye_open - 4)


def _paint_irises(canvas: Canvas, portrait: Portrait, pose: Pose, eyes: Region) -> None:
    f = portrait.features
    light = light_on(portrait, 0.8)
    colour = np.clip(f.iris * light, 0, 1)
    glow = np.clip(colour * 1.45 + 0.05, 0, 1)
    middles = [pupil(f, side) for side in _SIDES]

    def discs(down: float, rx: float, ry: float, right: float = 0.0) -> np.ndarray:
        r = IRIS_RADIUS
        return pose([ellipse(x + r * right, y + r * down, r * rx, r * ry) for x, y in middles])

    canvas.fill(discs(0, 1, 1), colour * 0.32, 0.95, 0.35, eyes)
    canvas.fill(discs(0.02, 0.82, 0.82), colour * 0.9, 1, 0.45, eyes)
    canvas.fill(discs(0.45, 0.55, 0.36), glow, 0.6, 0.7, eyes)
    canvas.fill(discs(0, 0.42, 0.42), rgb(12, 9, 9), 1, 0.25, eyes)
    lids_shadow = pose([ribbon(lids(f, side)[0], (2, 4.6, 2.6)) for side in _SIDES])
    canvas.shade(lids_shadow, (0.45, 0.38, 0.38), 0.72, 0.8, eyes)
    toward = 0.31 if portrait.scene.light[0] >= 0 else -0.31
    canvas.fill(discs(-0.31, 0.19, 0.19, toward), (1, 1, 1), 0.92, 0.2, eyes)
    canvas.fill(discs(0.35, 0.12, 0.12, -toward), (1, 1, 1), 0.3, 0.25, eyes)


def _paint_both_eyes(canvas: Canvas, portrait: Portrait, pose: Pose) -> None:
    f, age = portrait.features, portrait.head.age
    edges = [(side, *lids(f, side)) for side in _SIDES]
    outlines = np.stack([np.concatenate([upper, lower[::-1]]) for _, upper, lower in edges])
    skin = skin_colour(portrait)
    dark = skin * np.array([0.48, 0.34, 0.32], np.float32)

    # The lids' own thickness and the hollow around them, then the whites.
    canvas.fill(pose(outlines * (1, 1.18)), dark, 0.45, 0.9)
    white = np.clip(rgb(236, 231, 226) * light_on(portrait, 0.6) ** 0.8, 0, 0.97)
    eyes = canvas.fill(pose(outlines), white, 1, 0.25)
    for corner, pink in ((0, 0.55), (-1, 0.3)):
        corners = [ellipse(*upper[corner], 3.4, 2.4) for _, upper, _ in edges]
        canvas.fill(pose(corners), skin * (0.95, 0.66, 0.62), pink, 0.8, eyes)
    _paint_irises(canvas, portrait, pose, eyes)

    # Lower rim, upper lash line, lashes, crease.
    rims = [ribbon(lower[1:], (0.4, 0.8, 0.9)) for _, _, lower in edges]
    canvas.fill(pose(rims), dark, 0.55, 0.3)
    wet = [ribbon(lower[2:-1] + (0, 0.9), (0.5, 1, 0.5)) for _, _, lower in edges]
    canvas.fill(pose(wet), np.minimum(skin * 1.12, 1), 0.28, 0.4)
    thick = 0.95 + 1.0 * f.lashes
    lash_lines, hairs = [], []
    for side, upper, _ in edges:
        wing = upper[-1] + ((1.3 + 1.6 * f.lashes) * side, -0.8 - 1.4 * f.lashes)
        edge = smooth(np.concatenate([upper[::2] + (0, -0.2), [wing]]), count=3)
        lash_lines.append(ribbon(edge, (0.6, thick, 1.25 * thick, 0.2)))
        lean = np.linspace((0.4 * side, -1.6 * f.lashes), (2.2 * side, -2.0 * f.lashes), 5)
        hairs.append(np.stack([upper[6:16:2], upper[6:16:2] + lean], axis=1))
    canvas.fill(pose(lash_lines), _LASH, 0.88, 0.25)
    if f.lashes > 0.4:
        canvas.paint(canvas.region(pose(np.concatenate(hairs)), 0.15, lines=0.3), _LASH, 0.7)
    if f.crease > 0:
        rise = -1.9 - 0.12 * f.eye_open + 0.9 * age
        folds = [upper[1:] * (1, 0.92) + (0.4 * side, rise) for side, upper, _ in edges]
        lines = pose([ribbon(fold, (0.3, 1.3, 0.8)) for fold in folds])
        canvas.shade(lines, (0.6, 0.45, 0.42), 0.8 * f.crease, 0.45)


def _paint_brows(canvas: Canvas, portrait: Portrait, pose: Pose, rng: np.random.Generator) -> None:
    f = portrait.features
    y = -f.brow_height
    middle = smooth(
        [
            (f.eye_x - 9.5, y + 0.7 + f.brow_tilt),
            (f.eye_x - 3, y - 0.3 + 0.4 * f.brow_tilt),
            (f.eye_x + 5, y - f.brow_arch),
            (f.eye_x + 13, y + 2.0 - 0.6 * f.brow_tilt),
        ],
        count=5,
    )
    thick = max(1.5, f.brow_thick)
    colour = portrait.hair.brow_colour * light_on(portrait, 0.7)
    body = ribbon(middle, (0.75 * thick, thick, 0.85 * thick, 0.25 * thick))
    canvas.fill(pose(np.stack([body * (side, 1) for side in _SIDES])), colour, 0.74, 0.7)
    count = 44
    at = rng.uniform(0, len(middle) - 3, count)
    places = np.arange(len(middle))
    start = np.stack([np.interp(at, places, middle[:, c]) for c in (0, 1)], 1)
    start[:, 1] += rng.uniform(-0.1, 0.5, count) * thick
    along = at / len(middle)
    hair = np.stack([0.8 + 2.2 * along, -(1 - along) * 0.75 * thick - 0.1], 1)
    hairs = np.stack([start, start + hair], axis=1)
    hairs[: count // 2, :, 0] *= -1
    canvas.paint(canvas.region(pose(hairs), 0.12, lines=0.35), colour * 0.74, 0.42)


def paint_eyes(canvas: Canvas, portrait: Portrait, pose: Pose, rng: np.random.Generator) -> None:
    """Paints both eyes and both brows, each part of the two at once."""
    _paint_both_eyes(canvas, portrait, pose)
    _paint_brows(canvas, portrait, pose, rng)
