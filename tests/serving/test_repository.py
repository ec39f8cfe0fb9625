"""Which models a reference means."""

from pathlib import Path

import pytest

from keras_inpaint.serving.repository import (
    ModelSource,
    check_policy,
    find_sources,
    find_versions,
    wanted_versions,
)


def version(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    return folder


def test_one_model_with_versions(tmp_path):
    for number in (1, 2, 10):
        version(tmp_path / "faces" / str(number))
    (tmp_path / "faces" / "latest").mkdir()
    (tmp_path / "faces" / "11").mkdir()  # still being copied
    (source,) = find_sources(tmp_path / "faces")
    assert (source.name, source.base) == ("faces", tmp_path / "faces")
    assert list(find_versions(source.base)) == [1, 2, 10]


def test_one_version(tmp_path):
    version(tmp_path / "faces" / "1")
    version(tmp_path / "faces" / "3")
    (source,) = find_sources(tmp_path / "faces" / "3", name="other")
    assert source.name == "other"
    assert list(wanted_versions(source, "all")) == [3]


def test_several_models(tmp_path):
    for name in ("b", "a"):
        version(tmp_path / name / "1")
    (tmp_path / "notes").mkdir()
    assert [source.name for source in find_sources(tmp_path)] == ["a", "b"]
    with pytest.raises(ValueError, match="holds 2 models"):
        find_sources(tmp_path, name="x")


def test_networks_to_export(tmp_path):
    run = tmp_path / "run 5"
    run.mkdir()
    (run / "completion.keras").touch()
    assert find_sources(run) == [ModelSource("run-5", network=run / "completion.keras")]
    (source,) = find_sources(run / "completion.keras")
    assert source.name == "run-5"


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing", "no model"), ("empty", "looked for numbered"), ("model.tflite", "TFLite")],
)
def test_nothing_to_serve(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "model.tflite").touch()
    with pytest.raises(ValueError, match=message):
        find_sources(tmp_path / name)


def test_a_saved_model_without_a_number_is_refused(tmp_path):
    version(tmp_path / "faces")
    with pytest.raises(ValueError, match="move it to faces/1"):
        find_sources(tmp_path / "faces")


@pytest.mark.parametrize("name", ["", "../up", "a b", "a/b", "-x"])
def test_names_are_names(tmp_path, name):
    version(tmp_path / "faces" / "1")
    with pytest.raises(ValueError, match="a model's name is"):
        ModelSource(name, tmp_path)


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [("all", [1, 2, 10]), ("latest", [10]), ("latest:2", [2, 10]), ("2,1,7", [1, 2])],
)
def test_policies(tmp_path, policy, wanted):
    for number in (1, 2, 10):
        version(tmp_path / "m" / str(number))
    (source,) = find_sources(tmp_path / "m")
    assert list(wanted_versions(source, check_policy(policy))) == wanted


@pytest.mark.parametrize("policy", ["", "newest", "latest:0", "1,", "-1", "latest:x"])
def test_no_policy(policy):
    with pytest.raises(ValueError, match="versions must be"):
        check_policy(policy)
