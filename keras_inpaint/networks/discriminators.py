"""The context discriminators: global, local, and both combined into one logit.

Source: S. Iizuka, E. Simo-Serra, H. Ishikawa, "Globally and Locally Consistent Image
Completion", ACM Trans. Graph. 36(4), 107 (2017), section 3.3 and table 2,
https://doi.org/10.1145/3072959.3073659.
"""

import math
from typing import Any

import keras

from keras_inpaint.networks.completion import check_image_size, convolution_block, scaled
from keras_inpaint.networks.layers import CHANNELS_LAST

_CHANNELS = (64, 128, 256, 512, 512, 512)
_FEATURES = 1024


def build_global_discriminator(
    image_size: int | tuple[int, int], width: float = 1.0, name: str = "global_discriminator"
) -> keras.Model:
    """Build the discriminator of the whole image, without a logit.

    Example:

    >>> features = build_global_discriminator(image_size=64, width=0.5)(image)

    Args:
        image_size: Int or `(height, width)`, multiples of 4.
        width: Float above 0, multiplies the number of channels.
        name: String, the model's name.

    Returns:
        A functional `keras.Model` from float32 `(batch, height, width, 3)` in [0, 1] to
        features `(batch, 1024 * width)`. The number of convolutions depends on the size: six
        at 256, five from 96 to 160, as published.
    """
    return _single(image_size, width, "image", "global_", name)


def build_local_discriminator(
    patch_size: int | tuple[int, int], width: float = 1.0, name: str = "local_discriminator"
) -> keras.Model:
    """Build the discriminator of the patch around the hole, without a logit.

    Example:

    >>> features = build_local_discriminator(patch_size=32, width=0.5)(image[:, 16:48, 16:48])

    Args:
        patch_size: Int or `(height, width)`, multiples of 4.
        width: Float above 0, multiplies the number of channels.
        name: String, the model's name.

    Returns:
        A functional `keras.Model` from float32 `(batch, height, width, 3)` in [0, 1] to
        features `(batch, 1024 * width)`.
    """
    return _single(patch_size, width, "patch", "local_", name)


def build_context_discriminator(
    image_size: int | tuple[int, int],
    patch_size: int | tuple[int, int],
    width: float = 1.0,
    name: str = "context_discriminator",
) -> keras.Model:
    """Build the global and the local discriminator with one shared logit.

    Example:

    >>> discriminator = build_context_discriminator(image_size=64, patch_size=32, width=0.5)
    >>> logit = discriminator({"image": image, "patch": image[:, 16:48, 16:48]})

    Args:
        image_size: Int or `(height, width)` of the whole image, multiples of 4.
        patch_size: Int or `(height, width)` of the patch, multiples of 4, at most `image_size`.
        width: Float above 0, multiplies the number of channels.
        name: String, the model's name.

    Returns:
        A functional `keras.Model` from a dict of `image`, float32
        `(batch, height, width, 3)` in [0, 1], and `patch`, float32
        `(batch, patch height, patch width, 3)`, to a float32 logit `(batch, 1)`; above 0 the
        image is classified as real. The loss applies the sigmoid.

    Raises:
        ValueError: If a size is not a multiple of 4, or the patch is larger than the image.
    """
    image_hw, patch_hw = check_image_size(image_size), check_image_size(patch_size)
    if any(p > i for p, i in zip(patch_hw, image_hw, strict=True)):
        raise ValueError(f"patch_size {patch_size!r} is larger than image_size {image_size!r}")
    image = keras.Input((*image_hw, 3), name="image")
    patch = keras.Input((*patch_hw, 3), name="patch")
    features = keras.layers.Concatenate(name="features")(
        [_branch(image, width, "global_"), _branch(patch, width, "local_")]
    )
    logit = keras.layers.Dense(1, dtype="float32", name="logit")(features)
    return keras.Model({"image": image, "patch": patch}, logit, name=name)


def _single(size: Any, width: float, input_name: str, prefix: str, name: str) -> keras.Model:
    pixels = keras.Input((*check_image_size(size), 3), name=input_name)
    return keras.Model(pixels, _branch(pixels, width, prefix), name=name)


def _branch(x: Any, width: float, prefix: str) -> Any:
    depth = convolutions_for(min(x.shape[1:3]))
    for number, channels in enumerate(_CHANNELS[:depth], start=1):
        x = convolution_block(
            x, scaled(channels, width), 5, strides=2, number=number, prefix=prefix
        )
    x = keras.layers.Flatten(name=f"{prefix}flatten", **CHANNELS_LAST)(x)
    return keras.layers.Dense(scaled(_FEATURES, width), activation="relu", name=f"{prefix}dense")(x)


def convolutions_for(size: int) -> int:
    """Return the number of stride-2 convolutions that reduce a side to about 4 pixels."""
    return min(len(_CHANNELS), max(2, round(math.log2(size / 4))))
