"""The photos of an evaluation: their order, selection and pixels.

Photos are always read with Pillow, so that the pixels do not depend on the network's training;
their hash is in the report.
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
    """An indexed set of photos.

    Attributes:
        source: String, their name in a report; not an absolute path.
        names: The name of each photo.
        stored: The photos: paths or bytes of files, or uint8 arrays.
    """

    source: str
    names: tuple[str, ...]
    stored: Sequence[Path | bytes | np.ndarray]

    def __len__(self) -> int:
        return len(self.names)

    def open(self, number: int) -> Image.Image:
        """Return a photo as an upright image of mode RGB.

        Raises:
            OSError: If it cannot be read.
        """
        stored = self.stored[number]
        if isinstance(stored, np.ndarray):
            return upright_rgb(Image.fromarray(stored))
        with Image.open(io.BytesIO(stored) if isinstance(stored, bytes) else stored) as image:
            return upright_rgb(image)

    def pixels(self, number: int, size: int) -> np.ndarray:
        """Return the centre crop of a photo, its shortest side resized with a Lanczos filter.

        Returns:
            Uint8 `(size, size, 3)`.

        Raises:
            OSError: If it cannot be read.
        """
        return np.asarray(square(self.open(number), size, Image.Resampling.LANCZOS))

    def subset(self, numbers: Sequence[int]) -> "PhotoSet":
        """Return the photos with these indices, in this order."""
        names = tuple(self.names[number] for number in numbers)
        return PhotoSet(self.source, names, [self.stored[number] for number in numbers])


def open_photos(source: Any, *, data_dir: str | os.PathLike[str] | None = None) -> PhotoSet:
    """List photos without reading them.

    Args:
        source: A folder's path (searched recursively, sorted by name); `sample` or
            `sample:COUNT`, built-in portraits that are not used for training; `tfds:NAME` or
            `tfds:NAME@SPLIT` (by default the split `test` if it exists, else `train`); or a
            sequence of uint8 arrays `(height, width, 3)`.
        data_dir: Folder of the TFDS data.

    Returns:
        A `PhotoSet` of one photo or more.

    Raises:
        ValueError: If there are no photos, or an array is not a photo.
        FileNotFoundError: If the folder does not exist.
    """
    if not isinstance(source, str | os.PathLike):
        return _from_arrays(source)
    parsed = parse_source(source)
    if parsed.kind == "tfds":
        builder = tfds_builder(parsed.name, data_dir)
        split = parsed.split or ("test" if "test" in builder.info.splits else "train")
        names, images = tfds_images(builder, split)
        return PhotoSet(f"tfds:{builder.name}@{split}", tuple(names), images)
    if parsed.kind == "sample":
        files = sample.encoded("test", parsed.count)
        return PhotoSet("sample", sample.names("test")[: len(files)], files)
    folder = Path(parsed.name)
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
    """Select photos by name, by the split of a training run, and by number.

    Args:
        photos: The photos to select from.
        only: Names to keep, in the order of `photos`.
        held_out: Float in (0, 1): keep the share that a training run with this `held_out` and the
            seed `split_seed` does not use. Photos whose names agree up to `__` stay together.
        split_seed: Int, the seed of the training run.
        limit: Int, the largest number of photos to keep, spread evenly over the list.

    Returns:
        The selected photos, one or more.

    Raises:
        ValueError: If a name is unknown, a number is out of its range, or no photos remain.
    """
    if only is not None:
        missing = sorted(set(only) - set(photos.names))
        if missing:
            raise ValueError(f"{len(missing)} photos are not in {photos.source}: {missing[0]}")
        selected = set(only)
        photos = photos.subset([i for i, name in enumerate(photos.names) if name in selected])
    if held_out is not None:
        photos = photos.subset(held_out_numbers(photos.names, held_out, split_seed))
    if limit is not None:
        if limit < 1:
            raise ValueError(f"limit must be 1 or more, got {limit}")
        kept = min(limit, len(photos))
        photos = photos.subset([i * len(photos) // kept for i in range(kept)])
    if not len(photos):
        raise ValueError(f"no photos of {photos.source} remain to evaluate")
    return photos


def held_out_numbers(names: Sequence[str], held_out: float, seed: int = 0) -> list[int]:
    """Return the indices of the photos that training with this share and seed holds out.

    Raises:
        ValueError: If `held_out` is not between 0 and 1, or all photos belong to one group.
    """
    if not held_out > 0:
        raise ValueError(f"held_out must be above 0 and below 1, got {held_out!r}")
    return sorted(split_names(names, held_out, seed)[1])


def split_of_run(run: Path) -> tuple[float, int]:
    """Return the share of photos that a training run held out, and its seed.

    Raises:
        ValueError: If the folder is not a run's, or the run held no photos out.
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
    """Return an image as 8-bit RGB, rotated by its EXIF orientation; transparency is dropped."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image, np.uint16) >> 8).astype(np.uint8))
    return image.convert("RGB")


def square(image: Image.Image, size: int, resampling: Image.Resampling) -> Image.Image:
    """Resize the shortest side to `size` px, keeping the aspect ratio, and crop the centre."""
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
