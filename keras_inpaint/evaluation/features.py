"""FID and KID on the features of a network that the user gives.

No such network comes with the package. The figures compare sets of photos, original and
completed, by what the network sees in them; they mean something only beside figures from the same
network, the same number of photos and the same size.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Features = Callable[[np.ndarray], np.ndarray]


def load_features(model: str | os.PathLike[str] | Any) -> Features:
    """Return a function from one photo to its features.

    Args:
        model: A `.keras` file or a Keras model, from float32 `(batch, height, width, 3)` in
            [0, 1] to `(batch, features)`, or `(batch, height, width, features)`, which is
            averaged over the places. Where it has a fixed size, photos are resized to it.

    Returns:
        Function from uint8 `(height, width, 3)` to float64 `(features,)`.

    Raises:
        ValueError: If there is no such file, or the model has another form.
    """
    import keras

    if isinstance(model, str | os.PathLike):
        import keras_inpaint.networks.layers  # noqa: F401  (registers the layers)

        if not Path(model).is_file():
            raise ValueError(f"no features network {os.fspath(model)!r}: no such file")
        model = keras.models.load_model(model, compile=False)
    shapes = model.input_shape, model.output_shape
    if isinstance(shapes[0], list | dict) or len(shapes[0]) != 4 or shapes[0][-1] != 3:
        raise ValueError(f"a features network takes (batch, height, width, 3), got {shapes[0]}")
    if isinstance(shapes[1], list | dict) or len(shapes[1]) not in (2, 4):
        raise ValueError(
            f"a features network gives (batch, features) or (batch, height, width, features), "
            f"got {shapes[1]}"
        )
    height, width = shapes[0][1:3]

    def features(photo: np.ndarray) -> np.ndarray:
        if height is not None and width is not None and photo.shape[:2] != (height, width):
            resized = Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC)
            photo = np.asarray(resized)
        output = model(photo[None].astype("float32") / 255.0, training=False)
        array = np.asarray(keras.ops.convert_to_numpy(output), np.float64)[0]
        return array.reshape(-1, array.shape[-1]).mean(axis=0)

    return features


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Fréchet distance of two sets of features, taken as normal distributions.

    `|m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2)`, with the sample covariances. With
    fewer photos than features the covariances are singular and the figure is biased upwards.

    Args:
        first: Float array `(photos, features)`, two photos or more.
        second: Float array `(photos, features)`.

    Returns:
        The distance, 0 or above.

    Raises:
        ValueError: If a set has fewer than two photos, or the numbers of features differ.

    References:
        M. Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
        equilibrium", NeurIPS 2017, https://arxiv.org/abs/1706.08500
    """
    _check(first, second)
    mean_gap = first.mean(axis=0) - second.mean(axis=0)
    cov1, cov2 = (np.atleast_2d(np.cov(array, rowvar=False)) for array in (first, second))
    values, vectors = np.linalg.eigh(cov1)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    inner = root @ cov2 @ root
    cross = np.sqrt(np.clip(np.linalg.eigvalsh((inner + inner.T) / 2), 0, None)).sum()
    distance = mean_gap @ mean_gap + np.trace(cov1) + np.trace(cov2) - 2 * cross
    return max(0.0, float(distance))


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the kernel distance of two sets of features: the unbiased squared MMD.

    The kernel is `(x . y / features + 1)^3`. Without bias it may fall below 0 for sets that do
    not differ.

    Args:
        first: Float array `(photos, features)`, two photos or more.
        second: Float array `(photos, features)`.

    Returns:
        The squared maximum mean discrepancy over all photos.

    Raises:
        ValueError: If a set has fewer than two photos, or the numbers of features differ.

    References:
        M. Binkowski et al., "Demystifying MMD GANs", ICLR 2018, https://arxiv.org/abs/1801.01401
    """
    _check(first, second)
    count1, count2, size = len(first), len(second), first.shape[1]
    within1 = (first @ first.T / size + 1) ** 3
    within2 = (second @ second.T / size + 1) ** 3
    between = (first @ second.T / size + 1) ** 3
    return float(
        (within1.sum() - np.trace(within1)) / (count1 * (count1 - 1))
        + (within2.sum() - np.trace(within2)) / (count2 * (count2 - 1))
        - 2 * between.mean()
    )


def _check(first: np.ndarray, second: np.ndarray) -> None:
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"expected (photos, features) with as many features, got {first.shape} and "
            f"{second.shape}"
        )
    if min(len(first), len(second)) < 2:
        raise ValueError(f"needs two photos or more, got {len(first)} and {len(second)}")
