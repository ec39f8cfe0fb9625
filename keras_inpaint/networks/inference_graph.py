"""A completion network whose order of summation does not depend on the image size.

Tiles reproduce the result of the whole image exactly only if every convolution adds its products
in the same order at any size. On CPUs, two of TensorFlow's ops do not: they choose their block
size by the image size, so that the last bits differ. Both have an equivalent with a fixed order:

- A transposed convolution becomes a convolution with four outputs for each input pixel, which
  are then arranged as 2x2 pixels. On the processors tested, it is not slower.
- A dilated convolution becomes stock Keras' space to batch, plain convolution and batch to
  space, which is a few per cent slower than a single op.

Results were identical to the last bit on x86 processors with AVX-512, and on others with
`TF_ENABLE_ONEDNN_OPTS=0`. oneDNN's AVX2 code depends on the size even in plain convolutions:
there, and on GPUs, tiles agree to float32 rounding.
"""

from typing import Any

import keras
import numpy as np

from keras_inpaint.networks.layers import Conv2D


class SubPixelConv2D(keras.layers.Conv2D):
    """A convolution whose groups of four output channels become 2x2 pixels."""

    def call(self, inputs: Any) -> Any:
        import tensorflow as tf

        return tf.nn.depth_to_space(super().call(inputs), 2)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        batch, height, width, channels = super().compute_output_shape(input_shape)
        return batch, height and 2 * height, width and 2 * width, channels // 4


class FoldedNormalization(keras.layers.Layer):
    """An identity in place of a batch normalisation that is folded into a convolution."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


class NativeConv2D(Conv2D):
    """A dilated convolution that is always a single op, since exports need no gradient."""

    def _has_native_path(self) -> bool:
        return keras.backend.backend() == "tensorflow"

    def _is_native(self, dtype: Any) -> bool:
        return True


def for_inference(network: keras.Model) -> keras.Model:
    """Return a float32 copy of a network for inference on crops and tiles.

    Batch normalisation is folded into the convolution before it, which saves memory and time.

    Args:
        network: A completion network of any dtype policy.

    Returns:
        A new functional `keras.Model` that computes the same as the network, to float32
        rounding. Its output at a pixel does not depend on the size of the crop around it.
    """
    folded = _norms_by_convolution(network)

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if not isinstance(layer, keras.layers.InputLayer):
            config["dtype"] = "float32"
        if layer in folded.values():
            return FoldedNormalization(dtype="float32", name=layer.name)
        if _is_doubling(layer):
            return SubPixelConv2D(
                4 * layer.filters,
                3,
                padding="same",
                data_format="channels_last",
                activation=config["activation"],
                use_bias=layer.use_bias,
                dtype="float32",
                name=layer.name,
            )
        if isinstance(layer, Conv2D):
            return keras.layers.Conv2D.from_config(config)
        return type(layer).from_config(config)

    copy = keras.models.clone_model(network, clone_function=clone)
    for layer in network.layers:
        if layer in folded.values():
            continue
        weights = layer.get_weights()
        if _is_doubling(layer):
            weights = [sub_pixel_kernel(weights[0]), *(np.tile(bias, 4) for bias in weights[1:])]
        if layer.name in folded:
            weights = _folded(*weights, folded[layer.name], copy.get_layer(layer.name))
        copy.get_layer(layer.name).set_weights(weights)
    copy.trainable = False
    return copy


def _norms_by_convolution(network: keras.Model) -> dict[str, keras.layers.Layer]:
    """Return the batch normalisations `norm_N` that follow linear convolutions `conv_N`."""
    layers = {layer.name: layer for layer in network.layers}
    norms = {}
    for name, norm in layers.items():
        convolution = layers.get(name.replace("norm_", "conv_", 1))
        if (
            isinstance(norm, keras.layers.BatchNormalization)
            and isinstance(convolution, keras.layers.Conv2D | keras.layers.Conv2DTranspose)
            and norm.input is convolution.output
            and convolution.use_bias
            and convolution.activation is keras.activations.linear
        ):
            norms[convolution.name] = norm
    return norms


def _folded(
    kernel: np.ndarray,
    bias: np.ndarray,
    norm: keras.layers.BatchNormalization,
    convolution: keras.layers.Layer,
) -> list[np.ndarray]:
    """Return a convolution's weights with a batch normalisation folded into them."""

    def of(variable: Any, default: float) -> np.ndarray:
        values = default if variable is None else keras.ops.convert_to_numpy(variable)
        return np.asarray(values, np.float64)

    factor = of(norm.gamma, 1) / np.sqrt(of(norm.moving_variance, 1) + norm.epsilon)
    offset = of(norm.beta, 0) - of(norm.moving_mean, 0) * factor
    repeats = len(bias) // len(factor)  # 4 for a sub-pixel convolution
    factor, offset = np.tile(factor, repeats), np.tile(offset, repeats)
    transposed = isinstance(convolution, keras.layers.Conv2DTranspose)
    along = factor[:, None] if transposed else factor  # the kernel's output axis
    return [(kernel * along).astype(np.float32), (bias * factor + offset).astype(np.float32)]


def _is_doubling(layer: keras.layers.Layer) -> bool:
    return (
        keras.backend.backend() == "tensorflow"
        and isinstance(layer, keras.layers.Conv2DTranspose)
        and tuple(layer.kernel_size) == (4, 4)
        and tuple(layer.strides) == (2, 2)
        and layer.padding == "same"
        and layer.output_padding is None
        and layer.data_format == "channels_last"
        and tuple(layer.dilation_rate) == (1, 1)
    )


def sub_pixel_kernel(kernel: np.ndarray) -> np.ndarray:
    """Return the kernel of the convolution that is equivalent to a transposed one.

    With kernel size 4, stride 2 and `same` padding, the even output pixel 2 q of a transposed
    convolution is `x[q-1] k[3] + x[q] k[1]`, and the odd one 2 q + 1 is
    `x[q] k[2] + x[q+1] k[0]`.

    Args:
        kernel: Float `(4, 4, outputs, inputs)`, as Keras stores it.

    Returns:
        Float `(3, 3, inputs, 4 * outputs)`, outputs in the order of `depth_to_space`.
    """
    taps = np.zeros((2, 3, 4), kernel.dtype)  # parity of the output, input at q - 1 + i, tap
    taps[0, 0, 3] = taps[0, 1, 1] = taps[1, 1, 2] = taps[1, 2, 0] = 1
    grouped = np.einsum("yak,xbl,kloi->abiyxo", taps, taps, kernel)
    return np.ascontiguousarray(grouped.reshape(3, 3, kernel.shape[3], -1))
