"""The look of hair: a region of colour, combed with light and dark strands."""

import cv2
import numpy as np

from keras_inpaint.data.sample.canvas import Canvas, Region, blurred, fixed_point
from keras_inpaint.data.sample.head import light_on
from keras_inpaint.data.sample.parameters import Portrait

_MIDDLE = 118.0
_TONES = (62, 88, 106, 130, 148, 168)


def wavy(strands: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """Bends strands `(k, n, 2)` into waves of `amount` face units that grow towards the tips."""
    if amount < 0.05:
        return strands
    count, points = strands.shape[:2]
    along = np.linspace(0, 1, points, dtype=np.float32)
    phase = rng.normal(0, 0.7, (count, 1)) + rng.uniform(0, 6)
    bend = amount * np.sin(rng.uniform(9, 15) * along + phase) * along**0.6
    return strands + np.stack([bend, 0.25 * bend], axis=-1).astype(np.float32)


def curls(shape: np.ndarray, count: int, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Scatters arcs over the bounding box of a shape; float32 `(count, 9, 2)`."""
    low, high = shape.min(axis=0), shape.max(axis=0)
    centre = rng.uniform(low, high, (count, 1, 2))
    start = rng.uniform(0, 2 * np.pi, (count, 1))
    angle = start + np.linspace(0, 1, 9) * rng.uniform(2.2, 4.6, (count, 1))
    size = radius * rng.uniform(0.5, 1.3, (count, 1))
    return (centre + np.stack([size * np.cos(angle), size * np.sin(angle)], -1)).astype("f4")


def _gloss(
    strands: np.ndarray, shape: tuple[int, int], shine: tuple[float, float], unit: float, rng
) -> np.ndarray:
    """A soft band of light across the strands; float32 `shape` in [0, 1]."""
    step = max(1, int(1.6 * unit))
    rows, columns = -(-shape[0] // step), -(-shape[1] // step)
    band = np.zeros((rows, columns), np.uint8)
    points = strands.shape[1]
    for line in strands[:: max(1, len(strands) // 40)]:
        first = max(0, round((shine[0] + rng.normal(0, 0.05)) * points))
        last = round((shine[1] + rng.normal(0, 0.05)) * points)
        if last - first > 1:
            cv2.polylines(band, [line[first:last] // step], False, 255, 1, cv2.LINE_AA, 4)
    band = blurred(band, 1.5, 1 / 255)
    band = cv2.resize(band, (columns * step, rows * step), interpolation=cv2.INTER_LINEAR)
    return band[: shape[0], : shape[1]]


def paint_strands(
    canvas: Canvas,
    portrait: Portrait,
    region: Region,
    strands: np.ndarray,
    colour: np.ndarray,
    rng: np.random.Generator,
    *,
    width: float = 0.9,
    shine: tuple[float, float] | None = (0.25, 0.5),
    depth: float = 1.0,
    opacity: float = 1.0,
) -> None:
    """Fills a region with combed hair.

    Args:
        canvas: The canvas.
        portrait: The portrait, for its light.
        region: Where the hair is.
        strands: float32 `(k, n, 2)` lines in pixels.
        colour: Hair colour under white light.
        rng: Source of the strands' tones.
        width: Float, face units, of a strand.
        shine: Where along the strands, from 0 to 1, the light glances off; None for no gloss.
        depth: Float, how far strands differ in tone.
        opacity: Float.
    """
    if not region.alpha.size or not len(strands):
        return
    rows, columns = region.alpha.shape
    depth = depth * (1 - 0.5 * float(np.mean(colour)))  # fair hair shows its strands less
    tone = np.full((rows, columns), int(_MIDDLE), np.uint8)
    local = fixed_point(strands - np.array([region.left, region.top], np.float32))
    thickness = max(1, round(width * canvas.unit))
    kinds = rng.integers(0, len(_TONES), len(strands))
    order = rng.permutation(len(_TONES))
    for kind in order:
        chosen = local[kinds == kind]
        if len(chosen):
            level = _MIDDLE + depth * (_TONES[kind] - _MIDDLE)
            cv2.polylines(tone, list(chosen), False, level, thickness, cv2.LINE_AA, 4)
    level = blurred(tone, max(0.4, 0.55 * canvas.unit * width), 1 / _MIDDLE)
    if shine is not None:
        level *= 1 + 0.5 * _gloss(local, tone.shape, shine, canvas.unit, rng)
    lx, ly, _ = portrait.scene.light
    across = np.linspace(-0.5, 0.5, columns, dtype=np.float32) * np.float32(0.55 * lx)
    down = np.linspace(-0.5, 0.5, rows, dtype=np.float32)[:, None] * np.float32(0.4 * ly)
    level *= 1 + across + down
    lit = (colour * light_on(portrait, 0.75)).astype(np.float32)[:, None, None]
    gloss = np.maximum(level - 1.08, 0)
    gloss *= gloss
    hair = lit * (0.12 + 0.88 * level) + (0.35 * lit + 0.14) * (1 - lit) * gloss
    canvas.paint(region, np.minimum(hair, 0.98), opacity)
