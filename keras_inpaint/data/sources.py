"""Where images come from: a folder, a TFDS data set, or the built-in portraits."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_inpaint.data import sample
from keras_inpaint.data.decoding import decode_photo, exif_orientation
from keras_inpaint.data.files import find_photos, parse_source, read_bytes
from keras_inpaint.data.images import Images
from keras_inpaint.data.tfds_images import tfds_builder, tfds_images
from keras_inpaint.processors import processors

logger = logging.getLogger(__name__)

#: A larger part of files that cannot be read is an error, not bad luck.
MAX_BROKEN = 0.1


def load_images(
    source: Any,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    shortest_side: int | None = None,
    cache_bytes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Images:
    """Load images, check every one, and measure their mean pixel, in one pass.

    Example:

    >>> images = load_images("photos/", shortest_side=96)
    >>> len(images), images.mean_pixel

    Args:
        source: Path of a folder (read recursively: JPEG, PNG, WebP, BMP, GIF's first frame);
            `"tfds:NAME"` or `"tfds:NAME@SPLIT"`; a TFDS builder; `"sample"` or
            `"sample:COUNT"`, the built-in portraits that are trained on.
        data_dir: Where TFDS keeps its data.
        shortest_side: Int; larger images are reduced until their shortest side has this many
            pixels. None keeps them.
        cache_bytes: Int, most bytes of decoded images to hold in memory; None takes a quarter
            of the machine's memory. Images that do not fit are decoded each time they are seen.
        progress: Called with the number of images read and their number in all.

    Returns:
        `Images`.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If no image can be read, or too many cannot.
    """
    budget = _quarter_of_memory() if cache_bytes is None else cache_bytes
    if not isinstance(source, str | os.PathLike):
        return _from_tfds(source, "train", shortest_side, budget, progress)
    meant = parse_source(source)
    if meant.kind == "tfds":
        builder = tfds_builder(meant.name, data_dir)
        return _from_tfds(builder, meant.split or "train", shortest_side, budget, progress)
    if meant.kind == "sample":
        files = sample.encoded("train", meant.count)
        names = list(sample.names("train")[: len(files)])
        encoded = _Encoded(files.__getitem__, None)
        return _read(names, encoded, str(source), shortest_side, budget, progress)
    return _from_folder(Path(meant.name), shortest_side, budget, progress)


def _from_folder(
    root: Path, shortest_side: int | None, budget: int, progress: Callable | None
) -> Images:
    paths = find_photos(root)
    names = [p.relative_to(root).as_posix() for p in paths]
    encoded = _Encoded(lambda i: read_bytes(paths[i]), [str(p) for p in paths])
    return _read(names, encoded, str(root), shortest_side, budget, progress)


def _from_tfds(
    builder: Any, split: str, shortest_side: int | None, budget: int, progress: Callable | None
) -> Images:
    names, values = tfds_images(builder, split)
    label = f"tfds:{builder.name}@{split}"
    if values and not isinstance(values[0], bytes):
        arrays = [reduced(tf.constant(v), shortest_side).numpy() for v in values]
        return _from_arrays(names, arrays, label)
    encoded = _Encoded(lambda i: values[i], None)
    return _read(names, encoded, label, shortest_side, budget, progress)


def _from_arrays(names: list[str], arrays: list[np.ndarray], source: str) -> Images:
    digests = tuple(hashlib.sha256(a.tobytes()).hexdigest() for a in arrays)
    return Images(
        fetch=_memory_fetch(arrays),
        names=tuple(names),
        sides=np.array([a.shape[:2] for a in arrays], "int64").reshape(-1, 2),
        sums=np.array([_sum(a) for a in arrays]).reshape(-1, 3),
        digests=digests,
        source=source,
    )


@dataclass(frozen=True)
class _Encoded:
    """Encoded files: how to read number i, and their paths where they are files."""

    read: Callable[[int], bytes]
    paths: list[str] | None


def _read(
    names: list[str],
    encoded: _Encoded,
    source: str,
    shortest_side: int | None,
    budget: int,
    progress: Callable | None,
) -> Images:
    """Decode every image once: check it, measure it, keep it as far as the budget goes."""

    @tf.function(input_signature=[tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.int32)])
    def decode(data: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
        return reduced(decode_photo(data, orientation), shortest_side)

    def load(number: int) -> tuple[Any, str, int]:
        try:
            data = encoded.read(number)
            orientation = exif_orientation(data)
            return decode(tf.constant(data), orientation).numpy(), _digest(data), orientation
        except (OSError, ValueError, tf.errors.OpError) as error:
            return error, "", 1

    skipped: dict[str, str] = {}
    kept: list[int] = []
    arrays: list[np.ndarray] | None = []
    sides, sums, digests, orientations, held = [], [], [], [], 0
    for number, (pixels, digest, orientation) in enumerate(_ordered(load, range(len(names)))):
        if progress:
            progress(number + 1, len(names))
        if isinstance(pixels, Exception):
            skipped[names[number]] = _reason(pixels)
            continue
        kept.append(number)
        sides.append(pixels.shape[:2])
        sums.append(_sum(pixels))
        digests.append(digest)
        orientations.append(orientation)
        held += pixels.nbytes
        if arrays is not None:
            arrays.append(pixels)
            if held > budget:
                logger.info(
                    "decoded images exceed %.1f GB: decoding as they are seen", budget / 1e9
                )
                arrays = None
    _report_skipped(source, skipped, len(names))
    if arrays is not None:
        fetch = _memory_fetch(arrays)
    else:
        fetch = _decoding_fetch(encoded, kept, orientations, shortest_side)
    return Images(
        fetch=fetch,
        names=tuple(names[i] for i in kept),
        sides=np.array(sides, "int64"),
        sums=np.array(sums),
        digests=tuple(digests),
        source=source,
        skipped=skipped,
        cached=arrays is not None,
    )


def _reason(error: Exception) -> str:
    """Return the telling line of an error, without the trace of TensorFlow's graph."""
    lines = [line.strip() for line in str(error).splitlines() if "{{" in line or "rror" in line]
    text = (lines or [str(error)])[-1] if isinstance(error, tf.errors.OpError) else str(error)
    return text.split(" [Op:")[0]


def _report_skipped(source: str, skipped: dict[str, str], total: int) -> None:
    if len(skipped) == total:
        name, reason = next(iter(skipped.items()))
        raise ValueError(f"no readable image in {source}: {name}: {reason}")
    for name, reason in skipped.items():
        logger.warning("image skipped: %s: %s", name, reason)
    if len(skipped) > MAX_BROKEN * total:
        shown = ", ".join(list(skipped)[:5])
        raise ValueError(
            f"{len(skipped)} of {total} images in {source} cannot be read ({shown}, ...): more "
            f"than {MAX_BROKEN:.0%}, so something is wrong with them"
        )


def _ordered(load: Callable[[int], Any], numbers: Iterable[int]) -> Iterator[Any]:
    """Run `load` in threads, a bounded number ahead, and yield the results in order."""
    pending: list[Any] = []
    with ThreadPoolExecutor(processors()) as pool:
        for number in numbers:
            pending.append(pool.submit(load, number))
            if len(pending) >= 64:
                yield pending.pop(0).result()
        while pending:
            yield pending.pop(0).result()


def _memory_fetch(arrays: list[np.ndarray]) -> Callable[[tf.Tensor], tf.Tensor]:
    sizes = np.array([a.size for a in arrays], "int64")
    pixels = tf.constant(np.concatenate([a.ravel() for a in arrays]) if arrays else [], tf.uint8)
    starts = tf.constant(np.cumsum(sizes) - sizes)
    ends = tf.constant(np.cumsum(sizes))
    shapes = tf.constant(np.array([a.shape for a in arrays], "int32").reshape(-1, 3))

    def fetch(index: tf.Tensor) -> tf.Tensor:
        image = tf.reshape(pixels[starts[index] : ends[index]], shapes[index])
        return tf.ensure_shape(image, (None, None, 3))

    return fetch


def _decoding_fetch(
    encoded: _Encoded, kept: list[int], orientations: list[int], shortest_side: int | None
) -> Callable[[tf.Tensor], tf.Tensor]:
    orientation = tf.constant(orientations, tf.int32)
    if encoded.paths is not None:
        stored = tf.constant([encoded.paths[i] for i in kept])
    else:
        stored = tf.constant([encoded.read(i) for i in kept])

    def fetch(index: tf.Tensor) -> tf.Tensor:
        data = stored[index] if encoded.paths is None else tf.io.read_file(stored[index])
        return reduced(decode_photo(data, orientation[index]), shortest_side)

    return fetch


def reduced(image: tf.Tensor, shortest_side: int | None) -> tf.Tensor:
    """Reduce a uint8 image `(height, width, 3)` until its shortest side has this many pixels."""
    if shortest_side is None:
        return image
    shape = tf.cast(tf.shape(image)[:2], tf.float32)
    zoom = shortest_side / tf.reduce_min(shape)

    def smaller() -> tf.Tensor:
        target = tf.maximum(tf.cast(tf.round(shape * zoom), tf.int32), shortest_side)
        pixels = tf.image.resize(image, target, antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), tf.uint8)

    return tf.cond(zoom < 1, smaller, lambda: image)


def _sum(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(-1, 3).sum(0, dtype="int64") / 255.0


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _quarter_of_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
