"""The few layers that stock Keras lacks, or runs slowly on the TensorFlow backend.

The fast layers keep the weights, the configuration and the arithmetic of the stock layer that
each subclasses; where a setting or a backend has no fast path they are the stock layer.
"""

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

_REGISTER = keras.saving.register_keras_serializable("keras_inpaint")


@_REGISTER
class MeanPixelFill(keras.layers.Layer):
    """Fill the holes with the mean pixel and append the mask as a channel.

    The mean pixel is a weight, so that a saved or exported network carries it. It is not
    trained: it comes from the training images.

    Args:
        mean_pixel: Three floats in [0, 1], red, green, blue.
        append_mask: Bool, whether the mask becomes the fourth channel, as in the paper
            (section 3.2). Without it the network sees three channels and has to guess
            where the hole is.

    Call arguments:
        image: Float tensor `(batch, height, width, 3)` in [0, 1].
        hole: Float tensor `(batch, height, width, 1)`, 1 in the hole, 0 elsewhere. (Not named
            mask: Keras gives that name to masks of time steps.)

    Returns:
        Float tensor `(batch, height, width, 4)`, or 3 channels without the mask.
    """

    def __init__(
        self, mean_pixel: Any = (0.5, 0.5, 0.5), append_mask: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        pixel = np.asarray(mean_pixel, "float32").reshape(-1)
        if pixel.shape != (3,) or not (pixel >= 0).all() or not (pixel <= 1).all():
            raise ValueError(f"mean_pixel must be three numbers in [0, 1], got {mean_pixel!r}")
        self._initial_pixel = [float(value) for value in pixel]
        self.append_mask = append_mask

    def build(self, image_shape: Any, hole_shape: Any) -> None:
        self.mean_pixel = self.add_weight(
            name="mean_pixel",
            shape=(3,),
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(self._initial_pixel, dtype),
            trainable=False,
        )

    def call(self, image: Any, hole: Any) -> Any:
        filled = image * (1 - hole) + ops.cast(self.mean_pixel, image.dtype) * hole
        return ops.concatenate([filled, hole], axis=-1) if self.append_mask else filled

    def compute_output_shape(self, image_shape: Any, hole_shape: Any) -> tuple:
        return (*image_shape[:-1], 4 if self.append_mask else 3)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "mean_pixel": self._initial_pixel,
            "append_mask": self.append_mask,
        }


@_REGISTER
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation in one fused op, forward and backward (cuDNN's on a GPU).

    Weights, configuration and results are those of `keras.layers.BatchNormalization`, whose
    TensorFlow path computes the moments and the normalisation in many float32 ops.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not (training and self.trainable and self._has_fused_path(inputs, mask)):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        inputs = ops.cast(inputs, self.compute_dtype)
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            scale=tf.cast(self.gamma, tf.float32),
            offset=tf.cast(self.beta, tf.float32),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The op reports the unbiased variance; Keras tracks the biased one.
        count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
        self._track(self.moving_mean, mean)
        self._track(self.moving_variance, variance * (count - 1) / count)
        return outputs

    def _track(self, moving: Any, batch_value: Any) -> None:
        value = ops.cast(batch_value, moving.dtype)
        moving.assign(moving * self.momentum + value * (1.0 - self.momentum))

    def _has_fused_path(self, inputs: Any, mask: Any) -> bool:
        return (
            keras.backend.backend() == "tensorflow"
            and mask is None
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and self.scale
            and self.center
            and not self.synchronized
            and self.epsilon >= 1.001e-5
            and keras.backend.standardize_dtype(self.compute_dtype)
            in ("float32", "float16", "bfloat16")
        )


@_REGISTER
class Conv2D(keras.layers.Conv2D):
    """A dilated convolution in one op, where stock Keras rearranges space to batch and back.

    Weights, configuration and results are those of `keras.layers.Conv2D`. It also keeps
    exports to TFLite free of SPACE_TO_BATCH_ND.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        if not self._has_native_path():
            return super().convolution_op(inputs, kernel)
        import tensorflow as tf

        return tf.nn.conv2d(
            inputs,
            kernel,
            strides=list(self.strides),
            padding=self.padding.upper(),
            dilations=list(self.dilation_rate),
        )

    def _has_native_path(self) -> bool:
        return (
            keras.backend.backend() == "tensorflow"
            and self.data_format == "channels_last"
            and self.groups == 1
            and self.padding in ("same", "valid")
            and _native_dilation_has_gradient()
        )


@functools.cache
def _native_dilation_has_gradient() -> bool:
    """Whether this build of TensorFlow can train a dilated convolution on this machine.

    Without oneDNN the processor's kernel has no gradient for dilated convolutions; a tiny one
    tells at once.
    """
    import tensorflow as tf

    with tf.init_scope():
        image, kernel = tf.zeros((1, 4, 4, 1)), tf.zeros((3, 3, 1, 1))
        try:
            with tf.GradientTape() as tape:
                tape.watch([image, kernel])
                output = tf.nn.conv2d(image, kernel, 1, "SAME", dilations=2)
            tape.gradient(output, [image, kernel])
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return False
    return True


_STOCK = {
    BatchNormalization: keras.layers.BatchNormalization,
    Conv2D: keras.layers.Conv2D,
}


def with_stock_layers(model: keras.Model) -> keras.Model:
    """Return a copy of a network that uses stock Keras layers only where one exists.

    Args:
        model: A functional network of this package.

    Returns:
        A new `keras.Model` of the same names and weights; it answers the same to rounding.
    """
    return _copy(model, lambda layer: _STOCK.get(type(layer), type(layer)), None)


def with_dtype_policy(model: keras.Model, policy: str) -> keras.Model:
    """Return a copy of a network whose layers compute under another dtype policy.

    Layers that were pinned to float32 under a mixed policy stay float32.

    Args:
        model: A functional network of this package.
        policy: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`.

    Returns:
        A new `keras.Model` of the same names and weights.
    """
    return _copy(model, type, policy)


#: Layers that stay float32 under every policy.
FLOAT32_LAYERS = frozenset({"mean_pixel_fill", "conv_17", "generated", "logit"})


def _copy(model: keras.Model, class_of: Any, policy: str | None) -> keras.Model:
    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if policy is not None and not isinstance(layer, keras.layers.InputLayer):
            config["dtype"] = "float32" if layer.name in FLOAT32_LAYERS else policy
        return class_of(layer).from_config(config)

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy
