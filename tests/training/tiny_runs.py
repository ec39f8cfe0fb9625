"""What the tests of whole runs share: a tiny configuration, and the sudden end of a run."""

import numpy as np

from keras_inpaint.networks.weights import read_network
from keras_inpaint.training.config import TrainingConfig

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
    judge_every=4,
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
