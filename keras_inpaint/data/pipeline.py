"""The tf.data pipeline that turns photos and holes into training batches.

Every random choice depends on the seed and the sample's number only, so that step k of a run with
seed s always gets the same batch, no matter at which step the run is resumed.
"""

from typing import Any

import tensorflow as tf

from keras_inpaint.data.images import Images
from keras_inpaint.data.mask_specs import default_patch_size
from keras_inpaint.data.masks import MaskSampler, mask_sampler, patch_origin
from keras_inpaint.data.sources import load_images

#: The paper resizes the shortest side to 256 to 384 before cropping 256 (section 4).
DEFAULT_SCALE = (1.0, 1.5)


def make_dataset(
    images: Images | str,
    *,
    size: int = 128,
    batch_size: int = 16,
    masks: Any = "rectangles",
    patch_size: int | None = None,
    seed: int = 0,
    start_step: int = 0,
    scale: tuple[float, float] = DEFAULT_SCALE,
    flip: bool = True,
    input_context: tf.distribute.InputContext | None = None,
    service: str | None = None,
) -> tf.data.Dataset:
    """Build the infinite dataset of training batches.

    Order: index (reshuffled each epoch), decode or look up, resize and crop in one operation,
    mirror, hole, patches, batch, prefetch.

    Example:

    >>> dataset = make_dataset(load_images("photos/"), batch_size=4, size=64, masks="strokes")
    >>> batch = next(iter(dataset))

    Args:
        images: `Images`, or a source for `load_images`.
        size: Int, side of the square crop in pixels, a multiple of 4.
        batch_size: Int, global batch size over all replicas; every batch is full.
        masks: See `mask_specs.parse_mask_spec`.
        patch_size: Int, side of the local patch in pixels, a multiple of 4; None uses the
            paper's for `size`.
        seed: Int. The same seed gives the same batches.
        start_step: Int, number of the first batch.
        scale: `(low, high)`, at least 1: before the crop, the shortest side is resized to a
            random number of pixels between `size * low` and `size * high`, but never enlarged.
        flip: Bool, whether to mirror half of the images.
        input_context: The argument of a `tf.distribute` dataset function: only this worker's
            share of each batch is computed, split into one batch per replica. None is the whole
            batch.
        service: `"grpc://HOST:PORT"`, the dispatcher of a tf.data service that computes the
            batches; they are the same as without it.

    Returns:
        An infinite `tf.data.Dataset` of dicts: `image` float32 `(batch, size, size, 3)` in
        [0, 1]; `mask` float32 `(batch, size, size, 1)`, 1 in the hole; `patch` int32
        `(batch, 2)`, top and left of the patch around the hole; `real_patch` int32
        `(batch, 2)`, top and left of an independently drawn patch.

    Raises:
        ValueError: If an argument is out of its range, or an image is smaller than the crop.
    """
    if size < 4 or size % 4:
        raise ValueError(f"size must be a multiple of 4 above 0, got {size!r}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be above 0, got {batch_size!r}")
    context = input_context or tf.distribute.InputContext()
    replica_batch = context.get_per_replica_batch_size(batch_size)
    share = batch_size // context.num_input_pipelines
    if not 1 <= scale[0] <= scale[1]:
        raise ValueError(f"scale must be 1 <= low <= high, got {scale!r}")
    patch = default_patch_size(size) if patch_size is None else patch_size
    if not 4 <= patch <= size or patch % 4:
        raise ValueError(f"patch_size must be a multiple of 4 from 4 to {size}, got {patch!r}")
    if not isinstance(images, Images):
        images = load_images(images)
    images.require_side(size)
    sampler = mask_sampler(masks)
    count = len(images)

    def element(own_number: tf.Tensor) -> dict[str, tf.Tensor]:
        step, place = own_number // share, own_number % share
        number = step * batch_size + context.input_pipeline_id * share + place
        epoch, place = number // count, number % count
        index = place
        if count > 1:
            order = tf.cast(tf.stack([seed, epoch]), tf.int32)
            index = tf.random.experimental.index_shuffle(place, order, count - 1)
        own = tf.cast(tf.stack([seed, number]), tf.int32)
        image = crop(images.fetch(index), size, scale, flip, fold(own, 1))
        return with_hole(image, sampler, patch, fold(own, 2))

    dataset = tf.data.Dataset.counter(start_step * share)
    dataset = dataset.map(element, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    dataset = dataset.batch(replica_batch, drop_remainder=True)
    if service is not None:
        dataset = _computed_by(dataset, service)
    dataset = dataset.prefetch(4)
    # The autotuner sleeps for up to a minute, and destroying an iterator waits for it, which
    # doubled the time of a short `fit`. Without it, the map uses all threads.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _computed_by(dataset: tf.data.Dataset, service: str) -> tf.data.Dataset:
    """Compute a dataset in a tf.data service, keeping the order of its elements.

    Each worker of the service computes all elements in order, and their streams are interleaved.
    The first copy of each element is used, so that workers may join and leave.
    """
    distribute = tf.data.experimental.service.distribute
    policy = tf.data.experimental.service.ShardingPolicy.OFF

    def mark_first(expected: tf.Tensor, numbered: tuple) -> tuple:
        number, element = numbered
        is_first = number == expected
        return expected + tf.cast(is_first, tf.int64), (is_first, element)

    received = dataset.enumerate().apply(distribute(policy, service))
    marked = received.scan(tf.constant(0, tf.int64), mark_first)
    return marked.filter(lambda is_first, _: is_first).map(lambda _, element: element)


def fold(seed: tf.Tensor, purpose: int) -> tf.Tensor:
    """Return an independent seed `(2,)` for each purpose."""
    return tf.random.fold_in(seed, purpose)


def crop(
    image: tf.Tensor, size: int, scale: tuple[float, float], flip: bool, seed: tf.Tensor
) -> tf.Tensor:
    """Randomly resize, crop and mirror an image, in a single interpolation.

    Args:
        image: Uint8 tensor `(height, width, 3)`, each side at least `size`.
        size: Int, side of the crop in pixels.
        scale: `(low, high)` as in `make_dataset`.
        flip: Bool, whether to mirror half of the images.
        seed: Int32 tensor `(2,)`.

    Returns:
        Float32 tensor `(size, size, 3)` in [0, 1].
    """
    chance = tf.random.stateless_uniform((4,), seed)
    shape = tf.cast(tf.shape(image)[:2], tf.float32)
    shortest = tf.reduce_min(shape)
    low = tf.minimum(float(scale[0] * size), shortest)
    high = tf.minimum(float(scale[1] * size), shortest)
    zoom = tf.round(low + chance[0] * (high - low)) / shortest
    room = tf.maximum(tf.round(shape * zoom) - size, 0.0)
    origin = tf.floor(chance[1:3] * (room + 1) * 0.999999)
    return _resample(image, zoom, origin, size, flip & (chance[3] < 0.5))


def center_crop(image: tf.Tensor, size: int) -> tf.Tensor:
    """Resize the shortest side to `size` and crop the middle.

    Args:
        image: Uint8 tensor `(height, width, 3)`.
        size: Int, side of the crop in pixels.

    Returns:
        Float32 tensor `(size, size, 3)` in [0, 1].
    """
    shape = tf.cast(tf.shape(image)[:2], tf.float32)
    zoom = size / tf.reduce_min(shape)
    origin = tf.floor(tf.maximum(tf.round(shape * zoom) - size, 0.0) / 2)
    return _resample(image, zoom, origin, size, tf.constant(False))


def _resample(
    image: tf.Tensor, zoom: tf.Tensor, origin: tf.Tensor, size: int, mirror: tf.Tensor
) -> tf.Tensor:
    pixels = tf.raw_ops.ScaleAndTranslate(
        images=image[None],
        size=[size, size],
        scale=tf.stack([zoom, zoom]),
        translation=-origin,
        kernel_type="triangle",
        antialias=True,
    )[0]
    pixels = tf.cond(mirror, lambda: pixels[:, ::-1], lambda: pixels)
    return tf.ensure_shape(tf.clip_by_value(pixels / 255.0, 0.0, 1.0), (size, size, 3))


def with_hole(
    image: tf.Tensor, sampler: MaskSampler, patch_size: int, seed: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Return the dataset element of an image; see `make_dataset`."""
    size = image.shape[0]
    mask = tf.ensure_shape(sampler(fold(seed, 1), size), (size, size, 1))
    real = tf.random.stateless_uniform(
        (2,), fold(seed, 2), 0, size - patch_size + 1, dtype=tf.int32
    )
    return {
        "image": image,
        "mask": mask,
        "patch": patch_origin(mask, patch_size),
        "real_patch": real,
    }


def fixed_examples(
    images: Images, *, count: int, size: int, masks: Any, patch_size: int, seed: int = 0
) -> dict[str, tf.Tensor]:
    """Return deterministic examples for monitoring a run: centre crops with fixed holes.

    Args:
        images: `Images`, usually held out from training.
        count: Int, maximum number of examples.
        size: Int, side of the crop in pixels.
        masks: See `mask_specs.parse_mask_spec`.
        patch_size: Int, side of the local patch in pixels.
        seed: Int, seed of the holes.

    Returns:
        A dict with one batch, in the format of `make_dataset`.
    """
    images.require_side(size)
    sampler = mask_sampler(masks)

    @tf.function
    def element(number: tf.Tensor) -> dict[str, tf.Tensor]:
        own = tf.cast(tf.stack([seed, number]), tf.int32)
        return with_hole(center_crop(images.fetch(number), size), sampler, patch_size, own)

    rows = [element(tf.constant(i, tf.int64)) for i in range(min(count, len(images)))]
    return {key: tf.stack([row[key] for row in rows]) for key in rows[0]}
