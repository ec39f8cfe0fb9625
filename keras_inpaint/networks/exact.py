"""A completion network whose sums do not depend on the size of the picture.

Tiles give exactly the whole picture's result only if every convolution adds up its products in
the same order whatever the size. On a processor two of TensorFlow's do not: they choose their
blocks by the size, and the last bits differ. Both have a form whose order stays:

- A transposed convolution becomes a convolution with four outputs for each input pixel, which
  are then laid out two by two. On the processors tried this is no slower.
- A dilated convolution becomes stock Keras' rearrangement of space to batch, a plain
  convolution and back: a few per cent slower than in one op.

Found to hold to the last bit on x86 processors with AVX-512, and on others with
`TF_ENABLE_ONEDNN_OPTS=0`. oneDNN's code for AVX2 chooses by the size even in plain convolutions:
there, and on GPUs, tiles agree to float32 rounding.
"""

from typing import Any

import keras
import numpy as np

from keras_inpaint.networks.layers import Conv2D


class SubPixelConv2D(keras.layers.Conv2D):
    """A convolution whose groups of four outputs become two by two pixels."""

    def call(self, inputs: Any) -> Any:
        import tensorflow as tf

        return tf.nn.depth_to_space(super().call(inputs), 2)

    def compute_output_shape(self, input_shape: Any) -> tuple:
        batch, height, width, channels = super().compute_output_shape(input_shape)
        return batch, height and 2 * height, width and 2 * width, channels // 4


class NativeConv2D(Conv2D):
    """A dilated convolution that is one op on every machine: exports need no gradient."""

    def _has_native_path(self) -> bool:
        return keras.backend.backend() == "tensorflow"


def size_independent(network: keras.Model) -> keras.Model:
    """Return a float32 copy of a network for inference on crops and tiles.

    Args:
        network: A completion network of any dtype policy.

    Returns:
        A new functional `keras.Model`. It answers what the network does, to float32 rounding;
        what it answers for a pixel does not depend on the size of the crop around it.
    """

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if not isinstance(layer, keras.layers.InputLayer):
            config["dtype"] = "float32"
        if _is_doubling(layer):
            return SubPixelConv2D(
                4 * layer.filters,
                3,
                padding="same",
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
        weights = layer.get_weights()
        if _is_doubling(layer):
            weights = [sub_pixel_kernel(weights[0]), *(np.tile(bias, 4) for bias in weights[1:])]
        copy.get_layer(layer.name).set_weights(weights)
    copy.trainable = False
    return copy


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
    """Return the kernel of the convolution that a transposed one amounts to.

    An even output pixel 2 q of a transposed convolution of kernel 4, stride 2 and `same`
    padding is `x[q-1] k[3] + x[q] k[1]`, an odd one 2 q + 1 is `x[q] k[2] + x[q+1] k[0]`.

    Args:
        kernel: Float `(4, 4, outputs, inputs)`, as Keras stores it.

    Returns:
        Float `(3, 3, inputs, 4 * outputs)`, outputs in the order of `depth_to_space`.
    """
    taps = np.zeros((2, 3, 4), kernel.dtype)  # parity of the output, input at q - 1 + i, tap
    taps[0, 0, 3] = taps[0, 1, 1] = taps[1, 1, 2] = taps[1, 2, 0] = 1
    grouped = np.einsum("yak,xbl,kloi->abiyxo", taps, taps, kernel)
    return np.ascontiguousarray(grouped.reshape(3, 3, kernel.shape[3], -1))
