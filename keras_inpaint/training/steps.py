"""What the three trainers share: pasting known pixels back, cutting patches, applying updates."""

import keras
import tensorflow as tf


def composite(image: tf.Tensor, mask: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """Return the completed image: the photo outside the hole, the generated pixels inside."""
    return image * (1 - mask) + generated * mask


def cut_patches(images: tf.Tensor, origins: tf.Tensor, size: int) -> tf.Tensor:
    """Cut one square patch out of each image.

    Args:
        images: Float tensor `(batch, height, width, channels)`.
        origins: Int32 tensor `(batch, 2)`, top and left in pixels.
        size: Int, side of the patch in pixels.

    Returns:
        Float tensor `(batch, size, size, channels)`.
    """
    places = origins[:, :, None] + tf.range(size)
    rows = tf.gather(images, places[:, 0], axis=1, batch_dims=1)
    columns = tf.gather(tf.transpose(rows, [0, 2, 1, 3]), places[:, 1], axis=1, batch_dims=1)
    return tf.transpose(columns, [0, 2, 1, 3])


def discriminate(
    discriminator: keras.Model, images: tf.Tensor, origins: tf.Tensor, training: bool
) -> tf.Tensor:
    """Return the discriminator's logits `(batch, 1)` for images and the patches at `origins`."""
    size = discriminator.input["patch"].shape[1]
    patch = cut_patches(images, origins, size)
    return discriminator({"image": images, "patch": patch}, training=training)


def watch_variables(tape: tf.GradientTape, variables: list[keras.Variable]) -> None:
    """Make a tape follow these variables, and none but these."""
    tape.watch([variable.value for variable in variables])


def apply_gradients(
    optimizer: keras.optimizers.Optimizer, tape: tf.GradientTape, loss: tf.Tensor, variables: list
) -> tf.Tensor:
    """Apply one step of an optimiser and return the gradient's norm, without loss scaling.

    `loss` has gone through the optimiser's `scale_loss` under the tape. Keras sums the gradients
    of replicas after it has clipped each; here they are summed first, so that the norm and what
    is clipped are the whole batch's.
    """
    gradients = tape.gradient(loss, variables)
    if replicas() > 1:
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        inner._all_reduce_sum_gradients = lambda pairs: pairs
    norm = tf.linalg.global_norm([tf.cast(g, tf.float32) for g in gradients if g is not None])
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        norm /= tf.cast(optimizer.dynamic_scale, norm.dtype)
    optimizer.apply(gradients, variables)
    return norm


def policy_of(network: keras.Model) -> keras.DTypePolicy:
    """Return the dtype policy that a network's hidden layers compute under."""
    for layer in network.layers:
        if "conv_1" in layer.name:
            return layer.dtype_policy
    return network.dtype_policy


class Trackers:
    """Running means by name, logged over an epoch."""

    def __init__(self, *names: str) -> None:
        self.means = {name: keras.metrics.Mean(name=name) for name in names}

    def update(self, **values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Add one step's values and return the results so far; None is no value, and not told."""
        told = {name: value for name, value in values.items() if value is not None}
        for name, value in told.items():
            self.means[name].update_state(value)
        return {name: self.means[name].result() for name in told}

    @property
    def all(self) -> list[keras.metrics.Metric]:
        return list(self.means.values())


def replicas() -> int:
    """Return the number of replicas in step; Keras' losses divide by it, logs must not."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def discriminator_metrics(real: tf.Tensor, fake: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return the discriminator's mean probability of real for both kinds, and its accuracy."""
    right = tf.concat([real > 0, fake <= 0], axis=0)
    return {
        "real_score": tf.reduce_mean(tf.sigmoid(real)),
        "fake_score": tf.reduce_mean(tf.sigmoid(fake)),
        "discriminator_accuracy": tf.reduce_mean(tf.cast(right, tf.float32)),
    }
