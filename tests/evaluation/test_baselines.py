"""The baselines: they leave known pixels alone, and see nothing of the hole."""

import cv2
import numpy as np
import pytest

from keras_inpaint.evaluation.baselines import BASELINES, USUAL_BASELINES, check_baseline


@pytest.fixture
def hole():
    mask = np.zeros((96, 120), bool)
    mask[30:60, 40:80] = True
    mask[0:8, 100:120] = True
    return mask


CONTRIB = pytest.mark.skipif(not hasattr(cv2, "xphoto"), reason="needs OpenCV's contrib modules")
NAMES = [pytest.param(name, marks=() if name in USUAL_BASELINES else CONTRIB) for name in BASELINES]


@pytest.mark.parametrize("name", NAMES)
def test_known_pixels_stay_and_the_hole_is_not_seen(name, photo, hole):
    before, mask_before = photo.copy(), hole.copy()
    completed = BASELINES[name](photo, hole)
    assert completed.dtype == np.uint8 and completed.shape == photo.shape
    assert np.array_equal(completed[~hole], photo[~hole])
    assert np.array_equal(photo, before) and np.array_equal(hole, mask_before)
    other = photo.copy()
    other[hole] = np.random.default_rng(0).integers(0, 256, (hole.sum(), 3))
    assert np.array_equal(BASELINES[name](other, hole), completed)


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_photo_is_completed_plainly(name, hole):
    plain = np.full((96, 120, 3), (30, 200, 90), np.uint8)
    error = np.abs(BASELINES[name](plain, hole).astype(int) - plain)
    if name == "fsr":  # OpenCV leaves a hole in a corner black
        error = error[20:]
    # OpenCV's fast marching wavers a little, and its frequencies are rounded.
    assert error.max() <= {"telea": 4, "fsr": 1}.get(name, 0)


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


@pytest.mark.skipif(hasattr(cv2, "xphoto"), reason="OpenCV's contrib modules are there")
@pytest.mark.parametrize("name", ["fsr", "shift-map"])
def test_what_a_baseline_needs_is_told(name):
    with pytest.raises(RuntimeError, match="pip install opencv-contrib-python-headless"):
        check_baseline(name)
