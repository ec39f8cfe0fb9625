"""How a run is evaluated: held-out photos, their pictures, and classical baselines on them."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from keras_inpaint.data.images import Images
from keras_inpaint.data.pipeline import fixed_examples
from keras_inpaint.networks.layers import with_dtype_policy
from keras_inpaint.networks.weights import write_network
from keras_inpaint.psnr import psnr
from keras_inpaint.training.batch_norm import BatchNormEstimator
from keras_inpaint.training.callbacks import write_samples
from keras_inpaint.training.config import TrainingConfig
from keras_inpaint.training.phases import moving_averages
from keras_inpaint.training.run_folder import RunFolder
from keras_inpaint.training.trainer import Trainer

#: Held-out photos that the figures are measured on; the sheets show the first eight.
JUDGED = 64


class Evaluator:
    """Evaluates a completion network while it trains, and writes it as it is then.

    Args:
        config: `TrainingConfig`.
        folder: `RunFolder`.
        network: The completion network in float32; it becomes the one that is judged.
        precision: The dtype policy that the run trains under.
        photos: `Images` to judge by.
        batches: Returns the batches that batch normalisation is re-estimated on.
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
        """Complete the photos, write the pictures and the network as it is now.

        A copy is judged, with the averaged weights where an average is kept: training goes on
        from where it was.
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
        """Re-estimate the batch normalisation of a network that is to stay as it is."""
        self._copy.set_weights(network.get_weights())
        self._estimate(self._batches())
        network.set_weights(self._copy.get_weights())

    def save(self) -> None:
        """Write the judged network, in float32, whole or not at all."""
        write_network(self._finished, self._folder.completion_file)

    def baselines(self, mean_pixel: tuple[float, float, float]) -> dict[str, float]:
        """Return the errors of the mean pixel and of OpenCV's Telea on the same holes."""
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
