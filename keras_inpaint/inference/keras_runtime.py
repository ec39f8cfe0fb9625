"""A completion network run by Keras, on TensorFlow or another backend."""

import logging
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_inpaint.inference.runtime import Runtime, as_float
from keras_inpaint.networks.completion import mean_pixel_of
from keras_inpaint.networks.inference_graph import for_inference
from keras_inpaint.networks.layers import with_fast_layers
from keras_inpaint.networks.receptive_field import network_receptive_field
from keras_inpaint.networks.weights import read_network, require_completion_network
from keras_inpaint.presets.cards import card_beside

logger = logging.getLogger(__name__)


class KerasRuntime(Runtime):
    """Runs a `.keras` file or a network in memory, in float32.

    One graph is used for all sizes, so that a new size is not traced again.

    Args:
        model: Path of a `.keras` file, or a completion network; it is copied.
        threads: Int, the number of threads within an op; None leaves it to TensorFlow.

    Raises:
        ValueError: If the file cannot be read, or does not hold a completion network.
    """

    name = "keras"

    def __init__(self, model: Path | keras.Model, threads: int | None = None) -> None:
        limit_threads(threads)
        in_memory = isinstance(model, keras.Model)
        network = require_completion_network(model) if in_memory else read_network(Path(model))
        network = with_fast_layers(network)
        self.card = {} if in_memory else card_beside(model)
        self.reach = network_receptive_field(network)
        self.mean_pixel = mean_pixel_of(network)
        height, width = next(t.shape for t in network.inputs if t.name == "image")[1:3]
        self.fixed_sizes = ((height, width),) if height and width else ()
        exact = for_inference(network)
        if keras.backend.backend() != "tensorflow":
            self._generate = lambda image, mask: exact({"image": image, "mask": mask})
            return
        self._generate = tf.function(
            lambda image, mask: exact({"image": image, "mask": mask}, training=False),
            input_signature=[
                tf.TensorSpec((None, height, width, 3), tf.float32),
                tf.TensorSpec((None, height, width, 1), tf.float32),
            ],
        )

    def generate(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        generated = self._generate(as_float(image), mask[..., None].astype(np.float32))
        return keras.ops.convert_to_numpy(generated)


def limit_threads(threads: int | None) -> None:
    """Limit TensorFlow's threads, which is possible only before its first computation."""
    if threads is None or tf.config.threading.get_intra_op_parallelism_threads() == threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        logger.warning("TensorFlow is running already: threads=%d has no effect", threads)
