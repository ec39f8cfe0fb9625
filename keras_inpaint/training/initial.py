"""Starting from weights that are there already."""

import keras

from keras_inpaint import presets
from keras_inpaint.networks.reading import read_network
from keras_inpaint.networks.widening import obstacle, widen


def start_from(network: keras.Model, reference: str) -> None:
    """Give a completion network the weights of another one of the same or a smaller width.

    Args:
        network: The network that is to be trained, freshly built.
        reference: A preset's name, a run's folder or a `.keras` file.

    Raises:
        ValueError: If there is none, or its weights have shapes that do not fit.
    """
    path = presets.resolve(reference, prefer=".keras")
    source = read_network(path)
    why_not = obstacle(source, network)
    if why_not is not None:
        raise ValueError(
            f"{path} holds a network of another form: {why_not}; first_kernel, last_kernel and "
            "mask_channel must be as they were, the width no smaller"
        )
    widen(source, network)
