"""Shoulders and what people wear on them."""

# ruff: noqa: RUF005 - the sums here add offsets to arrays of points

import numpy as np

from keras_inpaint.data.sample.canvas import Canvas, Region
from keras_inpaint.data.sample.geometry import Pose, mirror, ribbon, smooth
from keras_inpaint.data.sample.head import light_on
from keras_inpaint.data.sample.parameters import Portrait, rgb

_DEEP = 700.0


def _both(points) -> list[np.ndarray]:
    """A polygon and its mirror image."""
    points = np.asarray(points, np.float32)
    return [points, mirror(points)]


def _garment(neckline: list[tuple[float, float]], half: float) -> np.ndarray:
    """Shoulders with an opening; the neckline is listed from the right shoulder to the middle."""
    right = [
        neckline[0],
        *([(half + 22, 92)] if neckline[0][0] < half + 15 else []),
        (half + 44, 99),
        (half + 60, 110),
        (half + 70, 132),
        (half + 76, 240),
        (half + 76, _DEEP),
    ]
    outer = smooth(right, count=4)
    line = smooth([*neckline, *mirror(neckline[:-1])], count=4)
    return np.concatenate([line, mirror(outer)[::-1], outer[::-1]])


def _pattern(canvas: Canvas, portrait: Portrait, body: Pose, cloth: Region, rng) -> None:
    wear = portrait.wear
    if wear.pattern == "plain":
        return
    gap = rng.uniform(5, 13)
    thin = gap * rng.uniform(0.25, 0.5)
    level = [[(-130, y), (130, y)] for y in np.arange(78, 170, gap)]
    upright = [[(x, 70), (x, _DEEP)] for x in np.arange(-130, 131, gap)]
    vertical = rng.random() < 0.3
    first = canvas.region(body(upright if vertical else level), 0.4, cloth, thin)
    colour = wear.second * light_on(portrait, 0.75)
    canvas.paint(first, colour, 0.7 if wear.pattern == "stripes" else 0.45)
    if wear.pattern == "checks":
        other = body(level if vertical else upright)
        canvas.paint(canvas.region(other, 0.4, cloth, thin), colour, 0.45)


def _folds(canvas: Canvas, portrait: Portrait, body: Pose, cloth: Region, rng) -> None:
    """Models the cloth: rounded shoulders, a shaded side, a few soft folds."""
    lx = float(portrait.scene.light[0])
    for side in (-1, 1):
        dark = 0.35 if side * lx > 0 else 0.35 + 0.4 * abs(lx)
        edge = smooth([(side * 92, 100), (side * 108, 130), (side * 112, 240)])
        canvas.shade(body(ribbon(edge, (20, 34, 40))), (0.45, 0.44, 0.48), dark, 7, cloth)
        top = smooth([(side * 36, 93), (side * 62, 100), (side * 84, 110)])
        light = 1.0 + 0.25 * max(0.2, 0.5 + side * lx)
        canvas.shade(body(ribbon(top, (2, 7, 3))), (light, light, light), 0.8, 2.6, cloth)
    for count, factor in ((3, 0.72), (2, 1.22)):
        folds = []
        for x, y, sway in rng.uniform((-80, 100, -12), (80, 128, 12), (count, 3)):
            line = smooth([(x, y), (0.8 * x + sway, y + 14), (0.9 * x, y + 34)])
            folds.append(ribbon(line, (0.5, 4, 0.5)))
        canvas.shade(body(folds), (factor, factor, factor), 0.55, 2.2, cloth)


def _collar(canvas, body, half: float, colour, spread: float) -> None:
    for flap in _both(
        [
            (half + 1, 70),
            (half + 8, 82),
            (half + 4, 96),
            (half - 10, 108 + spread),
            (3, 94 + spread),
            (half - 10, 86),
        ]
    ):
        canvas.shade(body(flap + (0, 2.5)), (0.5, 0.48, 0.5), 0.6, 2.0)
        region = canvas.fill(body(flap), colour, 1, 0.35)
        canvas.shade(body(ribbon(flap[3:5], (1.2, 1.2))), (0.7, 0.7, 0.72), 0.8, 0.5, region)
        canvas.shade(body(ribbon(flap[[5, 0]], (5, 5))), (0.75, 0.74, 0.76), 0.7, 1.5, region)


def _tie(canvas, body, colour, spread: float) -> None:
    knot = np.array([(-4.6, 94), (4.6, 94), (3, 103), (-3, 103)]) + (0, spread)
    blade = np.array([(-3, 103), (3, 103), (9, 150), (0, _DEEP), (-9, 150)]) + (0, spread)
    for part in (blade, knot):
        region = canvas.fill(body(part), colour, 1, 0.35)
        canvas.shade(body(part * (0.9, 1) + (-3.5, 1)), (0.7, 0.68, 0.7), 0.55, 1.5, region)


def _jacket(canvas, portrait, body, half: float, colour, rng) -> Region:
    open_at = rng.uniform(4, 9)
    neckline = [(half + 5, 79), (half + 2, 95), (half - 2, 112), (open_at, 165), (0, _DEEP)]
    garment = canvas.fill(body(_garment(neckline, half)), colour, 1, 0.4)
    for lapel in _both(
        [(half + 4, 78), (half + 17, 92), (half + 15, 110), (half + 9, 112), (open_at, 168)]
    ):
        shade = ribbon(lapel[1:], (1.5, 2.5, 2.5, 1.5))
        canvas.shade(body(shade), (0.45, 0.45, 0.5), 0.65, 1.2, garment)
        canvas.shade(body(lapel), (1.16, 1.16, 1.16), 0.7, 0.6, garment)
    return garment


def paint_clothes(canvas: Canvas, portrait: Portrait, body: Pose, rng: np.random.Generator) -> None:
    """Paints shoulders and clothes over the neck.

    Args:
        canvas: The canvas.
        portrait: The portrait.
        body: Pose of the trunk: the head's without its turn.
        rng: Source of folds and patterns.
    """
    wear, head = portrait.wear, portrait.head
    light = light_on(portrait, 0.72)
    cloth, second = wear.cloth * light, wear.second * light
    half = head.width * (0.55 + 0.12 * (head.jaw - 0.7))
    kind = wear.clothes
    necklines = {
        "round neck": [(half + 6, 84), (half - 2, 93), (half * 0.55, 100), (0, 103)],
        "v neck": [(half + 6, 83), (half - 3, 95), (7, 114), (0.01, 123)],
        "wide neck": [(half + 27, 93), (half + 14, 102), (half * 0.6, 110), (0, 113)],
        "hoodie": [(half + 6, 80), (half, 90), (half * 0.55, 99), (0, 104)],
        "turtleneck": [(half + 2, 66), (half * 0.6, 71), (half * 0.3, 73), (0, 74)],
        "scarf": [(half + 6, 80), (half, 90), (half * 0.5, 96), (0, 98)],
        "shirt": [(half + 4, 74), (half - 2, 84), (6, 100), (0, 106)],
        "jacket": [(half + 4, 74), (half - 2, 84), (6, 98), (0, 104)],
    }
    neckline = necklines[kind]
    line = smooth([*neckline, *mirror(neckline[:-1])], count=4)
    under = rgb(232, 232, 236) * light if kind == "jacket" else cloth
    if kind == "jacket" and rng.random() < 0.4:
        under = second
    shape = _garment(neckline, half)
    canvas.shade(body(line + (0, -1.5)), (0.55, 0.46, 0.45), 0.35, 1.8)
    garment = canvas.fill(body(shape), under, 1, 0.4)
    if kind == "jacket":
        _collar(canvas, body, half, np.minimum(under * 1.04, 1), 2)
        if rng.random() < 0.7:
            _tie(canvas, body, second if under is not second else cloth * 0.6, 2)
        garment = _jacket(canvas, portrait, body, half, cloth, rng)
        _folds(canvas, portrait, body, garment, rng)
        return
    _pattern(canvas, portrait, body, garment, rng)
    _folds(canvas, portrait, body, garment, rng)
    if kind == "shirt":
        _collar(canvas, body, half, np.minimum(cloth * 1.06, 1), rng.uniform(0, 5))
        placket = [np.array([(0, 104), (0, _DEEP)])]
        canvas.multiply(
            canvas.region([body(p) for p in placket], 0.5, garment, 0.8), (0.6,) * 3, 0.6
        )
    elif kind in ("round neck", "v neck", "wide neck"):
        rim = ribbon(line + (0, 1.6), (2.6, 2.6))
        canvas.shade(body(rim), (0.80, 0.80, 0.82), 0.75, 0.4, garment)
    elif kind == "hoodie":
        for width, factor in ((17, 0.74), (11, 1.22)):
            rim = ribbon(line + (0, 6.5), (width, width * 0.8, width))
            canvas.shade(body(rim), (factor,) * 3, 0.6, 1.6)
        cords = [body(smooth([(s * 9, 104), (s * 10, 124), (s * 9, 142)])) for s in (-1, 1)]
        canvas.paint(canvas.region(cords, 0.2, lines=1.1), np.minimum(second + 0.3, 0.95), 0.9)
    elif kind == "turtleneck":
        for y in (75, 82, 89):
            roll = smooth([(-half - 5, y - 3), (0, y + 6), (half + 5, y - 3)])
            canvas.shade(body(ribbon(roll, (1, 3, 1))), (0.72, 0.72, 0.75), 0.5, 1.3, garment)
    elif kind == "scarf":
        for y, swell in ((80, 18), (93, 21)):
            loop = smooth(
                [(-half - 13, y - 8), (-half * 0.4, y + 7), (half * 0.5, y + 6), (half + 13, y - 8)]
            )
            canvas.shade(body(ribbon(loop + (0, 4), (swell, swell))), (0.5, 0.5, 0.54), 0.5, 2.5)
            band = canvas.fill(
                body(ribbon(loop, (swell * 0.5, swell, swell * 0.5))), second, 1, 0.5
            )
            for offset in (-0.3, 0.05, 0.32):
                crease = ribbon(loop + (0, offset * swell), (0.5, 3, 0.5))
                canvas.shade(body(crease), (0.66, 0.66, 0.7), 0.6, 1.1, band)
