"""Sets of photos: what words for them mean, which files are photos, which belong together.

One rule for training, completing, measuring and calibrating; nothing here imports TensorFlow.
"""

import hashlib
import importlib.util
import io
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageOps, features

from keras_inpaint.files import first_line

logger = logging.getLogger(__name__)

#: Endings of photos in lower case, of what Pillow reads everywhere.
_ALWAYS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"
)  # fmt: skip
#: Endings that TensorFlow's own decoders know; others go through Pillow.
_TENSORFLOW = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif"))


@dataclass(frozen=True)
class Source:
    """What a word for photos means.

    Attributes:
        kind: `"folder"`, `"tfds"` or `"sample"`.
        name: String, the folder's path or the name of the TFDS data set.
        split: String, the data set's split; None where none is named.
        count: Int, the first so many of the sample; None is all.
    """

    kind: str
    name: str = ""
    split: str | None = None
    count: int | None = None


def parse_source(source: str | os.PathLike[str]) -> Source:
    """Return what a word for photos means, in training and in measuring alike.

    Args:
        source: `sample` or `sample:COUNT`, the built-in portraits; `tfds:NAME` or
            `tfds:NAME@SPLIT`; everything else is the path of a folder. A folder of the name
            `sample` is `./sample`.

    Raises:
        ValueError: If the count is not a number above 0, or a data set has no name.
    """
    text = os.fspath(source)
    if text == "sample" or (text.startswith("sample:") and not Path(text).exists()):
        value = text.partition(":")[2]
        if text != "sample" and not (value.isdecimal() and int(value) > 0):
            raise ValueError(f"expected sample or sample:COUNT, got {text!r}")
        return Source("sample", count=int(value) if value else None)
    if text.startswith("tfds:"):
        name, _, split = text.removeprefix("tfds:").partition("@")
        if not name:
            raise ValueError(f"expected tfds:NAME or tfds:NAME@SPLIT, got {text!r}")
        return Source("tfds", name, split or None)
    return Source("folder", text)


def photo_suffixes() -> frozenset[str]:
    """Return the endings of photos that can be read here, in lower case, with their dots.

    AVIF where this Pillow has it, HEIC where the package `pillow-heif` is installed.
    """
    suffixes = set(_ALWAYS)
    if features.check("avif"):
        suffixes.add(".avif")
    if importlib.util.find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
        suffixes |= {".heic", ".heif"}
    return frozenset(suffixes)


def find_photos(
    folder: str | os.PathLike[str],
    *,
    recursive: bool = True,
    apart: Iterable[Path] = (),
    suffixes: Iterable[str] | None = None,
    what: str = "photo",
) -> list[Path]:
    """Return the photos of a folder in the order of their names; others are counted and logged.

    Args:
        folder: The folder. Hidden files and folders, whose names begin with a dot, are left out.
        recursive: Whether folders inside it are searched.
        apart: Folders that are left out.
        suffixes: The endings of photos, in lower case; None is `photo_suffixes`.
        what: What messages call the files.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no photo; the message says what it holds instead.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(2, f"No such folder of {what}s", str(root))
    suffixes = photo_suffixes() if suffixes is None else frozenset(suffixes)
    found, others = [], Counter()
    for path in _files(root, recursive, {os.path.realpath(other) for other in apart}):
        if path.suffix.lower() in suffixes:
            found.append(path)
        else:
            others[path.suffix.lower() or "no ending"] += 1
    rest = ", ".join(f"{count} with {name}" for name, count in sorted(others.items()))
    if not found:
        known = " ".join(sorted(suffixes))
        held = rest or "no other file"
        raise ValueError(f"no {what} in {root}: known endings are {known}; it holds {held}")
    if others:
        logger.info("%s: files passed over: %s", root, rest)
    return sorted(found)


def _files(root: Path, recursive: bool, apart: set[str]) -> Iterator[Path]:
    for here, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if recursive
            and not name.startswith(".")
            and os.path.realpath(os.path.join(here, name)) not in apart
        )
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(here, name)


def decodes_in_graph(path: Path) -> bool:
    """Return whether TensorFlow's own decoders know the ending of a photo."""
    return path.suffix.lower() in _TENSORFLOW


def read_bytes(path: Path) -> bytes:
    """Return a photo's bytes as TensorFlow decodes them: other kinds as PNG, upright, RGB.

    Raises:
        OSError: If the file cannot be read.
    """
    if decodes_in_graph(path):
        return path.read_bytes()
    photo_suffixes()  # registers what reads HEIC
    with Image.open(path) as image:
        stream = io.BytesIO()
        ImageOps.exif_transpose(image).convert("RGB").save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def group_of(name: str) -> str:
    """Return what stands before `__` in the last part of a name, with its folder."""
    folder, _, last = name.rpartition("/")
    return f"{folder}/{PurePosixPath(last).stem.partition('__')[0]}"


def portable_bytes(name: str) -> bytes:
    """Return a name's bytes in UTF-8, where it was no UTF-8 as it is on the disk."""
    return name.encode("utf-8", "surrogateescape")


def split_names(
    names: Sequence[str], held_out: float, seed: int = 0
) -> tuple[list[int], list[int]]:
    """Split images by group, the same way on every machine.

    Args:
        names: A name an image.
        held_out: Float in [0, 1), the part of the groups to hold out.
        seed: Int.

    Returns:
        The numbers of the images to train on, in order, and of those held out. With `held_out`
        above 0 both have at least one group.

    Raises:
        ValueError: If `held_out` is out of its range, or there is but one group to split.
    """
    if not 0 <= held_out < 1:
        raise ValueError(f"held_out must be at least 0 and below 1, got {held_out!r}")
    if held_out == 0:
        return list(range(len(names))), []
    groups: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        groups.setdefault(group_of(name), []).append(number)
    if len(groups) < 2:
        raise ValueError(
            "all images are of one group: nothing can be held out; hold out 0 to train on them all"
        )
    order = sorted(groups, key=lambda g: hashlib.sha256(portable_bytes(f"{seed}\0{g}")).digest())
    count = min(max(1, round(held_out * len(groups))), len(groups) - 1)
    out = [i for g in order[:count] for i in groups[g]]
    return sorted(i for g in order[count:] for i in groups[g]), out


def tfds_builder(name: str, data_dir: str | os.PathLike[str] | None = None) -> Any:
    """Return the builder of a data set that is ready to be read.

    Args:
        name: What TFDS calls it.
        data_dir: Where TFDS keeps its data; None is its default.

    Raises:
        ValueError: If TFDS has none of this name.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, ValueError, ImportError) as error:
        raise ValueError(f"TFDS has no data set {name!r} here: {first_line(error)}") from error
    builder.download_and_prepare()
    return builder


def tfds_images(builder: Any, split: str) -> tuple[list[str], list[bytes | np.ndarray]]:
    """Read the images of a split in the order in which they are stored.

    Args:
        builder: What `tfds_builder` returns.
        split: The split's name.

    Returns:
        A name an image, and the encoded files; uint8 arrays where the data set decodes itself.

    Raises:
        ValueError: If the data set has no image, or no such split.
    """
    import tensorflow_datasets as tfds

    features = builder.info.features
    keys = [key for key, kind in features.items() if isinstance(kind, tfds.features.Image)]
    if not keys:
        raise ValueError(f"the TFDS data set {builder.name!r} has no image: {list(features)}")
    if builder.info.splits and split not in builder.info.splits:
        have = ", ".join(builder.info.splits)
        raise ValueError(f"the TFDS data set {builder.name!r} has no split {split!r}: {have}")
    skip = {keys[0]: tfds.decode.SkipDecoding()}
    rows = builder.as_dataset(split=split, decoders=skip, shuffle_files=False)
    images = [row[keys[0]] for row in rows.as_numpy_iterator()]
    return [f"{builder.name}-{split}-{number:07d}" for number in range(len(images))], images
