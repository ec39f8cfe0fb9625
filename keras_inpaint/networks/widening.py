"""A completion network of more channels that computes what a narrower one does.

Every layer gets channels of fresh weights, and nothing reads them yet: their outgoing weights are
zero. So the wide network completes as the narrow one did from its first step on, and the new
channels learn as soon as there is a gradient.

Source: the idea of a wider network that starts as the same function is that of T. Chen et al.,
"Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016, https://arxiv.org/abs/1511.05641,
which copies channels; fresh ones behind zeros need no noise to tell them apart.
"""

from itertools import zip_longest

import keras
import numpy as np


def obstacle(narrow: keras.Model, wide: keras.Model) -> str | None:
    """Return what keeps a network from taking over a narrower one's weights; None if nothing.

    Args:
        narrow: `keras.Model`, a completion network.
        wide: `keras.Model`, another one; one of the same width will do.

    Returns:
        String that names the first weights between which more than the number of hidden
        channels differs, or that are fewer in `wide`.
    """
    hidden = False
    for theirs, ours in zip_longest(narrow.weights, wide.weights):
        if ours is None or theirs is None or not _fits(theirs, ours, hidden):
            return f"{_shown(theirs)} there, {_shown(ours)} here"
        # What the first kernel reads is the photo; all others read hidden channels.
        hidden = hidden or len(ours.shape) > 1
    return None


def widen(narrow: keras.Model, wide: keras.Model) -> None:
    """Make a network compute what a narrower one, or one of its own width, does.

    The statistics of batch normalisation of the new channels are not estimated: nothing reads
    these channels before the first step of training.

    Args:
        narrow: `keras.Model`, the completion network to start from.
        wide: `keras.Model`, freshly built, with as many or more channels in each layer. It gets
            the new weights; its own stay where they lead to the new channels.

    Raises:
        ValueError: If the networks differ in more than their width, or `wide` is the narrower.
    """
    why_not = obstacle(narrow, wide)
    if why_not is not None:
        raise ValueError(f"the networks differ in more than their width: {why_not}")
    transposed = {
        id(layer.kernel) for layer in wide.layers if isinstance(layer, keras.layers.Conv2DTranspose)
    }
    wide.set_weights(
        [
            _placed(theirs, ours, id(weight) in transposed)
            for theirs, ours, weight in zip(
                narrow.get_weights(), wide.get_weights(), wide.weights, strict=True
            )
        ]
    )


def _fits(theirs: keras.Variable, ours: keras.Variable, hidden: bool) -> bool:
    old, new = tuple(theirs.shape), tuple(ours.shape)
    if len(old) != len(new) or any(a < b for a, b in zip(new, old, strict=True)):
        return False
    if theirs.path.split("/")[-2:] != ours.path.split("/")[-2:]:
        return False
    # The last two axes of a kernel are channels.
    return len(old) < 2 or (old[:-2] == new[:-2] and (hidden or old[-2] == new[-2]))


def _shown(weight: keras.Variable | None) -> str:
    return "nothing" if weight is None else f"{weight.path} {tuple(weight.shape)}"


def _placed(old: np.ndarray, new: np.ndarray, transposed: bool) -> np.ndarray:
    """Return the new weight with the old one in its first channels."""
    result = new.copy()
    if old.ndim < 2:
        result[: len(old)] = old
        return result
    # A transposed convolution's kernel ends in (out, in), another's in (in, out).
    kernel, start = (np.swapaxes(array, -1, -2) if transposed else array for array in (result, old))
    known_in, known_out = start.shape[-2:]
    kernel[..., :known_in, :known_out] = start
    kernel[..., known_in:, :known_out] = 0
    return result
