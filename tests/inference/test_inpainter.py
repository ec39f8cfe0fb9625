import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_inpaint as ki
from keras_inpaint.inference.runtime import Runtime
from keras_inpaint.networks.receptive_field import ReceptiveField


class _Counting(Runtime):
    """Answers a mix of what it is shown, and keeps count of the pixels; costs nothing."""

    name = "counting"
    reach = ReceptiveField()

    def __init__(self):
        self.pixels = 0

    def generate(self, image, mask):
        self.pixels += mask.size
        assert image.dtype == np.uint8 and mask.dtype == bool
        assert mask.shape == image.shape[:3] and all(side % 4 == 0 for side in mask.shape[1:])
        known = np.where(mask[..., None], 0, image).mean(axis=(1, 2), keepdims=True) / 255
        return np.broadcast_to(known, image.shape).astype(np.float32)


@st.composite
def photos_with_holes(draw):
    height, width = draw(st.integers(1, 700)), draw(st.integers(1, 700))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.sampled_from(["box", "row", "column", "pixel", "dust", "all but one"]))
        top, left = int(rng.integers(height)), int(rng.integers(width))
        if kind == "box":
            tall, wide = rng.integers(1, 301, 2)
            mask[top : top + tall, left : left + wide] = rng.integers(1, 256)
        elif kind == "row":
            mask[top] = 255
        elif kind == "column":
            mask[:, left] = 1
        elif kind == "pixel":
            mask[top, left] = 128
        elif kind == "dust":
            mask[rng.random((height, width)) < 0.01] = 255
        else:
            mask[:] = 255
            mask[top, left] = 0
    return image, mask


@settings(max_examples=60, deadline=None)
@given(photos_with_holes(), st.sampled_from(["none", "feather", "poisson"]))
def test_whatever_the_size_and_the_holes(photo_and_mask, method):
    image, mask = photo_and_mask
    before = image.copy(), mask.copy()
    completed = ki.Inpainter(_Counting(), blend=method)(image, mask)
    assert completed.dtype == np.uint8 and completed.shape == image.shape
    np.testing.assert_array_equal(completed[mask == 0], image[mask == 0])
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])
    assert not np.shares_memory(completed, image)


@settings(max_examples=8, deadline=None)
@given(photos_with_holes(), st.sampled_from(["keras", "litert", "fixed"]))
def test_the_same_with_a_real_network(model_forms, photo_and_mask, form):
    image, mask = photo_and_mask
    complete = _inpainter(model_forms[form])
    completed = complete(image[:300, :300], mask[:300, :300])
    known = mask[:300, :300] == 0
    np.testing.assert_array_equal(completed[known], image[:300, :300][known])
    assert completed.shape == image[:300, :300].shape


_LOADED = {}


def _inpainter(path):
    return _LOADED.setdefault(path, ki.Inpainter(path))


def test_the_network_fills_the_hole(tiny_network, model_forms, photo):
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[20:60, 30:80] = 255
    completed = ki.Inpainter(model_forms["keras"], blend="none")(photo, mask)
    generated = tiny_network(
        {
            "image": photo[None].astype("float32") / 255,
            "mask": (mask[None, ..., None] > 0).astype("float32"),
        }
    ).numpy()[0]
    expected = np.rint(generated[mask > 0] * 255)
    assert np.abs(completed[mask > 0] - expected).max() <= 1


@pytest.mark.parametrize("form", ["keras", "litert"])
def test_how_much_is_computed_at_once_does_not_matter(
    form, model_forms, large_photo, awkward_holes
):
    results = [
        ki.Inpainter(model_forms[form], max_pixels=side * side)(large_photo, awkward_holes)
        for side in (340, 2000)
    ]
    assert np.abs(results[0].astype(int) - results[1]).max() <= (0 if form == "litert" else 1)


def test_a_batch_is_one_call(model_forms, photo):
    complete = _inpainter(model_forms["keras"])
    images = np.stack([photo, photo[::-1], photo[:, ::-1]])
    masks = np.zeros(images.shape[:3], bool)
    masks[0, 10:30, 10:30] = masks[1, 80:, 100:] = True
    together = complete(images, masks)
    for image, mask, completed in zip(images, masks, together, strict=True):
        difference = complete(image, mask).astype(int) - completed
        assert np.abs(difference).max() <= 1
    np.testing.assert_array_equal(together[2], images[2])
    np.testing.assert_array_equal(complete(images, masks[..., None]), together)
    np.testing.assert_array_equal(
        complete(images, masks[0]), complete(images, np.stack([masks[0]] * 3))
    )
    assert complete(images[:0], masks[:0]).shape == (0, *photo.shape)


def test_no_hole_gives_a_copy_and_computes_nothing(photo):
    runtime = _Counting()
    completed = ki.Inpainter(runtime, blend="poisson")(photo, np.zeros(photo.shape[:2], bool))
    np.testing.assert_array_equal(completed, photo)
    assert not np.shares_memory(completed, photo) and runtime.pixels == 0


def test_read_only_arrays_and_views_will_do(model_forms, photo):
    image = photo[:, ::-1]
    image.setflags(write=False)
    mask = np.zeros((photo.shape[1], photo.shape[0]), np.uint8).T
    mask[5:9, 5:9] = 3
    mask.setflags(write=False)
    completed = _inpainter(model_forms["litert"])(image, mask)
    np.testing.assert_array_equal(completed[mask == 0], image[mask == 0])
    assert completed.flags.writeable


def test_the_work_follows_the_holes():
    work = []
    for size in ((1000, 1500), (4000, 6000)):
        image, mask = np.zeros((*size, 3), np.uint8), np.zeros(size, bool)
        for i in range(10):
            top, left = 80 + 85 * i, 100 + 130 * i
            mask[top : top + 100, left : left + 100] = True
        runtime = _Counting()
        ki.Inpainter(runtime)(image, mask)
        work.append(runtime.pixels)
    assert work[1] < 1.5 * work[0]


def test_wide_holes_are_completed_coarse_to_fine_with_a_warning(caplog):
    image = np.full((500, 500, 3), 200, np.uint8)
    mask = np.zeros((500, 500), bool)
    mask[60:440, 60:440] = True
    runtime = _Counting()
    completed = ki.Inpainter(runtime)(image, mask)
    assert "190 px" in caplog.text and caplog.records[0].levelno == logging.WARNING
    np.testing.assert_array_equal(completed[~mask], image[~mask])
    with pytest.raises(ValueError, match="190 px"):
        ki.Inpainter(runtime, coarse="off")(image, mask)
    narrow = mask.copy()
    narrow[240:260] = False
    ki.Inpainter(runtime, coarse="off")(image, narrow)


def test_a_photo_of_nothing_but_hole_is_filled(model_forms):
    image = np.zeros((90, 400, 3), np.uint8)
    completed = _inpainter(model_forms["litert"])(image, np.ones((90, 400), bool))
    assert completed.any()


@pytest.mark.parametrize(
    ("image", "mask", "error", "message"),
    [
        (np.zeros((8, 8, 3)), np.zeros((8, 8), bool), TypeError, "float64"),
        ([[1]], np.zeros((8, 8), bool), TypeError, "list"),
        (np.zeros((8, 8, 3), "u1"), np.zeros((8, 8)), TypeError, "mask .*float64"),
        (np.zeros((8, 8), "u1"), np.zeros((8, 8), bool), ValueError, r"\(8, 8\)"),
        (np.zeros((8, 8, 4), "u1"), np.zeros((8, 8), bool), ValueError, r"\(8, 8, 4\)"),
        (np.zeros((0, 8, 3), "u1"), np.zeros((0, 8), bool), ValueError, r"\(0, 8, 3\)"),
        (np.zeros((8, 8, 3), "u1"), np.zeros((8, 9), bool), ValueError, r"8 x 8.*\(8, 9\)"),
        (np.zeros((2, 8, 8, 3), "u1"), np.zeros((3, 8, 8), bool), ValueError, r"\(3, 8, 8\)"),
        (np.zeros((8, 8, 3), "u1"), np.zeros((8, 8, 3), bool), ValueError, r"\(8, 8, 3\)"),
    ],
)
def test_wrong_arrays_are_refused_with_what_came(image, mask, error, message):
    with pytest.raises(error, match=message):
        ki.Inpainter(_Counting())(image, mask)


@pytest.mark.parametrize(
    "setting", [{"blend": "smooth"}, {"coarse": "on"}, {"max_pixels": 0}, {"runtime": "gpu"}]
)
def test_wrong_settings_are_refused_with_what_came(setting):
    (value,) = setting.values()
    with pytest.raises(ValueError, match=repr(value)):
        ki.Inpainter("faces", **setting)


def test_tiles_too_small_for_the_network_are_refused():
    with pytest.raises(ValueError, match="320 per side"):
        ki.Inpainter(_Counting(), max_pixels=1000)(
            np.zeros((400, 400, 3), np.uint8), np.ones((400, 400), bool)
        )
