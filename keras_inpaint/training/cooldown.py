"""Cooldown of a constant learning rate, at the end of a run or of a branch of it.

A run with a constant rate can be extended at any time, but its weights are noisy. A cooldown of a
few thousand steps gives the result of a decay over the whole length. Source: A. Hägele et al.,
"Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", NeurIPS 2024,
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

#: The final learning rate of a cosine decay, as a fraction of the initial one.
COSINE_END = 0.01


class Cooldown(keras.callbacks.Callback):
    """Lower the learning rates over the last steps of a phase, following a cosine.

    Args:
        optimizers: Keras optimisers with constant learning rates.
        step: Int, steps of the phase completed before this `fit`.
        total: Int, steps of the phase.
        length: Int, steps of the cooldown, limited to `total`.
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
    """Start a new run that cools down from the current state of another run.

    The other run is unchanged and can continue at its constant rate. Training the branch gives
    bit for bit the same result as a run with the cooldown in its configuration from the start.

    Args:
        run: Path of the folder of a run in the middle of phase 1, 2 or 3, with a constant learning
            rate; it may be training at the same time.
        out: Path of the folder of the new run. If it contains this branch already, it is resumed.
        cooldown: Int above 0, the number of steps.

    Returns:
        The configuration to call `train` with.

    Raises:
        FileExistsError: If `out` contains something else.
        ValueError: If the run cannot be branched; the message gives the reason.
    """
    if cooldown < 1:
        raise ValueError(f"a cooldown needs at least 1 step, got {cooldown!r}")
    source, target = RunFolder(run), RunFolder(out)
    origin = f"{source.path.resolve()}"
    existing = target.begin(fresh=False)
    if existing is not None:
        if existing.get("branch_of") != origin or existing["config"]["cooldown"] != cooldown:
            raise FileExistsError(17, "This folder contains another run", str(target.path))
        return TrainingConfig(**existing["config"])
    record = source.begin(fresh=False)
    if record is None or source.find_state() is None:
        raise ValueError(f"{source.path} does not contain a run with a state to resume from")
    config = TrainingConfig(**record["config"])
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
                f"{source.path} is not in the middle of a phase: stop a run before its last step, "
                "or give it more steps"
            )
        steps = [*config.steps]
        steps[phase - 1] = step + cooldown
        result = dataclasses.replace(config, steps=tuple(steps), cooldown=cooldown)
        record |= {"config": result.as_dict(), "branch_of": origin}
        copy.write_json(copy.config_file, record)
        if target.path.is_dir():
            target.path.rmdir()
        os.rename(copy.path, target.path)
    return result
