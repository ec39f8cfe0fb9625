import numpy as np
import pytest

from keras_inpaint.inference.coarse_to_fine import fill_coarse_to_fine, hole_radius, widest
from keras_inpaint.inference.runtime import Runtime
from keras_inpaint.networks.receptive_field import ReceptiveField


class _NearestKnown(Runtime):
    """Gives the mean of the known pixels that a hole pixel's crop shows, a shade too dark."""

    name = "nearest"
    reach = ReceptiveField()

    def generate(self, image, mask):
        known = ~mask[..., None]
        mean = (image * known).sum((1, 2), keepdims=True) / np.maximum(
            known.sum((1, 2), keepdims=True), 1
        )
        return np.broadcast_to((mean - 12) / 255, image.shape).astype(np.float32)


def _square(size, side):
    mask = np.zeros((size, size), bool)
    start = (size - side) // 2
    mask[start : start + side, start : start + side] = True
    return mask


@pytest.mark.parametrize(("side", "expected"), [(1, 1), (2, 1), (303, 152), (400, 200)])
def test_depth_of_a_square(side, expected):
    assert hole_radius(_square(500, side)) == expected


def test_depth_counts_from_known_pixels_and_not_from_the_border():
    mask = np.zeros((100, 300), bool)
    mask[:, 100:] = True
    assert hole_radius(mask) == 200
    assert hole_radius(np.ones((100, 300), bool)) == 300
    assert hole_radius(np.zeros((100, 300), bool)) == 0


def test_a_long_scratch_is_not_deep():
    mask = np.zeros((2000, 2000), bool)
    mask[1000:1006] = True
    assert hole_radius(mask) == 3


def test_from_which_depth_on_a_hole_is_too_wide():
    runtime = _NearestKnown()
    assert widest(runtime) == 151
    runtime.fixed_sizes = ((128, 128), (256, 320))
    assert widest(runtime) == 64


def test_wide_holes_are_filled_and_narrow_ones_left():
    image = np.full((700, 900, 3), 180, np.uint8)
    mask = np.zeros((700, 900), bool)
    mask[100:460, 100:460] = mask[600:640, 800:840] = True
    damaged = image.copy()
    damaged[mask] = 0
    filled = damaged.copy()
    left = fill_coarse_to_fine(_NearestKnown(), filled, mask, 640 * 640)
    np.testing.assert_array_equal(np.flatnonzero(left.any(0))[[0, -1]], [800, 839])
    np.testing.assert_array_equal(filled[~mask], image[~mask])
    np.testing.assert_array_equal(filled[left], damaged[left])
    wide = mask & ~left
    assert np.abs(filled[wide].astype(int) - 180).max() <= 12


def test_colours_do_not_drift_towards_the_middle():
    """Every ring is made from the ones before: an error must not add up on the way in."""
    image = np.full((900, 900, 3), 200, np.uint8)
    mask = _square(900, 600)
    filled = image.copy()
    filled[mask] = 0
    fill_coarse_to_fine(_NearestKnown(), filled, mask, 640 * 640)
    assert np.abs(filled[440:460, 440:460].astype(int) - 200).max() <= 16


def test_nothing_but_hole():
    image = np.zeros((400, 500, 3), np.uint8)
    left = fill_coarse_to_fine(_NearestKnown(), image, np.ones((400, 500), bool), 640 * 640)
    assert not left.any()
