"""Run an exported TFLite file with LiteRT, without TensorFlow."""

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from keras_inpaint.files import first_line
from keras_inpaint.inference.litert_parts import SIGNATURE, Parts, cut_in_two
from keras_inpaint.inference.runtime import Runtime, as_float
from keras_inpaint.inference.tiles import Box, tightened
from keras_inpaint.networks.receptive_field import SIZE_MULTIPLE, ReceptiveField
from keras_inpaint.presets.cards import card_beside
from keras_inpaint.presets.tflite_metadata import read_metadata
from keras_inpaint.processors import processors

logger = logging.getLogger(__name__)


class LiteRTRuntime(Runtime):
    """Runs the signatures of a `.tflite` file, one for any size or one for each fixed size.

    A file for any size is run in two parts, the second of which is computed only in the holes and
    its receptive field around them, see `litert_parts`; the result is the same.

    Args:
        model: Path of the file. It is described by the metadata written on export; without
            metadata, sizes and names are read from its signatures.
        threads: Int, the number of processor threads; None uses all that are available to this
            process.

    Raises:
        ValueError: If the file cannot be read, or does not hold a completion network.
    """

    name = "litert"

    def __init__(self, model: Path, threads: int | None = None) -> None:
        self._path = Path(model)
        metadata = _metadata(self._path)
        threads = threads or processors()
        try:
            interpreter = Interpreter(model_path=str(self._path), num_threads=threads)
            interpreter.allocate_tensors()  # fails here, not at the first photo
            signatures = interpreter.get_signature_list()
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"{self._path} is not a TFLite file that can be read: {first_line(error)}"
            ) from error
        runners = [
            interpreter.get_signature_runner(name)
            for name, tensors in signatures.items()
            if set(tensors["inputs"]) == {"image", "mask"} and len(tensors["outputs"]) == 1
        ]
        self._runners: dict[tuple[int, int] | None, Any] = {_size(each): each for each in runners}
        if not self._runners:
            raise ValueError(
                f"{self._path} is not a completion network: none of its signatures "
                f"{list(signatures)} takes image and mask and returns one image"
            )
        if parts := cut_in_two(self._path.read_bytes()):
            self._runners = {None: _Parts(parts, threads)}
        self._lock = threading.Lock()
        # A file with a signature for any size takes any size, besides its fixed sizes.
        self.fixed_sizes = () if None in self._runners else tuple(sorted(self._runners))
        self.card = {**metadata, **card_beside(self._path)}
        self.reach = ReceptiveField.of_card(metadata)
        pixel = metadata.get("mean_pixel")
        self.mean_pixel = tuple(map(float, pixel)) if pixel else None

    def generate(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        size = image.shape[1:3]
        runner = self._runners.get(size) or self._runners.get(None)
        if runner is None:
            raise ValueError(f"{self._path} takes sizes {self.fixed_sizes} only, got {size}")
        with self._lock:  # an interpreter computes one image at a time
            return np.concatenate(
                [self._one(runner, image[i : i + 1], mask[i : i + 1]) for i in range(len(image))]
            )

    def _one(self, runner: Any, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if isinstance(runner, _Parts):
            return runner.generate(image, mask)
        details = runner.get_input_details()
        (completed,) = runner(
            image=_encoded(as_float(image), details["image"]),
            mask=_encoded(mask[..., None].astype(np.float32), details["mask"]),
        ).values()
        if completed.shape != image.shape:
            raise RuntimeError(
                f"{self._path} returned {completed.shape} for an image of {image.shape}: it was "
                f"exported for a fixed size, but its signature says any size"
            )
        (detail,) = runner.get_output_details().values()
        return _decoded(completed, detail)


class _Parts:
    """Runs a network that was split in two.

    Args:
        parts: See `cut_in_two`.
        threads: Int, processor threads.
    """

    def __init__(self, parts: Parts, threads: int) -> None:
        self._interpreters = [
            Interpreter(model_content=part, num_threads=threads)
            for part in (parts.head, parts.tail)
        ]
        self._head, self._tail = (
            interpreter.get_signature_runner(SIGNATURE) for interpreter in self._interpreters
        )
        self._margin = parts.margin

    def generate(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the result of `Runtime.generate` for a batch of one; 0 far from the holes."""
        generated = np.zeros(image.shape, np.float32)
        size = mask.shape[1:]
        holes = tightened(mask[0], Box(0, 0, *size))
        if holes is None:
            return generated
        near = holes.aligned().expanded(self._margin, size)
        rows, columns = Box(*(side // SIZE_MULTIPLE for side in near)).slices
        masks = mask[..., None].astype(np.float32)
        features = self._head(image=as_float(image), mask=masks)["features"]
        part = self._tail(features=features[:, rows, columns])["generated"]
        generated[0][near.slices] = part[0]
        return generated


def _size(runner: Any) -> tuple[int, int] | None:
    """Return the height and width that a signature takes; None if it takes any."""
    image = runner.get_input_details()["image"]
    _, height, width, _ = image.get("shape_signature", image["shape"])
    return None if height < 0 or width < 0 else (int(height), int(width))


def _metadata(path: Path) -> dict[str, Any]:
    try:
        return read_metadata(path)
    except FileNotFoundError as error:
        raise ValueError(f"no model {path}: no such file") from error
    except ValueError as error:
        if "carries no" not in str(error):
            raise
        logger.warning("%s: assuming the receptive field of the paper's network", error)
        return {}


def _encoded(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    """Return floats in [0, 1] in the dtype and quantisation of an input."""
    dtype = detail["dtype"]
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype)
    scale, zero = detail["quantization"]
    if not scale:
        scale, zero = 1 / 255, 0
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values / scale) + zero, limits.min, limits.max).astype(dtype)


def _decoded(values: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    if np.issubdtype(values.dtype, np.floating):
        return values.astype(np.float32)
    scale, zero = detail["quantization"]
    if not scale:
        scale, zero = 1 / 255, 0
    return ((values.astype(np.float32) - zero) * scale).astype(np.float32)
