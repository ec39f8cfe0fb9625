"""A completion network run by Keras on TensorFlow."""

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_inpaint.networks.layers  # noqa: F401  registers the layers of saved networks
from keras_inpaint.inference.runtimes import Runtime, as_float
from keras_inpaint.networks.completion import mean_pixel_of
from keras_inpaint.networks.exact import size_independent
from keras_inpaint.networks.geometry import network_reach

logger = logging.getLogger(__name__)


class KerasRuntime(Runtime):
    """Runs a `.keras` file or a network in memory, in float32.

    One graph serves every size, so that nothing is traced again for a new one.

    Args:
        model: Path of a `.keras` file, or a completion network; it is copied.
        threads: Int, processor threads within an op; None is TensorFlow's choice.

    Raises:
        ValueError: If the file cannot be read, or holds no completion network.
    """

    name = "keras"

    def __init__(self, model: Path | keras.Model, threads: int | None = None) -> None:
        limit_threads(threads)
        network = model if isinstance(model, keras.Model) else _read(Path(model))
        _check_contract(network, model)
        self.reach = network_reach(network)
        self.mean_pixel = mean_pixel_of(network)
        height, width = next(t.shape for t in network.inputs if t.name == "image")[1:3]
        self.fixed_sizes = ((height, width),) if height and width else ()
        exact = size_independent(network)
        self._generate = tf.function(
            lambda image, mask: exact({"image": image, "mask": mask}, training=False),
            input_signature=[
                tf.TensorSpec((None, height, width, 3), tf.float32),
                tf.TensorSpec((None, height, width, 1), tf.float32),
            ],
        )

    def generate(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return self._generate(as_float(image), mask[..., None].astype(np.float32)).numpy()


def limit_threads(threads: int | None) -> None:
    """Limit TensorFlow's threads, which can be done only before it has computed anything."""
    if threads is None or tf.config.threading.get_intra_op_parallelism_threads() == threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        logger.warning("TensorFlow is running already: threads=%d has no effect", threads)


def _read(path: Path) -> keras.Model:
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{path} is not a Keras model that can be read: {reason}") from error


def _check_contract(network: Any, model: Any) -> None:
    label = model if isinstance(model, Path) else getattr(network, "name", network)
    if not isinstance(network, keras.Model):
        raise ValueError(f"{label} is no completion network but a {type(network).__name__}")
    inputs = {tensor.name: tensor.shape[-1] for tensor in network.inputs}
    if inputs != {"image": 3, "mask": 1} or len(network.outputs) != 1:
        raise ValueError(
            f"{label} is no completion network: it takes {inputs}, expected image of 3 channels "
            f"and mask of 1"
        )
