"""The lessons of those who trained GANs, as Keras callbacks for any of the three trainers.

They are the five lessons of the post that this project set out from: do not stop early, look at
the pictures, a discriminator's loss near zero means collapse, and say why.
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
    """Counts steps where Keras calls back once an execution, of one step or of several.

    Args:
        first_step: Int, the number of steps done before this `fit`.

    Attributes:
        step: Int, the number of steps done.
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
    """Complete the same photos at the start, every so many steps and at the end.

    Writes `FOLDER/LABEL-step000500.png` (the photo, the photo with its hole, the completed
    photo) and, where asked, an animation over all frames so far.

    Example:

    >>> sheets = ContactSheet(examples, "sheets", every=500, animation="sheets/all.gif")
    >>> trainer = CompletionTrainer(network)
    >>> trainer.compile()
    >>> trainer.fit(dataset, steps_per_epoch=100, callbacks=[sheets])

    Args:
        examples: Dict of one batch, as a training dataset gives it; held-out photos tell more.
        folder: Path of a folder for the pictures; made if missing.
        every: Int, steps between two sheets.
        animation: Path of a `.gif`, or None.
        label: String, the beginning of the file names.
        first_step: Int, the number of steps done before this `fit`.
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
        folder: Path of a folder; made if missing.
        stem: String, the sheet's file name without `.png`.
        caption: String, written on the sheet.
        animation: Path of a `.gif` over all frames in `folder`, or None.
        shown: Int, how many examples the pictures show.

    Returns:
        The mean squared error over all holes' pixels and channels.
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
    """Training cannot go on; the message says why and what is left."""


class StopOnNaN(StepCounter):
    """Stop at once when a loss is not a number; what was saved before stays the last state."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch, logs)
        bad = [k for k, v in (logs or {}).items() if "norm" not in k and not np.isfinite(v)]
        if bad:
            raise TrainingFailed(
                f"{bad[0]} is not a finite number after {self.step} steps of this run: the "
                f"step was too long. The last good state is kept; go on from it with a lower "
                f"learning rate, gradient clipping, or float32."
            )


COLLAPSE_ACTIONS = ("warn", "stop", "rebalance")


class CollapseGuard(StepCounter):
    """See the discriminator win, explain it, and act.

    The guard averages over a window of logged epochs: when the discriminator's loss is below
    `loss` and its accuracy above `accuracy`, it no longer tells the completion network
    anything.

    Example:

    >>> trainer = JointTrainer(network, discriminator)
    >>> trainer.compile()
    >>> trainer.fit(dataset, steps_per_epoch=100, callbacks=[CollapseGuard("stop")])

    Args:
        action: `"warn"`; `"stop"`, ends this `fit`; `"rebalance"`, halves alpha of a
            `JointTrainer` and goes on.
        window: Int, steps that have to look like this.
        loss: Float, the discriminator's loss below which it wins.
        accuracy: Float in [0, 1], the accuracy above which it wins.
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
            "steps, so it tells every completed image apart and the completion network learns "
            "nothing from it any more. Lower the discriminator's learning rate or its width, "
            "shorten phase 2, try label smoothing 0.1 or the hinge loss, or lower alpha.",
            loss,
            100 * accuracy,
            self.window,
        )
        if self.action == "stop":
            self.model.stop_training = True
        elif self.action == "rebalance" and hasattr(self.model, "alpha"):
            alpha = float(self.model.alpha.numpy()) / 2
            self.model.alpha.assign(alpha)
            logger.warning("alpha is %.3g from here on.", alpha)
