"""What makes a portrait: the person, the clothes, the light.

Every length is in face units (see `geometry`), every colour RGB in [0, 1], so that a portrait is
the same person in the same light at every size.
"""

from dataclasses import dataclass

import numpy as np

Colour = np.ndarray


def rgb(*values: float) -> Colour:
    """Returns 8-bit values as a float32 colour in [0, 1]."""
    return np.array(values, np.float32) / 255


@dataclass(frozen=True)
class Head:
    """Shape of the skull and the skin on it; widths are halves."""

    width: float
    jaw: float
    chin: float
    length: float
    ears: float
    skin: Colour
    blush: float
    age: float
    freckles: float
    mole: tuple[float, float] | None


@dataclass(frozen=True)
class Features:
    """Eyes, brows, nose and mouth."""

    eye_x: float
    eye_width: float
    eye_open: float
    eye_tilt: float
    crease: float
    lashes: float
    shadow: Colour | None
    iris: Colour
    gaze: tuple[float, float]
    brow_height: float
    brow_arch: float
    brow_tilt: float
    brow_thick: float
    nose_length: float
    nose_width: float
    nose_bridge: float
    mouth_y: float
    mouth_width: float
    upper_lip: float
    lower_lip: float
    smile: float
    mouth_open: float
    lip: Colour


@dataclass(frozen=True)
class Hair:
    """Hair of head, brows and face."""

    style: str
    colour: Colour
    volume: float
    length: float
    wave: float
    hairline: float
    part: float
    sweep: float
    beard: str
    beard_length: float
    beard_colour: Colour
    brow_colour: Colour


@dataclass(frozen=True)
class Wear:
    """Clothes, glasses and small things; colours of cloth."""

    clothes: str
    cloth: Colour
    second: Colour
    pattern: str
    glasses: str
    frame: Colour
    frame_width: float
    earrings: bool
    hat: str


@dataclass(frozen=True)
class Scene:
    """Camera, light and what lies behind."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    offset: tuple[float, float]
    light: np.ndarray
    key: Colour
    ambient: Colour
    background: str
    backdrop: tuple[Colour, Colour, Colour]
    exposure: float
    contrast: float
    blur: float
    grain: float


@dataclass(frozen=True)
class Portrait:
    """One person in one picture."""

    head: Head
    features: Features
    hair: Hair
    wear: Wear
    scene: Scene
