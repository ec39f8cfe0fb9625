"""The network to export, in float32, and its model card."""

import hashlib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_inpaint
from keras_inpaint import presets
from keras_inpaint.networks.completion import SIZE_MULTIPLE, mean_pixel_of
from keras_inpaint.networks.inference_graph import NativeConv2D
from keras_inpaint.networks.layers import Conv2D, with_dtype_policy, with_fast_layers
from keras_inpaint.networks.receptive_field import network_receptive_field
from keras_inpaint.networks.weights import read_network, require_completion_network
from keras_inpaint.presets.cards import card_beside


def load_network(network: keras.Model | str | Path) -> keras.Model:
    """Return the float32 inference form of a completion network.

    Args:
        network: A completion network, the path of a `.keras` file, a run's folder (its
            `completion.keras` is used) or a preset's name.

    Returns:
        A new functional `keras.Model` with the same names and weights that computes in float32,
        whatever its dtype policy in training.

    Raises:
        ValueError: If the reference does not resolve to a `.keras` file, or the network is not a
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
    """Return the `.keras` file for a path of a file or a run's folder, or a preset's name.

    Raises:
        ValueError: If there is no such file, or it is of another kind.
    """
    path = presets.resolve(reference, prefer=".keras")
    if path.suffix != ".keras":
        raise ValueError(f"only a .keras file can be exported, got {path}")
    return path


def network_size(network: keras.Model) -> tuple[int | None, int | None]:
    """Return the `(height, width)` that a network was built for; None for a side of any size."""
    shape = next(tensor.shape for tensor in network.inputs if tensor.name == "image")
    return shape[1], shape[2]


def weights_sha256(network: keras.Model) -> str:
    """Return the SHA-256 of a network's weights, which does not depend on the file format.

    Args:
        network: A `keras.Model`. Its weights are hashed in the order of its layers, as
            little-endian float32, each after its layer's name, its own name and its shape.

    Returns:
        String of 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for layer in network.layers:
        for variable in layer.weights:
            values = keras.ops.convert_to_numpy(variable)
            digest.update(f"{layer.name}/{variable.name}{values.shape}".encode())
            digest.update(np.ascontiguousarray(values, dtype="<f4").tobytes())
    return digest.hexdigest()


def facts_of(network: keras.Model) -> dict[str, Any]:
    """Return a network's own properties in JSON types, with the versions of the packages."""
    reach = network_receptive_field(network)
    return {
        "reach": {"before": reach.before, "after": reach.after},
        "mean_pixel": list(mean_pixel_of(network)),
        "weights_sha256": weights_sha256(network),
        "versions": {
            "keras_inpaint": keras_inpaint.__version__,
            "keras": keras.__version__,
            "tensorflow": metadata.version("tensorflow"),
        },
    }


def card_of(reference: Any) -> dict[str, Any]:
    """Return what the files beside a network say about it.

    Args:
        reference: A network, for which the result is empty, or a reference to its `.keras` file.

    Returns:
        Dict: the contents of `model_card.json` beside the file, or else `training` with the
        contents of a run's `config.json`, or else nothing.

    Raises:
        ValueError: If such a file exists and does not hold a JSON object.
    """
    if isinstance(reference, keras.Model):
        return {}
    return card_beside(resolve_network_path(reference), strict=True)


def build_card(
    network: keras.Model, name: str, known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the model card of an exported network.

    Args:
        network: The float32 completion network.
        name: String, the model's name.
        known: Further entries, such as `training_data`, `licence` and `figures`. They do not
            override the network's own properties.

    Returns:
        Dict of JSON types. Unknown entries are None, so that their absence is visible.
    """
    card = {"description": None, "training_data": None, "licence": None, "figures": None}
    return {
        **card,
        # The files that a preset's card lists are not those of this export.
        **{key: value for key, value in (known or {}).items() if key != "files"},
        "name": name,
        "task": "image completion: fills the holes of a photo",
        "method": "GLCIC, completion network; https://doi.org/10.1145/3072959.3073659",
        "mask": "nonzero (arrays) or at least half of white (floats and files) is the hole",
        "sizes": f"any height and width; padded inside to a multiple of {SIZE_MULTIPLE}",
        "parameters": int(network.count_params()),
        **facts_of(network),
    }
