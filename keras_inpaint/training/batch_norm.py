"""Batch normalisation's statistics, re-estimated on fixed weights.

Moving averages lag behind the weights: early in a training the same weights score several
decibels less with them than with statistics of their own. Source: Y. Wu, J. Johnson,
"Rethinking 'Batch' in BatchNorm", section 3, https://arxiv.org/abs/2105.07576.
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class BatchNormEstimator:
    """Re-estimates one network's statistics as often as asked, tracing its graph once.

    Args:
        network: A functional completion network. Layers that are frozen keep what they have.
    """

    def __init__(self, network: keras.Model) -> None:
        self._norms = [
            layer
            for layer in network.layers
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        ]
        probe = keras.Model(network.input, [norm.input for norm in self._norms])

        @tf.function
        def moments(batch: dict[str, tf.Tensor]) -> list:
            found = [
                tf.nn.moments(tf.cast(x, tf.float32), [0, 1, 2])
                for x in probe(batch, training=True)
            ]
            return [tf.stack([mean, variance + tf.square(mean)]) for mean, variance in found]

        self._moments = moments

    def __call__(self, batches: Iterable[dict[str, Any]]) -> None:
        """Set the moving statistics to those of the population that the batches draw from.

        Args:
            batches: Dicts of `image` and `mask`, as a training dataset gives them; 20 do.

        Raises:
            ValueError: If there is no batch.
        """
        totals = [np.zeros((2, norm.moving_mean.shape[0])) for norm in self._norms]
        count = 0
        for batch in batches:
            pair = {"image": batch["image"], "mask": batch["mask"]}
            for total, found in zip(totals, self._moments(pair), strict=True):
                total += found.numpy()
            count += 1
        if not count:
            raise ValueError("re-estimating batch normalisation needs at least one batch")
        for norm, (mean, square) in zip(self._norms, totals, strict=True):
            mean, square = mean / count, square / count
            norm.moving_mean.assign(mean.astype("float32"))
            norm.moving_variance.assign(np.maximum(square - mean**2, 0).astype("float32"))


def reestimate_batch_norm(network: keras.Model, batches: Iterable[dict[str, Any]]) -> None:
    """Set a network's moving means and variances once; see `BatchNormEstimator`."""
    BatchNormEstimator(network)(batches)
