"""Who sits for a portrait: its parameters, drawn from two numbers before any pixel is."""

import bisect
import itertools

import numpy as np

from keras_inpaint.data.sample.parameters import (
    Colour,
    Features,
    Hair,
    Head,
    Portrait,
    Scene,
    Wear,
    rgb,
)

# Skin under white light, from the fairest to the deepest.
_SKIN = (
    np.array(
        [
            (240, 212, 194),
            (235, 199, 175),
            (228, 184, 152),
            (212, 164, 126),
            (190, 138, 100),
            (160, 111, 78),
            (128, 86, 60),
            (98, 65, 47),
            (74, 49, 38),
        ],
        np.float32,
    )
    / 255
)
_HAIR = {
    "black": (30, 26, 26),
    "darkest brown": (48, 36, 31),
    "dark brown": (70, 48, 36),
    "brown": (102, 70, 46),
    "chestnut": (118, 66, 40),
    "auburn": (134, 62, 34),
    "red": (176, 88, 42),
    "dark blonde": (152, 116, 72),
    "blonde": (206, 170, 112),
    "light blonde": (228, 204, 156),
    "grey": (150, 148, 146),
    "white": (198, 195, 190),
    "plum": (112, 48, 84),
    "teal": (46, 104, 116),
}
_IRIS = {
    "dark brown": (62, 38, 26),
    "brown": (98, 62, 36),
    "hazel": (124, 96, 50),
    "green": (94, 122, 78),
    "blue": (92, 134, 172),
    "grey": (126, 138, 146),
}


def _choose(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """Picks a key by its weight."""
    edges = list(itertools.accumulate(weights.values()))
    return list(weights)[bisect.bisect_right(edges, rng.random() * edges[-1])]


def _jitter(rng: np.random.Generator, colour, amount: float) -> Colour:
    colour = np.asarray(colour, np.float32)
    shade = 1 + amount * rng.normal()
    hue = 1 + 0.35 * amount * rng.normal(size=3)
    return np.clip(colour * shade * hue, 0.02, 0.97).astype(np.float32)


def _hue(rng: np.random.Generator, saturation: tuple, value: tuple) -> Colour:
    h, s, v = rng.random() * 6, rng.uniform(*saturation), rng.uniform(*value)
    wheel = np.clip(np.array([abs(h - 3) - 1, 2 - abs(h - 2), 2 - abs(h - 4)]), 0, 1)
    return (v * (1 - s + s * wheel)).astype(np.float32)


def _skin(rng: np.random.Generator, tone: float) -> Colour:
    at = tone * (len(_SKIN) - 1)
    colour = np.array([np.interp(at, range(len(_SKIN)), _SKIN[:, c]) for c in range(3)])
    warmth = rng.normal(0, 0.018)
    return np.clip(colour * (1 + warmth, 1, 1 - 1.4 * warmth), 0.03, 0.98).astype(np.float32)


def _draw_hair(rng, tone: float, age: float, feminine: float) -> Hair:
    fair = max(0.0, 1 - tone / 0.45)
    weights = {
        "black": 0.6 + 3 * tone,
        "darkest brown": 1.2 + tone,
        "dark brown": 1.2,
        "brown": 0.2 + 1.4 * fair,
        "chestnut": 0.2 + 0.7 * fair,
        "auburn": 0.1 + 0.5 * fair,
        "red": 0.8 * fair,
        "dark blonde": 1.1 * fair,
        "blonde": 0.08 + 1.2 * fair,
        "light blonde": 0.04 + 0.6 * fair,
        "plum": 0.06,
        "teal": 0.04,
    }
    if age > 0.55:
        weights["grey"] = 14 * (age - 0.5)
    if age > 0.7:
        weights["white"] = 20 * (age - 0.65)
    name = _choose(rng, weights)
    colour = _jitter(rng, rgb(*_HAIR[name]), 0.07)
    long = 3.0 if feminine > 0.5 else 0.25
    short = 0.35 if feminine > 0.5 else 3.0
    style = _choose(
        rng,
        {
            "bald": 0.06 if feminine > 0.5 else 0.5 + 0.8 * age,
            "buzz": 0.3 * short,
            "side part": 0.75 * short,
            "quiff": 0.6 * short,
            "crop": 0.55 * short,
            "receding": 0.02 if feminine > 0.5 else 1.2 * max(0, age - 0.4),
            "curly": 0.45 + 0.4 * tone,
            "afro": 0.05 + 0.75 * tone,
            "bob": 0.4 * long,
            "fringe": 0.45 * long,
            "long": 0.85 * long,
            "swept": 0.55 * long,
            "tied": 0.4 * long,
        },
    )
    beard = "none"
    if feminine <= 0.5 and age > 0.15:
        beard = _choose(
            rng,
            {"none": 4.0, "stubble": 1.5, "full": 1.6, "goatee": 0.7, "moustache": 0.6, "short": 1},
        )
    grey = name in ("grey", "white")
    dyed = name in ("plum", "teal")
    natural = rgb(52, 40, 34) if dyed else colour
    return Hair(
        style=style,
        colour=colour,
        volume=rng.uniform(4, 10),
        length=rng.uniform(40, 115),
        wave=abs(rng.normal(0.3, 0.9)),
        hairline=rng.normal(0, 2.5) - (6 * max(0, age - 0.5) if feminine <= 0.5 else 0),
        part=rng.choice([-1, 1]) * rng.uniform(3, 17),
        sweep=rng.choice([-1, 1]) * rng.uniform(0.15, 0.45),
        beard=beard,
        beard_length=rng.uniform(1.5, 9),
        beard_colour=_jitter(rng, natural * (0.95 if grey else 0.82) + 0.01, 0.06),
        brow_colour=_jitter(rng, natural * (0.62 if grey else 0.66), 0.05),
    )


def _draw_features(rng, skin: Colour, tone: float, age: float, feminine: float) -> Features:
    fair = max(0.0, 1 - tone / 0.5)
    iris = _choose(
        rng,
        {
            "dark brown": 0.8 + 3 * tone,
            "brown": 1.3,
            "hazel": 0.15 + 0.6 * fair,
            "green": 0.08 + 0.6 * fair,
            "blue": 0.05 + 1.5 * fair,
            "grey": 0.04 + 0.5 * fair,
        },
    )
    natural = skin * (0.93, 0.70, 0.70) + np.array([0.02, 0.0, 0.01])
    made_up = feminine > 0.5 and rng.random() < 0.55
    painted = [rgb(176, 44, 52), rgb(150, 40, 66), rgb(206, 96, 98), rgb(196, 70, 88)]
    lip = natural
    if made_up and rng.random() < 0.7:
        lip = natural * 0.4 + painted[rng.integers(4)] * 0.6
    shades = [rgb(110, 70, 60), rgb(96, 76, 104), rgb(80, 84, 96), rgb(150, 96, 70)]
    mood = rng.random()
    smile = rng.normal(0.6, 1.0) if mood < 0.45 else rng.uniform(1.5, 4.8)
    opened = rng.uniform(2.2, 7.5) if mood > 0.62 else 0.0
    if 0.40 < mood < 0.45:
        opened = rng.uniform(1.5, 4)
    return Features(
        eye_x=float(np.clip(rng.normal(19.5, 0.7), 18.2, 20.8)),
        eye_width=rng.uniform(9.3, 11.2) + 0.5 * feminine - 0.5 * age,
        eye_open=rng.uniform(4.0, 6.0) + 0.8 * feminine - 0.7 * age - 0.06 * opened,
        eye_tilt=rng.normal(0.6, 0.8),
        crease=float(rng.random() < 0.8) * rng.uniform(0.5, 1.0),
        lashes=(0.45 + 0.55 * made_up) if feminine > 0.5 else rng.uniform(0, 0.25),
        shadow=shades[rng.integers(4)] if made_up and rng.random() < 0.6 else None,
        iris=_jitter(rng, rgb(*_IRIS[iris]), 0.07),
        gaze=(
            float(np.clip(rng.normal(0, 1.1), -2.6, 2.6)),
            float(np.clip(rng.normal(), -1, 1)) * 0.5,
        ),
        brow_height=rng.uniform(12.0, 15.0) + 0.8 * feminine,
        brow_arch=rng.uniform(0.8, 3.0) + 0.9 * feminine,
        brow_tilt=rng.normal(-0.4, 0.7),
        brow_thick=rng.uniform(2.6, 4.8) - 1.1 * feminine,
        nose_length=rng.uniform(23.0, 27.0) + 1.2 * age - 1.0 * feminine,
        nose_width=rng.uniform(7.4, 9.2) + 2.2 * tone - 0.8 * feminine,
        nose_bridge=rng.uniform(0.75, 1.2) - 0.2 * tone,
        mouth_y=rng.uniform(41.0, 44.5),
        mouth_width=rng.uniform(14.0, 17.0) + 0.75 * max(0, smile) - 0.6 * feminine,
        upper_lip=rng.uniform(2.4, 3.8) + 1.3 * tone + 0.5 * feminine - 0.8 * age,
        lower_lip=rng.uniform(3.8, 5.2) + 1.3 * tone + 0.7 * feminine - 0.9 * age,
        smile=float(np.clip(smile, -1.4, 5.0)),
        mouth_open=opened,
        lip=_jitter(rng, lip, 0.03),
    )


def _draw_wear(rng, age: float, feminine: float) -> Wear:
    clothes = _choose(
        rng,
        {
            "round neck": 1.6,
            "v neck": 1.0,
            "shirt": 1.5,
            "jacket": 1.5,
            "turtleneck": 0.6,
            "hoodie": 0.8 * (1 - age),
            "scarf": 0.5,
            "wide neck": 1.4 * feminine,
        },
    )
    dull = rng.random() < 0.55
    cloth = _hue(rng, (0.03, 0.25), (0.12, 0.9)) if dull else _hue(rng, (0.3, 0.65), (0.25, 0.8))
    frames = [rgb(24, 22, 24), rgb(64, 42, 30), rgb(148, 118, 72), rgb(120, 122, 128)]
    frames += [rgb(112, 34, 40), rgb(40, 52, 84)]
    return Wear(
        clothes=clothes,
        cloth=cloth,
        second=_hue(rng, (0.1, 0.6), (0.2, 0.75)),
        pattern=_choose(rng, {"plain": 3, "stripes": 0.8, "checks": 0.5}),
        glasses=_choose(rng, {"none": 3.2 - age, "round": 0.35, "box": 0.45, "oval": 0.3}),
        frame=frames[rng.integers(6)],
        frame_width=rng.uniform(0.9, 2.4),
        earrings=bool(feminine > 0.5 and rng.random() < 0.35),
        hat=_choose(rng, {"none": 20, "beanie": 1.0, "headscarf": 1.1 * feminine}),
    )


def _draw_scene(rng) -> Scene:
    side = float(np.clip(rng.normal(0, 0.5), -0.85, 0.85))
    light = np.array([side, -rng.uniform(0.15, 0.65), rng.uniform(0.75, 1.0)])
    warm = rng.normal(0, 0.05)
    tint = np.array([1 + warm, 1.0, 1 - 1.2 * warm])
    hard = rng.uniform(0.45, 0.8)
    background = _choose(
        rng, {"plain": 1.2, "glow": 1.4, "blobs": 1.4, "bokeh": 1.0, "bars": 0.9, "outdoors": 1.0}
    )
    dull = rng.random() < 0.72
    first = _hue(rng, (0.02, 0.22), (0.15, 0.92)) if dull else _hue(rng, (0.2, 0.5), (0.25, 0.8))
    second = np.clip(first * rng.uniform(0.45, 1.5) + rng.normal(0, 0.06, 3), 0.03, 0.97)
    third = _hue(rng, (0.05, 0.5), (0.2, 0.9))
    return Scene(
        yaw=float(np.clip(rng.normal(0, 0.13), -0.3, 0.3)),
        pitch=float(np.clip(rng.normal(0, 0.07), -0.16, 0.16)),
        roll=float(np.clip(rng.normal(0, 0.05), -0.13, 0.13)),
        scale=rng.uniform(0.98, 1.14),
        offset=(float(np.clip(rng.normal(0, 1.8), -5, 5)), 2.0 + float(rng.normal(0, 1.5))),
        light=light / np.linalg.norm(light),
        key=(hard * tint).astype(np.float32),
        ambient=((1.03 - hard) * (2 - tint) * (0.94 + 0.06 * second / second.mean())).astype("f4"),
        background=background,
        backdrop=(first, second.astype(np.float32), third),
        exposure=float(np.clip(rng.normal(1.02, 0.07), 0.9, 1.15)),
        contrast=float(np.clip(rng.normal(1.0, 0.06), 0.88, 1.14)),
        blur=float(max(0.0, rng.normal(0.12, 0.2))),
        grain=rng.uniform(0.003, 0.011),
    )


def draw_parameters(seed: int, index: int) -> Portrait:
    """Draws the person and the picture of one portrait.

    Args:
        seed: Int, at least 0: the collection.
        index: Int, at least 0: the portrait in it.

    Returns:
        The portrait's parameters, a function of the two numbers alone.
    """
    rng = np.random.default_rng([seed, index])
    tone, age = rng.random() ** 1.15, rng.random() ** 1.3
    feminine = float(np.clip(rng.choice([0.15, 0.85]) + rng.normal(0, 0.12), 0, 1))
    skin = _skin(rng, tone)
    head = Head(
        width=rng.uniform(43.0, 47.5) - 0.8 * feminine,
        jaw=rng.uniform(0.80, 1.0) - 0.07 * feminine,
        chin=rng.uniform(0.75, 1.2) - 0.15 * feminine,
        length=rng.uniform(66.5, 75.0) - 2.0 * feminine,
        ears=rng.uniform(0.85, 1.15),
        skin=skin,
        blush=rng.uniform(0.2, 1.0),
        age=age,
        freckles=rng.uniform(0.3, 1.0) if tone < 0.5 and rng.random() < 0.2 else 0.0,
        mole=(rng.uniform(-32, 32), rng.uniform(10, 34)) if rng.random() < 0.15 else None,
    )
    features = _draw_features(rng, skin, tone, age, feminine)
    hair = _draw_hair(rng, tone, age, feminine)
    return Portrait(head, features, hair, _draw_wear(rng, age, feminine), _draw_scene(rng))
