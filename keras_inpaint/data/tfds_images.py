"""The images of a TensorFlow data set, as they are stored."""

import os
from typing import Any

import numpy as np


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
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"TFDS has no data set {name!r} here: {first}") from error
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
