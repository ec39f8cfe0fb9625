"""From a network or a path to the float32 network that is exported."""

from pathlib import Path

import keras

from keras_inpaint import presets
from keras_inpaint.networks.inference_graph import NativeConv2D
from keras_inpaint.networks.layers import Conv2D, with_dtype_policy, with_fast_layers
from keras_inpaint.networks.weights import read_network, require_completion_network


def load_network(network: keras.Model | str | Path) -> keras.Model:
    """Return the float32 inference form of a completion network.

    Args:
        network: A completion network, the path of a `.keras` file, a run's folder (its
            `completion.keras` is taken) or a preset's name.

    Returns:
        A new functional `keras.Model` of the same names and weights that computes in float32
        whatever policy it was trained under.

    Raises:
        ValueError: If the reference leads to no `.keras` file, or to a network that is no
            completion network.
    """
    if isinstance(network, keras.Model):
        require_completion_network(network)
    else:
        network = read_network(resolve_network_path(network))
    network = with_dtype_policy(with_fast_layers(network), "float32")

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        kind = NativeConv2D if isinstance(layer, Conv2D) else type(layer)
        return kind.from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=clone)
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy


def resolve_network_path(reference: str | Path) -> Path:
    """Return the `.keras` file that a reference means.

    Args:
        reference: Path of a `.keras` file or of a run's folder, or a preset's name.

    Raises:
        ValueError: If nothing is found, or another kind of file.
    """
    path = presets.resolve(reference, prefer=".keras")
    if path.suffix != ".keras":
        raise ValueError(f"only a .keras file can be exported, got {path}")
    return path


def network_size(network: keras.Model) -> tuple[int | None, int | None]:
    """Return the `(height, width)` that a network was built for; None where it takes any."""
    shape = next(tensor.shape for tensor in network.inputs if tensor.name == "image")
    return shape[1], shape[2]
