"""The results of an evaluation: the figures of each photo, and their summary."""

import itertools
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from keras_inpaint.evaluation.masks import joint_hash
from keras_inpaint.evaluation.metrics import METRICS, Interval, bootstrap, psnr_of
from keras_inpaint.files import write_atomically

FORMAT = "keras-inpaint-evaluation/1"

#: Edges of the bands of hole area, as shares of the photo.
AREA_EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0)

#: The number of significant digits of figures in the report.
DIGITS = 6


@dataclass(frozen=True)
class Measured:
    """One photo of the evaluation: its name, its mask and the figures of each method."""

    name: str
    mask: str
    area: float
    figures: dict[str, dict[str, float]]
    mask_file: str | None = None


@dataclass(frozen=True)
class Case:
    """The images of one photo, uint8 `(size, size, 3)`, and the bool mask `(size, size)`."""

    kind: str
    number: int
    original: np.ndarray
    mask: np.ndarray
    completed: dict[str, np.ndarray]


@dataclass(frozen=True)
class Report:
    """The result of `keras_inpaint.evaluate`.

    Attributes:
        protocol: How the figures were measured: photos, masks, size, seed, hashes.
        models: File, sha256 and settings of each network by its name.
        baselines: The names of the baselines.
        photos: The figures of each photo.
        features: FID and KID by method, if a features network was given.
        skipped: Dict from photo to reason, for photos that could not be read.
        cases: Images of the worst, median and best photos.
        software: Versions of the packages on which the figures depend.
    """

    protocol: dict[str, Any]
    models: dict[str, dict[str, Any]]
    baselines: tuple[str, ...]
    photos: tuple[Measured, ...]
    features: dict[str, Any] | None = None
    skipped: dict[str, str] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    software: dict[str, str] = field(default_factory=dict)

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of all methods, networks first."""
        return (*self.models, *self.baselines)

    def values(self, method: str, metric: str) -> np.ndarray:
        """Return a metric of a method for each photo, float64 `(photos,)`."""
        return np.array([photo.figures[method][metric] for photo in self.photos])

    @property
    def areas(self) -> np.ndarray:
        """The holes' areas as shares of the photos, float64 `(photos,)`."""
        return np.array([photo.area for photo in self.photos])

    @cached_property
    def _summaries(self) -> dict[str, dict[str, Interval]]:
        summaries = {}
        for method in self.methods:
            intervals = self._intervals(self._matrix(method))
            for part in ("hole", "whole"):
                intervals[f"psnr_{part}_of_mean_mse"] = psnr_of(intervals[f"mse_{part}"])
            summaries[method] = intervals
        return summaries

    def _matrix(self, method: str) -> np.ndarray:
        return np.stack([self.values(method, name) for name in METRICS], axis=1)

    def _intervals(self, matrix: np.ndarray) -> dict[str, Interval]:
        return dict(zip(METRICS, bootstrap(matrix, self.protocol["seed"]), strict=True))

    def summary(self, method: str) -> dict[str, Interval]:
        """Return each metric's mean over the photos and its 95 % interval.

        `psnr_hole_of_mean_mse` and `psnr_whole_of_mean_mse` are the PSNR of the mean of the
        photos' mean squared errors, as training reports it; it is at most the mean of the PSNR.
        """
        return dict(self._summaries[method])

    def by_area(self, method: str) -> list[dict[str, Any]]:
        """Return each metric's mean and interval by bands of hole area, without empty bands.

        Returns:
            Dicts with `above` and `up_to` (shares of the photo; the band includes `up_to`),
            `photos` (their number) and the metrics.
        """
        bands, matrix, areas = [], self._matrix(method), self.areas
        for low, high in itertools.pairwise(AREA_EDGES):
            inside = (areas > low) & (areas <= high)
            if inside.any():
                about = {"above": low, "up_to": high, "photos": int(inside.sum())}
                bands.append({**about, **self._intervals(matrix[inside])})
        return bands

    def differences(self, method: str, other: str) -> dict[str, Any]:
        """Return the paired differences between a method and another.

        Returns:
            For each metric the mean of `method - other` with its interval, and in `wins` the
            share of the photos on which `method` has the higher PSNR in the hole.
        """
        gap = self._matrix(method) - self._matrix(other)
        psnr_gain = gap[:, list(METRICS).index("psnr_hole")]
        return {**self._intervals(gap), "wins": float((psnr_gain > 0).mean())}

    def best_baseline(self, metric: str = "psnr_hole") -> str | None:
        """Return the baseline with the best mean of a metric; None without baselines."""
        sign = 1 if METRICS[metric][0] else -1
        ranked = [(sign * self.values(name, metric).mean(), name) for name in self.baselines]
        return max(ranked)[1] if ranked else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the images in JSON types, floats rounded to 6 digits."""
        return _rounded(
            {
                "format": FORMAT,
                "protocol": {
                    **self.protocol,
                    "masks_sha256": joint_hash([photo.mask for photo in self.photos]),
                    "skipped": self.skipped,
                },
                "software": self.software,
                "models": self.models,
                "methods": {
                    name: {"summary": self.summary(name), "by_area": self.by_area(name)}
                    for name in self.methods
                },
                "differences": {
                    name: {
                        other: self.differences(name, other)
                        for other in self.methods
                        if other != name
                    }
                    for name in self.models
                },
                "features": self.features,
                "photos": [asdict(photo) for photo in self.photos],
            }
        )

    def to_json(self) -> str:
        """Return the report as JSON; the same figures give the same text."""
        return json.dumps(self.to_dict(), indent=1, sort_keys=True, allow_nan=False) + "\n"

    def write_json(self, file: str | os.PathLike[str]) -> None:
        """Write `to_json()` to a file atomically."""
        write_atomically(file, self.to_json().encode(), overwrite=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, Interval):
        return {key: _rounded(part) for key, part in value._asdict().items()}
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_rounded(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") + 0.0
    return value
