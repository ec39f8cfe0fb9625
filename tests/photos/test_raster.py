import struct
import warnings

import numpy as np
import pytest
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

from keras_inpaint.photos.raster import cmyk_to_rgb, colour_space, rgb_to_cmyk

from .photo_files import read_photo, write_photo


def _table(inputs, outputs, grid, nodes):
    """An ICC `lut8Type`: identity curves around a grid of bytes."""
    matrix = [65536 * (row == column) for row in range(3) for column in range(3)]
    curve = bytes(range(256))
    head = struct.pack(">4s4x3Bx9i", b"mft1", inputs, outputs, grid, *matrix)
    return head + curve * inputs + nodes.astype(np.uint8).tobytes() + curve * outputs


@pytest.fixture(scope="session")
def press_profile():
    """A CMYK profile of inks that print darker and browner than the plain formula."""
    axes = np.meshgrid(*[np.linspace(0, 1, 5)] * 4, indexing="ij")
    c, m, y, k = (axis.reshape(-1, 1) for axis in axes)
    rgb = np.hstack([(1 - c) * (1 - k), (1 - m) * (1 - k), (1 - y) * (1 - k)])
    lab = rgb2lab(rgb**1.3 * [1, 0.9, 0.8])
    to_lab = np.clip(np.hstack([lab[:, :1] * 2.55, lab[:, 1:] + 128]), 0, 255).round()
    axes = np.meshgrid(*[np.linspace(0, 255, 17)] * 3, indexing="ij")
    lightness, a, b = (axis.reshape(-1, 1) for axis in axes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of colours that no screen shows
        rgb = lab2rgb(np.hstack([lightness / 2.55, a - 128, b - 128])) / [1, 0.9, 0.8]
    inks = 255 * (1 - np.clip(rgb, 0, 1) ** (1 / 1.3))
    to_inks = np.hstack([inks, np.zeros((len(inks), 1))]).round()
    text = b"test"
    tags = {
        b"desc": struct.pack(">4s4xI", b"desc", len(text) + 1) + text + bytes(79),
        b"wtpt": struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061),
        b"A2B0": _table(4, 3, 5, to_lab),
        b"B2A0": _table(3, 4, 17, to_inks),
    }
    place, directory, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        directory += struct.pack(">4sII", name, place + len(body), len(data))
        body += data
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x",
        place + len(body),
        0x02400000,
        b"prtr",
        b"CMYK",
        b"Lab ",
        b"acsp",
        63190,
        65536,
        54061,
    )
    return header[:128] + struct.pack(">I", len(tags)) + directory + body


def test_colour_space(press_profile):
    assert colour_space(press_profile) == "CMYK"
    assert colour_space(None) is None and colour_space(b"short") is None


def test_without_a_profile_pillow_decides():
    inks = np.random.default_rng(0).integers(0, 256, (5, 6, 4)).astype(np.uint8)
    expected = Image.frombytes("CMYK", (6, 5), inks.tobytes()).convert("RGB")
    np.testing.assert_array_equal(cmyk_to_rgb(inks, None), np.asarray(expected))
    assert cmyk_to_rgb(inks[:0], None).shape == (0, 6, 3)


def test_colours_go_through_the_profile_and_back(press_profile):
    inks = np.random.default_rng(0).integers(0, 200, (40, 4)).astype(np.uint8)
    managed, plain = cmyk_to_rgb(inks, press_profile), cmyk_to_rgb(inks, None)
    assert np.abs(managed.astype(int) - plain).mean() > 10
    back = cmyk_to_rgb(rgb_to_cmyk(managed, press_profile), press_profile)
    assert np.abs(back.astype(int) - managed).mean() < 6


@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_a_photo_with_a_profile(tmp_path, press_profile, suffix):
    inks = np.full((20, 30, 4), (40, 90, 120, 10), np.uint8)
    path, out = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    Image.frombytes("CMYK", (30, 20), inks.tobytes()).save(path, icc_profile=press_profile)
    photo = read_photo(path)
    hole = np.zeros((20, 30), bool)
    hole[:, 10:20] = True
    # filled with the colour that is around it: as it is shown, the hole must not be seen
    write_photo(photo.completed(photo.image, hole), out)
    again = read_photo(out)
    assert again.raster.mode == "CMYK" and again.raster.icc == press_profile
    assert np.abs(again.image.astype(int) - photo.image).max() < 12
    if suffix == ".tif":
        np.testing.assert_array_equal(again.raster.pixels[~hole], inks[~hole])
        notes = write_photo(photo, tmp_path / "c.png")
        shown = read_photo(tmp_path / "c.png")
        assert shown.raster.mode == "RGB" and shown.raster.icc is None
        np.testing.assert_array_equal(shown.image, photo.image)
        assert any("profile is for another colour space" in note for note in notes)
