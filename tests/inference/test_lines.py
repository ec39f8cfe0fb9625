import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_inpaint.inference.lines import continue_edges
from keras_inpaint.inference.texture import add_texture


def drawn(pattern, angle, size=120):
    """A photo with an edge, a bar or stripes through its middle, and the distance from there."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    turned = np.deg2rad(angle)
    away = y * np.cos(turned) - x * np.sin(turned)
    light = {
        "edge": 1 / (1 + np.exp(-2 * away)),
        "bar": np.exp(-((away / 2) ** 2)),
        "stripes": 0.5 + 0.5 * np.sin(away / 3.2),
    }[pattern]
    noise = np.random.default_rng(0).normal(0, 2, (size, size, 3))
    photo = np.array([60, 80, 100]) + light[..., None] * [140, 110, 90] + noise
    return np.clip(photo, 0, 255).astype(np.uint8), np.abs(away)


def box(shape, top=40, bottom=80, left=44, right=76):
    hole = np.zeros(shape[:2], bool)
    hole[top:bottom, left:right] = True
    return hole


def blurred(photo, hole):
    """What a network gives: a blur."""
    return np.where(hole[..., None], cv2.GaussianBlur(photo, (0, 0), 6), photo)


def error(photo, original, where):
    return np.sqrt(((photo.astype(float) - original)[where] ** 2).mean())


@pytest.mark.parametrize("angle", [0, 12, 37, 90, 140])
@pytest.mark.parametrize("pattern", ["edge", "bar", "stripes"])
def test_edges_go_on_across_the_hole(pattern, angle):
    photo, away = drawn(pattern, angle)
    hole = box(photo.shape)
    completed = blurred(photo, hole)
    near = hole & (away < 8)
    assert error(completed, photo, near) > 25
    assert error(continue_edges(completed, hole, hole), photo, near) < 7


def test_an_edge_that_bends_a_little_is_continued_too():
    y, x = np.mgrid[:120, :120].astype(float)
    away = np.hypot(x - 60, y - 460) - 400  # an arc of a large circle
    photo = np.uint8(60 + 140 / (1 + np.exp(2 * away)))[..., None].repeat(3, -1)
    hole = box(photo.shape)
    completed = blurred(photo, hole)
    near = hole & (np.abs(away) < 6)
    result = continue_edges(completed, hole, hole)
    assert error(result, photo, near) < 0.5 * error(completed, photo, near)


def test_texture_keeps_the_edge():
    photo, away = drawn("edge", 12)
    hole = box(photo.shape)
    completed = blurred(photo, hole)
    near = hole & (away < 8)
    result = add_texture(photo, hole, completed)
    assert error(result, photo, near) < 0.4 * error(completed, photo, near)


@pytest.mark.parametrize(
    "right",
    [
        lambda photo: photo[:1],
        lambda photo: photo[::-1],
        lambda photo: np.concatenate([photo[:25], photo[:-25]]),
    ],
    ids=["one end", "other contrast", "not in line"],
)
def test_without_a_pair_nothing_changes(right):
    photo, _ = drawn("edge", 0)
    photo = np.where(np.arange(120)[:, None] < 60, photo, right(photo))
    hole = box(photo.shape)
    completed = np.where(hole[..., None], np.uint8(120), photo)
    assert continue_edges(completed, hole, hole) is completed


def test_only_the_asked_for_part_of_the_hole_is_written_and_nothing_read_from_it():
    photo, _ = drawn("edge", 12)
    hole = box(photo.shape)
    own = hole & (np.arange(120) < 60)
    completed = blurred(photo, hole)
    before = completed.copy()
    result = continue_edges(completed, hole, own)
    assert (result[own] != completed[own]).any()
    assert np.array_equal(result[~own], completed[~own])
    assert np.array_equal(completed, before)
    assert np.array_equal(continue_edges(completed, hole, own), result)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["box", "dust", "all", "row", "pixel"]),
)
def test_whatever_the_hole(height, width, seed, kind):
    rng = np.random.default_rng(seed)
    stripes = (np.arange(width) + rng.integers(3) * np.arange(height)[:, None]) // 6 % 2
    photo = (60 + 120 * stripes[..., None] + rng.integers(0, 9, (height, width, 3))).astype(
        np.uint8
    )
    top, left = rng.integers(height), rng.integers(width)
    hole = {
        "box": box(photo.shape, top, top + 30, left, left + 30),
        "dust": rng.random((height, width)) < 0.05,
        "all": np.ones((height, width), bool),
        "row": box(photo.shape, top, top + 5, 0, width),
        "pixel": box(photo.shape, top, top + 1, left, left + 1),
    }[kind]
    result = continue_edges(photo, hole, hole)
    assert result.dtype == np.uint8 and result.shape == photo.shape
    assert np.array_equal(result[~hole], photo[~hole])
