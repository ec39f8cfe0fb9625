"""Whether an export still does what the network does: read back, run on photos, compared."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np

from keras_inpaint.exporting.calibration import masked_photos
from keras_inpaint.networks.completion import SIZE_MULTIPLE
from keras_inpaint.psnr import psnr

#: Timed calls of a signature, after one that is not counted.
_TIMED_CALLS = 5

#: From float32 image `(1, height, width, 3)` and mask `(1, height, width, 1)`, or bytes of the
#: same shapes, to what the signature calls completed.
Run = Callable[[np.ndarray, np.ndarray], np.ndarray]


class ParityError(RuntimeError):
    """An export does not do what the network does."""


@dataclass(frozen=True)
class Comparison:
    """One signature at one size, compared with the network.

    Attributes:
        signature: String.
        height: Int, pixels.
        width: Int, pixels.
        photos: Int, how many photos were compared.
        psnr: Float, dB over all pixels of the holes against Keras; infinite where identical.
        largest_error: Float, largest difference in the holes, on the scale of [0, 1].
        known_pixels_kept: Bool, whether the pixels outside the holes came back bit for bit.
        milliseconds: Float, the median call for one photo on this machine.
        keras_milliseconds: Float, the same for the network in Keras.
    """

    signature: str
    height: int
    width: int
    photos: int
    psnr: float
    largest_error: float
    known_pixels_kept: bool
    milliseconds: float
    keras_milliseconds: float


@dataclass(frozen=True)
class Report:
    """An export, compared with its network.

    Attributes:
        path: The file or folder.
        format: `"saved-model"`, `"tflite"` or `"onnx"`.
        quantization: String, as in `keras_inpaint.exporting.tflite.QUANTIZATIONS`.
        size_on_disk: Int, bytes.
        comparisons: Tuple of `Comparison`.
        ops: Dict from signature to how often it holds each op.
    """

    path: Path
    format: str
    quantization: str
    size_on_disk: int
    comparisons: tuple[Comparison, ...]
    ops: Mapping[str, Mapping[str, int]]

    @property
    def psnr(self) -> float:
        """The worst PSNR of all comparisons, in dB."""
        return min(comparison.psnr for comparison in self.comparisons)

    def as_dict(self) -> dict[str, Any]:
        """Return the report in JSON types; an infinite PSNR becomes None."""
        comparisons = [asdict(comparison) for comparison in self.comparisons]
        for entry in comparisons:
            entry["psnr"] = None if math.isinf(entry["psnr"]) else entry["psnr"]
        return {
            "path": str(self.path),
            "format": self.format,
            "quantization": self.quantization,
            "size_on_disk": self.size_on_disk,
            "comparisons": comparisons,
            "ops": {name: dict(sorted(ops.items())) for name, ops in self.ops.items()},
        }


def check_parity(report: Report, min_psnr: float | None = None) -> None:
    """Check that an export is as good as it has to be.

    Args:
        report: A report.
        min_psnr: Float, the least PSNR to Keras in dB; None asks for none.

    Raises:
        ParityError: If a known pixel changed, a float32 export is more than one level of 255
            off, or the PSNR is below `min_psnr`. The message names signature, size and value.
    """
    for found in report.comparisons:
        where = f"{found.signature} at {found.height}x{found.width}"
        if not found.known_pixels_kept:
            raise ParityError(f"{where} changes pixels outside the hole")
        if not math.isfinite(found.largest_error):
            raise ParityError(f"{where} gives values that are no numbers")
        if report.quantization == "none" and found.largest_error > 1 / 255 + 1e-6:
            raise ParityError(
                f"{where} differs from Keras by {found.largest_error * 255:.2f} levels of 255"
            )
        if min_psnr is not None and found.psnr < min_psnr:
            raise ParityError(
                f"{where} has a PSNR to Keras of {found.psnr:.2f} dB, below {min_psnr:g} dB"
            )


def compare_outputs(
    network: keras.Model,
    runs: Mapping[str, tuple[Run, str]],
    photos: Sequence[np.ndarray],
    size: tuple[int, int],
    seed: int = 1,
) -> list[Comparison]:
    """Compare signatures with the network at one size.

    Args:
        network: The float32 completion network.
        runs: From the signature's name to how it is run and the dtype it takes, `"uint8"` or
            `"float32"`.
        photos: Uint8 arrays `(height, width, 3)` of any sizes; each is cut to `size` and gets
            one hole.
        size: `(height, width)` in pixels.
        seed: Int, where the holes come from.

    Returns:
        A `Comparison` for each run.
    """
    pairs = list(masked_photos(photos, size, len(photos), seed))
    references, keras_milliseconds = _reference(network, pairs)
    comparisons = []
    for name, (run, dtype) in runs.items():
        squares, count, largest, kept = 0.0, 0, 0.0, True
        for (photo, hole), generated in zip(pairs, references, strict=True):
            image, mask = _inputs(photo, hole, dtype)
            completed = run(image, mask)[0]
            wanted = np.rint(generated * 255) / 255 if dtype == "uint8" else generated
            scale = 255 if dtype == "uint8" else 1
            error = np.abs(completed[hole] / np.float64(scale) - wanted[hole])
            kept = kept and bool(np.array_equal(completed[~hole], image[0][~hole]))
            squares, count = squares + float(np.square(error).sum()), count + error.size
            # Not `max`: a value that is not a number has to stay.
            largest = float(np.maximum(largest, error.max()))
        mean = squares / count
        comparisons.append(
            Comparison(
                signature=name,
                height=size[0],
                width=size[1],
                photos=len(pairs),
                psnr=psnr(mean, limit=math.inf),
                largest_error=largest,
                known_pixels_kept=kept,
                milliseconds=_time(lambda run=run, dtype=dtype: run(*_inputs(*pairs[0], dtype))),
                keras_milliseconds=keras_milliseconds,
            )
        )
    return comparisons


def _reference(
    network: keras.Model, pairs: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[list[np.ndarray], float]:
    """Return the network's own pixels, float64 `(height, width, 3)`, and its milliseconds."""

    def run(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
        height, width = hole.shape
        image, mask = _inputs(photo, hole, "float32")
        border = ((0, 0), (0, -height % SIZE_MULTIPLE), (0, -width % SIZE_MULTIPLE), (0, 0))
        image, mask = (np.pad(values, border, mode="reflect") for values in (image, mask))
        generated = network.predict_on_batch({"image": image, "mask": mask})
        return generated[0, :height, :width].astype(np.float64)

    return [run(*pair) for pair in pairs], _time(lambda: run(*pairs[0]))


def _inputs(photo: np.ndarray, hole: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    image, mask = photo[None], hole[None, ..., None].astype(np.uint8)
    if dtype == "uint8":
        return image, mask
    return image.astype(np.float32) / np.float32(255), mask.astype(np.float32)


def _time(call: Callable[[], Any]) -> float:
    call()
    took = []
    for _ in range(_TIMED_CALLS):
        start = time.perf_counter()
        call()
        took.append((time.perf_counter() - start) * 1000)
    return median(took)


def size_on_disk(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
