"""What phase 3 may add to its losses: feature matching and the R1 gradient penalty."""

from typing import Any

import keras
import tensorflow as tf

from keras_inpaint.training.steps import discriminate, replicas


class FeatureNetwork:
    """A discriminator that also returns what its layers of rectified units make.

    No layer of Keras, so that a trainer which holds it does not save the discriminator twice.

    Args:
        discriminator: `keras.Model` from `build_context_discriminator`; its weights are shared.

    Raises:
        ValueError: If it has no layers of rectified units.
    """

    def __init__(self, discriminator: keras.Model) -> None:
        found = [x.output for x in discriminator.layers if isinstance(x, keras.layers.ReLU)]
        if not found:
            raise ValueError(
                f"feature_matching needs a discriminator with ReLU layers, and "
                f"{discriminator.name!r} has none"
            )
        self._network = keras.Model(discriminator.input, [discriminator.output, *found])

    def __call__(self, images: tf.Tensor, origins: tf.Tensor, training: bool) -> tuple[Any, list]:
        """Return the logits `(batch, 1)` and the list of features, as `steps.discriminate` does."""
        logits, *features = discriminate(self._network, images, origins, training)
        return logits, features


def feature_distance(real: list[tf.Tensor], completed: list[tf.Tensor]) -> tf.Tensor:
    """Return the mean absolute difference of features, averaged over each layer, then over layers.

    Source: T.-C. Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with
    Conditional GANs", CVPR 2018, https://arxiv.org/abs/1711.11585, equation 4.

    Args:
        real: Float tensors, one a layer; they are a target, and pass no gradient on.
        completed: Float tensors of the same shapes.

    Returns:
        Float32 scalar, divided by the number of replicas as Keras' losses are.
    """
    distances = [
        tf.reduce_mean(tf.abs(tf.cast(tf.stop_gradient(a), tf.float32) - tf.cast(b, tf.float32)))
        for a, b in zip(real, completed, strict=True)
    ]
    return tf.add_n(distances) / (len(distances) * replicas())


def gradient_penalty(
    discriminator: keras.Model, images: tf.Tensor, origins: tf.Tensor
) -> tf.Tensor:
    """Return the squared norm of the logit's gradient by the image, averaged over the images.

    Image and patch are one picture, so that pixels in both count with the sum of both gradients.
    Batch normalisation is in inference mode: with a batch's own statistics the logits of a batch
    depend on each other, and shifts that all of them share would have no gradient.

    Source: L. Mescheder, A. Geiger, S. Nowozin, "Which Training Methods for GANs do actually
    Converge?", ICML 2018, https://arxiv.org/abs/1801.04406, equation 9.

    Args:
        discriminator: `keras.Model` from `build_context_discriminator`.
        images: Float32 tensor `(batch, height, width, 3)`, real images.
        origins: Int32 tensor `(batch, 2)`, top and left of their patches.

    Returns:
        Float32 scalar, divided by the number of replicas as Keras' losses are.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        logits = discriminate(discriminator, images, origins, training=False)
        total = tf.reduce_sum(logits)
    gradient = tf.cast(tape.gradient(total, images), tf.float32)
    squares = tf.reduce_sum(tf.square(gradient), axis=(1, 2, 3))
    return tf.reduce_mean(squares) / replicas()
