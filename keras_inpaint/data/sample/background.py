"""What lies behind a portrait, always out of focus."""

import cv2
import numpy as np

from keras_inpaint.data.sample.canvas import blurred
from keras_inpaint.data.sample.parameters import Scene

# The backdrop is painted once on a small square of this many face units and enlarged, so that it
# is the same at every size; beyond its border it is mirrored.
_EXTENT = 360.0
_SIDE = 90


def _blend(image: np.ndarray, colour, alpha: np.ndarray) -> None:
    image += (np.asarray(colour, np.float32)[:, None, None] - image) * alpha


def _soft(mask: np.ndarray, sigma: float) -> np.ndarray:
    return blurred(mask, sigma, 1 / 255)


def _blobs(image: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    for _ in range(rng.integers(4, 9)):
        mask = np.zeros((_SIDE, _SIDE), np.uint8)
        x, y = rng.integers(0, _SIDE, 2)
        axes = rng.integers(5, 26, 2)
        if rng.random() < 0.5:
            cv2.ellipse(mask, (x, y), axes, rng.uniform(0, 180), 0, 360, 255, -1)
        else:
            cv2.rectangle(mask, (x - axes[0], y - axes[1]), (x + axes[0], y + axes[1]), 255, -1)
        colour = scene.backdrop[rng.integers(3)] * rng.uniform(0.5, 1.3)
        _blend(
            image, np.clip(colour, 0, 1), _soft(mask, rng.uniform(1.5, 5)) * rng.uniform(0.3, 0.8)
        )


def _bokeh(image: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    image *= 0.55
    for tint in (np.array([1.0, 0.86, 0.62]), scene.backdrop[2] * 1.2, scene.backdrop[1] * 1.3):
        lights = np.zeros((_SIDE, _SIDE), np.uint8)
        for _ in range(rng.integers(3, 13)):
            x, y = (int(v) for v in rng.integers(0, _SIDE, 2))
            radius, level = int(rng.integers(2, 8)), rng.uniform(25, 140)
            cv2.circle(lights, (x, y), radius, level, -1, cv2.LINE_AA)
            cv2.circle(lights, (x, y), radius, 1.25 * level, 1, cv2.LINE_AA)
        _blend(image, np.clip(tint, 0, 1), _soft(lights, 0.7))


def _bars(image: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    across = rng.random() < 0.7
    edge = 0
    lines = np.empty((_SIDE, 3), np.float32)
    narrow, wide = (3, 7) if rng.random() < 0.5 else (7, 22)
    while edge < _SIDE:
        width = int(rng.integers(narrow, wide))
        colour = scene.backdrop[rng.integers(3)] * 0.5 + scene.backdrop[0] * 0.5
        lines[edge : edge + width] = colour * rng.uniform(0.7, 1.2)
        edge += width
    lines = cv2.GaussianBlur(lines, (1, 0), 1.0, sigmaY=rng.uniform(0.7, 2.0)).reshape(_SIDE, 3).T
    image[:] = 0.25 * image + 0.75 * (lines[:, None] if across else lines[:, :, None])


def _outdoors(image: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    sky = np.array([0.62, 0.76, 0.90])[:, None, None] * rng.uniform(0.75, 1.08)
    grounds = np.array([[0.36, 0.46, 0.26], [0.55, 0.50, 0.40], [0.30, 0.38, 0.36]])
    ground = grounds[rng.integers(3)] * rng.uniform(0.7, 1.2)
    horizon = rng.uniform(0.35, 0.62)
    y = np.linspace(0, 1, _SIDE, dtype=np.float32)[:, None]
    mix = 1 / (1 + np.exp(-(y - horizon) * rng.uniform(12, 50)))
    below = ground[:, None, None] * (1.15 - 0.3 * y)
    image[:] = sky * (1 + 0.25 * (y - 0.3)) * (1 - mix) + below * mix
    trees = np.zeros((_SIDE, _SIDE), np.uint8)
    for _ in range(rng.integers(0, 26)):
        x, radius = int(rng.integers(0, _SIDE)), int(rng.integers(3, 10))
        cv2.circle(trees, (x, int(horizon * _SIDE - rng.uniform(-2, 16))), radius, 255, -1)
    _blend(image, ground * rng.uniform(0.5, 0.9), _soft(trees, 1.7) * 0.85)


_PAINTERS = {"blobs": _blobs, "bokeh": _bokeh, "bars": _bars, "outdoors": _outdoors}


def paint_background(
    planes: np.ndarray, zoom: float, scene: Scene, rng: np.random.Generator
) -> None:
    """Paints the backdrop over the whole picture.

    Args:
        planes: float32 `(3, height, width)`, changed in place.
        zoom: Float, pixels a face unit.
        scene: The picture's light and backdrop.
        rng: Source of the backdrop's own details.
    """
    first, second, _ = scene.backdrop
    y, x = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.float32) / (_SIDE - 1) - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    if scene.background == "glow":
        centre = rng.normal(0, 0.12, 2)
        mix = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 0.09)
        first, second = first * 0.75, np.clip(first * 1.45 + 0.06, 0, 1)
    else:
        slope = 0.25 if scene.background == "plain" else 0.9
        mix = np.clip(0.5 + slope * (x * np.cos(angle) + y * np.sin(angle)), 0, 1)
    image = (first[:, None, None] * (1 - mix) + second[:, None, None] * mix).astype(np.float32)
    if scene.background in _PAINTERS:
        _PAINTERS[scene.background](image, scene, rng)
    mottle = rng.normal(1, 0.03, (9, 9)).astype(np.float32)
    image *= cv2.resize(mottle, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
    image *= (scene.key + scene.ambient)[:, None, None]
    height, width = planes.shape[1:]
    step = zoom * _EXTENT / _SIDE
    matrix = np.array(
        [
            [step, 0, (width - 1) / 2 - step * (_SIDE - 1) / 2],
            [0, step, (height - 1) / 2 - step * (_SIDE - 1) / 2],
        ]
    )
    large = cv2.warpAffine(
        np.clip(image, 0, 1).transpose(1, 2, 0).copy(),
        matrix,
        (width, height),
        borderMode=cv2.BORDER_REFLECT_101,
    )
    cv2.split(large, list(planes))
