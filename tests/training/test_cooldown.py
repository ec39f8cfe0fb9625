"""A cooldown at the end of a run, or of a branch of it: the same, bit for bit."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import tiny_runs
from tiny_runs import Killed, assert_same_network, kill_at, read_config

from keras_inpaint.training.config import TrainingConfig
from keras_inpaint.training.cooldown import Cooldown, branch_run
from keras_inpaint.training.schedule import train

pytestmark = pytest.mark.long

CONFIG = dataclasses.replace(
    tiny_runs.CONFIG, steps=(8, 0, 0), optimizer="muon", learning_rate=0.01, ema=0.9
)


class Rates(keras.callbacks.Callback):
    """Notes the learning rate of every step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate))


@pytest.fixture(scope="module")
def runs(images, tmp_path_factory):
    """A run with a cooldown of 4 steps, and a constant one that was stopped after 4."""
    folder = tmp_path_factory.mktemp("cooldown")
    rates = Rates()
    config = dataclasses.replace(CONFIG, cooldown=4)
    train(config, folder / "whole", images=images, callbacks=[rates])
    endless = dataclasses.replace(CONFIG, steps=(1000, 0, 0))
    with pytest.raises(Killed):
        train(endless, folder / "constant", images=images, save_seconds=0, listener=kill_at(1, 5))
    return folder, rates.seen


def test_the_rate_is_constant_and_then_falls(runs):
    _, rates = runs
    assert rates[:5] == pytest.approx([0.01] * 5)
    assert rates[5:] == pytest.approx(
        [0.01 * (0.01 + 0.99 * part) for part in (0.85355, 0.5, 0.14645)], rel=1e-4
    )


def test_a_branch_is_what_the_whole_run_is(runs, images):
    folder, _ = runs
    state = (folder / "constant" / "state" / "state.npz").read_bytes()
    config = branch_run(folder / "constant", folder / "cooled", 4)
    assert config == dataclasses.replace(CONFIG, cooldown=4)
    with pytest.raises(Killed):  # in the middle of the cooldown, whose rate must not be lost
        train(config, folder / "cooled", images=images, save_seconds=0, listener=kill_at(1, 7))
    assert branch_run(folder / "constant", folder / "cooled", 4) == config
    train(config, folder / "cooled", images=images)
    assert_same_network(folder / "whole", folder / "cooled")
    assert (folder / "constant" / "state" / "state.npz").read_bytes() == state
    assert read_config(folder / "constant").cooldown == 0
    assert not list(folder.glob(".cooled*"))


def test_a_run_of_an_earlier_version_is_branched_under_the_names_of_now(runs, tmp_path):
    folder, _ = runs
    old = tmp_path / "old"
    shutil.copytree(folder / "constant", old)
    found = json.loads((old / "config.json").read_text())
    found["config"]["judge_every"] = found["config"].pop("evaluate_every")
    for setting in ("cooldown", "decay", "r1"):  # they were not there yet
        del found["config"][setting]
    (old / "config.json").write_text(json.dumps(found))
    config = branch_run(old, tmp_path / "cooled", 4)
    assert config == dataclasses.replace(CONFIG, cooldown=4)
    assert branch_run(old, tmp_path / "cooled", 4) == read_config(tmp_path / "cooled") == config


def test_what_cannot_be_branched_is_named(runs, tmp_path):
    folder, _ = runs
    with pytest.raises(ValueError, match="does not contain a run"):
        branch_run(tmp_path, tmp_path / "out", 4)
    with pytest.raises(ValueError, match="no constant learning rate"):
        branch_run(folder / "whole", tmp_path / "out", 4)
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        branch_run(folder / "constant", tmp_path / "out", 0)
    with pytest.raises(FileExistsError, match="another run"):
        branch_run(folder / "constant", folder / "whole", 4)
    assert list(tmp_path.iterdir()) == []


def test_a_finished_phase_cannot_be_branched(images, tmp_path):
    train(dataclasses.replace(CONFIG, steps=(2, 0, 0)), tmp_path / "done", images=images)
    with pytest.raises(ValueError, match="not in the middle of a phase"):
        branch_run(tmp_path / "done", tmp_path / "out", 4)
    assert [path.name for path in tmp_path.iterdir()] == ["done"]


def test_a_run_of_before_there_was_a_cooldown_goes_on(images, tmp_path):
    train(CONFIG, tmp_path, images=images)
    found = json.loads((tmp_path / "config.json").read_text())
    for setting in ("cooldown", "augment", "r1", "r1_every", "feature_matching"):
        del found["config"][setting]
    (tmp_path / "config.json").write_text(json.dumps(found))
    longer = dataclasses.replace(CONFIG, steps=(10, 0, 0))
    train(longer, tmp_path, images=images)
    assert read_config(tmp_path) == longer


def test_both_optimisers_cool_down():
    optimizers = [
        keras.optimizers.Adam(0.1),
        keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.2)),
    ]
    for optimizer in optimizers:
        optimizer.build([keras.Variable(np.zeros(1))])
    cooldown = Cooldown(optimizers, step=1, total=2, length=2)
    cooldown.on_train_batch_begin(0)
    assert [float(each.learning_rate) for each in optimizers] == pytest.approx([0.0505, 0.101])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cooldown": -1}, "cooldown must be at least 0, got -1"),
        ({"cooldown": 5, "decay": "cosine"}, "needs the decay 'constant'"),
        ({"alpha": -0.1}, "alpha must be at least 0, got -0.1"),
        ({"width": 0}, "width must be above 0, got 0"),
        ({"label_smoothing": 0.5}, "label_smoothing must be below 0.5, got 0.5"),
        ({"scale": (0.5, 2)}, r"scale must be at least 1, got \(0.5, 2\)"),
        ({"precision": "int4"}, "precision must be one of"),
    ],
)
def test_settings_outside_of_their_limits_are_named(settings, words):
    with pytest.raises(ValueError, match=words):
        TrainingConfig(**settings)
