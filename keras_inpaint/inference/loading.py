"""Load a Keras model from a preset's name, a path or weights."""

import os
from pathlib import Path
from typing import Any

import keras

from keras_inpaint import presets
from keras_inpaint.files import first_line
from keras_inpaint.networks.completion import build_completion_network, width_of
from keras_inpaint.networks.weights import (
    read_network,
    require_completion_network,
    widen_from,
)


def load_model(reference: str | os.PathLike[str] | keras.Model | None = None) -> keras.Model:
    """Return the completion network of a preset, a run, a file or a folder.

    Example:

    >>> network = load_model("faces")
    >>> generated = network({"image": image, "mask": mask})

    Args:
        reference: A preset's name, a training run's folder, the path of a `.keras` file (a
            network, or a saved trainer that contains one), of a SavedModel or of a folder of
            SavedModel versions, a network, or None for the default preset.

    Returns:
        A functional `keras.Model` from a dict of `image`, float32 `(batch, height, width, 3)` in
        [0, 1], and `mask`, float32 `(batch, height, width, 1)`, 1 in the hole, to `(batch,
        height, width, 3)`. A model from a `.keras` file can be trained further. One from a
        SavedModel cannot, and returns the completed image, with the known pixels unchanged.

    Raises:
        ValueError: If the model does not exist, cannot be read, or is not a completion network.
    """
    if isinstance(reference, keras.Model):
        return require_completion_network(reference)
    path = presets.resolve(reference)
    if path.is_dir():
        return _saved_model(path)
    if path.suffix == ".tflite":
        raise ValueError(
            f"{path} is a TFLite file, not a Keras model: keras_inpaint.Inpainter runs it"
        )
    return read_network(path)


def completion_network(
    width: float | None = None,
    weights: str | os.PathLike[str] | keras.Model | None = None,
    **form: Any,
) -> keras.Model:
    """Build a completion network, with trained or with random weights.

    Example:

    >>> network = completion_network(weights="scenes")
    >>> wider = completion_network(width=0.75, weights="scenes")
    >>> untrained = completion_network(width=0.25)

    Args:
        width: Float above 0, the multiplier of the channels; None is the width of the weights, or
            1. A network that is wider than its weights computes the same function, with more
            parameters to train (`networks.weights.widen_from`, after Net2Net,
            https://arxiv.org/abs/1511.05641).
        weights: A model as accepted by `load_model`, or None for random weights.
        **form: The other arguments of `build_completion_network`.

    Returns:
        A functional `keras.Model` to train or to use; see `build_completion_network`.

    Raises:
        ValueError: If the weights do not fit: the width must be at least theirs, and the kernel
            sizes and the mask channel the same.
    """
    if weights is None:
        return build_completion_network(1.0 if width is None else width, **form)
    source = load_model(weights)
    if width is None and not form:
        return source
    network = build_completion_network(width_of(source) if width is None else width, **form)
    widen_from(network, source)
    return network


def _saved_model(folder: Path) -> keras.Model:
    import tensorflow as tf

    from keras_inpaint.inference.saved_model_runtime import SIGNATURE

    try:
        layer = keras.layers.TFSMLayer(str(folder), call_endpoint=SIGNATURE)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"{folder} is not an exported completion network: {first_line(error)}"
        ) from error
    inputs = {
        "image": keras.Input((None, None, 3), name="image"),
        "mask": keras.Input((None, None, 1), name="mask"),
    }
    return keras.Model(inputs, layer(**inputs)["completed"], name=folder.name)
