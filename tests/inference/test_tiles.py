import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_inpaint.inference.tiles import (
    Box,
    cut,
    hole_boxes,
    hole_groups,
    merged,
    padded_size,
    plan,
    split,
    tightened,
)

HALO = 152


@st.composite
def masks(draw):
    height, width = draw(st.integers(1, 900)), draw(st.integers(1, 900))
    mask = np.zeros((height, width), bool)
    for _ in range(draw(st.integers(0, 6))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        tall, wide = draw(st.integers(1, 300)), draw(st.integers(1, 300))
        mask[top : top + tall, left : left + wide] = True
    return mask


@settings(max_examples=60, deadline=None)
@given(masks(), st.sampled_from([340 * 340, 512 * 512, 1024 * 1024, None]))
def test_a_plan_covers_every_hole_with_all_that_the_network_sees(mask, max_pixels):
    size = padded_size(mask.shape)
    covered = np.zeros(size, bool)
    for tile in plan(mask, HALO, max_pixels):
        outer, inner = tile.outer, tile.inner
        assert all(side % 4 == 0 for side in (*outer, *inner))
        assert max_pixels is None or outer.area <= max_pixels
        for low, outer_low in ((inner.top, outer.top), (inner.left, outer.left)):
            assert outer_low == 0 or low - outer_low >= HALO
        for high, outer_high, end in (
            (inner.bottom, outer.bottom, size[0]),
            (inner.right, outer.right, size[1]),
        ):
            assert outer_high == end or outer_high - high >= HALO
        assert mask[inner.slices].any()
        covered[inner.slices] = True
    assert covered[: mask.shape[0], : mask.shape[1]][mask].all()


@settings(max_examples=40, deadline=None)
@given(masks())
def test_each_hole_pixel_belongs_to_one_group(mask):
    count = np.zeros(mask.shape, int)
    for box, own in hole_groups(mask):
        assert own.shape == (box.height, box.width)
        assert own.any(axis=0)[[0, -1]].all() and own.any(axis=1)[[0, -1]].all()
        count[box.slices] += own
    np.testing.assert_array_equal(count, mask)


def test_no_hole_needs_nothing():
    mask = np.zeros((50, 60), bool)
    assert plan(mask, HALO, 10**6) == [] and plan(mask, HALO) == []
    assert hole_boxes(mask) == []
    assert tightened(mask, Box(0, 0, 50, 60)) is None


def test_the_work_follows_the_holes_and_not_the_photo():
    mask = np.zeros((4000, 6000), bool)
    for i in range(10):
        mask[300 * i + 200 : 300 * i + 300, 500 * i + 300 : 500 * i + 400] = True
    tiles = plan(mask, HALO, 768 * 768)
    assert len(tiles) == 10
    assert sum(tile.outer.area for tile in tiles) <= 10 * 408 * 408
    small = np.zeros((1000, 1500), bool)
    small[200:300, 300:400] = True
    assert sum(tile.outer.area for tile in plan(small, HALO, 768 * 768)) <= 408 * 408


def test_close_holes_share_a_crop_and_far_ones_do_not():
    near = [Box(1000, 1000, 1100, 1100), Box(1000, 1150, 1100, 1250)]
    far = [Box(1000, 1000, 1100, 1100), Box(2000, 3000, 2100, 3100)]
    assert merged(near, HALO, (4000, 6000), 768 * 768) == [Box(1000, 1000, 1100, 1250)]
    assert merged(far, HALO, (4000, 6000), 10**9) == far


def test_thousands_of_specks_are_planned_at_once():
    mask = np.zeros((4000, 6000), bool)
    mask[20::80, 20::80] = True
    tiles = plan(mask, HALO, 768 * 768)
    assert sum(tile.outer.area for tile in tiles) < 6 * mask.size


def test_split_covers_a_box_without_overlap():
    box = Box(4, 8, 2404, 3208)
    count = np.zeros((4000, 4000), int)
    for part in split(box, HALO, (4000, 4000), 600 * 600):
        count[part.slices] += 1
        assert (part.height + 2 * HALO) * (part.width + 2 * HALO) <= 600 * 600
    assert (count[box.slices] == 1).all() and count.sum() == box.area


def test_tiles_without_room_for_the_halo_are_refused():
    with pytest.raises(ValueError, match="320 per side"):
        plan(np.ones((9, 9), bool), HALO, 300 * 300)


def test_cut_mirrors_beyond_the_border():
    image = np.arange(5 * 6 * 3).reshape(5, 6, 3)
    part = cut(image, Box(0, 4, 8, 8))
    np.testing.assert_array_equal(part[:5, :2], image[:, 4:])
    np.testing.assert_array_equal(part[5], part[3])
    np.testing.assert_array_equal(part[6], part[2])
    assert np.shares_memory(cut(image, Box(1, 1, 4, 5)), image)
    one = cut(np.full((1, 1), True), Box(0, 0, 4, 4))
    assert one.shape == (4, 4) and one.all()
