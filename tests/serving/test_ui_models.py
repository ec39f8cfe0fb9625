from pathlib import Path

import numpy as np
import pytest

from keras_inpaint import presets
from keras_inpaint.serving.ui_models import Models


@pytest.fixture
def without_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(presets.registry, "WEIGHTS_FOLDER", tmp_path)


def test_names_are_short_and_different(tmp_path):
    paths = ["runs/blue/completion.keras", "red/completion.keras", "b/red.tflite", "sm/3/x"]
    for path in paths[:3]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    saved = tmp_path / "sm" / "3"
    saved.mkdir(parents=True)
    (saved / "saved_model.pb").touch()
    given = [*(str(tmp_path / path) for path in paths[:3]), str(saved), str(tmp_path / "red")]
    assert Models([*given, given[0]]).names == ["blue", "red", "red (2)", "sm", "red (3)"]


def test_of_several_presets_the_first_choice_is_to_choose(photo):
    models = Models()
    assert models.names == ["auto", "faces", "scenes"]
    both = models.load("auto")
    assert [*models.load("faces"), *models.load("scenes")] == both
    hole = np.zeros(photo.shape[:2], bool)
    hole[20:50, 40:80] = True
    completed, (told,) = models.complete("auto", photo, hole, "poisson")
    assert told.startswith("completed with") and "chosen on" in told
    np.testing.assert_array_equal(completed[~hole], photo[~hole])


def test_without_weights_it_says_how_to_come_by_a_model(without_weights):
    with pytest.raises(ValueError, match="keras-inpaint train") as caught:
        Models()
    assert "--model PATH" in str(caught.value)


def test_a_model_that_is_not_there_is_told_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.keras"):
        Models([str(tmp_path / "nowhere.keras")])


def test_a_model_is_loaded_once_and_gives_what_inpainter_gives(tiny_model_path, photo):
    import keras_inpaint as ki

    models = Models([str(tiny_model_path)])
    (name,) = models.names
    assert name == Path(tiny_model_path).parent.name
    assert models.load(name)[0] is models.load(name)[0]
    hole = np.zeros(photo.shape[:2], bool)
    hole[20:50, 40:80] = True
    for blend in ("none", "feather", "poisson"):
        expected = ki.Inpainter(tiny_model_path, blend=blend)(photo, hole)
        completed, told = models.complete(name, photo, hole, blend)
        np.testing.assert_array_equal(completed, expected)
        assert told == ()
    with pytest.raises(ValueError, match="There is no model 'x'"):
        models.load("x")
