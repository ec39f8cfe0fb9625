"""Options of phase 3: augmentation, feature matching, perceptual loss, R1 gradient penalty."""

from typing import Any

import keras
import tensorflow as tf

from keras_inpaint.training.steps import discriminate, replicas

#: The kinds of augmentation, in the order in which they are applied.
KINDS = ("color", "translation", "cutout")

#: The largest change of brightness, for values in [0, 1].
_BRIGHTNESS = 0.25
#: The largest shift and the size of the cut-out rectangle, relative to the image's sides.
_SHIFT, _CUT = 0.125, 0.5
_GREY = 0.5


def parse_augment(augment: str | None) -> tuple[str, ...]:
    """Return the kinds of augmentation in a string, in the order in which they are applied.

    Args:
        augment: String such as `"color,translation,cutout"`; empty or None for none.

    Raises:
        ValueError: If it is not a string or contains an unknown kind.
    """
    if augment is not None and not isinstance(augment, str):
        raise ValueError(f"augment must be a string of {', '.join(KINDS)}, got {augment!r}")
    words = [word.strip() for word in (augment or "").split(",") if word.strip()]
    for word in words:
        if word not in KINDS:
            raise ValueError(
                f"augment must be some of {', '.join(KINDS)}, separated by commas, got {augment!r}"
            )
    return tuple(kind for kind in KINDS if kind in words)


def augment_images(images: tf.Tensor, kinds: tuple[str, ...], seed: Any) -> tf.Tensor:
    """Augment each image of a batch independently.

    Patches are cut from the result, so that they are consistent with the whole image.

    Source: S. Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training", NeurIPS
    2020, https://arxiv.org/abs/2006.10738, appendix B. Its images lie in [-1, 1]; ours lie in
    [0, 1], so brightness changes half as much, and pixels that are shifted in or cut out are 0.5.

    Args:
        images: Float tensor `(batch, height, width, 3)` in [0, 1].
        kinds: The result of `parse_augment`: `"color"` changes brightness, saturation and
            contrast; `"translation"` shifts by up to an eighth of each side; `"cutout"` covers a
            rectangle of half of each side, clipped to the image.
        seed: Int tensor `(2,)`; the same seed gives the same augmentation.

    Returns:
        Float tensor of the images' shape and dtype. Colours may leave [0, 1]: they are not
        clipped, so that every pixel has a gradient.
    """
    for kind in kinds:
        own = tf.random.experimental.stateless_fold_in(seed, KINDS.index(kind))
        images = _APPLY[kind](images, own)
    return images


def _color(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    chance = tf.random.stateless_uniform((3, tf.shape(images)[0], 1, 1, 1), seed)
    brightness, saturation, contrast = tf.unstack(tf.cast(chance, images.dtype))
    images += (2 * brightness - 1) * _BRIGHTNESS
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = (images - grey) * (2 * saturation) + grey
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return (images - mean) * (contrast + 0.5) + mean


def _translation(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    shape = tf.shape(images)
    sides = tf.cast(shape[1:3], tf.float32)
    limit = tf.cast(sides * _SHIFT + 0.5, tf.int32)
    chance = tf.random.stateless_uniform((shape[0], 2), seed)
    shift = tf.cast(tf.floor(chance * tf.cast(2 * limit + 1, tf.float32)), tf.int32) - limit
    result, inside = images, tf.ones((), images.dtype)
    for axis in (1, 2):
        place = tf.range(shape[axis])[None] + shift[:, axis - 1 : axis]
        known = tf.cast((place >= 0) & (place < shape[axis]), images.dtype)
        place = tf.clip_by_value(place, 0, shape[axis] - 1)
        if axis == 2:
            result = tf.transpose(result, [0, 2, 1, 3])
        result = tf.gather(result, place, axis=1, batch_dims=1)
        if axis == 2:
            result = tf.transpose(result, [0, 2, 1, 3])
        known = known[:, :, None, None] if axis == 1 else known[:, None, :, None]
        inside = inside * known
    return tf.ensure_shape(result * inside + _GREY * (1 - inside), images.shape)


def _cutout(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    shape = tf.shape(images)
    sides = tf.cast(shape[1:3], tf.float32)
    centre = tf.floor(tf.random.stateless_uniform((shape[0], 2), seed) * (sides + 1))
    half = tf.floor(sides * _CUT / 2)
    covered = []
    for axis in (0, 1):
        place = tf.range(sides[axis])[None]
        start = centre[:, axis : axis + 1] - half[axis]
        covered.append((place >= start) & (place < start + 2 * half[axis]))
    hidden = tf.cast(covered[0][:, :, None, None] & covered[1][:, None, :, None], images.dtype)
    return images * (1 - hidden) + _GREY * hidden


_APPLY = {"color": _color, "translation": _translation, "cutout": _cutout}


class FeatureNetwork:
    """A discriminator that also returns the outputs of its ReLU layers.

    Not a Keras layer, so that a trainer with this attribute does not save the discriminator twice.

    Args:
        discriminator: `keras.Model` from `build_context_discriminator`; its weights are shared.

    Raises:
        ValueError: If it has no ReLU layers.
    """

    def __init__(self, discriminator: keras.Model) -> None:
        outputs = [x.output for x in discriminator.layers if isinstance(x, keras.layers.ReLU)]
        if not outputs:
            raise ValueError(
                f"feature_matching needs a discriminator with ReLU layers, and "
                f"{discriminator.name!r} has none"
            )
        self._network = keras.Model(discriminator.input, [discriminator.output, *outputs])

    def __call__(self, images: tf.Tensor, origins: tf.Tensor, training: bool) -> tuple[Any, list]:
        """Return the logits `(batch, 1)` and the list of features, as `steps.discriminate` does."""
        logits, *features = discriminate(self._network, images, origins, training)
        return logits, features


def feature_distance(real: list[tf.Tensor], completed: list[tf.Tensor]) -> tf.Tensor:
    """Return the mean absolute difference of features, over each layer and then over the layers.

    Source: T.-C. Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with
    Conditional GANs", CVPR 2018, https://arxiv.org/abs/1711.11585, equation 4.

    Args:
        real: Float tensors, one per layer; a target, without gradient.
        completed: Float tensors of the same shapes.

    Returns:
        Float32 scalar, divided by the number of replicas as Keras' losses are.
    """
    distances = [
        tf.reduce_mean(tf.abs(tf.cast(tf.stop_gradient(a), tf.float32) - tf.cast(b, tf.float32)))
        for a, b in zip(real, completed, strict=True)
    ]
    return tf.add_n(distances) / (len(distances) * replicas())


class PerceptualLoss:
    """Distance between completed and real images in the features of a fixed network.

    At each position of each feature map the features are scaled to length 1; the squared distance
    is averaged over the positions, weighted by their share of the hole, then over maps and images.

    Source: J. Johnson et al., "Perceptual Losses for Real-Time Style Transfer and
    Super-Resolution", ECCV 2016, https://arxiv.org/abs/1603.08155; the scaling is that of R. Zhang
    et al., CVPR 2018, https://arxiv.org/abs/1801.03924, without learned weights.

    Args:
        network: `keras.Model` for images of any size; its outputs that are feature maps are used.

    Raises:
        ValueError: If it takes images of one size only, or none of its outputs is a feature map.
    """

    def __init__(self, network: keras.Model) -> None:
        self._network = network
        if None not in network.input_shape[1:3]:
            raise ValueError(
                f"the network of a perceptual loss must take images of any size, got "
                f"{network.name!r} with the input shape {network.input_shape}"
            )
        if not self._maps(network.outputs):
            raise ValueError(
                f"the network of a perceptual loss must return maps (batch, height, width, "
                f"features), got {network.name!r} with the output shape {network.output_shape}"
            )

    def __call__(self, real: tf.Tensor, completed: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Return the loss.

        Args:
            real: Float32 tensor `(batch, height, width, 3)`; a target, without gradient.
            completed: Float32 tensor of the same shape.
            mask: Float32 tensor `(batch, height, width, 1)`, 1 in the hole.

        Returns:
            Float32 scalar from 0 to 4, divided by the number of replicas as Keras' losses are.
        """
        distances = []
        pairs = zip(self._features(real), self._features(completed), strict=True)
        for target, output in pairs:
            square = tf.reduce_sum(tf.square(tf.stop_gradient(target) - output), axis=-1)
            weight = _shrink(mask, tf.shape(square)[1:3])
            hole = tf.maximum(tf.reduce_sum(weight, axis=(1, 2)), 1e-9)
            distances.append(tf.reduce_sum(square * weight, axis=(1, 2)) / hole)
        return tf.reduce_mean(tf.stack(distances)) / replicas()

    def _features(self, images: tf.Tensor) -> list[tf.Tensor]:
        output = self._network(images, training=False)
        outputs = output if isinstance(output, list | tuple) else [output]
        maps = [tf.cast(one, tf.float32) for one in self._maps(outputs)]
        return [x * tf.math.rsqrt(tf.reduce_sum(x * x, -1, keepdims=True) + 1e-6) for x in maps]

    @staticmethod
    def _maps(outputs: list[Any]) -> list[Any]:
        return [one for one in outputs if len(one.shape) == 4]


def _shrink(mask: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Return the share of hole at each position of a smaller map, `(batch, *size)`."""
    sides = tf.shape(mask)[1:3]
    factor = -(-sides // size)
    rest = size * factor - sides
    mask = tf.pad(mask[..., 0], [[0, 0], [0, rest[0]], [0, rest[1]]])
    shape = [tf.shape(mask)[0], size[0], factor[0], size[1], factor[1]]
    return tf.reduce_mean(tf.reshape(mask, shape), axis=(2, 4))


def gradient_penalty(
    discriminator: keras.Model, images: tf.Tensor, origins: tf.Tensor
) -> tf.Tensor:
    """Return the squared norm of the logit's gradient with respect to the image, over the batch.

    The patch is a part of the image, so that the gradients of its pixels are added to the image's.
    Batch normalisation is in inference mode: with the batch's own statistics the logits would
    depend on each other, and shifts common to all of them would have no gradient.

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
