"""The photos that are measured: their order, their choice, their pixels.

Photos are read with Pillow, whatever the network was trained with, so that the pixels depend on
nothing else; their hash is in the report.
"""

import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from keras_inpaint.data import sample
from keras_inpaint.data.files import (
    find_photos,
    parse_source,
    split_names,
    tfds_builder,
    tfds_images,
)


@dataclass(frozen=True)
class PhotoSet:
    """Photos by number.

    Attributes:
        source: String, what they are called in a report; no absolute path.
        names: A name a photo, in order.
        stored: The photos as they lie there: a file's path or bytes, or uint8 arrays.
    """

    source: str
    names: tuple[str, ...]
    stored: Sequence[Path | bytes | np.ndarray]

    def __len__(self) -> int:
        return len(self.names)

    def open(self, number: int) -> Image.Image:
        """Return a photo as an upright picture, mode RGB.

        Raises:
            OSError: If it cannot be read.
        """
        stored = self.stored[number]
        if isinstance(stored, np.ndarray):
            return upright_rgb(Image.fromarray(stored))
        with Image.open(io.BytesIO(stored) if isinstance(stored, bytes) else stored) as image:
            return upright_rgb(image)

    def pixels(self, number: int, size: int) -> np.ndarray:
        """Return a photo, shortest side resized to `size` with a Lanczos filter, centre cut out.

        Returns:
            uint8 `(size, size, 3)`.

        Raises:
            OSError: If it cannot be read.
        """
        return np.asarray(square(self.open(number), size, Image.Resampling.LANCZOS))

    def subset(self, numbers: Sequence[int]) -> "PhotoSet":
        """Return the photos of these numbers, in this order."""
        names = tuple(self.names[number] for number in numbers)
        return PhotoSet(self.source, names, [self.stored[number] for number in numbers])


def open_photos(source: Any, *, data_dir: str | os.PathLike[str] | None = None) -> PhotoSet:
    """List photos without reading them.

    Args:
        source: A folder's path (read recursively, in the order of the names); `sample` or
            `sample:COUNT`, built-in portraits that no training sees; `tfds:NAME` or
            `tfds:NAME@SPLIT` (`test` where no split is named and there is one, else `train`); or a
            sequence of uint8 arrays `(height, width, 3)`.
        data_dir: Where TFDS keeps its data.

    Returns:
        A `PhotoSet` of one photo or more.

    Raises:
        ValueError: If there are no photos, or an array is not a photo.
        FileNotFoundError: If there is no such folder.
    """
    if not isinstance(source, str | os.PathLike):
        return _from_arrays(source)
    meant = parse_source(source)
    if meant.kind == "tfds":
        builder = tfds_builder(meant.name, data_dir)
        split = meant.split or ("test" if "test" in builder.info.splits else "train")
        names, images = tfds_images(builder, split)
        return PhotoSet(f"tfds:{builder.name}@{split}", tuple(names), images)
    if meant.kind == "sample":
        files = sample.encoded("test", meant.count)
        return PhotoSet("sample", sample.names("test")[: len(files)], files)
    folder = Path(meant.name)
    paths = find_photos(folder)
    names = tuple(path.relative_to(folder).as_posix() for path in paths)
    return PhotoSet(folder.resolve().name, names, paths)


def choose(
    photos: PhotoSet,
    *,
    only: Sequence[str] | None = None,
    held_out: float | None = None,
    split_seed: int = 0,
    limit: int | None = None,
) -> PhotoSet:
    """Choose photos by name, by the split that training makes, and by number.

    Args:
        photos: What to choose from.
        only: Names to keep, in the order of `photos`.
        held_out: Float in (0, 1): keep the part that a training with this `held_out` and the
            seed `split_seed` never sees. Photos whose names agree up to `__` stay together.
        split_seed: Int, that training's seed.
        limit: Int, keep at most this many, spread evenly over the list.

    Returns:
        The photos chosen, one or more.

    Raises:
        ValueError: If a name is not there, a number is out of its range, or nothing is left.
    """
    if only is not None:
        missing = sorted(set(only) - set(photos.names))
        if missing:
            raise ValueError(f"{len(missing)} photos are not in {photos.source}: {missing[0]}")
        wanted = set(only)
        photos = photos.subset([i for i, name in enumerate(photos.names) if name in wanted])
    if held_out is not None:
        photos = photos.subset(held_out_numbers(photos.names, held_out, split_seed))
    if limit is not None:
        if limit < 1:
            raise ValueError(f"limit must be 1 or more, got {limit}")
        kept = min(limit, len(photos))
        photos = photos.subset([i * len(photos) // kept for i in range(kept)])
    if not len(photos):
        raise ValueError(f"no photo of {photos.source} is left to evaluate")
    return photos


def held_out_numbers(names: Sequence[str], held_out: float, seed: int = 0) -> list[int]:
    """Return the numbers of the photos that training with this part and seed holds out.

    Raises:
        ValueError: If `held_out` is not between 0 and 1, or all photos are of one group.
    """
    if not held_out > 0:
        raise ValueError(f"held_out must be above 0 and below 1, got {held_out!r}")
    return sorted(split_names(names, held_out, seed)[1])


def split_of_run(run: Path) -> tuple[float, int]:
    """Return the part that a training run held out, and its seed, from the run's folder.

    Raises:
        ValueError: If there is no such run, or it held nothing out.
    """
    try:
        config = json.loads((run / "config.json").read_text("utf-8"))["config"]
        part, seed = float(config["held_out"]), int(config["seed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{run} is not a folder of a training run: {error!r}") from error
    if part == 0:
        raise ValueError(f"the run {run} held no photos out")
    return part, seed


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return a picture turned as its EXIF data say, as 8-bit RGB; transparency is dropped."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image, np.uint16) >> 8).astype(np.uint8))
    return image.convert("RGB")


def square(image: Image.Image, size: int, resampling: Image.Resampling) -> Image.Image:
    """Resize the shortest side to `size` px, keep the aspect, and cut out the centre."""
    width, height = image.size
    shortest = min(width, height)
    width = (width * size * 2 + shortest) // (2 * shortest)
    height = (height * size * 2 + shortest) // (2 * shortest)
    if (width, height) != image.size:
        image = image.resize((width, height), resampling)
    left, top = (width - size) // 2, (height - size) // 2
    return image.crop((left, top, left + size, top + size))


def _from_arrays(arrays: Any) -> PhotoSet:
    arrays = [np.asarray(array) for array in arrays]
    for number, array in enumerate(arrays):
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
            raise ValueError(
                f"photo {number} must be uint8 (height, width, 3), got {array.dtype} {array.shape}"
            )
    if not arrays:
        raise ValueError("no photo to evaluate")
    names = tuple(f"array-{number:06d}" for number in range(len(arrays)))
    return PhotoSet("arrays", names, arrays)
