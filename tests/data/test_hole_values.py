"""What a mask's values mean, whatever program wrote them."""

import numpy as np
import pytest
from PIL import Image

from keras_inpaint.data.hole_values import hole_of, read_hole

HOLE = np.zeros((24, 30), bool)
HOLE[5:15, 8:20] = True


@pytest.mark.parametrize(
    "values",
    [
        HOLE,
        HOLE.astype("uint8"),
        HOLE.astype("uint8") * 255,
        HOLE.astype("uint8") * 200,
        HOLE.astype("uint16"),
        HOLE.astype("uint16") * 255,
        HOLE.astype("uint16") * 1023,
        HOLE.astype("uint16") * 4095,
        HOLE.astype("uint16") * 65535,
        HOLE.astype("int32") * 255,
        HOLE.astype("float32"),
        HOLE.astype("float32") * 255,
    ],
    ids=lambda values: f"{values.dtype}-{values.max()}",
)
def test_every_depth(values):
    hole, _ = hole_of(values)
    np.testing.assert_array_equal(hole, HOLE)
    black, _ = hole_of(values, polarity="black")
    np.testing.assert_array_equal(black, ~HOLE)


def test_noise_of_value_one_is_no_hole():
    values = np.zeros((64, 64), "uint8")
    values[np.random.default_rng(0).integers(0, 64, 30), np.arange(30) * 2] = 1
    hole, notes = hole_of(values)
    assert not hole.any() and "noise" in notes[0]


@pytest.mark.parametrize(("value", "of"), [(76, "255"), (3, "255"), (100, "255")])
def test_a_mask_in_doubt_is_refused_with_what_it_holds(value, of):
    values = HOLE.astype("uint8") * value
    with pytest.raises(ValueError, match=rf"brightest value is {value} of {of}, and 16\.7 %"):
        hole_of(values)


@pytest.mark.parametrize("values", [np.full((4, 4), np.nan), np.full((4, 4), -1.0)])
def test_values_that_are_no_brightness(values):
    with pytest.raises(ValueError, match="must be finite and at least 0"):
        hole_of(values)


def test_files_of_every_kind(tmp_path):
    white = HOLE.astype("uint8") * 255
    rgba = np.zeros((*HOLE.shape, 4), "uint8")
    rgba[HOLE] = 255
    palette = Image.fromarray(HOLE.astype("uint8"), "L").convert("P")
    palette.putpalette([0, 0, 0, 255, 255, 255])
    files = {
        "l.png": Image.fromarray(white),
        "one.png": Image.fromarray(HOLE),
        "deep.png": Image.fromarray(HOLE.astype("uint16") * 4095),
        "i.tif": Image.fromarray(HOLE.astype("int32") * 65535),
        "f.tif": Image.fromarray(HOLE.astype("float32")),
        "rgba.png": Image.fromarray(rgba),
        "rgb.png": Image.fromarray(white).convert("RGB"),
        "soft.jpg": Image.fromarray(white),
    }
    for name, image in files.items():
        image.save(tmp_path / name, **({"quality": 95} if name == "soft.jpg" else {}))
        np.testing.assert_array_equal(read_hole(tmp_path / name), HOLE, err_msg=name)


def test_a_palette_of_colours_names_the_colour(tmp_path):
    image = Image.fromarray(HOLE.astype("uint8"), "P")
    image.putpalette([0, 0, 0, 255, 0, 0])  # as DAVIS and many annotation tools
    image.save(tmp_path / "davis.png")
    with pytest.raises(ValueError, match=r"76 of 255, colour \(255, 0, 0\), and 16\.7 % of its"):
        read_hole(tmp_path / "davis.png")
