"""A constant learning rate that can be cooled down: at the end of a run, or of a branch of it.

A run at a constant rate may be made longer at any time, and its networks are noisy; a cooldown of
some thousand steps brings what a schedule of the whole length would have. Source: A. Hägele et
al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", NeurIPS 2024,
https://arxiv.org/abs/2405.18392.
"""

import dataclasses
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_inpaint.training.config import TrainingConfig
from keras_inpaint.training.run_folder import RunFolder

#: The learning rate that a cosine ends with, as a part of the one that it begins with.
COSINE_END = 0.01


class Cooldown(keras.callbacks.Callback):
    """Lower the learning rates over the last steps of a phase, as a cosine.

    Args:
        optimizers: Keras optimisers with their constant learning rates.
        step: Int, steps of the phase done before this `fit`.
        total: Int, steps of the phase.
        length: Int, steps of the cooldown; more than `total` is all of the phase.
    """

    def __init__(
        self, optimizers: list[keras.optimizers.Optimizer], step: int, total: int, length: int
    ) -> None:
        super().__init__()
        inner = [getattr(optimizer, "inner_optimizer", optimizer) for optimizer in optimizers]
        self._rates = [(each, float(np.asarray(each.learning_rate))) for each in inner]
        self._step, self._total, self._length = step, total, min(length, total)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        done = 1 - (self._total - self._step) / self._length
        if done >= 0:
            factor = COSINE_END + (1 - COSINE_END) * (1 + math.cos(math.pi * done)) / 2
            for optimizer, rate in self._rates:
                optimizer.learning_rate = rate * factor
        self._step += 1


def branch_run(
    run: str | os.PathLike[str], out: str | os.PathLike[str], cooldown: int
) -> TrainingConfig:
    """Begin a run that cools down what another run has learned so far.

    The other run stays as it is, and may go on at its constant rate. What `train` makes of the
    branch is bit for bit what a run that had the cooldown in its configuration from the start
    would have given.

    Args:
        run: Path of a run's folder, under way in phase 1, 2 or 3 with a constant learning rate; it
            may be training at the same time.
        out: Path of the folder of the new run. If it holds the branch already, that goes on.
        cooldown: Int above 0, the number of steps.

    Returns:
        The configuration to call `train` with.

    Raises:
        FileExistsError: If `out` holds something else.
        ValueError: If the run cannot be branched; the message says why.
    """
    if cooldown < 1:
        raise ValueError(f"a cooldown needs at least 1 step, got {cooldown!r}")
    source, target = RunFolder(run), RunFolder(out)
    origin = f"{source.path.resolve()}"
    there = target.begin(fresh=False)
    if there is not None:
        if there.get("branch_of") != origin or there["config"]["cooldown"] != cooldown:
            raise FileExistsError(17, "This folder holds another run", str(target.path))
        return TrainingConfig(**there["config"])
    found = source.begin(fresh=False)
    if found is None or source.find_state() is None:
        raise ValueError(f"{source.path} holds no run with a state to go on from")
    config = TrainingConfig(**found["config"])
    if config.decay != "constant" or config.cooldown:
        raise ValueError(f"{source.path} has no constant learning rate to cool down")
    target.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=target.path.parent, prefix=f".{target.path.name}-"
    ) as folder:
        copy = source.copy_to(
            Path(folder) / "run",
            source.metrics_file,
            source.first_phase_file,
            source.initial_file,
            source.path / "held_out.json",
        )
        phase, step = copy.load_place()
        if not step:
            raise ValueError(
                f"{source.path} is not under way in a phase: stop a run before its last step, or "
                "give it more steps"
            )
        steps = [*config.steps]
        steps[phase - 1] = step + cooldown
        result = dataclasses.replace(config, steps=tuple(steps), cooldown=cooldown)
        found |= {"config": result.as_dict(), "branch_of": origin}
        copy.write_json(copy.config_file, found)
        if target.path.is_dir():
            target.path.rmdir()
        os.rename(copy.path, target.path)
    return result
