"""The completion network: 17 convolutions, dilated ones in the middle.

Source: S. Iizuka, E. Simo-Serra, H. Ishikawa, "Globally and Locally Consistent Image
Completion", ACM Trans. Graph. 36(4), 107 (2017), section 3.2 and table 1,
https://doi.org/10.1145/3072959.3073659.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from keras_inpaint.networks.layers import (
    CHANNELS_LAST,
    BatchNormalization,
    Conv2D,
    MeanPixelFill,
)
from keras_inpaint.networks.receptive_field import SIZE_MULTIPLE

#: Torch's default of 0.1 in Keras' convention; with Keras' default of 0.99 the statistics lag
#: behind for hours.
BATCH_NORM_MOMENTUM = 0.9
#: The smallest value that cuDNN accepts.
BATCH_NORM_EPSILON = 1.001e-5


@dataclass(frozen=True)
class _Convolution:
    filters: int
    kernel: int = 3
    strides: int = 1
    dilation: int = 1
    transposed: bool = False


_CONVOLUTIONS = (
    _Convolution(64, kernel=5),
    _Convolution(128, strides=2),
    _Convolution(128),
    _Convolution(256, strides=2),
    _Convolution(256),
    _Convolution(256),
    _Convolution(256, dilation=2),
    _Convolution(256, dilation=4),
    _Convolution(256, dilation=8),
    _Convolution(256, dilation=16),
    _Convolution(256),
    _Convolution(256),
    _Convolution(128, kernel=4, strides=2, transposed=True),
    _Convolution(128),
    _Convolution(64, kernel=4, strides=2, transposed=True),
    _Convolution(32),
)


def build_completion_network(
    width: float = 1.0,
    mean_pixel: Sequence[float] = (0.5, 0.5, 0.5),
    *,
    image_size: int | tuple[int, int] | None = None,
    first_kernel: int = 5,
    last_kernel: int = 3,
    mask_channel: bool = True,
    name: str = "completion_network",
) -> keras.Model:
    """Build the completion network.

    Example:

    >>> network = build_completion_network(width=0.5, mean_pixel=(0.47, 0.44, 0.41))
    >>> generated = network({"image": image, "mask": mask})
    >>> completed = image * (1 - mask) + generated * mask

    Args:
        width: Float above 0, multiplies the number of channels of every hidden layer. 1.0 is
            the paper's network of 6,078,083 parameters, not counting the three of the mean
            pixel.
        mean_pixel: Three floats in [0, 1], the mean red, green and blue of the training images.
            It fills the holes and is stored as a non-trainable weight.
        image_size: Int or `(height, width)`, multiples of 4; None accepts any such size.
        first_kernel: Odd int, kernel size of the first convolution.
        last_kernel: Odd int, kernel size of the last convolution. Larger kernels give smoother
            results.
        mask_channel: Bool. True feeds the mask as the fourth channel, as in the paper; False
            feeds three channels only, as some implementations do.
        name: String, the model's name.

    Returns:
        A functional `keras.Model` from a dict of `image`, float32 `(batch, height, width, 3)`
        in [0, 1], and `mask`, float32 `(batch, height, width, 1)`, 1 in the hole, to
        `generated`, float32 `(batch, height, width, 3)` in [0, 1]. The caller pastes the known
        pixels back.

    Raises:
        ValueError: If an argument is out of its range.
    """
    height, width_px = check_image_size(image_size)
    for label, kernel in (("first_kernel", first_kernel), ("last_kernel", last_kernel)):
        if not isinstance(kernel, int) or kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"{label} must be an odd integer above 0, got {kernel!r}")

    image = keras.Input((height, width_px, 3), name="image")
    mask = keras.Input((height, width_px, 1), name="mask")
    x = MeanPixelFill(mean_pixel, mask_channel, dtype="float32", name="mean_pixel_fill")(
        image, mask
    )
    for number, spec in enumerate(_CONVOLUTIONS, start=1):
        kernel = first_kernel if number == 1 else spec.kernel
        x = convolution_block(
            x,
            scaled(spec.filters, width),
            kernel,
            strides=spec.strides,
            dilation=spec.dilation,
            transposed=spec.transposed,
            number=number,
        )
    x = keras.layers.Conv2D(
        3, last_kernel, padding="same", dtype="float32", name="conv_17", **CHANNELS_LAST
    )(x)
    generated = keras.layers.Activation("sigmoid", dtype="float32", name="generated")(x)
    return keras.Model({"image": image, "mask": mask}, generated, name=name)


def convolution_block(
    x: Any,
    filters: int,
    kernel: int,
    *,
    strides: int = 1,
    dilation: int = 1,
    transposed: bool = False,
    number: int,
    prefix: str = "",
) -> Any:
    """Apply a convolution, batch normalisation and ReLU, in this order.

    Args:
        x: Float tensor `(batch, height, width, channels)`.
        filters: Int, output channels.
        kernel: Int, kernel size.
        strides: Int, stride.
        dilation: Int, dilation rate.
        transposed: Bool, whether the convolution is transposed.
        number: Int N, the block's position, in the layer names `conv_N`, `norm_N`, `relu_N`.
        prefix: String, prefix of these names.

    Returns:
        Float tensor `(batch, new height, new width, filters)`.
    """
    options = {"padding": "same", "name": f"{prefix}conv_{number}", **CHANNELS_LAST}
    if transposed:
        layer = keras.layers.Conv2DTranspose(filters, kernel, strides, **options)
    elif dilation > 1:
        layer = Conv2D(filters, kernel, strides, dilation_rate=dilation, **options)
    else:
        layer = keras.layers.Conv2D(filters, kernel, strides, **options)
    x = BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM, epsilon=BATCH_NORM_EPSILON, name=f"{prefix}norm_{number}"
    )(layer(x))
    return keras.layers.ReLU(name=f"{prefix}relu_{number}")(x)


def scaled(channels: int, width: float) -> int:
    """Return a number of channels multiplied by `width`, at least 4."""
    if not 0 < width <= 16:
        raise ValueError(f"width must be above 0 and at most 16, got {width!r}")
    return max(4, round(channels * width))


def check_image_size(size: int | tuple[int, int] | None) -> tuple[int | None, int | None]:
    """Return `(height, width)` of an image size.

    Raises:
        ValueError: If a side is not a multiple of 4 above 0.
    """
    if size is None:
        return None, None
    height, width = (size, size) if isinstance(size, int) else tuple(size)
    for side in (height, width):
        if side < SIZE_MULTIPLE or side % SIZE_MULTIPLE:
            raise ValueError(f"image sides must be multiples of {SIZE_MULTIPLE}, got {size!r}")
    return height, width


def width_of(network: keras.Model) -> float:
    """Return the width multiplier of a completion network."""
    return network.get_layer("conv_1").filters / _CONVOLUTIONS[0].filters


def mean_pixel_of(network: keras.Model) -> tuple[float, float, float]:
    """Return the mean pixel of a completion network, three floats in [0, 1]."""
    fill = network.get_layer("mean_pixel_fill")
    if isinstance(fill, keras.Model):  # built of stock layers
        pixel = fill.get_layer("mean_pixel").kernel
    else:
        pixel = fill.mean_pixel
    values = keras.ops.convert_to_numpy(pixel).reshape(-1)
    return float(values[0]), float(values[1]), float(values[2])
