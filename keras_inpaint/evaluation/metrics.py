"""Metrics of completed photos.

All metrics compare 8-bit photos, original and completed, with identical known pixels. Errors are
in [0, 1]: differences of 8-bit values divided by 255. Sums of errors are computed in integers, so
that they are exact.
"""

import importlib
from types import ModuleType
from typing import NamedTuple

import numpy as np

from keras_inpaint.psnr import psnr

#: Added to gradient energies in 8-bit values, so that their ratio is defined for flat photos.
FLAT = 0.5

#: Each metric: its name, whether higher is better, its unit and its description.
METRICS = {
    "psnr_hole": (True, "dB", "peak signal-to-noise ratio over the pixels of the hole"),
    "psnr_whole": (True, "dB", "peak signal-to-noise ratio over the whole completed photo"),
    "ssim_hole": (True, "", "structural similarity, its map averaged over the hole"),
    "ssim_whole": (True, "", "structural similarity of the whole completed photo"),
    "l1_hole": (False, "%", "mean absolute error over the pixels of the hole, times 100"),
    "l1_whole": (False, "%", "mean absolute error over the whole completed photo, times 100"),
    "gradient_hole": (
        True,
        "",
        "gradient energy in the hole relative to the original's: 1 is the same amount of texture",
    ),
    "mse_hole": (False, "", "mean squared error over the pixels of the hole"),
    "mse_whole": (False, "", "squared error of the hole, averaged over the whole photo"),
}


class Interval(NamedTuple):
    """A mean and its 95 % confidence interval."""

    mean: float
    low: float
    high: float


def measure(original: np.ndarray, completed: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Measure one completed photo.

    SSIM is scikit-image's with the settings of the paper [1]: a Gaussian window with sigma 1.5,
    population covariance, computed per colour channel and averaged. `ssim_whole` excludes the 5
    px at the photo's edges, where the window is cut off; `ssim_hole` is the mean of the SSIM map
    over the hole.

    Args:
        original: Uint8 `(height, width, 3)`.
        completed: Uint8 `(height, width, 3)`, equal to the original outside the hole.
        mask: Bool `(height, width)`, True in the hole.

    Returns:
        A dict with the keys of `METRICS`.

    Raises:
        ValueError: If shapes or dtypes differ from these, the photo is smaller than 11 px, the
            mask has no hole, or the completed photo differs from the original outside the hole.

    References:
        [1] Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from
            error visibility to structural similarity", IEEE Trans. Image Process. 13(4), 2004,
            https://doi.org/10.1109/TIP.2003.819861
    """
    _check(original, completed, mask)
    difference = completed.astype(np.int64) - original.astype(np.int64)
    if difference[~mask].any():
        changed = int(np.any(difference[~mask] != 0, axis=-1).sum())
        raise ValueError(f"the completed photo differs from the original in {changed} known pixels")
    absolute, square = int(np.abs(difference).sum()), int((difference**2).sum())
    hole, whole = 3 * int(mask.sum()), difference.size
    ssim_whole, ssim_map = required("skimage.metrics").structural_similarity(
        original,
        completed,
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    mse_hole, mse_whole = (square / (255 * 255 * count) for count in (hole, whole))
    return {
        "psnr_hole": psnr(mse_hole),
        "psnr_whole": psnr(mse_whole),
        "ssim_hole": float(ssim_map[mask].mean()),
        "ssim_whole": float(ssim_whole),
        "l1_hole": 100 * absolute / (255 * hole),
        "l1_whole": 100 * absolute / (255 * whole),
        "gradient_hole": (gradient_energy(completed, mask) + FLAT)
        / (gradient_energy(original, mask) + FLAT),
        "mse_hole": mse_hole,
        "mse_whole": mse_whole,
    }


def gradient_energy(photo: np.ndarray, mask: np.ndarray) -> float:
    """Return the mean absolute gradient of the brightness in the hole, a measure of texture.

    Args:
        photo: Uint8 `(height, width, 3)`.
        mask: Bool `(height, width)`, True in the hole.

    Returns:
        Float, the mean sum of the absolute differences to the left and upper pixel, in 8-bit
        values.
    """
    grey = photo.mean(axis=-1)
    right = np.abs(np.diff(grey, axis=1, prepend=grey[:, :1]))
    down = np.abs(np.diff(grey, axis=0, prepend=grey[:1]))
    return float((right + down)[mask].mean())


def bootstrap(columns: np.ndarray, seed: int = 0, times: int = 2000) -> list[Interval]:
    """Return the mean of each column with its 95 % interval, by bootstrapping over photos.

    The resamples are the same for every call with the same number of photos, so that differences
    between methods are paired. They are drawn in blocks to limit the memory.

    Args:
        columns: Float array `(photos, columns)`.
        seed: Int, 0 or above.
        times: Int, the number of resamples.

    Returns:
        An `Interval` for each column, from the 2.5th to the 97.5th percentile of the resamples'
        means.
    """
    rng, means, count = np.random.default_rng(seed), [], len(columns)
    block = max(1, 100_000 // count)
    for start in range(0, times, block):
        chosen = rng.integers(count, size=(min(block, times - start), count))
        means.append(columns[chosen].mean(axis=1))
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5), axis=0)
    rows = np.stack([columns.mean(axis=0), low, high], axis=1)
    return [Interval(*row) for row in rows.tolist()]


def psnr_of(mse: Interval) -> Interval:
    """Return the PSNR of a mean of mean squared errors, with its interval."""
    return Interval(psnr(mse.mean), psnr(mse.high), psnr(mse.low))


def required(module: str) -> ModuleType:
    """Return a module of the extra `evaluate` by its full name.

    Raises:
        RuntimeError: If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        name = "scikit-image" if module.startswith("skimage") else "matplotlib"
        raise RuntimeError(
            f"evaluation needs {name}: pip install 'keras-inpaint[evaluate]' ({error})"
        ) from error


def _check(original: np.ndarray, completed: np.ndarray, mask: np.ndarray) -> None:
    for label, image in (("original", original), ("completed", completed)):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"{label} must be uint8 (height, width, 3), got {image.dtype} {image.shape}"
            )
    if completed.shape != original.shape or mask.shape != original.shape[:2]:
        raise ValueError(
            f"sizes differ: original {original.shape}, completed {completed.shape}, mask "
            f"{mask.shape}"
        )
    if mask.dtype != bool or not mask.any():
        raise ValueError(f"mask must be bool with a hole, got {mask.dtype}, {mask.sum()} px")
    if min(mask.shape) < 11:
        raise ValueError(f"photos must be at least 11 px for SSIM, got {original.shape}")
