from pathlib import Path

import numpy as np
import pytest

from keras_inpaint.inference.photo import Photo
from keras_inpaint.serving.ui_canvas import canvas_size, strokes_over
from keras_inpaint.serving.ui_session import Gone, Session, Sessions


@pytest.fixture
def session(photo):
    """A photo that lies on its side in its file: stored 96x120, shown 120x96."""
    return Session(Photo(Path("p.jpg"), "JPEG", "RGB", photo, orientation=6), before=photo)


def _completed(session, rows, columns, colour, report=""):
    image = np.full_like(session.photo.image, colour)
    hole = np.zeros(image.shape[:2], bool)
    hole[rows, columns] = True
    return session.completed(image, hole, strokes_over(hole), report)


def test_a_second_completion_takes_the_place_of_the_first(session):
    once = _completed(session, slice(0, 9), slice(0, 9), 255)
    twice = _completed(once, slice(50, 60), slice(20, 30), 0)
    assert once.has_changed and once.shown is once.result and once.photo is session.photo
    image = twice.shown.image
    np.testing.assert_array_equal(image[:50], session.photo.image[:50])
    assert (image[50:60, 20:30] == 0).all()


def test_steps_are_taken_back_one_by_one_to_the_photo_as_it_came(session):
    first = _completed(session, slice(3, 9), slice(5, 30), 255, "first")
    second = _completed(first.continued(), slice(60, 90), slice(5, 12), 0, "second")
    third = second.continued()
    assert len(third.steps) == 2 and third.result is None and third.has_changed

    back = third.stepped_back()
    assert back.report == "second"
    np.testing.assert_array_equal(back.shown.pixels, second.shown.pixels)
    np.testing.assert_array_equal(back.photo.pixels, first.shown.pixels)
    np.testing.assert_array_equal(back.strokes, second.strokes)
    back = back.stepped_back()
    assert back.result is None and len(back.steps) == 1
    back = back.stepped_back()
    assert back.report == "first"
    np.testing.assert_array_equal(back.strokes, first.strokes)
    back = back.stepped_back()
    assert not back.has_changed
    np.testing.assert_array_equal(back.photo.pixels, session.photo.pixels)
    with pytest.raises(Gone, match="nothing to take back"):
        back.stepped_back()


def test_a_step_keeps_no_more_than_what_changed(session):
    step = _completed(session, slice(3, 9), slice(5, 30), 255).continued().steps[0]
    assert step.before.nbytes <= 6 * 25 * 3
    width, height = canvas_size(96, 120)
    assert step.strokes.nbytes == -(-width * height // 8)


def test_a_completion_that_changes_nothing_can_be_taken_back_too(session):
    hole = np.zeros(session.photo.image.shape[:2], bool)
    hole[:4] = True
    same = session.completed(session.photo.image, hole, strokes_over(hole), "").continued()
    np.testing.assert_array_equal(same.stepped_back().photo.pixels, session.photo.pixels)


def test_there_is_no_going_on_without_a_result(session):
    with pytest.raises(Gone, match="complete the photo first"):
        session.continued()


def test_the_page_used_longest_ago_makes_room(session):
    sessions = Sessions(2)
    for key in ("a", "b"):
        sessions.put(key, session)
    sessions.get("a")
    sessions.put("c", session)
    assert len(sessions) == 2
    with pytest.raises(Gone, match="no longer held"):
        sessions.get("b")
    sessions.drop("a")
    sessions.drop("a")
    assert sessions.get("c") is session and len(sessions) == 1
