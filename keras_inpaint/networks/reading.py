"""Completion networks in files, and whether a network is one."""

from pathlib import Path
from typing import Any

import keras

import keras_inpaint.networks.layers  # noqa: F401  registers the layers of saved networks


def read_network(path: Path) -> keras.Model:
    """Return the completion network of a `.keras` file.

    Raises:
        ValueError: If the file cannot be read, or holds no completion network.
    """
    try:
        network = keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{path} is not a Keras model that can be read: {reason}") from error
    return require_completion_network(network, path)


def require_completion_network(network: Any, label: Any = None) -> keras.Model:
    """Return a network if it takes and gives what a completion network does.

    Args:
        network: Anything.
        label: What the message calls it; None is its name.

    Raises:
        ValueError: If it takes other things than `image` `(batch, height, width, 3)` and `mask`
            `(batch, height, width, 1)`, or gives another than one of 3 channels.
    """
    label = getattr(network, "name", network) if label is None else label
    if not isinstance(network, keras.Model):
        raise ValueError(f"{label} is no completion network but a {type(network).__name__}")
    inputs = {tensor.name: tuple(tensor.shape) for tensor in network.inputs}
    outputs = [tuple(tensor.shape) for tensor in network.outputs]
    channels = {name: shape[-1] for name, shape in inputs.items() if len(shape) == 4}
    if channels != {"image": 3, "mask": 1} or [shape[-1] for shape in outputs] != [3]:
        raise ValueError(
            f"{label} is no completion network: it takes {inputs} and gives {outputs}, expected "
            "image (batch, height, width, 3) and mask (batch, height, width, 1) for 3 channels"
        )
    return network
