"""Encoded photos to pixels, inside TensorFlow's graph."""

import io

import tensorflow as tf


def exif_orientation(data: bytes) -> int:
    """Return the EXIF orientation of an encoded photo, 1 to 8; 1 where it says none.

    Raises:
        OSError: If the bytes are no image.
        ValueError: If they are a JPEG without an end, which TensorFlow would complain about in
            a line of its own a file.
    """
    from PIL import Image

    if data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < 0:
        raise ValueError("the JPEG is cut off")
    with Image.open(io.BytesIO(data)) as photo:
        orientation = photo.getexif().get(0x0112, 1)
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def decode_photo(data: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Decode a JPEG, PNG, WebP, BMP or GIF (its first frame) upright.

    Args:
        data: String scalar tensor.
        orientation: Int32 scalar tensor, the EXIF orientation, 1 to 8.

    Returns:
        Uint8 tensor `(height, width, 3)`.
    """
    return upright(decode_stored(data), orientation)


def decode_stored(data: tf.Tensor) -> tf.Tensor:
    """Decode as `decode_photo` does, but lying as it is stored."""
    pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
    return tf.ensure_shape(pixels, (None, None, 3))


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn and mirror an image `(height, width, channels)` as its EXIF orientation says."""
    flip, mirror = tf.reverse, tf.image.flip_left_right
    turned = [
        lambda: image,
        lambda: mirror(image),
        lambda: flip(image, [0, 1]),
        lambda: flip(image, [0]),
        lambda: tf.transpose(image, [1, 0, 2]),
        lambda: tf.reverse(tf.transpose(image, [1, 0, 2]), [1]),
        lambda: tf.reverse(tf.transpose(image, [1, 0, 2]), [0, 1]),
        lambda: tf.reverse(tf.transpose(image, [1, 0, 2]), [0]),
    ]
    return tf.switch_case(orientation - 1, turned)
