import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_inpaint.serving.ui_canvas import (
    CANVAS_PIXELS,
    LONGEST_SIDE,
    canvas_size,
    editor_value,
    hole_under,
    strokes_of,
    strokes_over,
    view,
)

SIDES = st.integers(1, 12_000)


@given(SIDES, SIDES)
def test_canvas_keeps_within_its_limits_and_the_photos_proportions(width, height):
    columns, rows = canvas_size(width, height)
    assert columns >= 1 and rows >= 1
    assert columns <= LONGEST_SIDE and rows <= LONGEST_SIDE
    assert columns * rows <= CANVAS_PIXELS * 1.01 + LONGEST_SIDE
    scale = max(columns, rows) / max(width, height)
    assert abs(columns - width * scale) <= 1 and abs(rows - height * scale) <= 1


def test_small_photos_are_enlarged_by_a_whole_factor():
    assert canvas_size(178, 218) == (5 * 178, 5 * 218)
    assert canvas_size(4000, 3000) == (1265, 949)


@settings(max_examples=25)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_a_hole_in_a_small_photo_comes_back_from_the_canvas_as_it_was(height, width, seed):
    hole = np.random.default_rng(seed).random((height, width)) < 0.3
    strokes = strokes_over(hole)
    assert strokes.shape == canvas_size(width, height)[::-1]
    np.testing.assert_array_equal(hole_under(strokes, width, height), hole)


def test_a_stroke_on_a_reduced_photo_lands_where_it_was_painted():
    strokes = np.zeros((949, 1265), bool)
    strokes[100:200, 300:500] = True
    hole = hole_under(strokes, 4000, 3000)
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    factor = 3000 / 949
    np.testing.assert_allclose([rows[0], rows[-1] + 1], [100 * factor, 200 * factor], atol=2)
    np.testing.assert_allclose([columns[0], columns[-1] + 1], [300 * factor, 500 * factor], atol=2)
    assert hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > 0.99


def test_half_of_a_pixel_decides():
    strokes = np.zeros((4, 8), bool)
    strokes[:, :2] = True  # half of the first of two pixels, nothing of the second
    assert hole_under(strokes, 2, 1).tolist() == [[True, False]]
    strokes[0] = False
    assert hole_under(strokes, 2, 1).tolist() == [[False, False]]


def test_faint_fringes_do_not_count_and_layers_add_up():
    faint, one, two = (np.zeros((3, 3, 4), np.uint8) for _ in range(3))
    faint[..., 3] = 20
    one[0, 0, 3] = two[2, 2, 3] = 153
    strokes = strokes_of({"layers": [faint, one, two]})
    assert strokes.tolist() == np.diag([True, False, True]).tolist()


@pytest.mark.parametrize("value", [None, {}, {"layers": None}, {"layers": []}])
def test_without_layers_there_are_no_strokes(value):
    assert strokes_of(value) is None


@pytest.mark.parametrize("shapes", [[(3, 3)], [(3, 3, 3)], [(3, 3, 4), (3, 4, 4)]])
def test_layers_of_another_shape_are_refused(shapes):
    with pytest.raises(ValueError, match=r"Received: \(3, 3"):
        strokes_of({"layers": [np.zeros(shape, np.uint8) for shape in shapes]})


def test_the_editor_is_given_the_photo_and_the_strokes(photo):
    hole = np.zeros(photo.shape[:2], bool)
    assert editor_value(photo, strokes_over(hole))["layers"] == []
    hole[10:30, 20:50] = True
    value = editor_value(photo, strokes_over(hole))
    assert value["background"].shape[:2] == value["layers"][0].shape[:2]
    np.testing.assert_array_equal(strokes_of(value), strokes_over(hole))


def test_a_view_shows_the_photo(photo):
    shown = view(photo)
    factor = shown.shape[0] // photo.shape[0]
    assert shown.dtype == np.uint8 and shown.shape == (96 * factor, 120 * factor, 3)
    means = shown.reshape(96, factor, 120, factor, 3).mean((1, 3))
    assert np.abs(means - photo).mean() < 4
    large = np.tile(photo, (20, 20, 1))
    assert view(large).shape[:2] == canvas_size(2400, 1920)[::-1]
