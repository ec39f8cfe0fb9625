"""Read, write, widen and interpolate the weights of completion networks.

Sources: function-preserving widening follows T. Chen et al., "Net2Net: Accelerating Learning via
Knowledge Transfer", ICLR 2016, https://arxiv.org/abs/1511.05641. Net2Net copies channels and needs
noise to break their symmetry; here, the new channels are randomly initialised and their outgoing
weights are zero. Interpolation between the phases: X. Wang et al., "ESRGAN: Enhanced
Super-Resolution Generative Adversarial Networks", ECCV Workshops 2018, section 3.4,
https://doi.org/10.1007/978-3-030-11021-5_5.
"""

import os
import zipfile
from itertools import zip_longest
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_inpaint.files import first_line, replacing
from keras_inpaint.networks.layers import with_fast_layers, with_stock_layers


def read_network(path: Path) -> keras.Model:
    """Load the completion network of a `.keras` file, with this package's fast layers.

    Args:
        path: Path of a `.keras` file of a completion network, built of stock layers or this
            package's, or of a trainer, whose completion network is returned.

    Raises:
        ValueError: If the file cannot be read, or does not contain a completion network.
    """
    try:
        model = keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise ValueError(
            f"{path} is not a Keras model or cannot be read: {first_line(error)}"
        ) from error
    network = getattr(model, "completion_network", model)
    return with_fast_layers(require_completion_network(network, path))


def write_network(
    network: keras.Model, path: str | os.PathLike[str], compact: bool = False
) -> None:
    """Write a completion network atomically as a `.keras` file of stock Keras layers.

    `keras.models.load_model` loads it without this package, under the TensorFlow and JAX
    backends.

    Args:
        network: A completion network, built of stock layers or this package's.
        path: Path of the file, ending in `.keras`.
        compact: Bool, whether to round the weights to float16 precision (11 bits; they are
            stored as float32) and compress the file, which halves its size.
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
    """Return a network if it has the inputs and the output of a completion network.

    Args:
        network: Any object.
        label: The name to use in the message; None is the network's own.

    Raises:
        ValueError: If it is not a model, its inputs are not `image`, `(batch, height, width, 3)`,
            and `mask`, `(batch, height, width, 1)`, or it does not have one output of 3 channels.
    """
    label = getattr(network, "name", network) if label is None else label
    if not isinstance(network, keras.Model):
        raise ValueError(f"{label} is not a completion network but a {type(network).__name__}")
    inputs = {tensor.name: tuple(tensor.shape) for tensor in network.inputs}
    outputs = [tuple(tensor.shape) for tensor in network.outputs]
    channels = {name: shape[-1] for name, shape in inputs.items() if len(shape) == 4}
    if channels != {"image": 3, "mask": 1} or [shape[-1] for shape in outputs] != [3]:
        raise ValueError(
            f"{label} is not a completion network: its inputs are {inputs} and its outputs "
            f"{outputs}, expected image (batch, height, width, 3), mask (batch, height, width, 1) "
            "and one output of 3 channels"
        )
    return network


def check_compatible(narrow: keras.Model, wide: keras.Model) -> None:
    """Check that a network can take the weights of another one of equal or smaller width.

    Args:
        narrow: `keras.Model`, the completion network with the weights.
        wide: `keras.Model`, the completion network to receive them.

    Raises:
        ValueError: If more than the number of hidden channels differs, or `wide` has fewer; the
            message names the first weights that do not fit.
    """
    hidden = False
    for source, target in zip_longest(narrow.weights, wide.weights):
        if target is None or source is None or not _fits(source, target, hidden):
            raise ValueError(
                f"{_described(source)} in the source, {_described(target)} in the target"
            )
        # The first kernel's input is the photo; all others' inputs are hidden channels.
        hidden = hidden or len(target.shape) > 1


def widen_from(wide: keras.Model, narrow: keras.Model) -> None:
    """Make a network compute the same function as one of equal or smaller width.

    The new channels of each layer keep their initial weights, and their outgoing weights are
    zero. Therefore the wide network initially gives the narrow network's results, and the new
    channels learn from the first gradient on. Their batch normalisation statistics are not
    estimated, since the channels are unused before the first training step.

    Args:
        wide: `keras.Model`, newly built, with at least as many channels in each layer; modified
            in place. It keeps its own weights into the new channels.
        narrow: `keras.Model`, the completion network to start from.

    Raises:
        ValueError: If the networks differ in more than their width, or `narrow` is the wider one.
    """
    try:
        check_compatible(narrow, wide)
    except ValueError as error:
        raise ValueError(f"the networks differ in more than their width: {error}") from error
    transposed = {
        id(layer.kernel) for layer in wide.layers if isinstance(layer, keras.layers.Conv2DTranspose)
    }
    wide.set_weights(
        [
            _place(source, target, id(weight) in transposed)
            for source, target, weight in zip(
                narrow.get_weights(), wide.get_weights(), wide.weights, strict=True
            )
        ]
    )


def interpolate(first: keras.Model, last: keras.Model, weight: float) -> keras.Model:
    """Interpolate linearly between the weights of two networks of the same architecture.

    All weights are interpolated, including the batch normalisation statistics. Phase 3 starts
    from phase 1's network and changes it little, so that networks between them work, too: they
    keep most of the structure and lose most of the false texture.

    Args:
        first: `keras.Model`, such as a run's network after phase 1.
        last: `keras.Model`, such as the same network after phase 3; modified in place.
        weight: Float in [0, 1], the weight of `last`.

    Returns:
        `last`.

    Raises:
        ValueError: If the networks' weights differ in number or shape.
    """
    try:
        check_compatible(first, last)
        check_compatible(last, first)
    except ValueError as error:
        raise ValueError(f"the networks differ in architecture: {error}") from error
    pairs = zip(first.get_weights(), last.get_weights(), strict=True)
    last.set_weights([(1 - weight) * one + weight * other for one, other in pairs])
    return last


def _fits(source: keras.Variable, target: keras.Variable, hidden: bool) -> bool:
    old, new = tuple(source.shape), tuple(target.shape)
    if len(old) != len(new) or any(a < b for a, b in zip(new, old, strict=True)):
        return False
    if source.path.split("/")[-2:] != target.path.split("/")[-2:]:
        return False
    # The last two axes of a kernel are channels.
    return len(old) < 2 or (old[:-2] == new[:-2] and (hidden or old[-2] == new[-2]))


def _described(weight: keras.Variable | None) -> str:
    return "nothing" if weight is None else f"{weight.path} {tuple(weight.shape)}"


def _place(old: np.ndarray, new: np.ndarray, transposed: bool) -> np.ndarray:
    """Return the new weight with the old one in its first channels."""
    result = new.copy()
    if old.ndim < 2:
        result[: len(old)] = old
        return result
    # A transposed convolution's kernel ends in (out, in), a plain one's in (in, out).
    kernel, start = (np.swapaxes(array, -1, -2) if transposed else array for array in (result, old))
    known_in, known_out = start.shape[-2:]
    kernel[..., :known_in, :known_out] = start
    kernel[..., known_in:, :known_out] = 0
    return result
