"""From what a user calls a model to a Keras model."""

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

#: The signature of an exported SavedModel that takes and gives floats.
_SIGNATURE = "complete_float"


def load_model(reference: str | os.PathLike[str] | keras.Model | None = None) -> keras.Model:
    """Return the completion network of everything that `--model` takes.

    Example:

    >>> network = load_model("faces")
    >>> generated = network({"image": image, "mask": mask})

    Args:
        reference: A preset's name, a training run's folder, the path of a `.keras` file (also
            of a saved trainer, of which it takes the completion network), of a SavedModel or of
            a folder of SavedModel versions, a network, or None for the default preset.

    Returns:
        A functional `keras.Model` from a dict of `image`, float32 `(batch, height, width, 3)` in
        [0, 1], and `mask`, float32 `(batch, height, width, 1)`, 1 in the hole, to `(batch,
        height, width, 3)`. A `.keras` file's can be trained on. A SavedModel's cannot, and gives
        the completed image, with the known pixels as they were.

    Raises:
        ValueError: If nothing is found, the file cannot be read, or it is not a completion network.
    """
    if isinstance(reference, keras.Model):
        return require_completion_network(reference)
    path = presets.resolve(reference)
    if path.is_dir():
        return _saved_model(path)
    if path.suffix == ".tflite":
        raise ValueError(f"{path} is TFLite, no Keras model: keras_inpaint.Inpainter runs it")
    return read_network(path)


def completion_network(
    width: float | None = None,
    weights: str | os.PathLike[str] | keras.Model | None = None,
    **form: Any,
) -> keras.Model:
    """Build a completion network, with weights that are there already or with random ones.

    Example:

    >>> network = completion_network(weights="scenes")
    >>> wider = completion_network(width=0.75, weights="scenes")
    >>> untrained = completion_network(width=0.25)

    Args:
        width: Float above 0, the multiplier of the channels; None is 1, or the weights' own. A
            network that is wider than its weights computes what they do, and has more to learn
            with (`networks.weights.widen_from`, after Net2Net, https://arxiv.org/abs/1511.05641).
        weights: What `load_model` takes, or None for random ones.
        **form: What `build_completion_network` takes beside the width.

    Returns:
        A functional `keras.Model` to train or to use; see `build_completion_network`.

    Raises:
        ValueError: If the weights do not fit: the width must be theirs or larger, and kernels and
            mask channel theirs.
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

    try:
        layer = keras.layers.TFSMLayer(str(folder), call_endpoint=_SIGNATURE)
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"{folder} is not an exported completion network: {first_line(error)}"
        ) from error
    inputs = {
        "image": keras.Input((None, None, 3), name="image"),
        "mask": keras.Input((None, None, 1), name="mask"),
    }
    return keras.Model(inputs, layer(**inputs)["completed"], name=folder.name)
