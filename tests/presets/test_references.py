"""What a model reference resolves to."""

import subprocess
import sys
from pathlib import Path

import pytest

from keras_inpaint import presets
from keras_inpaint.presets import DEFAULT_PRESET, PRESETS, references, registry, resolve


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """The weights' folder, moved to an empty temporary one."""
    folder = tmp_path / "weights"
    monkeypatch.setattr(registry, "WEIGHTS_FOLDER", folder)
    for name in PRESETS:
        (folder / name).mkdir(parents=True)
    return folder


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_preset_gives_the_bundled_file(bundled):
    keras_file = touch(bundled / "scenes" / "completion.keras")
    assert resolve("scenes") == keras_file
    assert resolve("scenes", prefer=".tflite") == keras_file
    tflite_file = touch(bundled / "scenes" / "completion.tflite")
    assert resolve("scenes") == keras_file
    assert resolve("scenes", prefer=".tflite") == tflite_file


def test_none_is_the_default_preset(bundled):
    touch(bundled / DEFAULT_PRESET / "completion.keras")
    assert resolve(None) == resolve()
    assert resolve().parent.name == DEFAULT_PRESET


def test_missing_weights_say_what_was_tried_and_what_is_there(bundled):
    with pytest.raises(ValueError, match="no preset has weights") as caught:
        resolve("faces")
    assert str(bundled / "faces") in str(caught.value)
    assert "completion.keras" in str(caught.value) and "--preset faces" in str(caught.value)
    touch(bundled / "scenes" / "completion.tflite")
    with pytest.raises(ValueError, match="presets with weights: scenes"):
        resolve("faces")


def test_a_presets_name_wins_over_a_local_folder(bundled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    local = touch(tmp_path / "faces" / "completion.keras")
    with pytest.raises(ValueError, match=r"write \./faces"):
        resolve("faces")
    assert resolve("./faces").resolve() == local
    assert resolve(Path("faces")).resolve() == local
    shipped = touch(bundled / "faces" / "completion.keras")
    assert resolve("faces") == shipped


def test_files_and_folders(tmp_path):
    keras_file = touch(tmp_path / "run" / "completion.keras")
    assert resolve(keras_file) == keras_file
    assert resolve(str(tmp_path / "run")) == keras_file
    tflite_file = touch(tmp_path / "run" / "completion.tflite")
    assert resolve(tmp_path / "run") == keras_file
    assert resolve(tmp_path / "run", prefer=".tflite") == tflite_file
    assert resolve(tflite_file) == tflite_file


def test_saved_models_and_their_versions(tmp_path):
    saved = touch(tmp_path / "plain" / "saved_model.pb").parent
    assert resolve(saved) == saved
    for version in ("2", "10", "9"):
        touch(tmp_path / "served" / version / "saved_model.pb")
    (tmp_path / "served" / "11").mkdir()
    assert resolve(tmp_path / "served") == tmp_path / "served" / "10"


@pytest.mark.parametrize("reference", ["nowhere.keras", "", "face"])
def test_nothing_there(reference, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="presets: faces, scenes"):
        resolve(reference)


def test_folder_without_a_model_names_what_it_holds(tmp_path):
    with pytest.raises(ValueError, match="no model in folder"):
        resolve(tmp_path)
    touch(tmp_path / "other.keras")
    with pytest.raises(ValueError, match=r"it contains other\.keras"):
        resolve(tmp_path)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a model"):
        resolve(touch(tmp_path / "photo.jpg"))
    with pytest.raises(TypeError, match="got 3"):
        resolve(3)
    with pytest.raises(ValueError, match="prefer must be"):
        resolve("faces", prefer="onnx")


def test_imports_neither_tensorflow_nor_keras():
    program = (
        "import sys, keras_inpaint.presets; "
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert presets.resolve is references.resolve
