"""Starting from weights that are there already."""

from itertools import zip_longest

import keras

from keras_inpaint import presets
from keras_inpaint.networks.reading import read_network


def start_from(network: keras.Model, reference: str) -> None:
    """Give a completion network the weights of another one of the same form.

    Args:
        network: The network that is to be trained.
        reference: A preset's name, a run's folder or a `.keras` file.

    Raises:
        ValueError: If there is none, or its weights have other shapes.
    """
    path = presets.resolve(reference, prefer=".keras")
    source = read_network(path)
    for ours, theirs in zip_longest(network.weights, source.weights):
        if ours is None or theirs is None or _shown(ours) != _shown(theirs):
            raise ValueError(
                f"{path} holds a network of another form: {_shown(theirs)} there, {_shown(ours)} "
                "here; width, first_kernel, last_kernel and mask_channel must be as they were"
            )
    network.set_weights(source.get_weights())


def _shown(weight: keras.Variable | None) -> str:
    return "nothing" if weight is None else f"{weight.path} {tuple(weight.shape)}"
