import numpy as np
import pytest

from keras_inpaint.inference.probes import hole_width, probe_shapes, probe_squares
from keras_inpaint.inference.tiles import Box

BOX = Box(200, 230, 240, 280)


def photo_mask():
    """A hole in `BOX`, and another one that is in the way of probes."""
    mask = np.zeros((448, 512), bool)
    mask[BOX.slices] = mask[250:255, 100:400] = True
    return mask


def test_width_of_a_hole():
    own = np.zeros((50, 200), bool)
    own[10:40] = True
    assert hole_width(own) == 30
    assert hole_width(np.ones((9, 9), bool)) == 10


@pytest.mark.parametrize("scale", [1, 2])
def test_squares_lie_on_known_pixels_around_the_hole(scale):
    mask = photo_mask()
    crop, passes = probe_squares(mask, BOX, scale)
    assert len(passes) == 2
    for places in passes:
        assert {np.count_nonzero(place) for place in places} == {(32 * scale) ** 2}
        assert np.add.reduce(places, dtype=int).max() == 1
        assert not (mask[crop.slices] & np.logical_or.reduce(places)).any()


def test_no_square_where_nothing_is_known():
    assert probe_squares(np.ones((448, 512), bool), BOX, 1)[1] == []


def test_shapes_lie_beside_the_hole_and_not_on_each_other():
    mask = photo_mask()
    own = np.ones((BOX.height, BOX.width), bool)
    crop, probes = probe_shapes(mask, BOX, own, 1)
    assert len(probes) == 4
    assert np.add.reduce(probes, dtype=int).max() == 1
    assert not (mask[crop.slices] & np.logical_or.reduce(probes)).any()
    sizes = [np.count_nonzero(probe) for probe in probes]
    assert sizes[0] == sizes[2] == sizes[3] == own.size
    assert own.size / 2 <= sizes[1] < own.size  # below, the other hole is in the way


def test_of_a_long_hole_a_part_is_probed_and_what_leaves_the_photo_is_cut_off():
    mask = np.zeros((60, 900), bool)
    mask[:8] = True
    crop, probes = probe_shapes(mask, Box(0, 0, 8, 900), mask[:8], 1)
    assert crop.width < 300
    (below,) = probes
    assert not (mask[crop.slices] & below).any()
    assert np.count_nonzero(below) == 8 * 96
