"""The built-in portraits: the same at every call, at every size, and faces where faces belong."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from keras_inpaint.data import sample
from keras_inpaint.data.sample.parameters import Portrait
from keras_inpaint.data.sample.people import draw_parameters

HEIGHT, WIDTH = sample.DEFAULT_SIZE
GOLDEN_MEANS = [[155.3, 130.3, 123.3], [83.9, 63.8, 63.4], [115.8, 112.0, 100.9]]
GOLDEN_STYLES = ["crop", "swept"]


@pytest.fixture(scope="module")
def portraits():
    return sample.draw_portraits(24, seed=0)


def brightness(image: np.ndarray, point: tuple[float, float], radius: int) -> float:
    """Mean level around a landmark."""
    y, x = (round(v) for v in point)
    return float(image[y - radius : y + radius + 1, x - radius : x + radius + 1].mean())


def test_shape_dtype_and_range(portraits):
    assert portraits.shape == (24, HEIGHT, WIDTH, 3)
    assert portraits.dtype == np.uint8
    assert portraits.min() < 40
    assert portraits.max() > 215


def test_golden_statistics(portraits):
    means = portraits.mean(axis=(1, 2))
    np.testing.assert_allclose(means[:3], GOLDEN_MEANS, atol=1.5)
    assert draw_parameters(0, 0).hair.style == GOLDEN_STYLES[0]
    assert draw_parameters(0, 1).hair.style == GOLDEN_STYLES[1]


def test_the_same_every_time_whatever_the_count_and_threads(portraits):
    again = sample.draw_portraits(3, seed=0, threads=1)
    np.testing.assert_array_equal(again, portraits[:3])
    np.testing.assert_array_equal(sample.draw_portrait(0, 17), portraits[17])


def test_seeds_and_indices_give_other_people(portraits):
    others = sample.draw_portraits(4, seed=1)
    for one, other in zip(portraits, others, strict=False):
        assert np.abs(one.astype(int) - other).mean() > 12
    # A seed is not an offset into another seed's collection.
    assert np.abs(portraits[1].astype(int) - others[0]).mean() > 12


def test_every_pair_differs_in_the_face(portraits):
    face = portraits[:, 70:190, 45:133].reshape(24, -1).astype(float)
    for i in range(24):
        apart = np.abs(face[i + 1 :] - face[i]).mean(axis=1)
        assert (apart > 8).all()


def test_people_are_varied():
    people = [draw_parameters(3, i) for i in range(400)]
    assert all(isinstance(p, Portrait) for p in people)
    assert len({p.hair.style for p in people}) == 13
    assert {p.hair.beard for p in people} >= {"none", "stubble", "full", "goatee", "moustache"}
    assert {p.wear.glasses for p in people} == {"none", "round", "oval", "box"}
    assert {p.wear.hat for p in people} == {"none", "beanie", "headscarf"}
    assert len({p.wear.clothes for p in people}) == 8
    assert len({p.scene.background for p in people}) == 6
    skin = np.array([p.head.skin.mean() for p in people])
    assert skin.min() < 0.3 and skin.max() > 0.78
    assert np.histogram(skin, bins=5)[0].min() > 20
    turned = np.array([p.scene.yaw for p in people])
    assert turned.min() < -0.15 and turned.max() > 0.15


@pytest.mark.parametrize("height, width", [(109, 89), (128, 128), (160, 256), (300, 180)])
def test_the_same_picture_at_every_size(height, width):
    small = sample.draw_portrait(0, 5, height, width).astype(float)
    large = sample.draw_portrait(0, 5, 2 * height, 2 * width)
    reduced = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA).astype(float)
    blurred = [cv2.GaussianBlur(x, (0, 0), 1.2) for x in (small, reduced)]
    assert np.abs(blurred[0] - blurred[1]).mean() < 2.5


@pytest.mark.parametrize("height, width", [(1, 1), (16, 16), (16, 40), (33, 17), (64, 300)])
def test_any_size(height, width):
    portrait = sample.draw_portrait(2, 3, height, width)
    assert portrait.shape == (height, width, 3)
    assert portrait.dtype == np.uint8
    hole = sample.example_hole(2, 3, height, width)
    assert hole.shape == (height, width)
    assert hole.any()


def test_size_as_one_number_is_square():
    assert sample.draw_portraits(2, size=20).shape == (2, 20, 20, 3)
    assert sample.draw_portraits(0, size=20).shape == (0, 20, 20, 3)


def test_landmarks_lie_as_in_a_face():
    for index in range(60):
        at = sample.portrait_landmarks(0, index)
        y = {name: point[0] for name, point in at.items()}
        x = {name: point[1] for name, point in at.items()}
        assert y["left_brow"] < y["left_eye"] < y["nose"] < y["mouth"] < y["chin"] < HEIGHT
        assert x["left_eye_outer"] < x["left_eye"] < x["left_eye_inner"] < x["nose"]
        assert x["nose"] < x["right_eye_inner"] < x["right_eye"] < x["right_eye_outer"]
        assert x["mouth_left"] < x["mouth"] < x["mouth_right"]
        eyes = 0.5 * np.array(at["left_eye"]) + 0.5 * np.array(at["right_eye"])
        np.testing.assert_allclose(eyes, (0.51 * HEIGHT, 0.5 * WIDTH), atol=9)
        assert 34 < x["right_pupil"] - x["left_pupil"] < 49


def test_landmarks_scale_with_the_picture():
    small = sample.portrait_landmarks(0, 4, 109, 89)
    large = sample.portrait_landmarks(0, 4, 218, 178)
    for name, (y, x) in small.items():
        np.testing.assert_allclose((2 * y + 0.5, 2 * x + 0.5), large[name], atol=1e-3)


def test_pixels_agree_with_the_landmarks():
    eyes_found, mouths_found = [], []
    for index in range(24):
        image = sample.draw_portrait(0, index, 436, 356).astype(float)
        at = sample.portrait_landmarks(0, index, 436, 356)
        for side in ("left", "right"):
            pupil = np.add(at[f"{side}_pupil"], (1.5, 0))
            centre = brightness(image, tuple(pupil), 1)
            corners = [np.array(at[f"{side}_eye_{end}"]) for end in ("inner", "outer")]
            # The eye's white shows between the pupil and at least one corner.
            white = max(
                brightness(image, tuple(pupil + t * (corner - pupil)), 1)
                for corner in corners
                for t in (0.5, 0.6, 0.7, 0.8)
            )
            eyes_found.append(white - centre)
        corner = [np.array(at[f"mouth_{side}"]) for side in ("left", "right")]
        below = np.add(at["mouth"], (32, 0))
        line = np.mean([brightness(image, tuple(c), 2) for c in corner])
        mouths_found.append(brightness(image, tuple(below), 3) - line)
    assert min(eyes_found) > 15
    assert np.mean(eyes_found) > 60
    assert np.mean(np.array(mouths_found) > 0) > 0.85


def test_the_mean_face_has_eyes_and_a_mouth():
    mean = sample.draw_portraits(80, seed=4).mean(axis=(0, 3))
    eyes = mean[106:116, 62:76].mean(), mean[106:116, 102:116].mean()
    cheeks = mean[124:138, 60:72].mean(), mean[124:138, 106:118].mean()
    assert max(eyes) < min(cheeks) - 4
    assert mean[150:157, 82:96].mean() < mean[124:138, 64:74].mean()


def test_holes_lie_on_the_face():
    kinds = []
    for index in range(8):
        hole = sample.example_hole(0, index)
        at = sample.portrait_landmarks(0, index)
        assert hole.dtype == bool
        assert 0.01 < hole.mean() < 0.12
        rows, columns = np.nonzero(hole)
        assert at["left_brow"][0] - 40 < rows.min() and rows.max() < at["chin"][0] + 8
        assert columns.min() > 20 and columns.max() < WIDTH - 20
        covered = [
            name
            for name in ("left_pupil", "right_pupil", "nose", "mouth")
            if hole[tuple(round(v) for v in at[name])]
        ]
        kinds.append(tuple(covered))
        np.testing.assert_array_equal(hole, sample.example_hole(0, index))
    assert kinds[0] == ("left_pupil",)
    assert set(kinds[1]) == {"nose", "mouth"}
    assert kinds[3] == ("right_pupil",)


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"count": -1}, ValueError, "count=-1"),
        ({"count": 2.5}, TypeError, "count=2.5"),
        ({"count": True}, TypeError, "count=True"),
        ({"count": 1, "size": 0}, ValueError, "height=0"),
        ({"count": 1, "size": (16, 0)}, ValueError, "width=0"),
        ({"count": 1, "size": (16, 16, 3)}, ValueError, r"size=\(16, 16, 3\)"),
        ({"count": 1, "size": "big"}, TypeError, "height='big'"),
        ({"count": 1, "seed": -4}, ValueError, "seed=-4"),
        ({"count": 1, "threads": 0}, ValueError, "threads=0"),
    ],
)
def test_wrong_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        sample.draw_portraits(**arguments)


@pytest.mark.parametrize(
    "function", [sample.draw_portrait, sample.portrait_landmarks, sample.example_hole]
)
def test_wrong_arguments_of_one_portrait(function):
    with pytest.raises(ValueError, match="index=-1"):
        function(0, -1, 16, 16)
    with pytest.raises(TypeError, match=r"height=1\.5"):
        function(0, 0, 1.5, 16)


def test_neither_tensorflow_nor_keras_is_imported():
    code = (
        "import sys; from keras_inpaint.data import sample; sample.draw_portraits(1, 16);"
        "sys.exit(any(name.split('.')[0] in ('tensorflow', 'keras') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
