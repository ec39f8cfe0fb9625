"""The protocol's holes: fixed for ever, and where they should be."""

import hashlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from keras_inpaint.evaluation.masks import FixedMasks, joint_hash, mask_hash

GOLDEN = [
    ("center:40", 160, "c2b728b173f8baab"),
    ("box", 160, "a4adfa20466b741c"),
    ("box", 256, "a9d0283cc958db60"),
    ("rectangles", 160, "eb24790a4aeed685"),
    ("rectangles:96-128", 256, "dfdc217f1aa241b5"),
    ("strokes", 160, "49bdbde77e87ab16"),
]


@pytest.mark.parametrize(("spec", "size", "digest"), GOLDEN)
def test_the_same_holes_for_ever(spec, size, digest):
    assert joint_hash([mask_hash(mask) for mask in FixedMasks(spec, 8, size, 0)])[:16] == digest


def test_hash_is_what_the_documentation_says():
    mask = np.array([[True, False, True], [False, False, True]])
    expected = hashlib.sha256(b"2x3:" + bytes([1, 0, 1, 0, 0, 1])).hexdigest()[:16]
    assert mask_hash(mask) == expected == "6007e78bdcd1ee8c"
    assert mask_hash(mask) != mask_hash(mask.T)
    assert mask_hash(mask.reshape(3, 2)) != mask_hash(mask)


@pytest.mark.parametrize("spec", ["box", "rectangles", "strokes"])
def test_a_mask_depends_on_seed_and_number_alone(spec):
    few, many, other = (FixedMasks(spec, n, 96, s) for n, s in ((3, 0), (9, 0), (9, 1)))
    assert all(np.array_equal(few[i], many[i]) for i in range(3))
    assert any(not np.array_equal(many[i], other[i]) for i in range(9))
    assert len({mask_hash(mask) for mask in many}) > 1
    with pytest.raises(IndexError):
        few[3]


def test_center():
    mask = FixedMasks("center:40", 1)[0]
    assert mask.shape == (160, 160) and mask.sum() == 1600
    assert mask[60:100, 60:100].all()


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(16, 300))
def test_box_is_half_the_side_and_off_the_edges(seed, size):
    mask = FixedMasks("box", 1, size, seed)[0]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    margin = size * 20 // 256
    for places in (rows, columns):
        assert len(places) == size // 2 == places[-1] - places[0] + 1
        assert places[0] >= margin and places[-1] < size - margin
    assert mask.sum() == (size // 2) ** 2


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_rectangles_have_the_sides_asked_for(seed):
    for spec, low, high in (("rectangles", 48, 96), ("rectangles:20-31", 20, 31)):
        mask = FixedMasks(spec, 1, 160, seed)[0]
        height, width = int(mask.any(1).sum()), int(mask.any(0).sum())
        assert low <= height <= high and low <= width <= high
        assert mask.sum() == height * width


def test_rectangles_reach_every_edge_and_side():
    masks = list(FixedMasks("rectangles:10-12", 400, 40))
    assert {int(mask.any(1).sum()) for mask in masks} == {10, 11, 12}
    union = np.any(masks, axis=0)
    assert union[0].any() and union[-1].any() and union[:, 0].any() and union[:, -1].any()


def test_strokes_cover_the_share_asked_for():
    for mask in FixedMasks("strokes:10-12", 20, 128):
        assert 0.1 <= mask.mean() < 0.25


def test_strokes_cover_the_share_drawn():
    areas = np.array([mask.mean() for mask in FixedMasks("strokes", 150, 96)])
    assert areas.min() >= 0.05 and areas.max() < 0.62
    assert np.percentile(areas, 10) < 0.15 and np.percentile(areas, 90) > 0.4


def test_strokes_are_round_brush_strokes():
    mask = next(iter(FixedMasks("strokes", 1, 256, 3))).astype(np.uint8)
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    inner = cv2.copyMakeBorder(mask, 8, 8, 8, 8, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(inner, cv2.MORPH_OPEN, brush)[8:-8, 8:-8]
    assert (opened != mask).mean() < 0.01


@pytest.fixture
def mask_folder(tmp_path):
    root = tmp_path / "holes"
    root.mkdir()
    for number in range(5):
        pixels = np.zeros((64, 96), np.uint8)
        pixels[10 : 20 + number, 30:50] = 255
        Image.fromarray(pixels).convert("1" if number % 2 else "L").save(root / f"{number}.png")
    return root


def test_folder_is_shuffled_by_the_seed_and_cycled(mask_folder):
    masks = FixedMasks(mask_folder, 12, 64, 0)
    files = [masks.file_of(i) for i in range(12)]
    assert sorted(files[:5]) == [f"{i}.png" for i in range(5)]
    assert files[5:10] == files[:5] and files[10:] == files[:2]
    assert [FixedMasks(mask_folder, 3, 64, 0).file_of(i) for i in range(3)] == files[:3]
    orders = {
        tuple(FixedMasks(mask_folder, 5, 64, s).file_of(i) for i in range(5)) for s in range(1, 5)
    }
    assert masks.name == "folder:holes"
    assert len(orders) > 1
    for i in range(5):
        assert masks[i].sum() == (10 + int(files[i][0])) * 20


def test_folder_masks_are_resized_without_mixing_and_cropped_like_photos(mask_folder):
    mask = FixedMasks(mask_folder, 1, 128, 0)[0]
    assert mask.shape == (128, 128) and mask.dtype == bool
    number = int(FixedMasks(mask_folder, 1, 128, 0).file_of(0)[0])
    assert mask[20 : 40 + 2 * number, 28:68].all()
    assert mask.sum() == 4 * (10 + number) * 20


def test_mask_files_that_cannot_be_used(tmp_path):
    with pytest.raises(ValueError, match="no mask in"):
        FixedMasks(tmp_path, 1, 64)
    for value, what in ((0, "no hole"), (255, "only a hole")):
        Image.new("L", (64, 64), value).save(tmp_path / "m.png")
        with pytest.raises(ValueError, match=rf"m\.png has {what}"):
            FixedMasks(tmp_path, 1, 64)[0]
    (tmp_path / "m.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"cannot read mask .*m\.png"):
        FixedMasks(tmp_path, 1, 64)[0]


@pytest.mark.parametrize(
    "spec",
    [
        *("circle", "", "box:3", "strokes:2", "strokes:9-8", "strokes:5-95", "nowhere/"),
        *("center", "center:0", "center:x", "center:-4", "center:160"),
        *("rectangles:9-5", "rectangles:5", "rectangles:10-160"),
    ],
)
def test_unknown_specs(spec):
    with pytest.raises(ValueError, match="masks"):
        FixedMasks(spec, 1, 160)


def test_negative_seed():
    with pytest.raises(ValueError, match="-2"):
        FixedMasks("box", 1, 160, -2)
