"""Functions for the trainers' steps: input checks, composites, patches, updates and logs."""

from typing import Any

import keras
import tensorflow as tf

from keras_inpaint.data.masks import patch_origins

#: Float images may exceed [0, 1] by this, since cubic resizing overshoots.
_OVERSHOOT = 0.1


def as_batch(data: Any, patch_size: int | None, seed: Any) -> dict[str, tf.Tensor]:
    """Return the batch for a training or test step, checked and converted.

    Args:
        data: The argument of `train_step`: a dict of `image`, `mask` and optionally `patch` and
            `real_patch`; a tuple of this dict and other elements, which are ignored; or a pair of
            image and mask. Images are float in [0, 1], or uint8, which are scaled; masks are
            float, 1 in the hole, or bool or uint8, nonzero in the hole.
        patch_size: Int, side of the discriminator's patch; None if no patch is needed.
        seed: Int tensor `(2,)`, the seed for drawing missing patches.

    Returns:
        Dict of `image`, float32 `(batch, height, width, 3)`, and `mask`, float32
        `(batch, height, width, 1)`; with a patch size also `patch` and `real_patch`, int32
        `(batch, 2)`.

    Raises:
        TypeError: If `data` has another type.
        ValueError: If a shape does not fit.
        tf.errors.InvalidArgumentError: When the step runs, if an image or mask exceeds [0, 1].
    """
    elements = _elements(data)
    image, mask = _image(elements["image"]), _mask(elements["mask"])
    batch = {"image": image, "mask": mask}
    _check_shapes(image, mask, patch_size)
    if patch_size is None:
        return batch
    patch, real = elements.get("patch"), elements.get("real_patch")
    if patch is None:
        patch = patch_origins(mask, patch_size)
    if real is None:
        shape = tf.shape(image)
        room = shape[1:3] - patch_size + 1
        chance = tf.random.stateless_uniform((shape[0], 2), seed)
        real = tf.minimum(tf.cast(chance * tf.cast(room, tf.float32), tf.int32), room - 1)
    return {**batch, "patch": tf.cast(patch, tf.int32), "real_patch": tf.cast(real, tf.int32)}


def _elements(data: Any) -> dict[str, Any]:
    x, y = data, None
    if isinstance(data, tuple | list):
        x, y, _ = keras.utils.unpack_x_y_sample_weight(tuple(data))
    if isinstance(x, tuple | list) and len(x) == 2:
        return {"image": x[0], "mask": x[1]}
    if isinstance(x, dict):
        missing = [key for key in ("image", "mask") if key not in x]
        if missing:
            raise ValueError(
                f"a batch must have image and mask; it lacks {' and '.join(missing)}, got "
                f"{', '.join(map(str, x)) or 'an empty dict'}"
            )
        return x
    if hasattr(x, "shape") and hasattr(y, "shape"):
        return {"image": x, "mask": y}
    raise TypeError(
        "a batch must be a dict of image and mask or a pair of them, got "
        + (
            f"one tensor of shape {tuple(x.shape)}"
            if hasattr(x, "shape")
            else f"{type(x).__name__}"
        )
    )


def _image(value: Any) -> tf.Tensor:
    image = tf.convert_to_tensor(value)
    if image.dtype == tf.uint8:
        return tf.cast(image, tf.float32) / 255
    if not image.dtype.is_floating:
        raise TypeError(f"images must be float in [0, 1] or uint8, got {image.dtype.name}")
    rule = "images must be float in [0, 1]: divide values of 0 to 255 by 255, or pass uint8"
    return _within_limits(image, _OVERSHOOT, rule)


def _mask(value: Any) -> tf.Tensor:
    mask = tf.convert_to_tensor(value)
    if mask.dtype in (tf.bool, tf.uint8):
        return tf.cast(tf.cast(mask, tf.bool), tf.float32)
    if not mask.dtype.is_floating:
        raise TypeError(f"masks must be float in [0, 1], bool or uint8, got {mask.dtype.name}")
    rule = "masks must be float in [0, 1], 1 in the hole, or bool or uint8"
    return _within_limits(mask, 1e-3, rule)


def _within_limits(values: tf.Tensor, tolerance: float, rule: str) -> tf.Tensor:
    """Return values as float32, with a check that they are in [0, 1] within the tolerance."""
    values = tf.cast(values, tf.float32)
    farthest = tf.reduce_max(tf.abs(values - 0.5))
    check = tf.debugging.assert_less(farthest, 0.5 + tolerance, rule)
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(values)


def _check_shapes(image: tf.Tensor, mask: tf.Tensor, patch_size: int | None) -> None:
    for name, tensor, channels in (("images", image, 3), ("masks", mask, 1)):
        if tensor.shape.rank != 4 or tensor.shape[3] not in (None, channels):
            raise ValueError(
                f"{name} must be (batch, height, width, {channels}), got {tuple(tensor.shape)}"
            )
    if not image.shape[:3].is_compatible_with(mask.shape[:3]):
        raise ValueError(
            f"images {tuple(image.shape)} and masks {tuple(mask.shape)} differ in size"
        )
    for side in image.shape[1:3]:
        if side is not None and side % 4:
            raise ValueError(f"image sides must be multiples of 4, got {tuple(image.shape[1:3])}")
        if side is not None and patch_size is not None and side < patch_size:
            raise ValueError(
                f"images of {tuple(image.shape[1:3])} are too small for a patch of {patch_size} "
                "pixels"
            )


def composite(image: tf.Tensor, mask: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """Return the completed image: the photo outside the hole, the generated pixels inside."""
    return image * (1 - mask) + generated * mask


def cut_patches(images: tf.Tensor, origins: tf.Tensor, size: int) -> tf.Tensor:
    """Crop one square patch from each image.

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
    """Make a gradient tape watch these variables."""
    tape.watch([variable.value for variable in variables])


def apply_gradients(
    optimizer: keras.optimizers.Optimizer, tape: tf.GradientTape, loss: tf.Tensor, variables: list
) -> tf.Tensor:
    """Apply one step of an optimiser and return the gradient's norm, without loss scaling.

    `loss` must have been scaled by the optimiser's `scale_loss` under the tape. Keras clips the
    gradients of each replica before summing them; here they are summed first, so that the norm
    and the clipping refer to the global batch.
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
    """Return the dtype policy of a network's hidden layers."""
    for layer in network.layers:
        if "conv_1" in layer.name:
            return layer.dtype_policy
    return network.dtype_policy


class Trackers:
    """Running means by name, logged for each epoch."""

    def __init__(self, *names: str) -> None:
        self.means = {name: keras.metrics.Mean(name=name) for name in names}

    def update(self, **values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Add one step's values and return the means so far; values of None are skipped."""
        reported = {name: value for name, value in values.items() if value is not None}
        for name, value in reported.items():
            self.means[name].update_state(value)
        return {name: self.means[name].result() for name in reported}

    @property
    def all(self) -> list[keras.metrics.Metric]:
        return list(self.means.values())


def replicas() -> int:
    """Return the number of replicas in sync; Keras' losses are divided by it, logs must not be."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def discriminator_metrics(real: tf.Tensor, fake: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return the mean predicted probability of real and fake images, and the accuracy.

    Args:
        real: Float tensor `(batch, 1)`, logits of real images.
        fake: Float tensor `(batch, 1)`, logits of completed images.
    """
    correct = tf.concat([real > 0, fake <= 0], axis=0)
    return {
        "real_score": tf.reduce_mean(tf.sigmoid(real)),
        "fake_score": tf.reduce_mean(tf.sigmoid(fake)),
        "discriminator_accuracy": tf.reduce_mean(tf.cast(correct, tf.float32)),
    }
