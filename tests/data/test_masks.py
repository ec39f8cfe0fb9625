"""Holes lie inside, have the area asked for, and 1 is the hole."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_inpaint.data import mask_specs, masks
from keras_inpaint.data.masks import mask_sampler

SIZE = 64


def draw(sampler, count=40, size=SIZE):
    run = tf.function(lambda seed: sampler(seed, size))
    return np.stack([run(tf.constant([5, i])).numpy() for i in range(count)])


def box_of(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def test_rectangles_are_full_boxes_with_sides_in_the_range():
    drawn = draw(masks.rectangles((10, 20)), 200)[..., 0]
    sides = []
    for mask in drawn:
        top, bottom, left, right = box_of(mask)
        assert mask[top:bottom, left:right].all()
        assert mask.sum() == (bottom - top) * (right - left)
        sides += [bottom - top, right - left]
    assert min(sides) == 10 and max(sides) == 20
    tops = [box_of(m)[0] for m in drawn]
    assert min(tops) < 5 and max(tops) > 40, "holes reach every part of the image"


def test_several_rectangles_each_number_as_likely():
    drawn = draw(mask_sampler("rectangles:6-8x3"), 150)[..., 0]
    areas = drawn.sum(axis=(1, 2))
    assert areas.min() >= 36 and areas.max() <= 3 * 64
    for low, high in ((36, 64), (65, 128), (129, 192)):
        assert 25 < ((areas >= low) & (areas <= high)).sum() < 75
    one = draw(masks.rectangles((6, 8), most=1), 20)
    np.testing.assert_array_equal(one, draw(mask_sampler("rectangles:6-8"), 20))
    with pytest.raises(ValueError, match="rectangles:6-8x0"):
        mask_sampler("rectangles:6-8x0")


@pytest.mark.parametrize(
    ("size", "patch", "sides"), [(256, 128, (96, 128)), (160, 96, (48, 96)), (64, 36, (19, 36))]
)
def test_the_papers_ranges_by_size(size, patch, sides):
    assert mask_specs.default_patch_size(size) == patch
    assert mask_specs.default_rectangle_sides(size) == sides


def test_strokes_have_the_area_asked_for():
    drawn = draw(masks.strokes((0.1, 0.3)))
    areas = drawn.mean(axis=(1, 2, 3))
    assert areas.min() >= 0.1 - 1 / SIZE**2
    assert areas.max() <= 0.3 + 0.01
    assert areas.std() > 0.02
    assert set(np.unique(drawn)) == {0.0, 1.0}


@pytest.mark.parametrize("spec", ["rectangles", "rectangles:x4", "strokes", "mixed", "center:20"])
def test_the_same_seed_gives_the_same_hole_and_none_is_empty(spec):
    first, second = draw(mask_sampler(spec), 12), draw(mask_sampler(spec), 12)
    np.testing.assert_array_equal(first, second)
    assert (first.sum(axis=(1, 2, 3)) > 0).all()
    if spec != "center:20":
        assert len({mask.tobytes() for mask in first}) == 12


@pytest.mark.parametrize("spec", ["rectangles", "strokes:2-60", "mixed"])
@pytest.mark.parametrize("patch", [36, 48])
def test_the_patch_is_centred_on_the_holes_box_and_inside_the_image(spec, patch):
    for mask in draw(mask_sampler(spec), 30):
        top, left = masks.patch_origin(tf.constant(mask), patch).numpy()
        box = box_of(mask[..., 0])
        for start, low, high in ((top, *box[:2]), (left, *box[2:])):
            assert start == np.clip((low + high - patch) // 2, 0, SIZE - patch)
            if high - low <= patch:
                assert start <= low and high <= start + patch


def test_mask_files_are_read_white_as_the_hole_and_bad_ones_named(tmp_path, caplog):
    (tmp_path / "deep").mkdir()
    hole = np.zeros((100, 80), "uint8")
    hole[10:40, 10:50] = 255
    Image.fromarray(hole).save(tmp_path / "deep" / "a.png")
    Image.fromarray(hole * 0).save(tmp_path / "empty.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    drawn = draw(mask_sampler(str(tmp_path)), 60)
    np.testing.assert_allclose(drawn.mean(axis=(1, 2, 3)), 0.15, atol=0.02)
    assert len({mask.tobytes() for mask in drawn}) == 8, "four turns, each also mirrored"
    assert "empty.png: no hole" in caplog.text and "broken.png" in caplog.text


def test_a_hairline_in_a_mask_file_survives_the_reduction(tmp_path):
    hole = np.zeros((640, 640), "uint8")
    hole[300, 200:400] = 255
    Image.fromarray(hole).save(tmp_path / "line.png")
    assert (draw(masks.mask_files(tmp_path), 8).sum(axis=(1, 2, 3)) >= 10).all()


def test_mixed_takes_each_in_its_proportion():
    sampler = masks.mixed([masks.center(2), masks.center(4)], [3, 1])
    areas = draw(sampler, 200).sum(axis=(1, 2, 3))
    assert set(areas) == {4.0, 16.0}
    assert 0.65 < (areas == 4).mean() < 0.85


def test_joined_words_are_drawn_as_likely():
    areas = draw(mask_sampler("center:2+rectangles:6-6+center:4"), 300).sum(axis=(1, 2, 3))
    for area in (4.0, 36.0, 16.0):
        assert 70 < (areas == area).sum() < 130
    together = draw(mask_sampler("rectangles+strokes"), 12)
    np.testing.assert_array_equal(together, draw(mask_sampler("mixed"), 12))


def test_a_folder_without_masks_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no mask in"):
        masks.mask_files(tmp_path)
    with pytest.raises(FileNotFoundError, match="folder of masks"):
        masks.mask_files(tmp_path / "missing")
