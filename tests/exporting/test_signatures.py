import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_inpaint.exporting import signatures


@pytest.mark.parametrize("height", range(1, 10))
def test_padding_is_numpys_reflection(height):
    width = height * 7 % 11 + 1
    values = np.arange(2 * height * width * 3, dtype=np.float32).reshape(2, height, width, 3)
    wanted = np.pad(values, ((0, 0), (0, -height % 4), (0, -width % 4), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(signatures.pad_to_multiple(tf.constant(values)), wanted)


def test_bytes_are_rounded_half_to_even_and_clipped():
    values = tf.constant([0.0, 0.5 / 255, 1.5 / 255, 2.5 / 255, 254.5 / 255, 1.0, 1.1, -0.1])
    np.testing.assert_array_equal(signatures.to_uint8(values), [0, 0, 2, 2, 254, 255, 255, 0])


def picture(mode):
    rng = np.random.default_rng(1)
    smooth = cv2.resize(rng.integers(0, 256, (7, 9, 4), np.uint8), (45, 35))
    bands = {"L": 0, "LA": [0, 3], "RGB": [0, 1, 2], "RGBA": [0, 1, 2, 3]}
    if mode in bands:
        return Image.fromarray(smooth[..., bands[mode]], mode)
    return Image.fromarray(smooth[..., :3]).convert(mode)


@pytest.mark.parametrize("mode", ("L", "LA", "RGB", "RGBA", "P", "1"))
def test_png_of_every_mode_is_decoded_as_pillow_does(mode):
    image, stream = picture(mode), io.BytesIO()
    image.save(stream, "PNG")
    wanted = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(signatures.decode_photo(stream.getvalue()), wanted)


@pytest.mark.parametrize(
    "options", ({}, {"quality": 40}, {"progressive": True}, {"subsampling": 0})
)
@pytest.mark.parametrize("mode", ("L", "RGB"))
def test_jpeg_is_decoded_as_pillow_does(mode, options):
    stream = io.BytesIO()
    picture(mode).save(stream, "JPEG", **options)
    wanted = np.asarray(Image.open(stream).convert("RGB"))
    np.testing.assert_array_equal(signatures.decode_photo(stream.getvalue()), wanted)


@pytest.mark.parametrize("channels", (1, 3, 4))
def test_sixteen_bits_are_rounded_to_eight(channels):
    deep = np.random.default_rng(2).integers(0, 65536, (12, 10, channels), np.uint16)
    contents = cv2.imencode(".png", deep)[1].tobytes()
    wanted = np.rint(deep / 257).astype(np.uint8)
    wanted = np.repeat(wanted, 3, -1) if channels == 1 else wanted[..., 2::-1]
    np.testing.assert_array_equal(signatures.decode_photo(contents), wanted)


@pytest.mark.parametrize("format", ("BMP", "GIF"))
def test_other_formats(format):
    stream = io.BytesIO()
    picture("P").convert("P" if format == "GIF" else "RGB").save(stream, format)
    wanted = np.asarray(Image.open(stream).convert("RGB"))
    np.testing.assert_array_equal(signatures.decode_photo(stream.getvalue()), wanted)


def test_a_mask_is_cut_at_half_of_white(encode):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    hole = signatures.decode_mask(encode(grey))
    assert hole.shape == (16, 16, 1)
    np.testing.assert_array_equal(hole[..., 0], grey >= 128)


def test_a_mask_of_zeros_and_ones_is_black_and_white(encode):
    values = np.eye(8, dtype=np.uint8)
    np.testing.assert_array_equal(signatures.decode_mask(encode(values))[..., 0], values == 1)


def test_what_is_transparent_in_a_mask_is_not_painted(encode):
    pixels = np.full((4, 6, 4), 255, np.uint8)
    pixels[:, :3, 3] = 0
    hole = signatures.decode_mask(encode(pixels)).numpy()[..., 0]
    assert not hole[:, :3].any() and hole[:, 3:].all()


def test_an_empty_mask_is_no_hole(encode):
    assert not signatures.decode_mask(encode(np.zeros((4, 4), np.uint8))).numpy().any()
