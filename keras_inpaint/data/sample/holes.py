"""Holes over parts of a portrait's face, for examples and demonstrations."""

# ruff: noqa: RUF005 - the sums here add offsets to arrays of points

import cv2
import numpy as np

from keras_inpaint.data.sample.landmarks import landmarks
from keras_inpaint.data.sample.people import draw_parameters
from keras_inpaint.data.sample.portrait import head_pose

_STREAM = 100
_KINDS = ("left_eye", "mouth", "scratch", "right_eye")


def hole(seed: int, index: int, height: int, width: int) -> np.ndarray:
    """Marks a part of a portrait to be filled; see `example_hole`."""
    rng = np.random.default_rng([seed, index, _STREAM])
    points = landmarks(seed, index, height, width)
    unit = head_pose(draw_parameters(seed, index).scene, height, width).zoom
    kind = _KINDS[index % len(_KINDS)]
    mask = np.zeros((height, width), np.uint8)

    def fixed(point) -> tuple[int, int]:
        y, x = point
        return round(x * 16), round(y * 16)

    if kind == "scratch":
        eye, chin = np.array(points["left_eye"]), np.array(points["chin"])
        brow, mouth = np.array(points["right_brow"]), np.array(points["mouth"])
        lines = [(brow + (-30 * unit, 8 * unit), mouth), (eye, chin + (-14 * unit, 22 * unit))]
        for start, end in lines:
            steps = np.linspace(start, end, 9) + rng.normal(0, 1.8 * unit, (9, 2))
            path = np.array([fixed(p) for p in steps], np.int32)
            thickness = max(1, round(rng.uniform(4, 7) * unit))
            cv2.polylines(mask, [path], False, 255, thickness, cv2.LINE_8, 4)
    else:
        if kind == "mouth":
            middle = 0.35 * np.array(points["nose"]) + 0.65 * np.array(points["mouth"])
            axes = (rng.uniform(24, 29), rng.uniform(19, 23))
        else:
            middle = np.array(points[kind]) - (2 * unit, 0)
            axes = (rng.uniform(17, 20), rng.uniform(13, 17))
        axes = tuple(max(8, round(a * unit * 16)) for a in axes)
        cv2.ellipse(mask, fixed(middle), axes, rng.normal(0, 8), 0, 360, 255, -1, cv2.LINE_8, 4)
    return mask > 0
