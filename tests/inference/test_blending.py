import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_inpaint.inference import blending
from keras_inpaint.inference.blending import FEATHER_WIDTH, METHODS, blend

HOLES = {
    "inside": (slice(30, 70), slice(40, 80)),
    "corner": (slice(0, 30), slice(0, 40)),
    "edge": (slice(60, 96), slice(50, 90)),
    "one pixel": (slice(50, 51), slice(60, 61)),
    "corner pixel": (slice(95, 96), slice(119, 120)),
    "column": (slice(None), slice(70, 71)),
    "row": (slice(20, 21), slice(None)),
    "half": (slice(None), slice(60, None)),
}


def _hole(photo, name):
    mask = np.zeros(photo.shape[:2], bool)
    for part in HOLES if name == "all together" else [name]:
        mask[HOLES[part]] = True
    return mask


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [*HOLES, "all together"])
def test_known_pixels_and_arguments_stay(photo, name, method):
    mask = _hole(photo, name)
    completed = photo.copy()
    completed[mask] = 255 - completed[mask]
    image = photo.copy()
    image[mask] = 0
    before = [array.copy() for array in (image, completed, mask)]
    blended = blend(image, completed, mask, method)
    assert blended.dtype == np.uint8
    np.testing.assert_array_equal(blended[~mask], photo[~mask])
    for array, old in zip((image, completed, mask), before, strict=True):
        np.testing.assert_array_equal(array, old)
    if method == "none":
        np.testing.assert_array_equal(blended, completed)


@pytest.mark.parametrize("name", ["inside", "corner", "edge", "half"])
def test_poisson_takes_a_tint_away_and_keeps_the_structure(name):
    y, x = np.mgrid[0:96, 0:120]
    smooth = np.stack([80 + x / 2, 60 + y, 160 - x / 2], -1)
    photo = np.rint(smooth + 12 * np.sin(x / 4)[..., None]).astype(np.uint8)
    mask = _hole(photo, name)
    tinted = photo.copy()
    tinted[mask] = np.clip(tinted[mask] + np.array([30, -25, 18]), 0, 255)
    image = photo.copy()
    image[mask] = 0
    blended = blend(image, tinted, mask, "poisson")
    error = np.abs(blended.astype(int) - photo)[mask].mean()
    assert error < 0.25 * np.abs(tinted.astype(int) - photo)[mask].mean()


def test_feathering_ends_where_it_says(photo):
    mask = _hole(photo, "half")
    tinted = photo // 2 + 60
    completed = np.where(mask[..., None], tinted, photo)
    blended = blend(photo, completed, mask, "feather")
    far = np.arange(photo.shape[1]) > 60 + FEATHER_WIDTH + 1
    np.testing.assert_array_equal(blended[:, far], completed[:, far])
    rim = np.abs(blended[:, 60].astype(int) - photo[:, 59]).mean()
    assert rim < 0.5 * np.abs(completed[:, 60].astype(int) - photo[:, 59]).mean()


def test_where_opencvs_clone_is_right_it_says_the_same():
    """OpenCV's Poisson cloning works on a round hole in the middle of a photo."""
    y, x = np.mgrid[0:121, 0:121]
    photo = np.stack([60 + x, 200 - x, 80 + y], -1).astype(np.uint8)
    mask = (y - 60) ** 2 + (x - 60) ** 2 <= 30**2
    generated = np.rint(
        photo + np.array([25, -25, 10]) + (8 * np.sin(x / 5) * np.sin(y / 7))[..., None]
    ).astype(np.uint8)
    carried = cv2.inpaint(
        np.where(mask[..., None], 0, photo).astype(np.uint8),
        mask.astype(np.uint8),
        1,
        cv2.INPAINT_TELEA,
    )
    cloned = cv2.seamlessClone(
        generated, carried, mask.astype(np.uint8) * 255, (60, 60), cv2.NORMAL_CLONE
    )
    blended = blend(photo, np.where(mask[..., None], generated, photo), mask, "poisson")
    deep = (y - 60) ** 2 + (x - 60) ** 2 <= 22**2
    difference = np.abs(blended.astype(int) - cloned)[deep]
    assert difference.mean() < 4
    assert np.abs(generated.astype(int) - cloned)[deep].mean() > 10


@pytest.mark.parametrize("seed", range(12))
def test_colours_carried_to_the_rim_are_those_carried_through_the_whole_hole(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (150, 200, 3), dtype=np.uint8)
    holes = np.zeros((150, 200), np.uint8)
    cv2.circle(holes, tuple(map(int, rng.integers(0, 150, 2))), int(rng.integers(5, 70)), 1, -1)
    top, left = map(int, rng.integers(0, 100, 2))
    cv2.rectangle(holes, (left, top), (left + 60, top + int(rng.integers(1, 60))), 1, -1)
    rim = (holes > 0) & (cv2.dilate(1 - holes, blending._CROSS) > 0)
    through = cv2.inpaint(image, holes, blending.TELEA_RADIUS, cv2.INPAINT_TELEA)
    carried = blending._carried_to_rim(image, holes > 0)
    np.testing.assert_array_equal(carried[rim], through[rim])


def test_where_nothing_is_known_nothing_is_blended(photo):
    everywhere = np.ones(photo.shape[:2], bool)
    np.testing.assert_array_equal(blend(photo, photo // 2, everywhere, "poisson"), photo // 2)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
    st.sampled_from(METHODS),
)
def test_any_holes_at_all(height, width, share, seed, method):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = (rng.random((height, width)) < share).astype(np.uint8) * 255
    completed = np.where(mask[..., None] > 0, 255 - image, image)
    blended = blend(image, completed, mask, method)
    np.testing.assert_array_equal(blended[mask == 0], image[mask == 0])


def test_wrong_arguments_are_refused(photo):
    mask = np.zeros(photo.shape[:2], bool)
    with pytest.raises(ValueError, match="'smooth'"):
        blend(photo, photo, mask, "smooth")
    with pytest.raises(ValueError, match="feather_width"):
        blend(photo, photo, mask, "feather", feather_width=0)
    with pytest.raises(TypeError, match="float32"):
        blend(photo.astype("float32"), photo, mask)
    with pytest.raises(ValueError, match=r"\(9, 9\)"):
        blend(photo, photo, mask[:9, :9])
    with pytest.raises(ValueError, match=r"\(9, 120, 3\)"):
        blend(photo, photo[:9], mask)
