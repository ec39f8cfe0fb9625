"""One interface for Keras, SavedModel and TFLite models.

    >>> runtime = load_runtime("faces")
    >>> generated = runtime.generate(image, mask)

Choosing and loading a TFLite file does not import TensorFlow.
"""

import abc
import importlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from keras_inpaint import presets
from keras_inpaint.networks.receptive_field import ReceptiveField

logger = logging.getLogger(__name__)

#: The valid runtimes; `auto` is TFLite if the model has a TFLite file for any size, else Keras.
RUNTIMES = ("auto", "keras", "saved-model", "litert")

_CLASSES = {
    "keras": ("keras_runtime", "KerasRuntime"),
    "saved-model": ("saved_model_runtime", "SavedModelRuntime"),
    "litert": ("litert_runtime", "LiteRTRuntime"),
}
#: How much older a TFLite file may be than the network beside it if both were installed together.
#: An older one was exported before the network was trained further.
_SECONDS_OLDER = 60.0


class Runtime(abc.ABC):
    """Base class of the runtimes that compute a completion network.

    Attributes:
        name: String, one of `RUNTIMES` except `auto`.
        reach: The network's receptive field.
        mean_pixel: Three floats in [0, 1] that the network fills holes with; None if unknown.
        fixed_sizes: `(height, width)` pairs, the only sizes that `generate` takes; empty if it
            takes all multiples of 4.
        card: Contents of the model's card, or of the configuration of its run; empty if unknown.
    """

    name: str
    reach: ReceptiveField
    mean_pixel: tuple[float, float, float] | None = None
    fixed_sizes: tuple[tuple[int, int], ...] = ()
    card: Mapping[str, Any] = MappingProxyType({})

    @abc.abstractmethod
    def generate(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the network's output.

        Args:
            image: Uint8 `(batch, height, width, 3)`, sides multiples of 4, of a fixed size if
                there are any. Its values in the holes are ignored.
            mask: Bool `(batch, height, width)`, true in the hole.

        Returns:
            Float32 `(batch, height, width, 3)` in [0, 1]; meaningful in the holes only.
        """


def load_runtime(model: Any = None, runtime: str = "auto", threads: int | None = None) -> Runtime:
    """Load a completion network.

    Args:
        model: A preset's name, the path of a `.keras` or `.tflite` file, of a SavedModel folder
            or of a run's folder, or a `keras.Model`. None is the default preset.
        runtime: String, one of `RUNTIMES`. `auto` is LiteRT for a `.tflite` file, and for a
            preset or folder that holds one for any size that is not older than its network;
            otherwise Keras or SavedModel.
        threads: Int, the number of processor threads; None leaves it to the runtime.

    Returns:
        A `Runtime`.

    Raises:
        ValueError: If the model does not exist, or has no file for the requested runtime.
        TypeError: If `model` is of another type.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime must be one of {RUNTIMES}, got {runtime!r}")
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads must be an integer above 0, got {threads!r}")
    if isinstance(model, Runtime):
        return model
    if model is not None and not isinstance(model, str | os.PathLike):
        if not hasattr(model, "get_layer"):
            raise TypeError(
                f"model must be a preset's name, a path or a keras.Model, got {model!r}"
            )
        if runtime not in ("auto", "keras"):
            raise ValueError(f"a network in memory runs on keras, not on {runtime}")
        return _loaded("keras", model, threads)
    if runtime == "auto":
        return _automatic(model, threads)
    path = presets.resolve(model, prefer=".tflite" if runtime == "litert" else ".keras")
    if _kind_of(path) != runtime:
        raise ValueError(f"{path} cannot run on {runtime}: it runs on {_kind_of(path)}")
    return _loaded(runtime, path, threads)


def _automatic(model: Any, threads: int | None) -> Runtime:
    path = presets.resolve(model, prefer=".keras")
    lite = presets.resolve(model, prefer=".tflite")
    if lite == path or _is_older(lite, path):
        return _loaded(_kind_of(path), path, threads)
    candidate = _loaded("litert", lite, threads)
    if candidate.fixed_sizes:
        logger.info("%s takes fixed sizes only: using %s", lite, path)
        return _loaded(_kind_of(path), path, threads)
    return candidate


def _is_older(lite: Path, path: Path) -> bool:
    older = path.stat().st_mtime - lite.stat().st_mtime > _SECONDS_OLDER
    if older:
        logger.warning("%s is older than %s and is not used; export it again", lite, path)
    return older


def _kind_of(path: Path) -> str:
    if path.is_dir():
        return "saved-model"
    return "litert" if path.suffix.lower() == ".tflite" else "keras"


def _loaded(kind: str, model: Any, threads: int | None) -> Runtime:
    module, name = _CLASSES[kind]
    runtime = getattr(importlib.import_module(f"{__package__}.{module}"), name)(model, threads)
    logger.info("completing with %s on %s", model if isinstance(model, Path) else "Keras", kind)
    return runtime


def as_float(image: np.ndarray) -> np.ndarray:
    """Return uint8 values as float32 in [0, 1], the same in every runtime."""
    return np.divide(image, np.float32(255), dtype=np.float32)


def as_bytes(values: np.ndarray) -> np.ndarray:
    """Return floats in [0, 1] as uint8, rounded half to even."""
    return np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
