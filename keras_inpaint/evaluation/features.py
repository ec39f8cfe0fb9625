"""Distances between features of a network supplied by the user: FID, KID, perceptual.

The package does not include such a network. The figures compare the features of original and
completed photos; they are comparable only for the same network, number of photos and size.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image


class Features:
    """Extracts features of photos with a network.

    Args:
        model: A `.keras` file or a Keras model, from float32 `(batch, height, width, 3)` in
            [0, 1] to `(batch, features)`, to `(batch, height, width, features)`, which is averaged
            over height and width, or to a list of these. FID and KID use the last output, the
            perceptual distance all feature maps. If the input size is fixed, photos are resized to
            it.

    Raises:
        ValueError: If the file does not exist, or the model has other inputs or outputs.
    """

    def __init__(self, model: str | os.PathLike[str] | Any) -> None:
        from keras_inpaint.networks.features import read_features_network

        self._model = read_features_network(model)
        self._size = tuple(self._model.input_shape[1:3])

    def __call__(self, photo: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the features of a photo.

        Args:
            photo: Uint8 `(height, width, 3)`; resized if the network's input size is fixed.

        Returns:
            Float64 `(features,)`, the last output averaged over height and width, and the outputs
            that are feature maps, each float64 `(height, width, features)`.
        """
        import keras

        if None not in self._size and photo.shape[:2] != self._size:
            size = self._size[::-1]
            photo = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))
        output = self._model(photo[None].astype("float32") / 255.0, training=False)
        outputs = output if isinstance(output, list | tuple) else [output]
        arrays = [np.asarray(keras.ops.convert_to_numpy(one), np.float64)[0] for one in outputs]
        last = arrays[-1]
        return (
            last.reshape(-1, last.shape[-1]).mean(axis=0),
            [one for one in arrays if one.ndim == 3],
        )


def perceptual_distance(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], mask: np.ndarray
) -> float:
    """Return the distance of two photos in a hole, on the feature maps of a network.

    The features at every position of every map are normalised to length 1; the squared distances
    are averaged over the positions, weighted by their share of the hole, and over the maps.

    Args:
        first: Float arrays `(height, width, features)`, the maps of the first photo.
        second: The maps of the second photo.
        mask: Bool `(height, width)`, True in the hole.

    Returns:
        The distance, from 0 to 4.

    References:
        R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric",
        CVPR 2018, https://arxiv.org/abs/1801.03924 (here without learned weights)
    """
    distances = []
    for one, other in zip(first, second, strict=True):
        size = one.shape[1::-1]
        weight = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        unit = [array / np.sqrt((array**2).sum(-1, keepdims=True) + 1e-6) for array in (one, other)]
        square = ((unit[0] - unit[1]) ** 2).sum(axis=-1)
        distances.append((square * weight).sum() / max(weight.sum(), 1e-9))
    return float(np.mean(distances))


class FeatureDistances:
    """Distances between completed and original photos, accumulated photo by photo.

    Args:
        extract: The features extractor.
    """

    def __init__(self, extract: Features) -> None:
        self._extract = extract
        self._originals: list[np.ndarray] = []
        self._completed: dict[str, list[np.ndarray]] = {}
        self._perceptual: dict[str, list[float]] = {}

    def add(
        self, original: np.ndarray, completed: Mapping[str, np.ndarray], mask: np.ndarray
    ) -> None:
        """Add a photo, uint8 `(height, width, 3)`, its completions by method, and its hole."""
        features, maps = self._extract(original)
        self._originals.append(features)
        for name, photo in completed.items():
            features, own_maps = self._extract(photo)
            self._completed.setdefault(name, []).append(features)
            if maps:
                distance = perceptual_distance(maps, own_maps, mask)
                self._perceptual.setdefault(name, []).append(distance)

    def summary(self) -> dict[str, Any]:
        """Return the numbers of photos and features, and each method's distances.

        Raises:
            ValueError: If there are fewer than two photos.
        """
        originals = np.stack(self._originals)
        methods = {}
        for name, rows in self._completed.items():
            completed = np.stack(rows)
            methods[name] = {
                "fid": frechet_distance(originals, completed),
                "kid": kernel_distance(originals, completed),
            }
            if name in self._perceptual:
                methods[name]["perceptual"] = float(np.mean(self._perceptual[name]))
        return {"photos": len(originals), "features": originals.shape[1], "methods": methods}


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Fréchet distance of two sets of features, assuming normal distributions.

    `|m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2)`, with the sample covariances. With
    fewer photos than features the covariances are singular and the distance is biased upwards.

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

    The kernel is `(x . y / features + 1)^3`. Since it is unbiased, it may be negative for similar
    sets.

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
            f"features must be (photos, features) with the same number of features, got "
            f"{first.shape} and {second.shape}"
        )
    if min(len(first), len(second)) < 2:
        raise ValueError(f"features need two photos or more, got {len(first)} and {len(second)}")
