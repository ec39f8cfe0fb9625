"""Sets of photos: their sources, which files are photos, and how photos are grouped.

Training, completion, evaluation and calibration share these rules. TensorFlow is not imported.
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

#: File extensions, in lower case, of the formats that every Pillow installation reads.
_ALWAYS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"
)  # fmt: skip
#: Extensions of the formats that TensorFlow decodes; other files are decoded by Pillow.
_TENSORFLOW = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif"))


@dataclass(frozen=True)
class Source:
    """A source of photos.

    Attributes:
        kind: `"folder"`, `"tfds"` or `"sample"`.
        name: String, the folder's path or the name of the TFDS data set.
        split: String, the data set's split; None if not given.
        count: Int, the number of portraits to use from the start of the sample; None is all.
    """

    kind: str
    name: str = ""
    split: str | None = None
    count: int | None = None


def parse_source(source: str | os.PathLike[str]) -> Source:
    """Parse a source of photos, for training and for evaluation.

    Args:
        source: `sample` or `sample:COUNT`, the built-in portraits; `tfds:NAME` or
            `tfds:NAME@SPLIT`; anything else is the path of a folder. Write `./sample` for a
            folder named `sample`.

    Raises:
        ValueError: If the count is not an integer above 0, or the data set's name is missing.
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
    """Return the extensions of readable photo formats, in lower case, with their dots.

    They include AVIF if the installed Pillow supports it, and HEIC if `pillow-heif` is installed.
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
    """Return the photos of a folder, sorted by path; other files are counted and logged.

    Args:
        folder: The folder. Hidden files and folders, whose names begin with a dot, are ignored.
        recursive: Whether to search its subfolders.
        apart: Subfolders to exclude.
        suffixes: The extensions of photos, in lower case; None is `photo_suffixes()`.
        what: The word for a file in messages.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If it contains no photo; the message lists what it contains instead.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(2, f"No such folder of {what}s", str(root))
    suffixes = photo_suffixes() if suffixes is None else frozenset(suffixes)
    photos, others = [], Counter()
    for path in _files(root, recursive, {os.path.realpath(other) for other in apart}):
        if path.suffix.lower() in suffixes:
            photos.append(path)
        else:
            others[path.suffix.lower() or "no extension"] += 1
    rest = ", ".join(f"{count} with {name}" for name, count in sorted(others.items()))
    if not photos:
        known = " ".join(sorted(suffixes))
        content = rest or "no other file"
        raise ValueError(
            f"no {what} in {root}: known extensions are {known}; the folder contains {content}"
        )
    if others:
        logger.info("%s: files ignored: %s", root, rest)
    return sorted(photos)


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
    """Return whether TensorFlow can decode a photo, judging by its extension."""
    return path.suffix.lower() in _TENSORFLOW


def read_bytes(path: Path) -> bytes:
    """Return a photo's bytes in a format that TensorFlow decodes.

    Other formats are converted to PNG, upright, RGB.

    Raises:
        OSError: If the file cannot be read.
    """
    if decodes_in_graph(path):
        return path.read_bytes()
    photo_suffixes()  # registers the HEIC reader
    with Image.open(path) as image:
        stream = io.BytesIO()
        ImageOps.exif_transpose(image).convert("RGB").save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def group_of(name: str) -> str:
    """Return the group of an image: its folder and the part of its file name before `__`."""
    folder, _, last = name.rpartition("/")
    return f"{folder}/{PurePosixPath(last).stem.partition('__')[0]}"


def portable_bytes(name: str) -> bytes:
    """Return a name encoded as UTF-8; bytes on disk that are not UTF-8 are kept unchanged."""
    return name.encode("utf-8", "surrogateescape")


def split_names(
    names: Sequence[str], held_out: float, seed: int = 0
) -> tuple[list[int], list[int]]:
    """Split images by group, identically on every machine.

    Args:
        names: The images' names.
        held_out: Float in [0, 1), the fraction of the groups to hold out.
        seed: Int.

    Returns:
        The indices of the training images, in ascending order, and of the held-out images. With
        `held_out` above 0, both have at least one group.

    Raises:
        ValueError: If `held_out` is out of its range, or there is only one group to split.
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
            "all images are of one group, so that none can be held out; hold out 0 to train on all"
        )
    order = sorted(groups, key=lambda g: hashlib.sha256(portable_bytes(f"{seed}\0{g}")).digest())
    count = min(max(1, round(held_out * len(groups))), len(groups) - 1)
    out = [index for group in order[:count] for index in groups[group]]
    return sorted(index for group in order[count:] for index in groups[group]), out


def tfds_builder(name: str, data_dir: str | os.PathLike[str] | None = None) -> Any:
    """Return the builder of a TFDS data set, after downloading and preparing it.

    Args:
        name: The data set's name in TFDS.
        data_dir: The data folder of TFDS; None is its default.

    Raises:
        ValueError: If TFDS has no data set of this name.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, ValueError, ImportError) as error:
        raise ValueError(f"TFDS has no data set {name!r}: {first_line(error)}") from error
    builder.download_and_prepare()
    return builder


def tfds_images(builder: Any, split: str) -> tuple[list[str], list[bytes | np.ndarray]]:
    """Read the images of a split in the order in which they are stored.

    Args:
        builder: A TFDS builder, such as from `tfds_builder`.
        split: The split's name.

    Returns:
        The images' names and their encoded files, or uint8 arrays if the data set returns decoded
        images only.

    Raises:
        ValueError: If the data set has no image feature, or no such split.
    """
    import tensorflow_datasets as tfds

    features = builder.info.features
    keys = [key for key, kind in features.items() if isinstance(kind, tfds.features.Image)]
    if not keys:
        raise ValueError(
            f"the TFDS data set {builder.name!r} has no image feature, only {list(features)}"
        )
    if builder.info.splits and split not in builder.info.splits:
        splits = ", ".join(builder.info.splits)
        raise ValueError(
            f"the TFDS data set {builder.name!r} has no split {split!r}; splits: {splits}"
        )
    skip = {keys[0]: tfds.decode.SkipDecoding()}
    rows = builder.as_dataset(split=split, decoders=skip, shuffle_files=False)
    images = [row[keys[0]] for row in rows.as_numpy_iterator()]
    return [f"{builder.name}-{split}-{number:07d}" for number in range(len(images))], images
