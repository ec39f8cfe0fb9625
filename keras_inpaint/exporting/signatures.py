"""The steps of an exported graph around the network: padding, pasting, rounding, decoding.

Every function takes and returns tensors, and runs inside a `tf.function`.
"""

from collections.abc import Callable

import tensorflow as tf

from keras_inpaint.networks.completion import SIZE_MULTIPLE

#: The smallest value of a soft mask in the hole, as a share of white.
HOLE_SHARE = 0.5

#: From float32 image and mask, of a size that the network takes, to the generated image.
Generate = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def complete_float(generate: Generate, image: tf.Tensor, hole: tf.Tensor) -> tf.Tensor:
    """Complete photos of any size; pixels outside the hole stay bit-identical.

    Args:
        generate: The completion network.
        image: Float32 `(batch, height, width, 3)` in [0, 1].
        hole: Bool `(batch, height, width, 1)`, true in the hole.

    Returns:
        Float32 of the shape of `image`, in [0, 1].
    """
    shape = tf.shape(image)
    mask = tf.cast(pad_to_multiple(hole), tf.float32)
    generated = generate(pad_to_multiple(image), mask)
    return tf.where(hole, generated[:, : shape[1], : shape[2]], image)


def complete_uint8(generate: Generate, image: tf.Tensor, hole: tf.Tensor) -> tf.Tensor:
    """Complete uint8 photos as `complete_float` does; holes are rounded half to even."""
    completed = complete_float(generate, tf.cast(image, tf.float32) / 255.0, hole)
    return tf.where(hole, to_uint8(completed), image)


def to_uint8(values: tf.Tensor) -> tf.Tensor:
    """Return float values in [0, 1] as uint8, rounded half to even."""
    return tf.cast(tf.clip_by_value(tf.round(values * 255.0), 0.0, 255.0), tf.uint8)


def pad_to_multiple(values: tf.Tensor) -> tf.Tensor:
    """Pad `(batch, height, width, channels)` to multiples of 4 at the bottom and at the right.

    As `numpy.pad(mode="reflect")`: a side too short for one reflection is reflected again, a side
    of one pixel is repeated.
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


def check_shapes(image: tf.Tensor, mask: tf.Tensor) -> list[tf.Operation]:
    """Return assertions that photos are RGB, masks have one channel, and their sizes match.

    A signature's static shapes are not enough: a server passes on arrays of any shape.
    """
    photo, hole = tf.shape(image), tf.shape(mask)
    pixels = tf.reduce_prod(photo[:3])
    shapes = (photo, hole)
    # Total sizes, since the last entries of the shapes are constants when the graph is built.
    rules = (
        (
            tf.reduce_all(photo[:3] == hole[:3]),
            "image and mask differ in batch, height or width: image {}, mask {}",
        ),
        (pixels > 0, "image and mask must not be empty: image {}, mask {}"),
        (
            tf.size(image) == 3 * pixels,
            "image must have 3 channels, RGB, without alpha: image {}, mask {}",
        ),
        (tf.size(mask) == pixels, "mask must have 1 channel: image {}, mask {}"),
    )
    checks: list[tf.Operation] = []
    for condition, message in rules:
        with tf.control_dependencies(checks):
            checks = [tf.debugging.Assert(condition, [tf.strings.format(message, shapes)])]
    return checks


def check_numbers(image: tf.Tensor, mask: tf.Tensor) -> list[tf.Operation]:
    """Return assertions that float photos and masks are finite."""
    return [
        tf.debugging.Assert(
            tf.reduce_all(tf.math.is_finite(values)), [f"{name} has values that are not finite"]
        )
        for name, values in (("image", image), ("mask", mask))
    ]


#: Errors of a photo and its mask, in the order in which they are checked.
_ERRORS = (
    "the image is not a JPEG, PNG, GIF or BMP that can be read",
    "the mask is not a JPEG, PNG, GIF or BMP that can be read",
    "the mask does not have the size of the image",
)


def complete_bytes(
    complete: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], images: tf.Tensor, masks: tf.Tensor
) -> tf.Tensor:
    """Complete encoded photos, each of its own size.

    All are decoded once before any is completed, so that an invalid file fails immediately.

    Args:
        complete: Function from uint8 image and bool hole, both with a batch of one, to uint8.
        images: String `(batch,)`: JPEG, PNG, GIF or BMP files.
        masks: String `(batch,)`: files of the same sizes; see `decode_mask`.

    Returns:
        String `(batch,)` of 8-bit RGB PNG files.
    """
    with tf.control_dependencies(_check_files(images, masks)):
        images = tf.identity(images)

    def one(pair: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        image, hole = decode_photo(pair[0]), decode_mask(pair[1])
        return tf.io.encode_png(complete(image[None], hole[None])[0])

    return tf.map_fn(one, (images, masks), fn_output_signature=tf.string, parallel_iterations=1)


def _check_files(images: tf.Tensor, masks: tf.Tensor) -> list[tf.Operation]:
    same = tf.debugging.Assert(
        tf.size(images) == tf.size(masks),
        [
            tf.strings.format(
                "there must be one mask for each image: got {} images and {} masks",
                (tf.size(images), tf.size(masks)),
            )
        ],
    )
    with tf.control_dependencies([same]):
        count = tf.size(images)
        sizes = _decoded_sizes(tf.concat([images, masks], 0))
    photos, holes = sizes[:count], sizes[count:]
    wrong = tf.stack(
        [photos[:, 0] == 0, holes[:, 0] == 0, tf.reduce_any(photos != holes, axis=1)], axis=1
    )
    # Indices of a file and its error; the last row is a placeholder if there are no errors.
    first = tf.concat([tf.where(wrong), [[0, 0]]], 0)[0]
    message = tf.strings.join(
        [
            "index ",
            tf.strings.as_string(first[0]),
            " of the batch: ",
            tf.gather(_ERRORS, first[1]),
        ]
    )
    return [tf.debugging.Assert(~tf.reduce_any(wrong), [message])]


def _decoded_sizes(files: tf.Tensor) -> tf.Tensor:
    """Return the height and width of each file, `(files, 2)`; zeros if it cannot be decoded.

    An op that fails stops the whole graph, but a data set can skip such elements.
    """
    count = tf.size(files, tf.int64)

    def size(index: tf.Tensor, file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return index, tf.shape(tf.io.decode_image(file, expand_animations=False))[:2]

    decoded = tf.data.Dataset.from_tensor_slices(files).enumerate().map(size).ignore_errors()
    # One more element, since the batch must not be empty.
    decoded = decoded.concatenate(tf.data.Dataset.from_tensors((count, tf.zeros(2, tf.int32))))
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    indices, sizes = decoded.batch(count + 1).with_options(options).get_single_element()
    return tf.scatter_nd(indices[:, None], sizes, tf.stack([count + 1, 2]))[:-1]


def decode_photo(contents: tf.Tensor) -> tf.Tensor:
    """Return the pixels of an encoded photo, uint8 `(height, width, 3)`.

    Grey becomes three equal channels, alpha is dropped, 16 bits are rounded to 8. JPEG is
    decoded as Pillow does by default. An EXIF orientation is not applied.
    """
    return _decode(contents)[..., :3]


def decode_mask(contents: tf.Tensor) -> tf.Tensor:
    """Return the holes of an encoded mask, bool `(height, width, 1)`; white is the hole.

    The threshold is half of white. Transparent pixels are black; if the largest value is 1, then 0
    is black and 1 is white.
    """
    pixels = tf.cast(_decode(contents), tf.int32)
    # ITU-R 601-2 luma in the integers that Pillow uses.
    luma = tf.reduce_sum(pixels[..., :3] * [19595, 38470, 7471], axis=-1, keepdims=True)
    grey = (luma + 0x8000) // 0x10000
    grey = (grey * pixels[..., 3:] + 127) // 255
    white = tf.where(tf.reduce_max(grey) == 1, 1, round(255 * HOLE_SHARE))
    return grey >= white


def _decode(contents: tf.Tensor) -> tf.Tensor:
    """Return uint8 `(height, width, 4)`, RGB and opacity."""
    # A PNG has 8 bytes of signature, 8 of the header's length and name, 8 of width and height.
    start = tf.strings.substr(tf.strings.join([contents, b"\0" * 25]), 0, 25)
    is_png = tf.strings.substr(start, 0, 4) == b"\x89PNG"
    is_deep = tf.strings.substr(start, 24, 1) == b"\x10"
    pixels = tf.case(
        [
            (tf.io.is_jpeg(contents), lambda: _opaque(_decode_jpeg(contents))),
            (is_png & is_deep, lambda: _decode_deep_png(contents)),
            (is_png, lambda: tf.io.decode_png(contents, channels=4)),
        ],
        default=lambda: _opaque(tf.io.decode_image(contents, channels=3, expand_animations=False)),
    )
    return tf.ensure_shape(pixels, (None, None, 4))


def _decode_jpeg(contents: tf.Tensor) -> tf.Tensor:
    # The default of libjpeg, and so of Pillow; TensorFlow's default is less accurate.
    return tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")


def _decode_deep_png(contents: tf.Tensor) -> tf.Tensor:
    pixels = tf.cast(tf.io.decode_png(contents, channels=4, dtype=tf.uint16), tf.int32)
    return tf.cast((pixels + 128) // 257, tf.uint8)


def _opaque(pixels: tf.Tensor) -> tf.Tensor:
    pixels = tf.ensure_shape(pixels, (None, None, 3))
    return tf.pad(pixels, ((0, 0), (0, 0), (0, 1)), constant_values=255)
