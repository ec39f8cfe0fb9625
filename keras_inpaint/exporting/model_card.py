"""The facts that travel beside an exported network."""

import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_inpaint
from keras_inpaint.exporting.loading import resolve_network_path
from keras_inpaint.networks.completion import SIZE_MULTIPLE, mean_pixel_of
from keras_inpaint.networks.receptive_field import network_receptive_field

#: Name of the card in an exported folder, and beside a `.keras` file.
CARD_NAME = "model_card.json"


def weights_sha256(network: keras.Model) -> str:
    """Return the SHA-256 of a network's weights, the same for every file that holds them.

    Args:
        network: A `keras.Model`. Its weights count in the order of its layers, as float32,
            little end first, each after its layer's name, its own name and its shape.

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


def versions() -> dict[str, str]:
    """Return the versions of what writes an export."""
    return {
        "keras_inpaint": keras_inpaint.__version__,
        "keras": keras.__version__,
        "tensorflow": metadata.version("tensorflow"),
    }


def card_of(reference: Any) -> dict[str, Any]:
    """Return what is known about a network from the files beside it.

    Args:
        reference: A network, of which nothing is known, or what leads to its `.keras` file.

    Returns:
        Dict: the contents of `model_card.json` beside the file, or else `training` with the
        contents of a run's `config.json`, or else nothing.

    Raises:
        ValueError: If such a file is there and holds no JSON object.
    """
    if isinstance(reference, keras.Model):
        return {}
    folder = resolve_network_path(reference).parent
    if (folder / CARD_NAME).is_file():
        return read_card(folder / CARD_NAME)
    if (folder / "config.json").is_file():
        return {"training": read_card(folder / "config.json")}
    return {}


def build_card(
    network: keras.Model, name: str, known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the model card of an exported network.

    Args:
        network: The float32 completion network.
        name: String, what the model is called.
        known: What is known beside the network itself: `training_data`, `licence`, `figures`
            and whatever else belongs there. What the network itself tells is not overridden.

    Returns:
        Dict of JSON types. What nobody knows is None, so that its absence shows.
    """
    reach = network_receptive_field(network)
    card = {"description": None, "training_data": None, "licence": None, "figures": None}
    return {
        **card,
        # The files that a preset's card lists are not those of this export.
        **{key: value for key, value in (known or {}).items() if key != "files"},
        "name": name,
        "task": "image completion: fills the holes of a photo",
        "method": "GLCIC, completion network; https://doi.org/10.1145/3072959.3073659",
        "mask": "nonzero (arrays) or at least half of white (floats and files) is the hole",
        "sizes": (f"any height and width; padded inside to a multiple of {SIZE_MULTIPLE}"),
        "reach": {"before": reach.before, "after": reach.after},
        "parameters": int(network.count_params()),
        "mean_pixel": list(mean_pixel_of(network)),
        "weights_sha256": weights_sha256(network),
        "versions": versions(),
    }


def read_card(path: Path) -> dict[str, Any]:
    """Return the contents of a JSON file that holds one object.

    Args:
        path: Path of the file.

    Raises:
        ValueError: If it holds something else.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} holds no JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no JSON object")
    return content
