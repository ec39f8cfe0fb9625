"""Evaluate a run on held-out photos and baselines, and save its metrics and states."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_inpaint.data.images import Images
from keras_inpaint.data.pipeline import fixed_examples
from keras_inpaint.networks.layers import with_dtype_policy
from keras_inpaint.networks.weights import write_network
from keras_inpaint.psnr import psnr
from keras_inpaint.training.callbacks import write_samples
from keras_inpaint.training.config import TrainingConfig
from keras_inpaint.training.phases import moving_averages
from keras_inpaint.training.run_folder import RunFolder
from keras_inpaint.training.trainer import Trainer


class BatchNormEstimator:
    """Re-estimate batch normalisation statistics for fixed weights; the graph is traced once.

    Moving averages lag behind the weights: early in training, they lower the PSNR by several
    decibels compared with re-estimated statistics. Source: Y. Wu, J. Johnson, "Rethinking
    'Batch' in BatchNorm", section 3, https://arxiv.org/abs/2105.07576.

    Args:
        network: A functional completion network. Frozen layers keep their statistics.
    """

    def __init__(self, network: keras.Model) -> None:
        self._norms = [
            layer
            for layer in network.layers
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        ]
        probe = keras.Model(network.input, [norm.input for norm in self._norms])

        @tf.function
        def moments(batch: dict[str, tf.Tensor]) -> list:
            pairs = [
                tf.nn.moments(tf.cast(x, tf.float32), [0, 1, 2])
                for x in probe(batch, training=True)
            ]
            return [tf.stack([mean, variance + tf.square(mean)]) for mean, variance in pairs]

        self._moments = moments

    def __call__(self, batches: Iterable[dict[str, Any]]) -> None:
        """Set the moving statistics to estimates from batches.

        Args:
            batches: Dicts of `image` and `mask`, in the format of `make_dataset`; 20 are enough.

        Raises:
            ValueError: If there is no batch.
        """
        totals = [np.zeros((2, norm.moving_mean.shape[0])) for norm in self._norms]
        count = 0
        for batch in batches:
            pair = {"image": batch["image"], "mask": batch["mask"]}
            for total, moments in zip(totals, self._moments(pair), strict=True):
                total += moments.numpy()
            count += 1
        if not count:
            raise ValueError("re-estimating batch normalisation needs at least one batch")
        for norm, (mean, square) in zip(self._norms, totals, strict=True):
            mean, square = mean / count, square / count
            norm.moving_mean.assign(mean.astype("float32"))
            norm.moving_variance.assign(np.maximum(square - mean**2, 0).astype("float32"))


#: Maximum number of held-out photos for the metrics; the sheets show the first eight.
JUDGED = 64


class Evaluator:
    """Evaluate and save a completion network during training.

    Args:
        config: `TrainingConfig`.
        folder: `RunFolder`.
        network: A float32 completion network, which receives the evaluated weights.
        precision: The dtype policy of the training.
        photos: `Images` to evaluate on.
        batches: Function that returns the batches for re-estimating batch normalisation.
    """

    def __init__(
        self,
        config: TrainingConfig,
        folder: RunFolder,
        network: keras.Model,
        precision: str,
        photos: Images,
        batches: Callable[[], Iterable[dict[str, Any]]],
    ) -> None:
        self._folder, self._finished, self._batches = folder, network, batches
        self._copy = with_dtype_policy(network, precision)
        self._estimate = BatchNormEstimator(self._copy)
        self._examples = fixed_examples(
            photos,
            count=JUDGED,
            size=config.size,
            masks=config.masks,
            patch_size=config.patch,
            seed=config.seed,
        )

    def evaluate(
        self, network: keras.Model, trainer: Trainer, phase: int, step: int
    ) -> dict[str, float]:
        """Complete the photos, and write the contact sheet and the current network.

        A copy of the network is evaluated, with the averaged weights if there are any, so that
        training is not affected.

        Returns:
            Dict of `held_out_hole_mse` and `held_out_psnr`.
        """
        self._copy.set_weights(network.get_weights())
        averages = moving_averages(trainer) if phase != 2 else []
        if averages:
            for variable, value in zip(self._copy.trainable_variables, averages, strict=True):
                variable.assign(value)
        if phase != 2:
            self._estimate(self._batches())
        self._finished.set_weights(self._copy.get_weights())
        error = write_samples(
            self._finished,
            self._examples,
            self._folder.samples,
            f"phase{phase}-step{step:06d}",
            f"phase {phase}, step {step:,}",
            self._folder.animation,
        )
        self.save()
        return {"held_out_hole_mse": error, "held_out_psnr": psnr(error)}

    def settle(self, network: keras.Model) -> None:
        """Re-estimate the batch normalisation statistics of a network whose training is done."""
        self._copy.set_weights(network.get_weights())
        self._estimate(self._batches())
        network.set_weights(self._copy.get_weights())

    def save(self) -> None:
        """Write the evaluated network, in float32, atomically."""
        write_network(self._finished, self._folder.completion_file)

    def baselines(self, mean_pixel: tuple[float, float, float]) -> dict[str, float]:
        """Return the errors of the mean pixel and of OpenCV's Telea inpainting on these holes."""
        import cv2

        image, mask = (np.asarray(self._examples[k], "float32") for k in ("image", "mask"))
        pixels = np.rint(image * 255).astype("uint8")
        filled = [
            cv2.inpaint(p, (m[..., 0] > 0.5).astype("uint8"), 3, cv2.INPAINT_TELEA)
            for p, m in zip(pixels, mask, strict=True)
        ]
        weight = 3 * mask.sum()
        telea = np.sum(np.square(np.stack(filled) / 255.0 - image) * mask) / weight
        mean = np.sum(np.square(np.array(mean_pixel) - image) * mask) / weight
        return {
            "photos": len(image),
            "telea_hole_mse": float(telea),
            "telea_psnr": psnr(telea),
            "mean_pixel_hole_mse": float(mean),
            "mean_pixel_psnr": psnr(mean),
        }


class Checkpointer(keras.callbacks.Callback):
    """Write a row of metrics per epoch, evaluate, and save the state.

    Args:
        schedule: The running `schedule.Schedule`, which has the options, the folder and the
            evaluator.
        trainer: Its trainer.
        phase: Int, 1 to 3.
        step: Int, steps of the phase completed before this `fit`.
        parts: Dict from names to the variables of the state.
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
        self._schedule.options.tell("step", phase=self._phase, step=self.step)

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
        self._schedule.options.tell("row", **row)
        if last or time.monotonic() - self._saved >= self._schedule.options.save_seconds:
            self.save()

    def save(self) -> None:
        """Write the state."""
        self._schedule.folder.save_state(self._phase, self.step, self._parts)
        self._saved = time.monotonic()
