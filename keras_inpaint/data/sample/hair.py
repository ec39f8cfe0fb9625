"""Haircuts: where the hair of each style lies, behind the head and in front of it."""

# ruff: noqa: RUF005 - the sums here add offsets to arrays of points

import numpy as np

from keras_inpaint.data.sample.canvas import Canvas, Region
from keras_inpaint.data.sample.geometry import Pose, ellipse, loft, mirror, resample, smooth
from keras_inpaint.data.sample.parameters import Head, Portrait
from keras_inpaint.data.sample.strands import curls, paint_strands, wavy

_POINTS = 12
LONG_STYLES = ("bob", "fringe", "long", "swept")
_CURLY = ("curly", "afro")


def crown(head: Head, volume: float, sides: float, end: float) -> np.ndarray:
    """The hair's outer edge, from the left ear over the top to the right ear."""
    w = head.width
    right = [
        (0.5 * w + 0.25 * volume, -68 - 0.92 * volume),
        (0.87 * w + 0.55 * volume, -47 - 0.55 * volume),
        (w + sides + 0.15 * volume, -18),
        (w + sides, end),
    ]
    left = mirror(right)
    return smooth(np.concatenate([left, [(0, -73 - volume)], right]))


def hairline(head: Head, rise: float, temples: float, end: float) -> np.ndarray:
    """The edge of the hair on the forehead, from the left ear to the right ear."""
    w = head.width
    right = [
        (0.38 * w, -47.5 - rise - 0.5 * temples),
        (0.70 * w, -40 - 0.8 * temples - 0.6 * rise),
        (0.82 * w, -24 - 0.4 * temples),
        (0.88 * w, -9),
        (w - 3.5, end - 3),
        (w - 0.5, end),
    ]
    return smooth(np.concatenate([mirror(right), [(0, -49 - rise)], right]))


def _shadow(canvas: Canvas, portrait: Portrait, pose: Pose, shape, face: Region) -> None:
    """Darkens the face under hair, away from the light."""
    lx, ly, _ = portrait.scene.light
    moved = pose(shape) + np.array([-2.5 * lx, 1.5 - 2.5 * ly], np.float32) * canvas.unit
    canvas.shade(moved, (0.60, 0.47, 0.44), 0.62, 1.8, face)


def _short(canvas, portrait, pose, face, rng) -> None:
    head, hair = portrait.head, portrait.hair
    style, v = hair.style, hair.volume
    rise, temples, sides, end = hair.hairline, rng.uniform(0, 5), 0.24 * v, rng.uniform(3, 9)
    if style == "buzz":
        v, sides = 1.3, 0.7
    elif style == "receding":
        rise, temples, v, sides = rise + 9, 15, 0.35 * v, 1.8
    elif style == "quiff":
        v, rise, sides = v + 4, rise + 1.5, 0.15 * v
    elif style == "tied":
        v, sides, rise = 0.55 * v, 1.2, rise + 1
    outer = crown(head, v, sides, end)
    inner = hairline(head, rise, temples, end)
    if style in ("crop", "quiff", "side part"):
        ragged = rng.normal(0, 1.0 if style == "crop" else 0.5, len(inner)) * np.sin(
            np.linspace(0, np.pi, len(inner))
        )
        inner = inner + np.stack([0.4 * ragged, ragged], 1).astype(np.float32)
    shape = np.concatenate([outer, inner[::-1]])
    soft = {"buzz": 1.1, "receding": 1.3}.get(style, 0.6)
    if style != "buzz":
        _shadow(canvas, portrait, pose, shape, face)
    region = canvas.region(pose(shape), soft)

    count = {"buzz": 260, "crop": 300}.get(style, 170)
    at = rng.uniform(0, 1, count)
    roots, tips = resample(inner, 60), resample(outer, 60)
    start = roots[(at * 59).astype(int)]
    if style == "side part":
        top = np.array([hair.part, -72 - v])
        edge = tips[(at * 59).astype(int)]
        out = rng.uniform(0, 1, (count, 1)) ** 0.8
        bend = edge * (0.72 + 0.4 * out) + top * (0.28 - 0.4 * out)
        end_point = start * (1 - out) + edge * out + (0, 1.5)
        lines = _bezier(top + rng.normal(0, 1.6, (count, 2)), bend, end_point)
    elif style == "tied":
        knot = np.array([0, -77 - v])
        out = rng.uniform(0, 0.95, (count, 1))
        start = start * (1 - out) + tips[(at * 59).astype(int)] * out
        bend = 0.5 * (start + knot) + (start - knot) * (0.14, -0.06)
        lines = _bezier(start, bend, knot + rng.normal(0, 3, (count, 2)))
    elif style in ("buzz", "crop"):
        within = rng.uniform(0, 1, (count, 1))
        middle = start * (1 - within) + tips[(at * 59).astype(int)] * within
        reach = 2.2 if style == "buzz" else 7.0
        away = rng.normal(0, 0.35, (count, 2)) + (0.6 * np.sign(hair.sweep), 0.7)
        lines = _bezier(middle - away * reach / 2, middle + (0.3, -0.3), middle + away * reach / 2)
    else:
        end_at = np.clip(at + hair.sweep * np.sin(np.pi * at), 0, 1)
        end_point = tips[(end_at * 59).astype(int)]
        bend = 0.5 * (start + end_point) + (6 * np.sign(hair.sweep), -0.4 * v)
        lines = _bezier(start, bend, end_point)
    lines = wavy(lines, 0.8 * hair.wave, rng)
    shine = None if style in ("buzz", "crop") else (0.35, 0.65)
    opacity = {"buzz": 0.80, "receding": 0.9}.get(style, 1.0)
    width = 0.6 if style in ("buzz", "crop") else 0.9
    paint_strands(
        canvas, portrait, region, pose(lines), hair.colour, rng,
        shine=shine, opacity=opacity, width=width, depth=0.65 if shine is None else 1.0,
    )  # fmt: skip


def _bezier(start, bend, end) -> np.ndarray:
    """Quadratic curves between `(k, 2)` points; float32 `(k, n, 2)`."""
    t = np.linspace(0, 1, _POINTS)[None, :, None]
    start, bend, end = (np.asarray(p)[..., None, :] for p in (start, bend, end))
    return (start * (1 - t) ** 2 + 2 * bend * t * (1 - t) + end * t**2).astype(np.float32)


def _curtains(canvas, portrait, pose, face, rng) -> None:
    """Hair that parts on top and falls down both sides of the face."""
    head, hair = portrait.head, portrait.hair
    w, v, part = head.width, hair.volume, hair.part
    length = {"bob": 34 + 0.2 * hair.length, "fringe": 30 + 0.5 * hair.length}.get(
        hair.style, 55 + hair.length
    )
    if hair.style == "swept":
        part = 1.35 * part
    shapes, all_lines = [], []
    for side in (-1, 1):
        near = side * part > 0
        open_face = 0.0 if near else 4.0
        cover = rng.uniform(-3, 3) + (3.5 if hair.style == "swept" and not near else 0)
        inner = [
            (part, -60 - hair.hairline),
            (part + side * 7, -51 - hair.hairline),
            (side * (0.66 * w - 0.3 * cover), -37 + 0.8 * open_face),
            (side * (0.86 * w - cover), -12),
            (side * (w - 4 - cover), 14),
            (side * (w - 3 - 0.7 * cover), 38),
        ]
        outer = [
            (part, -73 - v),
            (0.4 * part + side * 0.30 * w, -72.5 - 0.96 * v),
            (side * (0.63 * w + 0.35 * v), -65 - 0.8 * v),
            (side * (0.93 * w + 0.7 * v), -43 - 0.4 * v),
            (side * (w + 0.95 * v), -12),
            (side * (w + 1.15 * v), 18),
            (side * (w + 1.2 * v), 40),
        ]
        if length > 60:
            inner += [(side * (w - 1), 62), (side * (w - 2), length)]
            outer += [(side * (w + 1.4 * v), 66), (side * (w + 1.2 * v), length)]
        else:
            inner += [(side * (w - 6), length)]
            outer += [(side * (w + 0.4 * v), length + 3)]
        edges = [resample(smooth(e), 3 * _POINTS) for e in (inner, outer)]
        edges = list(wavy(np.stack(edges), 2.2 * hair.wave, rng))
        shapes.append(np.concatenate([edges[0], edges[1][::-1]]))
        lines = loft(edges[0][::2], edges[1][::2], rng.uniform(-0.02, 1.02, 70))
        all_lines.append(wavy(lines + rng.normal(0, 0.5, (70, 1, 2)), 1.3 * hair.wave, rng))
    for shape in shapes:
        _shadow(canvas, portrait, pose, shape, face)
    for shape, lines in zip(shapes, all_lines, strict=True):
        region = canvas.region(pose(shape), 0.6)
        paint_strands(
            canvas, portrait, region, pose(lines.astype("f4")), hair.colour, rng, shine=(0.2, 0.36)
        )
    if hair.style == "fringe":
        _fringe(canvas, portrait, pose, face, rng)


def _fringe(canvas, portrait, pose, face, rng) -> None:
    head, hair = portrait.head, portrait.hair
    w, v = head.width, hair.volume
    low = -portrait.features.brow_height - rng.uniform(3.5, 9)
    x = np.linspace(-0.80, 0.80, 15) * w
    ends = low + 3.5 * (np.abs(x) / w) ** 2 + rng.normal(0, 0.9, 15)
    lower = smooth(np.stack([x, ends], 1), count=3)
    top = smooth([(-0.74 * w, -42), (-0.45 * w, -66 - 0.6 * v), (0, -71 - 0.8 * v),
                  (0.45 * w, -66 - 0.6 * v), (0.74 * w, -42)])  # fmt: skip
    shape = np.concatenate([top, lower[::-1]])
    _shadow(canvas, portrait, pose, shape, face)
    roots, tips = resample(top, 40), resample(lower, 40)
    at = rng.integers(0, 40, 110)
    bend = 0.5 * (roots[at] * (0.8, 1) + tips[at]) + (0.12 * tips[at][:, :1] * (1, 0))
    lines = _bezier(roots[at], bend, tips[at] + rng.normal(0, 0.7, (110, 2)) + (0, 1))
    region = canvas.region(pose(shape), 0.5)
    paint_strands(canvas, portrait, region, pose(lines), hair.colour, rng, shine=(0.4, 0.62))


def _cloud(head: Head, volume: float, sides: float, end: float, rng) -> list[np.ndarray]:
    """A crown with a bumpy edge: the crown and balls of curls along it."""
    outer = crown(head, volume, sides, end)
    rim, count = outer, 26
    if end > 10:
        below = mirror([(-0.3 * head.width, end + 4), (0.3 * head.width, end + 4)])
        rim, count = np.concatenate([outer, smooth([outer[-1], *below, outer[0]])]), 60
    along = resample(rim, count)
    size = rng.uniform(3.4, 6.4, count)
    along = along * (1 - size / 120)[:, None] + rng.normal(0, 0.8, (count, 2))
    balls = [ellipse(x, y, s, s) for (x, y), s in zip(along, size, strict=True)]
    return [outer, *balls]


def _curly_extent(portrait: Portrait, rng) -> tuple[float, float, float]:
    """Volume, width at the sides and lower end of curly hair."""
    hair = portrait.hair
    if hair.style == "afro":
        volume = 8 + 1.6 * hair.volume
        return volume, 0.85 * volume, 12 + 0.1 * hair.length
    long = portrait.features.lashes > 0.4
    return hair.volume + 3, (1.1 if long else 0.4) * hair.volume, (0.6 * hair.length if long else 6)


def _curly(canvas, portrait, pose, face, rng) -> None:
    head, hair = portrait.head, portrait.hair
    volume, sides, end = _curly_extent(portrait, rng)
    top = _cloud(head, volume, sides, min(end, 10), rng)
    inner = hairline(head, hair.hairline - 1, rng.uniform(0, 4), min(end, 10))
    fringe = resample(inner, 30) + rng.normal(0, 0.8, (30, 2))
    size = rng.uniform(2.0, 3.6, 30)
    balls = [ellipse(x, y - 1, s, s) for (x, y), s in zip(fringe, size, strict=True)]
    cap = np.concatenate([top[0], inner[::-1]])
    shapes = [pose(cap), *pose([*top[1:], *balls])]
    _shadow(canvas, portrait, pose, cap, face)
    region = canvas.region(shapes, 0.5)
    lines = curls(np.concatenate([cap, *top[1:]]), 420, 3.0, rng)
    paint_strands(
        canvas, portrait, region, pose(lines), hair.colour, rng, shine=None, depth=0.95, width=1.0
    )


def paint_back_hair(
    canvas: Canvas, portrait: Portrait, pose: Pose, rng: np.random.Generator
) -> None:
    """Paints what of the hair lies behind head and shoulders."""
    head, hair = portrait.head, portrait.hair
    w, v = head.width, hair.volume
    dark = hair.colour * np.float32(0.62)
    if hair.style in LONG_STYLES:
        length = 40 + 0.2 * hair.length if hair.style == "bob" else 58 + hair.length
        right = [(0.7 * w, -60), (w + 0.7 * v, -20), (w + 0.9 * v, 30)]
        right += [(w + 0.8 * v, length - 12), (w + 0.1 * v, length - 1), (0.5 * w, length + 2)]
        edge = resample(smooth(right), 16)
        lines = loft(edge, edge * (-1, 1), rng.uniform(0, 1, 80))
        shape = np.concatenate([edge, mirror(edge)])
        region = canvas.region(pose(shape), 0.8)
        paint_strands(
            canvas, portrait, region, pose(wavy(lines, hair.wave, rng)), dark, rng, shine=None
        )
    elif hair.style in _CURLY:
        volume, sides, end = _curly_extent(portrait, rng)
        shapes = _cloud(head, volume, sides, end, rng)
        region = canvas.region([pose(shapes[0]), *pose(shapes[1:])], 0.6)
        lines = curls(np.concatenate(shapes), 300, 3.4, rng)
        paint_strands(canvas, portrait, region, pose(lines), dark * 1.15, rng, shine=None)
    elif hair.style == "tied":
        x, size = 0.5 * hair.part, 8 + 0.9 * v
        bun = ellipse(x, -76 - 0.75 * size, size * 1.1, size)
        region = canvas.region(pose(bun), 0.6)
        paint_strands(
            canvas, portrait, region, pose(curls(bun, 60, size * 0.8, rng)), hair.colour, rng
        )


def paint_front_hair(
    canvas: Canvas, portrait: Portrait, pose: Pose, face: Region, rng: np.random.Generator
) -> None:
    """Paints the hair in front of the head, with its shadow on the face."""
    style = portrait.hair.style
    if style == "bald":
        return
    if style in LONG_STYLES:
        _curtains(canvas, portrait, pose, face, rng)
    elif style in _CURLY:
        _curly(canvas, portrait, pose, face, rng)
    else:
        _short(canvas, portrait, pose, face, rng)
