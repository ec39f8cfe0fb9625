"""Completion networks in files, and whether a network is one."""

import os
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_inpaint.networks.layers import with_fast_layers, with_stock_layers
from keras_inpaint.replacing import replacing


def read_network(path: Path) -> keras.Model:
    """Return the completion network of a `.keras` file, with this package's fast layers.

    Args:
        path: Path of a `.keras` file that holds a completion network, of stock layers or of this
            package's, or a trainer, whose completion network is taken.

    Raises:
        ValueError: If the file cannot be read, or holds no completion network.
    """
    try:
        model = keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"{path} is not a Keras model that can be read: {reason}") from error
    network = getattr(model, "completion_network", model)
    return with_fast_layers(require_completion_network(network, path))


def write_network(
    network: keras.Model, path: str | os.PathLike[str], compact: bool = False
) -> None:
    """Write a completion network, whole or not at all, as a `.keras` file of stock Keras layers.

    It opens with `keras.models.load_model` where this package is unknown, under the TensorFlow
    and JAX backends.

    Args:
        network: A completion network, of stock layers or of this package's.
        path: Path of the file, which ends in `.keras`.
        compact: Bool, whether the weights are rounded to float16 (11 bits; they stay float32 in
            the model) and the file is compressed, which halves it.
    """
    stock = with_stock_layers(network)
    with replacing(Path(path)) as temporary:
        _write_stock(stock, temporary, compact)


def _write_stock(stock: keras.Model, path: Path, compact: bool) -> None:
    if not compact:
        stock.save(path)
        return
    for variable in stock.weights:
        with np.errstate(over="ignore"):
            rounded = np.asarray(keras.ops.convert_to_numpy(variable), "float16")
        if not np.isfinite(rounded).all():
            raise ValueError(f"{variable.path} of {stock.name} does not fit into float16")
        variable.assign(rounded.astype("float32"))
    stock.save(path)
    with zipfile.ZipFile(path) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for info, content in members:
            archive.writestr(info.filename, content)


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
