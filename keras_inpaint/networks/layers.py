"""Layers that stock Keras lacks, or runs slowly on the TensorFlow backend.

Each fast layer keeps the weights, the configuration and the arithmetic of the stock layer that it
subclasses, and falls back to it if a setting or backend has no fast path.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_inpaint.networks.receptive_field import SIZE_MULTIPLE

_REGISTER = keras.saving.register_keras_serializable("keras_inpaint")

#: Arguments of every convolution, regardless of `keras.json`: photos are stored channels last.
CHANNELS_LAST = {"data_format": "channels_last"}


@_REGISTER
class MeanPixelFill(keras.layers.Layer):
    """Fill the holes with the mean pixel and append the mask as a channel.

    The mean pixel of the training images is a non-trainable weight, so that saved and exported
    networks include it.

    Args:
        mean_pixel: Three floats in [0, 1], red, green, blue.
        append_mask: Bool, whether the mask becomes the fourth channel, as in the paper
            (section 3.2). Without it, the network sees three channels and is not given the
            position of the hole.

    Call arguments:
        image: Float tensor `(batch, height, width, 3)` in [0, 1].
        hole: Float tensor `(batch, height, width, 1)`, 1 in the hole, 0 elsewhere. (Not named
            mask, which Keras reserves for masks of time steps.)

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
        height, width = image.shape[1:3]
        if (height or 0) % SIZE_MULTIPLE or (width or 0) % SIZE_MULTIPLE:
            raise ValueError(
                f"image sides must be multiples of {SIZE_MULTIPLE}, got {width}x{height}: "
                "pad the image, or use keras_inpaint.Inpainter for any size"
            )
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

    Weights, configuration and results equal those of `keras.layers.BatchNormalization`, which
    computes the moments and the normalisation in many float32 ops under TensorFlow.
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
            and not getattr(self, "renorm", False)
            and self.epsilon >= 1.001e-5
            and keras.backend.standardize_dtype(self.compute_dtype)
            in ("float32", "float16", "bfloat16")
        )


@_REGISTER
class Conv2D(keras.layers.Conv2D):
    """A dilated convolution in one op; stock Keras uses space to batch and batch to space.

    Weights, configuration and results equal those of `keras.layers.Conv2D`. It also keeps
    TFLite exports free of SPACE_TO_BATCH_ND.

    TensorFlow has gradients for this op on GPUs. On CPUs it has them only with oneDNN, which is
    off by default on processors without AVX-512 or AMX and supports the 16-bit types on even
    fewer. Without these gradients, a large dilation on a small feature map is computed as one
    matrix product (see `_by_matrix`), anything else by the stock layer.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        if not self._has_native_path():
            return super().convolution_op(inputs, kernel)
        if self._is_native(inputs.dtype):
            import tensorflow as tf

            return tf.nn.conv2d(
                inputs,
                kernel,
                strides=list(self.strides),
                padding=self.padding.upper(),
                dilations=list(self.dilation_rate),
            )
        if self._is_small(inputs.shape):
            return _by_matrix(inputs, kernel, self.dilation_rate)
        return super().convolution_op(inputs, kernel)

    def _has_native_path(self) -> bool:
        return (
            keras.backend.backend() == "tensorflow"
            and self.data_format == "channels_last"
            and self.groups == 1
            and self.padding in ("same", "valid")
        )

    def _is_native(self, dtype: Any) -> bool:
        # The op runs on the weights' device, which may have been chosen after import.
        variable = getattr(self._kernel, "_value", None)
        on_gpu = "GPU" in str(getattr(variable, "device", ""))
        return dilation_has_gradient(
            keras.backend.standardize_dtype(dtype), "GPU" if on_gpu else "CPU"
        )

    def _is_small(self, shape: Any) -> bool:
        height, width = shape[1:3]
        return (
            self.padding == "same"
            and self.strides == (1, 1)
            and self.kernel_size == (3, 3)
            and None not in (height, width)
            and -(-height // self.dilation_rate[0]) * -(-width // self.dilation_rate[1]) <= 9
        )


def dilation_has_gradient(dtype: str, device: str = "CPU") -> bool:
    """Return whether TensorFlow can train a dilated convolution in one op on this machine.

    The op itself is run, forward and both gradients, once for each dtype and device. (A
    `GradientTape` records nothing inside `tf.init_scope`.)

    Args:
        dtype: String, the compute dtype, such as `"float32"`.
        device: `"CPU"` or `"GPU"`.
    """
    key = dtype, device
    if key not in _TRAINS_DILATION:
        import tensorflow as tf

        with tf.init_scope():
            if not tf.executing_eagerly():  # ops cannot be run inside a TensorFlow 1 graph
                return False
            _TRAINS_DILATION[key] = _try_dilation(dtype, device)
    return _TRAINS_DILATION[key]


_TRAINS_DILATION: dict[tuple[str, str], bool] = {}


def _try_dilation(dtype: str, device: str) -> bool:
    import tensorflow as tf

    settings = {"strides": [1, 1, 1, 1], "padding": "SAME", "dilations": [1, 2, 2, 1]}
    try:
        with tf.device(f"/{device}:0"):
            image, kernel = tf.ones((2, 8, 8, 8), dtype), tf.ones((3, 3, 8, 8), dtype)
            output = tf.raw_ops.Conv2D(input=image, filter=kernel, **settings)
            gradients = [
                tf.raw_ops.Conv2DBackpropInput(
                    input_sizes=image.shape, filter=kernel, out_backprop=output, **settings
                ),
                tf.raw_ops.Conv2DBackpropFilter(
                    input=image, filter_sizes=kernel.shape, out_backprop=output, **settings
                ),
            ]
            return all(bool(tf.reduce_all(tf.math.is_finite(value))) for value in gradients)
    except tf.errors.OpError:
        return False


def _by_matrix(inputs: Any, kernel: Any, dilation: tuple[int, int]) -> Any:
    """Return the 3x3 "same" dilated convolution of a small feature map, as a matrix product.

    Pixels that are `dilation` apart form a small image of their own; a map splits into
    `dilation` squared of them. If such an image has at most nine pixels, it becomes one row of
    a matrix; the other matrix holds the kernel's value for each pair of pixels. At dilation 16
    on a 32x32 map, this took a sixteenth of the time of space to batch.

    Args:
        inputs: Float tensor `(batch, height, width, channels)` of static height and width.
        kernel: Float tensor `(3, 3, channels, filters)`.
        dilation: Two ints, the dilation rates of rows and columns.

    Returns:
        Float tensor `(batch, height, width, filters)`.
    """
    import tensorflow as tf

    (height, width, channels), filters = inputs.shape[1:], kernel.shape[-1]
    rows, columns = -(-height // dilation[0]), -(-width // dilation[1])
    pad = [[0, 0], [0, rows * dilation[0] - height], [0, columns * dilation[1] - width], [0, 0]]
    split = tf.reshape(tf.pad(inputs, pad), (-1, rows, dilation[0], columns, dilation[1], channels))
    images = tf.reshape(tf.transpose(split, (0, 2, 4, 1, 3, 5)), (-1, rows * columns * channels))
    # Tap `to - from + 1` connects two pixels; out of the kernel's reach, the padding gives zero.
    far = [max(rows - 2, 0), max(columns - 2, 0)]
    taps = tf.pad(kernel, [[far[0]] * 2, [far[1]] * 2, [0, 0], [0, 0]])
    starts = [[far[0] + 1 - r, far[1] + 1 - c] for r in range(rows) for c in range(columns)]
    pairs = tf.stack([taps[top : top + rows, left : left + columns] for top, left in starts])
    matrix = tf.reshape(tf.transpose(pairs, (1, 2, 3, 0, 4)), (rows * columns * channels, -1))
    product = tf.reshape(tf.matmul(images, matrix), (-1, *dilation, rows, columns, filters))
    joined = tf.transpose(product, (0, 3, 1, 4, 2, 5))
    shape = (-1, rows * dilation[0], columns * dilation[1], filters)
    return tf.reshape(joined, shape)[:, :height, :width]


_STOCK = {
    BatchNormalization: keras.layers.BatchNormalization,
    Conv2D: keras.layers.Conv2D,
}
_FAST = {stock: fast for fast, stock in _STOCK.items()}


def with_stock_layers(model: keras.Model) -> keras.Model:
    """Return a copy of a network with stock Keras layers only.

    Once saved, it can be loaded without this package, under any Keras backend. `MeanPixelFill`
    becomes a nested model of the same name, in which the mean pixel is the kernel of a 1x1
    convolution of the mask. `with_fast_layers` is the inverse.

    Args:
        model: A functional network of this package.

    Returns:
        A new `keras.Model` with the same names and weights; its outputs are equal up to
        rounding.
    """

    def stock(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, MeanPixelFill):
            return _stock_fill(layer)
        return _STOCK.get(type(layer), type(layer)).from_config(layer.get_config())

    return _copy(model, stock)


def with_fast_layers(model: keras.Model) -> keras.Model:
    """Return a network with stock layers replaced by this package's faster ones.

    Args:
        model: A functional network, such as one from `with_stock_layers`.

    Returns:
        `model` if there is nothing to replace, otherwise a new `keras.Model` with the same names
        and weights; its outputs are equal up to rounding.
    """
    if not hasattr(model, "operations"):
        return model

    def fast(layer: keras.layers.Layer) -> keras.layers.Layer:
        if _is_stock_fill(layer):
            pixel = keras.ops.convert_to_numpy(layer.get_layer("mean_pixel").kernel)
            append = layer.output_shape[-1] == 4
            return MeanPixelFill(pixel, append, dtype="float32", name=layer.name)
        return _fast_kind(layer).from_config(layer.get_config())

    if all(
        _fast_kind(layer) is type(layer) and not _is_stock_fill(layer) for layer in model.layers
    ):
        return model
    return _copy(model, fast)


def _fast_kind(layer: keras.layers.Layer) -> type:
    if type(layer) is keras.layers.Conv2D and max(layer.dilation_rate) == 1:
        return keras.layers.Conv2D
    return _FAST.get(type(layer), type(layer))


def _stock_fill(layer: MeanPixelFill) -> keras.Model:
    """Return `MeanPixelFill` as a model of stock layers: image * (1 - hole) + pixel * hole."""
    options = {"dtype": layer.dtype_policy}
    image, hole = (keras.Input(tensor.shape[1:]) for tensor in layer.input)
    known = keras.layers.Rescaling(-1.0, 1.0, name="known", **options)(hole)
    pixel = keras.layers.Conv2D(
        3, 1, use_bias=False, name="mean_pixel", trainable=False, **CHANNELS_LAST, **options
    )
    kept = keras.layers.Multiply(name="kept", **options)([image, known])
    filled = keras.layers.Add(name="filled", **options)([kept, pixel(hole)])
    if layer.append_mask:
        filled = keras.layers.Concatenate(name="with_hole", **options)([filled, hole])
    return keras.Model([image, hole], filled, name=layer.name)


def _is_stock_fill(layer: keras.layers.Layer) -> bool:
    return (
        isinstance(layer, keras.Model)
        and {"mean_pixel", "filled"} <= {inner.name for inner in layer.layers}
        and len(layer.inputs) == 2
    )


def with_dtype_policy(model: keras.Model, policy: str) -> keras.Model:
    """Return a copy of a network with another dtype policy.

    `FLOAT32_LAYERS` stay float32.

    Args:
        model: A functional network of this package.
        policy: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`.

    Returns:
        A new `keras.Model` with the same names and weights.
    """

    def other(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if not isinstance(layer, keras.layers.InputLayer):
            config["dtype"] = "float32" if layer.name in FLOAT32_LAYERS else policy
        return type(layer).from_config(config)

    return _copy(model, other)


#: Names of the layers that stay float32 under every policy.
FLOAT32_LAYERS = frozenset({"mean_pixel_fill", "conv_17", "generated", "logit"})


def _copy(model: keras.Model, clone: Any) -> keras.Model:
    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, keras.Model) and len(args) == 2:  # models take a list of inputs
            return layer(list(args), **kwargs)
        if isinstance(layer, MeanPixelFill) and len(args) == 1:
            return layer(*args[0])
        return layer(*args, **kwargs)

    copy = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for new, old in zip(copy.weights, model.weights, strict=True):  # the mean pixel's shape differs
        new.assign(ops.reshape(old, new.shape))
    return copy
