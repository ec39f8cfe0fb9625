"""A hole in a face is told from other holes, and how wide the face is."""

import re
import threading

import cv2
import numpy as np
import pytest

from keras_inpaint.data import sample
from keras_inpaint.inference import choosing
from keras_inpaint.inference.choosing import Candidate, choose
from keras_inpaint.inference.faces import Face, find_face
from keras_inpaint.inference.inpainter import Inpainter
from keras_inpaint.inference.tiles import Box
from keras_inpaint.presets.cards import TrainedOn

#: Eyes, nose and mouth of the sample's portraits, which are 128 x 157 px, eyes aligned.
EYE, NOSE, MOUTH = Box(62, 36, 80, 60), Box(72, 50, 96, 78), Box(94, 44, 114, 84)


def enlarged(photo, scale):
    return cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def with_hole(photo, box, scale=1):
    """Return a portrait with noise in a hole, the hole, and its box, all enlarged."""
    image = enlarged(photo, scale)
    box = Box(*(side * scale for side in box))
    hole = np.zeros(image.shape[:2], bool)
    hole[box.slices] = True
    image[hole] = np.random.default_rng(0).integers(0, 256, (hole.sum(), 3))
    return image, hole, box


@pytest.mark.parametrize("box", [EYE, NOSE, MOUTH])
@pytest.mark.parametrize("scale", [1, 4])
def test_a_face_is_found_around_a_hole_in_it(box, scale):
    widths = []
    for number in range(6):
        image, hole, place = with_hole(sample.portrait(number), box, scale)
        face = find_face(image, hole, place)
        assert face is not None and face.score > 0.72
        assert abs(face.x - 64 * scale) < 12 * scale and abs(face.y - 84 * scale) < 16 * scale
        assert face.share(place, hole[place.slices]) > 0.7
        widths.append(face.width / scale)
    assert min(widths) > 60 and max(widths) < 105


def test_what_the_hole_holds_has_no_say():
    image, hole, box = with_hole(sample.portrait(1), MOUTH)
    black = image.copy()
    black[hole] = 0
    assert find_face(image, hole, box) == find_face(black, hole, box)


@pytest.mark.parametrize("size", [(40, 3), (200, 300), (1, 1)])
def test_there_is_no_face_in_noise_nor_where_nothing_is_known(size):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    box = Box(0, 0, *size)
    assert find_face(image, np.ones(size, bool), box) is None
    hole = np.zeros(size, bool)
    hole[: size[0] // 2] = True
    assert find_face(image, hole, box) is None


def test_share_of_a_hole_in_a_face():
    face = Face(x=50.0, y=50.0, width=20.0, score=0.9)
    assert face.share(Box(45, 45, 55, 55), np.ones((10, 10), bool)) == 1
    assert face.share(Box(40, 55, 60, 65), np.ones((20, 10), bool)) == 0.5
    assert face.share(Box(70, 70, 80, 80), np.ones((10, 10), bool)) == 0


def test_several_threads_find_the_same():
    image, hole, box = with_hole(sample.portrait(2), EYE)
    alone, found = find_face(image, hole, box), []
    threads = [
        threading.Thread(target=lambda: found.append(find_face(image, hole, box))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4


@pytest.mark.parametrize(
    ("scale", "words"),
    [(1, r"the photo's own scale|1\.\d+ of the scale"), (3, r"0\.\d+ of the scale")],
)
def test_a_hole_in_a_face_is_completed_with_faces_at_the_width_of_the_training(scale, words):
    inpainter = Inpainter("auto")
    image, hole, _ = with_hole(sample.portrait(3), MOUTH, scale)
    completed, (told,) = inpainter.explained(image, hole)
    assert re.fullmatch(
        rf"completed with faces at ({words}), chosen on the face around the hole", told
    )
    original = enlarged(sample.portrait(3), scale)
    error = np.square(completed[hole].astype(float) - original[hole]).mean()
    assert -10 * np.log10(error / 255**2) > 19
    np.testing.assert_array_equal(completed[~hole], image[~hole])


def test_a_face_that_a_hole_hides_as_a_whole_is_seen_by_the_network():
    image, hole, box = with_hole(sample.portrait(4), Box(52, 30, 122, 98))
    assert find_face(image, hole, box) is None
    (group,) = choose(choosing.load_candidates("auto"), image, hole)
    assert group.choice.in_face and group.choice.candidate.name == "faces"


class Refusing:
    """A network for faces that must not be asked."""

    def generate(self, image, mask):
        raise AssertionError("asked")


def test_a_network_for_faces_has_no_say_where_there_is_no_face(monkeypatch):
    monkeypatch.setattr(choosing, "_hidden_face", lambda *arguments: None)
    image = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    hole = np.zeros(image.shape[:2], bool)
    hole[90:110, 140:170] = True
    faces = Candidate("faces", Refusing(), TrainedOn((20, 64), (128, 179), "face", (72, 100)))
    other = Candidate("scenes", Refusing(), TrainedOn((20, 64), (128, 192), "any"))
    (group,) = choose([faces, other], image, hole, scale=1)
    assert group.choice.candidate is other and not group.choice.in_face


@pytest.mark.parametrize(
    ("width", "scale"), [(60, 1), (85, 1), (120, 1), (42, 0.5), (20, 0.5), (170, 2.0), (850, 10.02)]
)
def test_the_scale_of_a_face(width, scale):
    assert choosing._scale_of_face(width, (72, 100)) == scale
