"""What an exported graph computes around the network: padding, pasting, rounding, files.

Every function takes and returns tensors, and runs inside a `tf.function`.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_inpaint.networks.completion import SIZE_MULTIPLE

#: A soft mask value from here on is a hole, as a share of white.
HOLE_SHARE = 0.5


def complete_float(network: keras.Model, image: tf.Tensor, hole: tf.Tensor) -> tf.Tensor:
    """Complete photos of any size and paste their known pixels back.

    Args:
        network: A float32 completion network.
        image: Float32 `(batch, height, width, 3)` in [0, 1].
        hole: Bool `(batch, height, width, 1)`, true in the hole.

    Returns:
        Float32 `(batch, height, width, 3)` in [0, 1]; outside the hole the values of `image`,
        bit for bit.
    """
    shape = tf.shape(image)
    generated = network(
        {
            "image": pad_to_multiple(image),
            "mask": tf.cast(pad_to_multiple(hole), tf.float32),
        },
        training=False,
    )
    return tf.where(hole, generated[:, : shape[1], : shape[2]], image)


def complete_uint8(network: keras.Model, image: tf.Tensor, hole: tf.Tensor) -> tf.Tensor:
    """Complete photos of bytes; known pixels keep their bytes.

    Args:
        network: A float32 completion network.
        image: Uint8 `(batch, height, width, 3)`.
        hole: Bool `(batch, height, width, 1)`, true in the hole.

    Returns:
        Uint8 `(batch, height, width, 3)`: in the hole `255 * generated` rounded half to even.
    """
    completed = complete_float(network, tf.cast(image, tf.float32) / 255.0, hole)
    return tf.where(hole, to_uint8(completed), image)


def to_uint8(values: tf.Tensor) -> tf.Tensor:
    """Return float values in [0, 1] as bytes, rounded half to even."""
    return tf.cast(tf.clip_by_value(tf.round(values * 255.0), 0.0, 255.0), tf.uint8)


def pad_to_multiple(values: tf.Tensor) -> tf.Tensor:
    """Pad bottom and right by reflection to the sizes that the network takes.

    The edge is not repeated; a side too short for one reflection is reflected again, as
    `numpy.pad(mode="reflect")` does, and a side of one pixel is repeated.

    Args:
        values: Tensor `(batch, height, width, channels)` of any dtype.

    Returns:
        The tensor with height and width rounded up to a multiple of 4.
    """
    shape = tf.shape(values)
    for axis in (1, 2):
        values = tf.gather(values, _reflected(shape[axis]), axis=axis)
    return values


def _reflected(side: tf.Tensor) -> tf.Tensor:
    padded = -(-side // SIZE_MULTIPLE) * SIZE_MULTIPLE
    period = tf.maximum(2 * (side - 1), 1)
    place = tf.range(padded) % period
    return tf.minimum(place, period - place)


def check_same_size(image: tf.Tensor, mask: tf.Tensor) -> list[tf.Operation]:
    """Return the assertions that a batch of photos and one of masks belong together."""
    photo, hole = tf.shape(image), tf.shape(mask)
    return [
        tf.debugging.Assert(
            tf.reduce_all(photo[:3] == hole[:3]),
            [
                tf.strings.format(
                    "image and mask differ in batch, height or width: image {}, mask {}",
                    (photo, hole),
                )
            ],
        )
    ]


#: What `complete_bytes` found out about one photo and its mask.
_GOOD, _BAD_IMAGE, _BAD_MASK, _OTHER_SIZE = range(4)
_FINDINGS = (
    "",
    "the image is no JPEG, PNG, GIF or BMP that can be read",
    "the mask is no JPEG, PNG, GIF or BMP that can be read",
    "the mask is not as large as the image",
)


def complete_bytes(
    complete: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], images: tf.Tensor, masks: tf.Tensor
) -> tf.Tensor:
    """Complete encoded photos, each of its own size.

    All are decoded once before any is completed, so that a bad one is told at once.

    Args:
        complete: From uint8 image and bool hole, both with a batch of one, to uint8.
        images: String `(batch,)`: JPEG, PNG, GIF or BMP files.
        masks: String `(batch,)`: files of the same sizes; a pixel is a hole where its grey
            value is at least half of white.

    Returns:
        String `(batch,)` of 8-bit RGB PNG files.
    """
    findings = tf.map_fn(
        lambda pair: _inspect(*pair), (images, masks), fn_output_signature=tf.int32
    )
    with tf.control_dependencies([_report(findings)]):
        images = tf.identity(images)

    def one(pair: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        image, hole = decode_photo(pair[0]), decode_mask(pair[1])
        return tf.io.encode_png(complete(image[None], hole[None])[0])

    return tf.map_fn(one, (images, masks), fn_output_signature=tf.string, parallel_iterations=1)


def _inspect(image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    photo, hole = _decoded_shape(image, decode_photo), _decoded_shape(mask, decode_mask)
    finding = tf.where(tf.reduce_all(photo[:2] == hole[:2]), _GOOD, _OTHER_SIZE)
    finding = tf.where(hole[0] == 0, _BAD_MASK, finding)
    return tf.where(photo[0] == 0, _BAD_IMAGE, finding)


def _decoded_shape(contents: tf.Tensor, decode: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """Return the shape of a decoded file; zeros where it cannot be decoded."""
    shapes = tf.data.Dataset.from_tensors(contents).map(lambda file: tf.shape(decode(file)))
    shapes = shapes.ignore_errors()
    return shapes.reduce(tf.zeros(3, tf.int32), lambda _, shape: shape)


def _report(findings: tf.Tensor) -> tf.Operation:
    bad = tf.where(findings != _GOOD)[:, 0]
    first = tf.concat([bad, [0]], 0)[0]
    finding = tf.gather(tf.concat([findings, [_GOOD]], 0), first)
    message = tf.strings.join(
        ["index ", tf.strings.as_string(first), " of the batch: ", tf.gather(_FINDINGS, finding)]
    )
    return tf.debugging.Assert(tf.size(bad) == 0, [message])


def decode_photo(contents: tf.Tensor) -> tf.Tensor:
    """Return the pixels of an encoded photo, uint8 `(height, width, 3)`.

    Grey becomes three equal channels, alpha is dropped, 16 bits are rounded to 8. JPEG is
    decoded as Pillow does by default.
    """
    pixels = tf.case(
        [
            (tf.io.is_jpeg(contents), lambda: _decode_jpeg(contents)),
            (_is_deep_png(contents), lambda: _decode_deep_png(contents)),
        ],
        default=lambda: tf.io.decode_image(contents, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(pixels, (None, None, 3))


def decode_mask(contents: tf.Tensor) -> tf.Tensor:
    """Return the holes of an encoded mask, bool `(height, width, 1)`; white is the hole."""
    pixels = tf.cast(decode_photo(contents), tf.int32)
    # ITU-R 601-2 luma in the integers that Pillow uses.
    grey = tf.reduce_sum(pixels * [19595, 38470, 7471], axis=-1, keepdims=True)
    return (grey + 0x8000) // 0x10000 >= round(255 * HOLE_SHARE)


def _decode_jpeg(contents: tf.Tensor) -> tf.Tensor:
    return tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")


def _is_deep_png(contents: tf.Tensor) -> tf.Tensor:
    # The signature takes 8 bytes, the header's length and name 8, width and height 8.
    start = tf.strings.substr(tf.strings.join([contents, b"\0" * 25]), 0, 25)
    depth = tf.strings.substr(start, 24, 1)
    return (tf.strings.substr(start, 0, 4) == b"\x89PNG") & (depth == b"\x10")


def _decode_deep_png(contents: tf.Tensor) -> tf.Tensor:
    pixels = tf.cast(tf.io.decode_png(contents, channels=3, dtype=tf.uint16), tf.int32)
    return tf.cast((pixels + 128) // 257, tf.uint8)
