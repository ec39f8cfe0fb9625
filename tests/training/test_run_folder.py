"""Files of a run are whole or absent, and a foreign folder is left alone."""

import errno

import keras
import numpy as np
import pytest

from keras_inpaint.training.run_folder import COLUMNS, RunFolder


@pytest.fixture
def folder(tmp_path):
    run = RunFolder(tmp_path / "run")
    assert run.begin(fresh=False) is None
    assert not run.path.exists(), "nothing is made before all is known to be well"
    run.create({"config": {}})
    return run


def test_rows_after_the_state_are_forgotten(folder):
    for phase, step in [(1, 50), (1, 100), (2, 50), (2, 100), (3, 50)]:
        folder.append_row({"phase": phase, "step": step, "loss": 0.123456789})
    with folder.metrics_file.open("a") as file:
        file.write("3,")  # the end of a process that was killed
    folder.drop_rows_after(2, 50)
    lines = folder.metrics_file.read_text().split()
    assert lines[0] == ",".join(COLUMNS)
    assert [line.split(",")[:3] for line in lines[1:]] == [
        ["1", "50", "0.1234568"],
        ["1", "100", "0.1234568"],
        ["2", "50", "0.1234568"],
    ]


def test_the_state_comes_back(folder):
    assert folder.load_place() == (1, 0)
    variables = [keras.Variable(np.full(3, i, "float32")) for i in range(12)]
    folder.save_state(2, 70, {"network": variables})
    assert folder.load_place() == (2, 70)
    fresh = [keras.Variable(np.zeros(3, "float32")) for _ in range(12)]
    folder.load_state({"network": fresh, "optimizer": variables[:1]})
    assert [float(v[0]) for v in fresh] == list(range(12))
    with pytest.raises(ValueError, match="12 variables of network, expected 2"):
        folder.load_state({"network": fresh[:2]})


def test_a_full_disk_leaves_the_last_state(folder, monkeypatch):
    variable = keras.Variable(np.ones(3, "float32"))
    folder.save_state(1, 10, {"network": [variable]})

    def full(file, **arrays):
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device", str(folder.state_file))

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        folder.save_state(1, 20, {"network": [variable]})
    monkeypatch.undo()
    assert folder.load_place() == (1, 10)
    assert [p.name for p in folder.state_file.parent.iterdir()] == ["state.npz"]


@pytest.fixture
def saved(folder):
    for step in (10, 20):
        values = np.arange(40, dtype="float32") + step
        folder.save_state(1, step, {"network": [keras.Variable(values)]})
    return folder


def found_in(folder):
    """Return the state's place and its first value, as a new process finds them."""
    folder = RunFolder(folder.path)
    place, variable = folder.load_place(), keras.Variable(np.zeros(40, "float32"))
    folder.load_state({"network": [variable]})
    return place, float(variable[0])


@pytest.mark.parametrize("place", range(0, 1000, 37))
def test_a_flipped_bit_is_seen_and_the_state_before_taken(saved, place, caplog):
    data = bytearray(saved.state_file.read_bytes())
    data[place * len(data) // 1000] ^= 1 << place % 8
    saved.state_file.write_bytes(data)
    found = found_in(saved)
    # Some bytes of an archive, such as times, mean nothing to what is in it.
    assert found in [((1, 10), 10.0), ((1, 20), 20.0)]
    assert (found[1] == 10.0) == ("is damaged" in caplog.text)


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.99])
def test_a_truncated_state_is_seen_and_the_state_before_taken(saved, part, caplog):
    data = saved.state_file.read_bytes()
    saved.state_file.write_bytes(data[: int(part * len(data))])
    assert found_in(saved) == ((1, 10), 10.0)
    assert caplog.text.count("state.npz is damaged") == 1
    saved = RunFolder(saved.path)
    saved.load_place()
    saved.save_state(1, 30, {"network": [keras.Variable(np.full(40, 30, "float32"))]})
    assert found_in(saved) == ((1, 30), 30.0)
    saved.state_file.unlink()  # as where a process was killed between two renamings
    assert found_in(saved) == ((1, 10), 10.0)


def test_a_changed_value_with_a_right_checksum_is_seen(saved, caplog):
    with np.load(saved.state_file) as state:
        arrays = {key: state[key].copy() for key in state.files}
    arrays["network/0000"][3] += 1
    np.savez(saved.state_file, **arrays)
    assert found_in(saved) == ((1, 10), 10.0) and "its hash does not match" in caplog.text


def test_two_damaged_states_are_named(saved):
    for path in (saved.state_file, saved.previous_state_file):
        path.write_bytes(b"nothing")
    with pytest.raises(
        ValueError, match=r"state\.npz is damaged.*previous\.npz is damaged.*with fresh"
    ):
        RunFolder(saved.path).load_place()


def test_states_of_earlier_versions_load(saved):
    with np.load(saved.state_file) as state:
        arrays = {key: state[key] for key in state.files if key != "sha256"}
    np.savez(saved.state_file, **arrays)
    assert found_in(saved) == ((1, 20), 20.0)


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"photo")
    with pytest.raises(FileExistsError, match="not a run"):
        RunFolder(tmp_path).begin(fresh=True)
    assert (tmp_path / "holiday.jpg").exists()


def test_starting_over_keeps_what_is_not_the_runs(folder):
    folder.append_row({"phase": 1, "step": 50})
    (folder.path / "notes.txt").write_text("mine")
    assert folder.begin(fresh=False) == {"config": {}}
    assert folder.begin(fresh=True) is None
    assert sorted(p.name for p in folder.path.iterdir()) == ["notes.txt"]


def test_a_broken_configuration_is_named(folder):
    folder.config_file.write_text("{")
    with pytest.raises(ValueError, match=r"config\.json cannot be read"):
        folder.begin(fresh=False)


def test_a_run_of_an_earlier_version_is_read_under_the_names_of_now(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create({"config": {"judge_every": 7, "size": 32}})
    assert folder.begin(fresh=False)["config"] == {"evaluate_every": 7, "size": 32}
