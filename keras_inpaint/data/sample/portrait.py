"""From parameters to pixels: one portrait, painted from back to front."""

import math

import cv2
import numpy as np

from keras_inpaint.data.sample.accessories import paint_earrings, paint_glasses, paint_hat
from keras_inpaint.data.sample.background import paint_background
from keras_inpaint.data.sample.beard import paint_beard
from keras_inpaint.data.sample.canvas import Canvas
from keras_inpaint.data.sample.clothes import paint_clothes
from keras_inpaint.data.sample.eyes import paint_eyes
from keras_inpaint.data.sample.geometry import FRAME_WIDTH, Pose
from keras_inpaint.data.sample.hair import LONG_STYLES, paint_back_hair, paint_front_hair
from keras_inpaint.data.sample.head import paint_ears, paint_head, paint_neck
from keras_inpaint.data.sample.mouth import paint_mouth, paint_nose
from keras_inpaint.data.sample.parameters import Portrait, Scene
from keras_inpaint.data.sample.people import draw_parameters
from keras_inpaint.data.sample.skin import paint_freckles, paint_lines

# Small pictures are painted with at least this many pixels a side and then reduced.
_SMALLEST_SIDE = 192

# One stream of random numbers a part of the picture, so that a change to one leaves the others.
_BACKGROUND, _BACK_HAIR, _CLOTHES, _SKIN, _BEARD, _EYES, _HAIR, _GRAIN = range(1, 9)


def head_pose(scene: Scene, height: float, width: float) -> Pose:
    """Places a head in a picture of `height` by `width` pixels."""
    zoom = min(height, width) / FRAME_WIDTH
    return Pose(
        yaw=scene.yaw,
        pitch=scene.pitch,
        roll=scene.roll,
        zoom=zoom * scene.scale,
        x=(width - 1) / 2 + zoom * scene.offset[0],
        y=(height - 1) / 2 + zoom * scene.offset[1],
    )


def _body_pose(head: Pose) -> Pose:
    """The trunk follows the head's place and size, but hardly its turn."""
    roll = 0.25 * head.roll
    # The neck joins about 45 units below the eyes: keep that point where the head has it.
    arm = 45 * head.zoom
    return Pose(
        yaw=0.0,
        pitch=0.0,
        roll=roll,
        zoom=head.zoom,
        x=head.x - arm * (math.sin(head.roll) - math.sin(roll)) - 10 * head.zoom * head.yaw,
        y=head.y,
    )


def _paint_person(canvas: Canvas, portrait: Portrait, pose: Pose, streams) -> None:
    body = _body_pose(pose)
    covered = portrait.wear.hat == "headscarf"
    if not covered:
        paint_back_hair(canvas, portrait, pose, streams(_BACK_HAIR))
    paint_neck(canvas, portrait, body)
    paint_clothes(canvas, portrait, body, streams(_CLOTHES))
    if not covered and portrait.hair.style not in LONG_STYLES:
        paint_ears(canvas, portrait, pose)
    face = paint_head(canvas, portrait, pose)
    paint_lines(canvas, portrait, pose, face)
    paint_freckles(canvas, portrait, pose, face, streams(_SKIN))
    paint_nose(canvas, portrait, pose, face)
    paint_beard(canvas, portrait, pose, face, streams(_BEARD))
    paint_mouth(canvas, portrait, pose)
    paint_eyes(canvas, portrait, pose, streams(_EYES))
    paint_glasses(canvas, portrait, pose, face)
    paint_earrings(canvas, portrait, pose)
    if not covered:
        paint_front_hair(canvas, portrait, pose, face, streams(_HAIR))
    paint_hat(canvas, portrait, pose, face)


def _develop(
    canvas: Canvas, scene: Scene, height: int, width: int, rng: np.random.Generator
) -> np.ndarray:
    """Turns the painted planes into the photograph: focus, size, exposure, grain, 8 bits."""
    image = cv2.merge(list(canvas.planes))
    sigma = scene.blur * canvas.unit
    if sigma > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    zoom = min(height, width) / FRAME_WIDTH
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / (zoom * FRAME_WIDTH)
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2) / (zoom * FRAME_WIDTH)
    slope = np.clip(0.16 * scene.light[0] * x + 0.12 * scene.light[1] * y[:, None], -0.2, 0.2)
    vignette = 0.13 * np.minimum(x**2 + y[:, None] ** 2, 1.0)
    gain = (scene.exposure * (1 + slope - vignette)).astype(np.float32)
    tint = rng.standard_normal((height, width), np.float32) * np.float32(scene.grain)
    level = 0.45 * (1 - scene.contrast)
    image *= cv2.merge([gain * np.float32(scene.contrast)] * 3)
    image += cv2.merge([tint + np.float32(level)] * 3)
    # A gentle shoulder, so that highlights bend towards white rather than clip.
    over = np.maximum(image - 0.82, 0)
    image -= over - over / (1 + over / 0.24)
    return cv2.convertScaleAbs(np.maximum(image, 0), alpha=255)


def render(seed: int, index: int, height: int, width: int) -> np.ndarray:
    """Paints portrait `index` of collection `seed`; uint8 `(height, width, 3)`, RGB."""
    portrait = draw_parameters(seed, index)

    def streams(part: int) -> np.random.Generator:
        return np.random.default_rng([seed, index, part])

    enlarge = max(1.0, _SMALLEST_SIDE / min(height, width))
    rows, columns = round(height * enlarge), round(width * enlarge)
    pose = head_pose(portrait.scene, rows, columns)
    unit = min(rows, columns) / FRAME_WIDTH
    canvas = Canvas(rows, columns, unit)
    paint_background(canvas.planes, unit, portrait.scene, streams(_BACKGROUND))
    _paint_person(canvas, portrait, pose, streams)
    return _develop(canvas, portrait.scene, height, width, streams(_GRAIN))
