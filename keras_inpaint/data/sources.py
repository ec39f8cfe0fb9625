"""Load images from a folder, a TFDS data set or the built-in portraits."""

import functools
import hashlib
import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import UnidentifiedImageError

from keras_inpaint.data import sample
from keras_inpaint.data.files import (
    decodes_in_graph,
    find_photos,
    parse_source,
    read_bytes,
    tfds_builder,
    tfds_images,
)
from keras_inpaint.data.images import Images, decode_photo, decode_stored, exif_orientation
from keras_inpaint.data.known import FACTS, KnownFacts
from keras_inpaint.files import check_regular_file, printable
from keras_inpaint.processors import processors

logger = logging.getLogger(__name__)

#: A larger fraction of unreadable files is an error.
MAX_BROKEN = 0.1


def load_images(
    source: Any,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    shortest_side: int | None = None,
    cache_bytes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Images:
    """Load images, check each one and compute their mean pixel, in one pass.

    The results for a folder's files are kept in the cache folder, so that the next call decodes
    only new and modified files.

    Example:

    >>> images = load_images("photos/", shortest_side=96)
    >>> len(images), images.mean_pixel

    Args:
        source: Path of a folder (read recursively: JPEG, PNG, WebP, BMP, GIF's first frame);
            `"tfds:NAME"` or `"tfds:NAME@SPLIT"`; a TFDS builder; `"sample"` or
            `"sample:COUNT"`, the training part of the built-in portraits.
        data_dir: The data folder of TFDS.
        shortest_side: Int; larger images are downscaled to this shortest side in pixels. None
            keeps their size.
        cache_bytes: Int, maximum memory in bytes for decoded images; None is a quarter of the
            machine's memory. Images that do not fit are decoded each time they are used.
        progress: Called with the number of images checked and the number to check.

    Returns:
        `Images`.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If no image, or fewer than 90 %, can be read.
    """
    budget = _quarter_of_memory() if cache_bytes is None else cache_bytes
    if not isinstance(source, str | os.PathLike):
        return _from_tfds(source, "train", shortest_side, budget, progress)
    parsed = parse_source(source)
    if parsed.kind == "tfds":
        builder = tfds_builder(parsed.name, data_dir)
        return _from_tfds(builder, parsed.split or "train", shortest_side, budget, progress)
    if parsed.kind == "sample":
        files = sample.encoded("train", parsed.count)
        names = list(sample.names("train")[: len(files)])
        encoded = _Encoded(files.__getitem__, None)
        return _read(names, encoded, str(source), shortest_side, budget, progress)
    return _from_folder(Path(parsed.name), shortest_side, budget, progress)


def _from_folder(
    root: Path, shortest_side: int | None, budget: int, progress: Callable | None
) -> Images:
    paths = find_photos(root)
    names = [p.relative_to(root).as_posix() for p in paths]
    known = KnownFacts(root)
    facts = known.find(paths, names)
    before = np.count_nonzero(facts["digest"])
    encoded = _Encoded(lambda i: read_bytes(check_regular_file(paths[i])), paths)
    images = _read(names, encoded, str(root), shortest_side, budget, progress, facts)
    if len(images) != before:
        known.write(facts)
    return images


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
    """Encoded images: a function that reads one by index, and their paths if they are files."""

    read: Callable[[int], bytes]
    paths: list[Path] | None


def _read(
    names: list[str],
    encoded: _Encoded,
    source: str,
    shortest_side: int | None,
    budget: int,
    progress: Callable | None,
    facts: np.ndarray | None = None,
) -> Images:
    """Check the images without known facts and compute their facts.

    Args:
        names: The images' names.
        encoded: `_Encoded`.
        source: The name of the source in messages.
        shortest_side: As in `load_images`.
        budget: Int, maximum memory in bytes for decoded images.
        progress: As in `load_images`.
        facts: Array of `FACTS`, one per image; rows with an empty digest are filled in.
    """

    def examine(number: int) -> Any:
        try:
            data = encoded.read(number)
            orientation = exif_orientation(data)
            pixels = decode_stored(data).numpy()
            sides = pixels.shape[1::-1] if orientation > 4 else pixels.shape[:2]
            return sides, _sum(pixels), _digest(data), orientation
        except (OSError, ValueError, tf.errors.OpError) as error:
            return error

    facts = np.zeros(len(names), FACTS) if facts is None else facts
    unknown = np.flatnonzero(facts["digest"] == b"").tolist()
    skipped: dict[str, str] = {}
    results = zip(unknown, _ordered(examine, unknown), strict=True)
    for done, (number, result) in enumerate(results, 1):
        if progress:
            progress(done, len(unknown))
        if isinstance(result, Exception):
            skipped[printable(names[number])] = _reason(result, encoded, number)
        else:
            for field, value in zip(FACTS.names[1:], result, strict=True):
                facts[field][number] = value
    _report_skipped(source, skipped, len(names))
    kept = np.flatnonzero(facts["digest"] != b"")
    facts = facts[kept]
    sides = _reduced_sides(facts["sides"], shortest_side)
    pixels = sides.prod(1)
    fits = 3 * np.cumsum(pixels) <= budget
    return Images(
        fetch=_holding_fetch(encoded, kept, facts["orientation"], shortest_side, fits),
        names=tuple(names[i] for i in kept),
        sides=sides,
        sums=facts["sums"] * (pixels / facts["sides"].prod(1))[:, None],
        digests=tuple(facts["digest"].astype(str).tolist()),
        source=source,
        skipped=skipped,
        cached=bool(fits.all()),
    )


def _reason(error: Exception, encoded: _Encoded, number: int) -> str:
    """Return the informative line of an error, without the file's name and TensorFlow's trace."""
    if isinstance(error, UnidentifiedImageError):
        return "is not an image of a known format"
    if isinstance(error, tf.errors.OpError):
        lines = [line.strip() for line in str(error).splitlines() if "{{" in line or "rror" in line]
        return (lines or [str(error)])[-1].split(" [Op:")[0]
    place = f"{printable(encoded.paths[number])}: " if encoded.paths else ""
    return str(error).removeprefix(place)


def _report_skipped(source: str, skipped: dict[str, str], total: int) -> None:
    if not skipped:
        return
    examples = [f"{name}: {reason}" for name, reason in itertools.islice(skipped.items(), 3)]
    if len(skipped) == total:
        raise ValueError(f"no readable image in {source}: {examples[0]}")
    summary = f"{len(skipped)} of {total} images in {source} cannot be read ({'; '.join(examples)}"
    summary += "; ...)" if len(skipped) > len(examples) else ")"
    if len(skipped) > MAX_BROKEN * total:
        raise ValueError(f"{summary}; at most {MAX_BROKEN:.0%} may be unreadable")
    logger.warning("%s and are skipped", summary)


def _ordered(load: Callable[[int], Any], numbers: Iterable[int]) -> Iterator[Any]:
    """Run `load` in threads, at most 64 items ahead, and yield the results in order."""
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


def _holding_fetch(
    encoded: _Encoded,
    kept: np.ndarray,
    orientations: np.ndarray,
    shortest_side: int | None,
    fits: np.ndarray,
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a `fetch` for `Images` that keeps decoded images in memory if they fit."""
    orientation, fitting = tf.constant(orientations, tf.int32), tf.constant(fits)
    read = _reader(encoded, kept)
    cache = tf.lookup.experimental.MutableHashTable(tf.int64, tf.string, b"")

    def fetch(index: tf.Tensor) -> tf.Tensor:
        index = tf.cast(index, tf.int64)
        cached = cache.lookup(index)

        def decoded() -> tf.Tensor:
            image = reduced(decode_photo(read(index), orientation[index]), shortest_side)
            insert = functools.partial(cache.insert, index, tf.io.serialize_tensor(image))
            tf.cond(fitting[index], insert, tf.no_op)
            return image

        image = tf.cond(cached == b"", decoded, lambda: tf.io.parse_tensor(cached, tf.uint8))
        return tf.ensure_shape(image, (None, None, 3))

    return fetch


def _reader(encoded: _Encoded, kept: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a function that reads an encoded image in a graph, by its index into `kept`."""
    if encoded.paths is None:
        stored = tf.constant([encoded.read(i) for i in kept])
        return lambda index: stored[index]
    chosen = [encoded.paths[i] for i in kept]
    paths = tf.constant([os.fsencode(path) for path in chosen])
    foreign = [not decodes_in_graph(path) for path in chosen]
    if not any(foreign):
        return lambda index: tf.io.read_file(paths[index])
    through_pillow = tf.constant(foreign)

    def read(index: tf.Tensor) -> tf.Tensor:
        data = tf.cond(
            through_pillow[index],
            lambda: tf.numpy_function(lambda i: encoded.read(kept[i]), [index], tf.string),
            lambda: tf.io.read_file(paths[index]),
        )
        return tf.ensure_shape(data, ())

    return read


def _reduced_sides(sides: np.ndarray, shortest_side: int | None) -> np.ndarray:
    """Return the sides `(count, 2)` of images after `reduced`."""
    if shortest_side is None:
        return sides
    zoom = np.float32(shortest_side) / sides.min(1).astype("float32")
    target = np.maximum(np.round(sides.astype("float32") * zoom[:, None]), shortest_side)
    return np.where(zoom[:, None] < 1, target.astype("int64"), sides)


def reduced(image: tf.Tensor, shortest_side: int | None) -> tf.Tensor:
    """Downscale a uint8 image `(height, width, 3)` to at most this shortest side in pixels."""
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
    return np.einsum("hwc->c", pixels, dtype="int64") / 255.0


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _quarter_of_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
