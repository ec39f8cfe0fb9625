"""What the tests of whole runs share: a tiny configuration, and the sudden end of a run."""

import csv
import dataclasses

import numpy as np
import pytest

from keras_inpaint.networks.weights import read_network
from keras_inpaint.training.config import TrainingConfig
from keras_inpaint.training.run_folder import RunFolder

CONFIG = TrainingConfig(
    size=16,
    width=0.0625,
    batch_size=4,
    steps=(6, 4, 5),
    masks="rectangles:4-8",
    patch_size=8,
    scale=(1.0, 1.0),
    held_out=0.2,
    precision="float32",
    log_every=2,
    evaluate_every=4,
)

#: For runs on several devices: small steps, in which rounding does not grow, clipped gradients.
SHARED = dataclasses.replace(
    CONFIG,
    data="sample:24",
    width=0.125,
    batch_size=12,
    optimizer="SGD",
    learning_rate=1e-3,
    clip_norm=0.3,
)


class Killed(BaseException):
    """Stands for a signal that no code can catch."""


def killed(*arguments):
    """Stand in for any function, and end the run."""
    raise Killed


def kill_at(phase, step):
    """Return a listener that ends the run after a step."""

    def listener(event, facts):
        if event == "step" and (facts["phase"], facts["step"]) == (phase, step):
            raise Killed

    return listener


def assert_same_network(one, other):
    """Check that two runs ended with the same completion network, bit for bit."""
    networks = [read_network(run / "completion.keras") for run in (one, other)]
    for mine, its in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_array_equal(mine, its)


def read_rows(run):
    """Return the rows of a run's metrics as dicts of floats, without what is empty."""
    with open(run / "metrics.csv", newline="") as file:
        return [{k: float(v) for k, v in row.items() if v != ""} for row in csv.DictReader(file)]


def assert_same_run(one, other):
    """Check that two runs of `SHARED` logged and learned the same, but for rounding."""
    for mine, its in zip(read_rows(one), read_rows(other), strict=True):
        norms = [name for name in its if name.endswith("norm")]  # rectifiers have kinks
        for row in (mine, its):
            row["norms"] = [row.pop(name) for name in norms]
        assert mine.pop("norms") == pytest.approx(its.pop("norms"), rel=5e-3)
        assert mine == pytest.approx(its, rel=2e-4)
    states = [np.load(run / "state" / "state.npz") for run in (one, other)]
    assert set(states[0].files) == set(states[1].files)
    for name in set(states[0].files) - {"sha256"}:
        np.testing.assert_allclose(states[0][name], states[1][name], rtol=2e-4, atol=2e-5)


def read_config(folder):
    """Return the configuration of a run's folder."""
    return TrainingConfig(**RunFolder(folder).begin(fresh=False)["config"])
