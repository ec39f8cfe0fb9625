"""Keras callbacks for monitoring GAN training, for any of the three trainers.

They write contact sheets of completed photos, stop if a loss is not finite, and detect a
discriminator whose loss is close to zero.
"""

import logging
import os
from collections import deque
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_inpaint.psnr import psnr
from keras_inpaint.training.sheets import contact_sheet, grid, save_animation, save_image
from keras_inpaint.training.steps import composite

logger = logging.getLogger(__name__)


class StepCounter(keras.callbacks.Callback):
    """Count training steps; Keras calls back once per execution, which may be several steps.

    Args:
        first_step: Int, the number of steps completed before this `fit`.

    Attributes:
        step: Int, the number of completed steps.
    """

    def __init__(self, first_step: int = 0) -> None:
        super().__init__()
        self.step = first_step
        self._last_batch = -1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._last_batch = -1

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step += batch - self._last_batch
        self._last_batch = batch


class ContactSheet(StepCounter):
    """Complete fixed photos at the start, every `every` steps and at the end.

    Writes `FOLDER/LABEL-step000500.png` (the photo, the photo with its hole, the completed
    photo) and optionally an animation of all frames so far.

    Example:

    >>> sheets = ContactSheet(examples, "sheets", every=500, animation="sheets/all.gif")
    >>> trainer = CompletionTrainer(network)
    >>> trainer.compile()
    >>> trainer.fit(dataset, steps_per_epoch=100, callbacks=[sheets])

    Args:
        examples: Dict with one batch, in the format of `make_dataset`; preferably held-out
            photos.
        folder: Path of a folder for the images; created if missing.
        every: Int, number of steps between two sheets.
        animation: Path of a `.gif`, or None.
        label: String, prefix of the file names.
        first_step: Int, the number of steps completed before this `fit`.
    """

    def __init__(
        self,
        examples: dict[str, Any],
        folder: str | os.PathLike[str],
        every: int = 500,
        animation: str | os.PathLike[str] | None = None,
        label: str = "sheet",
        first_step: int = 0,
    ) -> None:
        super().__init__(first_step)
        if every < 1:
            raise ValueError(f"every must be above 0, got {every!r}")
        self.examples, self.every, self.label = examples, every, label
        self.folder = Path(folder)
        self.animation = None if animation is None else Path(animation)
        self._written = -1

    def on_train_begin(self, logs: Any = None) -> None:
        self._write()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        before = self.step
        super().on_train_batch_end(batch, logs)
        if self.step // self.every > before // self.every:
            self._write()

    def on_train_end(self, logs: Any = None) -> None:
        self._write()

    def _write(self) -> None:
        if self._written != self.step:
            self._written = self.step
            write_samples(
                self.model.completion_network,
                self.examples,
                self.folder,
                f"{self.label}-step{self.step:06d}",
                f"{self.label}, step {self.step:,}",
                self.animation,
            )


def write_samples(
    network: keras.Model,
    examples: dict[str, Any],
    folder: Path,
    stem: str,
    caption: str,
    animation: Path | None,
    shown: int = 8,
) -> float:
    """Complete fixed examples, write their contact sheet, and add a frame to the animation.

    Args:
        network: A completion network.
        examples: Dict of `image` and `mask`, one batch.
        folder: Path of a folder; created if missing.
        stem: String, the sheet's file name without `.png`.
        caption: String, the text above the sheet.
        animation: Path of a `.gif` of all frames in `folder`, or None.
        shown: Int, maximum number of examples in the images.

    Returns:
        The mean squared error over the pixels and channels of all holes.
    """
    image, mask = (np.asarray(examples[key], "float32") for key in ("image", "mask"))
    generated = np.concatenate(
        [
            np.asarray(
                network({"image": image[i : i + 8], "mask": mask[i : i + 8]}, training=False)
            )
            for i in range(0, len(image), 8)
        ]
    )
    error = float(np.sum(np.square(generated - image) * mask) / (3 * mask.sum()))
    completed = np.asarray(composite(image, mask, generated))
    caption = f"{caption}   {psnr(error):.2f} dB in the holes"
    folder.mkdir(parents=True, exist_ok=True)
    holed = image * (1 - mask) + mask
    columns = [part[:shown] for part in (image, holed, completed)]
    save_image(
        contact_sheet(columns, ["photo", "hole", "completed"], caption), folder / f"{stem}.png"
    )
    if animation is not None:
        frames = folder / "frames"
        frames.mkdir(exist_ok=True)
        save_image(grid(completed[:shown], caption), frames / f"{stem}.png")
        save_animation(sorted(frames.glob("*.png")), animation)
    return error


class TrainingFailed(RuntimeError):
    """Training cannot continue; the message gives the reason and what to do."""


class StopOnNaN(StepCounter):
    """Stop immediately if a loss is not finite, and keep the last saved state."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch, logs)
        bad = [k for k, v in (logs or {}).items() if "norm" not in k and not np.isfinite(v)]
        if bad:
            raise TrainingFailed(
                f"{bad[0]} is not a finite number after {self.step} steps of this run: training "
                "diverged. The last good state is kept; resume from it with a lower learning "
                "rate, gradient clipping, or float32."
            )


COLLAPSE_ACTIONS = ("warn", "stop", "rebalance")


class CollapseGuard(StepCounter):
    """Detect that the discriminator wins, explain it, and take an action.

    The discriminator wins if, averaged over a window of logged epochs, its loss is below `loss`
    and its accuracy above `accuracy`. Its gradient then no longer helps the completion network.

    Example:

    >>> trainer = JointTrainer(network, discriminator)
    >>> trainer.compile()
    >>> trainer.fit(dataset, steps_per_epoch=100, callbacks=[CollapseGuard("stop")])

    Args:
        action: `"warn"`; `"stop"`, which ends this `fit`; or `"rebalance"`, which halves alpha of
            a `JointTrainer` and continues.
        window: Int, number of steps to average over.
        loss: Float, upper limit of the discriminator's mean loss.
        accuracy: Float in [0, 1], lower limit of the discriminator's mean accuracy.
    """

    def __init__(
        self,
        action: str = "warn",
        window: int = 200,
        loss: float = 0.05,
        accuracy: float = 0.99,
    ) -> None:
        super().__init__()
        if action not in COLLAPSE_ACTIONS:
            raise ValueError(f"action must be one of {COLLAPSE_ACTIONS}, got {action!r}")
        if window < 1:
            raise ValueError(f"window must be above 0, got {window!r}")
        self.action, self.window, self.loss, self.accuracy = action, window, loss, accuracy
        self.fired = 0
        self._recent: deque[tuple[float, float, int]] = deque()
        self._seen = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        if "discriminator_accuracy" not in logs:
            return
        d_loss = logs.get("discriminator_loss", logs["loss"])
        self._recent.append(
            (float(d_loss), float(logs["discriminator_accuracy"]), self.step - self._seen)
        )
        self._seen = self.step
        while sum(n for *_, n in self._recent) - self._recent[0][2] >= self.window:
            self._recent.popleft()
        if sum(n for *_, n in self._recent) < self.window:
            return
        mean_loss = float(np.mean([row[0] for row in self._recent]))
        mean_accuracy = float(np.mean([row[1] for row in self._recent]))
        if mean_loss < self.loss and mean_accuracy > self.accuracy:
            self._fire(mean_loss, mean_accuracy)

    def _fire(self, loss: float, accuracy: float) -> None:
        self.fired += 1
        self._recent.clear()
        logger.warning(
            "The discriminator wins: its loss was %.2g and its accuracy %.1f %% over the last %d "
            "steps, so it recognises every completed image and the completion network no longer "
            "learns from it. Lower the discriminator's learning rate or its width, shorten phase "
            "2, try label smoothing 0.1 or the hinge loss, or lower alpha.",
            loss,
            100 * accuracy,
            self.window,
        )
        if self.action == "stop":
            self.model.stop_training = True
        elif self.action == "rebalance" and hasattr(self.model, "alpha"):
            alpha = float(self.model.alpha.numpy()) / 2
            self.model.alpha.assign(alpha)
            logger.warning("alpha is now %.3g.", alpha)
