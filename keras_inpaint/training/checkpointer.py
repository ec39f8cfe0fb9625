"""The callback that keeps a run's folder: rows, pictures, state."""

import time
from typing import Any

import keras


class Checkpointer(keras.callbacks.Callback):
    """Write a row of the metrics, evaluate, and save the state; an epoch is a row.

    Args:
        schedule: The `schedule.Schedule` under way, which is told, evaluates and knows the folder.
        trainer: Its trainer.
        phase: Int, 1 to 3.
        step: Int, steps of the phase done before.
        parts: Name to variables, what the state holds.
    """

    def __init__(
        self,
        schedule: Any,
        trainer: keras.Model,
        phase: int,
        step: int,
        parts: dict[str, Any],
    ) -> None:
        super().__init__()
        self._schedule, self._trainer, self._phase = schedule, trainer, phase
        self._parts = parts
        self.step = step
        self.rows = -(-step // schedule.config.log_every)
        self._total = schedule.config.steps[phase - 1]
        self._saved = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step += 1
        self._schedule.tell("step", {"phase": self._phase, "step": self.step})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.rows = epoch + 1
        last = self.step >= self._total or self._trainer.stop_training
        row: dict[str, Any] = {"phase": self._phase, "step": self.step, **(logs or {})}
        if self._phase == 2 and "discriminator_loss" not in row:
            row["discriminator_loss"] = row.pop("loss")
        if self._phase == 1:
            row["completion_loss"] = row["loss"]
        if last or (
            self._phase != 2 and self.step % self._schedule.config.evaluated_at(self._phase) == 0
        ):
            row |= self._schedule.evaluate(self._trainer, self._phase, self.step)
        self._schedule.folder.append_row(row)
        self._schedule.tell("row", row)
        if last or time.monotonic() - self._saved >= self._schedule.save_seconds:
            self.save()

    def save(self) -> None:
        """Write the state."""
        self._schedule.folder.save_state(self._phase, self.step, self._parts)
        self._saved = time.monotonic()
