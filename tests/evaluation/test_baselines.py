"""The baselines: they leave known pixels alone, and see nothing of the hole."""

import numpy as np
import pytest

from keras_inpaint.evaluation.baselines import BASELINES


@pytest.fixture
def hole():
    mask = np.zeros((96, 120), bool)
    mask[30:60, 40:80] = True
    mask[0:8, 100:120] = True
    return mask


@pytest.mark.parametrize("name", BASELINES)
def test_known_pixels_stay_and_the_hole_is_not_seen(name, photo, hole):
    before, mask_before = photo.copy(), hole.copy()
    completed = BASELINES[name](photo, hole)
    assert completed.dtype == np.uint8 and completed.shape == photo.shape
    assert np.array_equal(completed[~hole], photo[~hole])
    assert np.array_equal(photo, before) and np.array_equal(hole, mask_before)
    other = photo.copy()
    other[hole] = np.random.default_rng(0).integers(0, 256, (hole.sum(), 3))
    assert np.array_equal(BASELINES[name](other, hole), completed)


@pytest.mark.parametrize("name", BASELINES)
def test_a_plain_photo_is_completed_plainly(name, hole):
    plain = np.full((96, 120, 3), (30, 200, 90), np.uint8)
    error = np.abs(BASELINES[name](plain, hole).astype(int) - plain)
    assert error.max() <= (4 if name == "telea" else 0)  # OpenCV's fast marching wavers a little


@pytest.mark.parametrize("name", ["telea", "navier-stokes", "biharmonic"])
def test_a_gradient_is_continued_better_than_by_the_mean(name, photo, hole):
    smooth = np.mgrid[0:96, 0:120][1][..., None].repeat(3, 2).astype(np.uint8) * 2
    errors = {
        key: np.abs(BASELINES[key](smooth, hole).astype(int) - smooth)[hole].mean()
        for key in (name, "mean-pixel")
    }
    assert errors[name] < 0.5 * errors["mean-pixel"]


def test_mean_pixel_is_rounded():
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, 0] = (10, 255, 1)
    image[0, 1] = (11, 255, 1)
    image[1, 0] = (11, 254, 2)
    mask = np.array([[False, False], [False, True]])
    assert BASELINES["mean-pixel"](image, mask)[1, 1].tolist() == [11, 255, 1]
