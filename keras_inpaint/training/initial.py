"""Starting from weights that are there already."""

import keras

from keras_inpaint import presets
from keras_inpaint.networks.weights import check_compatible, read_network, widen_from


def start_from(network: keras.Model, reference: str) -> keras.Model:
    """Return a completion network that begins with the weights of another one.

    Args:
        network: The network that is to be trained, freshly built. It is given the weights of one
            of the same or a smaller width.
        reference: A preset's name, a run's folder or a `.keras` file.

    Returns:
        `network`; or, where the reference is a network of another project, which pads and
        normalises otherwise, that network itself.

    Raises:
        ValueError: If there is none, or its weights have shapes that do not fit.
    """
    path = presets.resolve(reference, prefer=".keras")
    source = read_network(path)
    if is_converted(source):
        return source
    try:
        check_compatible(source, network)
    except ValueError as error:
        raise ValueError(
            f"{path} holds a network of another form: {error}; first_kernel, last_kernel and "
            "mask_channel must be as they were, the width no smaller"
        ) from error
    widen_from(network, source)
    return network


def is_converted(network: keras.Model) -> bool:
    """Return whether a completion network is one of another project, as `converters` make them.

    Their convolutions of stride 2 are padded on every side, in 4x4 kernels.
    """
    return tuple(network.get_layer("conv_2").kernel_size) != (3, 3)
