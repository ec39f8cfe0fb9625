"""The head as a lit relief: skull, neck, ears, and the skin's light, colour and lines.

The face is a height field of soft bumps (nose, brows, cheeks, lips, chin) on an ellipsoid. Its
normals, under the picture's light, give every face a shading that agrees with itself.
"""

import cv2
import numpy as np

from keras_inpaint.data.sample.canvas import Canvas, Region
from keras_inpaint.data.sample.geometry import Pose, ellipse, mirror, ribbon, smooth, symmetric
from keras_inpaint.data.sample.parameters import Head, Portrait

_STEP = 1.5
_GRID_X = np.arange(-66, 66.1, _STEP, dtype=np.float32)
_GRID_Y = np.arange(-82.5, 84.1, _STEP, dtype=np.float32)


def head_outline(head: Head) -> np.ndarray:
    """Outlines skull and jaw without hair, float32 `(n, 2)` face coordinates."""
    w, j, c, n = head.width, head.jaw, head.chin, head.length
    return symmetric(
        [
            (0, -73),
            (0.52 * w, -67),
            (0.89 * w, -46),
            (w, -18),
            (0.985 * w, 6),
            (0.955 * w, 24),
            (0.90 * w * j**0.5, 0.55 * n),
            (0.70 * w * j, 0.785 * n),
            (0.37 * w * (0.35 + 0.65 * c), 0.955 * n),
            (0, n),
        ]
    )


def jaw_line(head: Head, drop: float = 0.0, spread: float = 0.0) -> np.ndarray:
    """The outline from the left ear over the chin to the right ear, moved outward."""
    w, j, c, n = head.width, head.jaw, head.chin, head.length
    right = [
        (0.985 * w + 0.3 * spread, 6),
        (0.955 * w + 0.6 * spread, 24),
        (0.90 * w * j**0.5 + spread, 0.55 * n),
        (0.70 * w * j + spread, 0.785 * n + 0.6 * drop),
        (0.37 * w * (0.35 + 0.65 * c) + 0.6 * spread, 0.955 * n + 0.9 * drop),
    ]
    left = mirror(right)[::-1]
    return smooth(np.concatenate([left, [(0, n + drop)], right[::-1]]), count=5)


def _sum_of_bumps(bumps: list[tuple], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Adds Gaussians `(x, y, x deviation, y deviation, height)`; mirrored where x is not 0."""
    table = np.array(bumps, np.float32)
    twins = table[table[:, 0] > 0] * np.array([-1, 1, 1, 1, 1], np.float32)
    cx, cy, sx, sy, amplitude = np.concatenate([table, twins]).T[..., None]
    across = np.exp(-(((x - cx) / sx) ** 2) / 2) * amplitude
    down = np.exp(-(((y - cy) / sy) ** 2) / 2)
    return down.T @ across


def _relief(portrait: Portrait, x: np.ndarray, turned: np.ndarray, shift: float) -> np.ndarray:
    """Height of the face, face units, on the grid."""
    head, f = portrait.head, portrait.features
    y = _GRID_Y
    rx, ry = head.width * 1.13, 0.5 * (head.length + 73) * 1.12
    middle = 0.5 * (head.length - 73)
    inside = (
        1 - ((turned + 0.25 * shift) / rx)[None] ** 2 - (np.abs(y - middle) / ry)[:, None] ** 2.4
    )
    nose, mouth, ex = f.nose_length, f.mouth_y, f.eye_x
    b, nw = f.nose_bridge, f.nose_width
    smile = max(0.0, f.smile)
    bumps = [
        (0, 4, 3.6, 8, 5.0 * b),
        (0, 14, 4.2, 7, 6.5 * b),
        (0, nose - 3.5, 0.62 * nw, 4.6, 8.0),
        (0.72 * nw, nose - 1.5, 2.6, 3.0, 3.4),
        (0, nose + 7, 1.6, 4, -0.9),
        (15, -f.brow_height + 2, 9, 4, 2.2),
        (28, -f.brow_height + 4, 7, 4.5, 1.6),
        (ex - 5.5, -3.5, 5.5, 5.0, -4.2),
        (ex, 0, 11, 7.5, -3.4),
        (ex, 0.5, 7.5, 4.6, 2.6),
        (ex, 10, 9, 3, -0.7 - 1.1 * head.age),
        (27, 18 - 0.8 * smile, 10, 8, 2.8 + 0.7 * smile),
        (27, 38, 7, 10, -1.6 - 0.6 * head.age),
        (0, mouth, 15, 10, 4.2),
        (0, mouth - 3.2, 9, 2.2, 1.3),
        (0, mouth + 4.0, 8, 2.6, 1.9),
        (f.mouth_width, mouth - 0.6 * smile, 2.6, 3.0, -1.4 - 0.3 * smile),
        (0, mouth + 10.5, 9, 2.8, -2.4),
        (0, head.length - 8, 9 * (0.5 + 0.5 * head.chin), 6, 3.4),
        (40, -16, 7, 16, -2.4),
        (17, -36, 12, 10, 1.6),
    ]
    return 54 * np.sqrt(np.maximum(inside, 0.015)) + _sum_of_bumps(bumps, x, y)


def _albedo(portrait: Portrait, x: np.ndarray) -> np.ndarray:
    """Colour of the skin under white light, float32 `(3, rows, columns)`."""
    head, f = portrait.head, portrait.features
    ex = f.eye_x
    red = [
        (27, 21, 9, 8, 0.10 + 0.16 * head.blush),
        (0, f.nose_length - 2, 6, 5, 0.09 + 0.10 * head.blush),
        (0, head.length - 6, 9, 6, 0.06),
        (0, -40, 24, 16, -0.04),
        (ex, 0, 11, 6, 0.09),
        (0, f.mouth_y, 17, 7, 0.05),
    ]
    dark = [
        (ex - 4, 6.5, 6, 3.4, 0.06 + 0.12 * head.age),
        (ex, -4.5, 10, 4, 0.06),
        (ex - 9, -1, 4, 5, 0.06),
        (34, 40, 10, 14, 0.03),
    ]
    redness, darkness = _sum_of_bumps(red, x, _GRID_Y), _sum_of_bumps(dark, x, _GRID_Y)
    if f.shadow is not None:
        lid = _sum_of_bumps([(ex + 2, -4.5, 7.5, 2.6, 0.6)], x, _GRID_Y)
    depth = np.array([0.20, 1.0, 0.80], np.float32)[:, None, None]
    colour = head.skin[:, None, None] * (1 - redness * depth * 0.75) * (1 - darkness)
    if f.shadow is not None:
        colour = colour + (f.shadow[:, None, None] - colour) * np.clip(lid, 0, 1)
    return colour.astype(np.float32)


def light_on(portrait: Portrait, facing: np.ndarray | float) -> np.ndarray:
    """Light that falls on a surface.

    Args:
        portrait: The portrait, for its light.
        facing: Cosine between the surface's normal and the light, any shape.

    Returns:
        float32 `(3, ...)` factors of the surface's colour.
    """
    scene = portrait.scene
    if isinstance(facing, np.ndarray):
        wrapped = np.clip((facing + np.float32(0.35)) / np.float32(1.35), 0, 1)
        shape = (3, *([1] * facing.ndim))
        return scene.ambient.reshape(shape) + scene.key.reshape(shape) * wrapped * np.float32(0.99)
    return scene.ambient + scene.key * (0.99 * min(max((facing + 0.35) / 1.35, 0.0), 1.0))


def skin_colour(portrait: Portrait, factor: float = 1.0) -> np.ndarray:
    """Colour of skin that faces the viewer; float32 `(3,)`."""
    return portrait.head.skin * light_on(portrait, float(portrait.scene.light[2])) * factor


def _skin_map(portrait: Portrait, pose: Pose) -> np.ndarray:
    """The lit face on the grid, float32 `(rows, columns, 3)`."""
    turned = _GRID_X
    x = pose.unturned_x(turned)
    height = _relief(portrait, x, turned, pose.shift)
    down, across = np.gradient(height, _STEP)
    lx, ly, lz = portrait.scene.light
    length = np.sqrt(1 + across**2 + down**2)
    facing = (lz - across * lx - down * ly) / length
    hollow = cv2.GaussianBlur(height, (0, 0), 5 / _STEP) - height
    occlusion = 1 - np.clip(hollow * 0.07, -0.03, 0.32)
    light = light_on(portrait, facing) * occlusion
    # Light that has passed through skin is red, so that shadows and edges are warm.
    for plane, power in enumerate((0.80, 1.02, 1.10)):
        light[plane] = np.maximum(light[plane], 0.05) ** power
    skin = _albedo(portrait, x) * light
    half = np.array([lx, ly, lz + 1.0])
    half /= np.linalg.norm(half)
    gloss = np.clip((half[2] - across * half[0] - down * half[1]) / length, 0, 1) ** 26
    skin += (
        0.075 * gloss * portrait.scene.key[:, None, None] * (0.55 + 0.45 * (1 - hollow.clip(0, 1)))
    )
    return np.ascontiguousarray(skin.transpose(1, 2, 0), dtype=np.float32)


def paint_head(canvas: Canvas, portrait: Portrait, pose: Pose) -> Region:
    """Paints the bald head with its shading, without features, and returns where it is."""
    region = canvas.region(pose(head_outline(portrait.head)), soft=0.45)
    rows, columns = region.alpha.shape
    if not region.alpha.size:
        return region
    grid = np.array([[_STEP, 0, _GRID_X[0]], [0, _STEP, _GRID_Y[0]], [0, 0, 1]])
    matrix = pose.matrix() @ grid
    matrix[:, 2] -= (region.left, region.top)
    skin = cv2.warpAffine(
        _skin_map(portrait, pose),
        matrix,
        (columns, rows),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    canvas.paint(region, np.ascontiguousarray(skin.transpose(2, 0, 1)))
    return region


def paint_neck(canvas: Canvas, portrait: Portrait, body: Pose) -> None:
    """Paints the neck and the skin down to the chest."""
    head = portrait.head
    half = head.width * (0.55 + 0.12 * (head.jaw - 0.7))
    right = [
        (half * 1.02, 20),
        (half * 0.97, 60),
        (half * 1.0, 76),
        (half * 1.25, 86),
        (half * 1.7, 96),
        (half * 2.2, 112),
        (half * 2.3, 200),
        (half * 2.3, 600),
    ]
    outline = np.concatenate([smooth(right), mirror(smooth(right))])
    skin = skin_colour(portrait, 0.95) * np.array([1, 0.97, 0.955], np.float32)
    region = canvas.fill(body(outline), skin, soft=0.4)
    lx = float(portrait.scene.light[0])
    marks = []
    for side in (-1, 1):
        dark = 0.30 if side * lx > 0 else 0.30 + 0.35 * abs(lx)
        edge = [(side * half * 1.15, 30), (side * half * 1.1, 78), (side * half * 1.5, 92)]
        shadow = ribbon(smooth(edge), (16, 18, 10))
        canvas.shade(body(shadow), (0.62, 0.5, 0.48), dark * 1.5, soft=5, clip=region)
        tendon = ribbon(smooth([(side * half * 0.75, 62), (side * 6, 96)]), (1, 3, 2))
        bone = ribbon(smooth([(side * 5, 99), (side * 26, 95), (side * 46, 97)]), (3, 2.5, 1))
        marks += [body(tendon), body(bone)]
    canvas.shade(marks, (0.76, 0.68, 0.64), 0.33, soft=1.7, clip=region)
    fall = head_outline(head) * (0.94, 1) + (-7 * lx, 13)
    canvas.shade(body(fall), (0.56, 0.45, 0.42), 0.66, soft=4.0, clip=region)


def paint_ears(canvas: Canvas, portrait: Portrait, pose: Pose) -> None:
    """Paints both ears; the far one is mostly hidden by the head painted later."""
    head = portrait.head
    lx = float(portrait.scene.light[0])
    s, w = head.ears, head.width
    contour = smooth(
        [
            (w - 4, 6 - 5 * s),
            (w + 4.5 * s, 6 - 9 * s),
            (w + 8.0 * s, 6 - 2 * s),
            (w + 6.5 * s, 6 + 10 * s),
            (w + 3.0 * s, 6 + 20 * s),
            (w - 2, 6 + 22 * s),
            (w - 6, 6 + 8 * s),
        ],
        closed=True,
    )
    inner = ellipse(w + 2.5 * s, 8.5, 3.0 * s, 8 * s, 0.15)
    rim = ribbon(smooth([(w + 1, 0), (w + 5.6 * s, -1), (w + 4.6 * s, 13)]), (0.6, 1.4, 0.6))
    fold = ribbon(smooth([(w + 3.5, 2), (w + 1.5, 10), (w + 3.0, 16)]), (1, 2, 1))
    for side in (-1, 1):
        flip = np.array((side, 1), np.float32)
        skin = skin_colour(portrait, 0.90 + 0.14 * side * lx)
        skin = skin * np.array([1.02, 0.90, 0.88], np.float32)
        ear = canvas.fill(pose(contour * flip), skin, soft=0.4)
        canvas.shade(pose(inner * flip), (0.66, 0.50, 0.46), 0.75, 1.2, ear)
        canvas.shade(pose(rim * flip), (0.6, 0.45, 0.4), 0.6, 0.5, ear)
        canvas.fill(pose(fold * flip), np.minimum(skin * 1.2, 1), 0.4, 0.7, ear)
