"""Find the face around a hole with MediaPipe's BlazeFace.

Source: V. Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs",
https://arxiv.org/abs/1907.05047. `blazeface.tflite` is `face_detection_short_range.tflite` of
MediaPipe 0.10.14, copyright The MediaPipe Authors, Apache-2.0, unchanged.
"""

import threading
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.inference.tiles import Box

_MODEL = Path(__file__).with_name("blazeface.tflite")
#: Side of the network's input in pixels.
_INPUT = 128
#: The cells per side of each grid on which the network detects faces, and the boxes per cell.
_GRIDS = ((16, 2), (8, 6))
#: The smallest score from 0 to 1 of a face: of portraits with a hole over an eye, the nose, the
#: mouth or half the face 99 in 100 reach it, of scenes 2 in 100.
_SURE = 0.72
#: Windows around a hole: the smallest as a multiple of the hole and in pixels, the growth from
#: one to the next, and the largest as a multiple of the photo's longer side.
_TIGHT, _SMALLEST, _GROWTH, _LOOSE = 1.25, 48, 1.5, 1.6


class Face(NamedTuple):
    """A face in a photo, from the brows to the chin.

    Attributes:
        x, y: Floats, column and row of its centre in pixels.
        width: Float, its width and height in pixels.
        score: Float from 0 to 1.
    """

    x: float
    y: float
    width: float
    score: float

    def share(self, box: Box, own: np.ndarray) -> float:
        """Return the share of a hole, bool `own` in `box` of the photo, that lies in the face."""
        half = self.width / 2
        rows = np.abs(np.arange(box.top, box.bottom) + 0.5 - self.y) < half
        columns = np.abs(np.arange(box.left, box.right) + 0.5 - self.x) < half
        return float((own & rows[:, None] & columns).sum() / own.sum())


def find_face(image: np.ndarray, hole: np.ndarray, box: Box) -> Face | None:
    """Return the face with the highest score around a box in a photo.

    Windows of increasing size around the box are searched, so that the face may be of any size;
    holes in them are first filled with the colours at their rims.

    Args:
        image: Uint8 `(height, width, 3)`, RGB.
        hole: Bool `(height, width)`, true in the hole.
        box: The box to search around.

    Returns:
        The face; None if no score is high enough.
    """
    y, x = (box.top + box.bottom) / 2, (box.left + box.right) / 2
    side = max(_TIGHT * max(box.height, box.width), _SMALLEST)
    faces = []
    while True:
        check_cancelled()
        face = _detect(_window(image, hole, y, x, side))
        scale, middle = side / _INPUT, _INPUT / 2
        column, row = x + (face.x - middle) * scale, y + (face.y - middle) * scale
        faces.append(Face(column, row, face.width * scale, face.score))
        if side > _LOOSE * max(hole.shape):
            break
        side *= _GROWTH
    best = max(faces, key=lambda face: face.score)
    return best if best.score >= _SURE else None


def _window(image: np.ndarray, hole: np.ndarray, y: float, x: float, side: float) -> np.ndarray:
    """Return a square of a photo, filled and resized to the network's input."""
    scale = _INPUT / side
    top, left = y - side / 2, x - side / 2
    box = Box(int(top), int(left), int(top + side), int(left + side)).expanded(0, hole.shape)
    size = (max(1, round(box.width * scale)), max(1, round(box.height * scale)))
    resized = cv2.resize(image[box.slices], size, interpolation=cv2.INTER_AREA)
    holes = cv2.resize(hole[box.slices] * np.uint8(255), size, interpolation=cv2.INTER_AREA)
    if 0 < np.count_nonzero(holes) < holes.size:
        resized = cv2.inpaint(resized, holes, 3, cv2.INPAINT_TELEA)
    above, before = round((box.top - top) * scale), round((box.left - left) * scale)
    below, behind = _INPUT - size[1] - above, _INPUT - size[0] - before
    edges = [max(0, edge) for edge in (above, below, before, behind)]
    return cv2.copyMakeBorder(resized, *edges, cv2.BORDER_REPLICATE)[:_INPUT, :_INPUT]


def _detect(window: np.ndarray) -> Face:
    """Return the most likely face in uint8 `(128, 128, 3)`, in pixels of this window."""
    with _lock:
        interpreter, image, outputs = _interpreter()
        interpreter.set_tensor(image, window[None].astype(np.float32) / 127.5 - 1)
        interpreter.invoke()
        boxes, logits = (interpreter.get_tensor(index)[0] for index in outputs)
    best = int(logits[:, 0].argmax())
    score = 1 / (1 + np.exp(-np.clip(logits[best, 0], -100.0, 100.0)))
    x, y = _anchors()[best] * _INPUT + boxes[best, :2]
    return Face(float(x), float(y), float(boxes[best, 2]), float(score))


_lock = threading.Lock()


@cache
def _interpreter() -> tuple[Any, int, list[int]]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(_MODEL), num_threads=1)
    interpreter.allocate_tensors()
    outputs = sorted(interpreter.get_output_details(), key=lambda output: -output["shape"][-1])
    return interpreter, interpreter.get_input_details()[0]["index"], [o["index"] for o in outputs]


@cache
def _anchors() -> np.ndarray:
    """Return the centre of every box's cell, float `(896, 2)`, x and y from 0 to 1."""
    cells = []
    for side, boxes in _GRIDS:
        middles = (np.arange(side) + 0.5) / side
        grid = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
        cells.append(np.repeat(grid, boxes, axis=0))
    return np.concatenate(cells)
