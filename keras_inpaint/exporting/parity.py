"""Check the parity of an export with its network: read it back and compare them on photos."""

import functools
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from keras_inpaint.exporting.calibration import masked_photos
from keras_inpaint.exporting.network import load_network
from keras_inpaint.exporting.onnx import require_onnx
from keras_inpaint.networks.completion import SIZE_MULTIPLE
from keras_inpaint.presets.tflite_metadata import FILE_IDENTIFIER, count_ops, read_metadata
from keras_inpaint.processors import processors
from keras_inpaint.psnr import psnr

#: Sizes at which a SavedModel is compared; the sides of the last are not multiples of 4.
SAVED_MODEL_SIZES = ((256, 256), (160, 208), (93, 131))
#: Sizes at which a file for any multiples of 4 is compared.
FILE_SIZES = ((256, 256), (160, 208), (96, 132))

#: Timed calls of a signature, after one that is not counted.
_TIMED_CALLS = 5

#: Ops that compute nothing.
_BOOKKEEPING = frozenset(
    {"Const", "Identity", "NoOp", "Placeholder", "ReadVariableOp", "StatefulPartitionedCall"}
    | {"PartitionedCall", "_Arg", "_Retval", "StaticRegexFullMatch"}
)

#: From image `(1, height, width, 3)` and mask `(1, height, width, 1)`, float32 or uint8, to the
#: completed image.
Run = Callable[[np.ndarray, np.ndarray], np.ndarray]


class ParityError(RuntimeError):
    """The outputs of an export and of its network differ too much."""


@dataclass(frozen=True)
class Comparison:
    """One signature at one size, compared with the network.

    Attributes:
        signature: String.
        height: Int, pixels.
        width: Int, pixels.
        photos: Int, the number of photos compared.
        psnr: Float, dB over all hole pixels relative to Keras; infinite if identical.
        largest_error: Float, largest difference in the holes, of values in [0, 1].
        known_pixels_kept: Bool, whether the pixels outside the holes are bit-identical.
        milliseconds: Float, median time of a call for one photo on this machine.
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
        ops: Dict from signature to its number of each op.
    """

    path: Path
    format: str
    quantization: str
    size_on_disk: int
    comparisons: tuple[Comparison, ...]
    ops: Mapping[str, Mapping[str, int]]

    def as_dict(self) -> dict[str, Any]:
        """Return the report in JSON types; an infinite PSNR becomes None."""
        comparisons = [asdict(comparison) for comparison in self.comparisons]
        for entry in comparisons:
            entry["psnr"] = None if math.isinf(entry["psnr"]) else entry["psnr"]
        ops = {name: dict(sorted(counts.items())) for name, counts in self.ops.items()}
        return {**vars(self), "path": str(self.path), "comparisons": comparisons, "ops": ops}


def verify(
    path: str | Path,
    network: keras.Model | str | Path,
    photos: Sequence[np.ndarray],
    sizes: Sequence[tuple[int, int]] | None = None,
) -> Report:
    """Read an export back and compare every signature with the exported network.

    Args:
        path: A SavedModel's folder, a TFLite file or an ONNX file.
        network: The completion network, its path or its preset's name.
        photos: Uint8 arrays `(height, width, 3)`.
        sizes: `(height, width)` pairs to compare at, multiples of 4 except for a SavedModel; None
            is `SAVED_MODEL_SIZES` or `FILE_SIZES`. A signature for one size is compared at this
            size.

    Returns:
        The report.

    Raises:
        ValueError: If a TFLite file has no metadata of this package.
        ModuleNotFoundError: If the extra `onnx`, which an ONNX file needs, is not installed.
    """
    path, network = Path(path), load_network(network)
    if path.is_dir():
        export = _read_saved_model(path)
    else:
        content = path.read_bytes()
        is_tflite = content[4:8] == FILE_IDENTIFIER
        export = _read_tflite(content) if is_tflite else _read_onnx(content)
    sizes = sizes or (SAVED_MODEL_SIZES if path.is_dir() else FILE_SIZES)
    comparisons = []
    for runs, own_size in export.runs:
        for size in [own_size] if own_size else sizes:
            comparisons += compare_outputs(network, runs, photos, size)
    return Report(
        path,
        export.format,
        export.quantization,
        size_on_disk(path),
        tuple(comparisons),
        export.ops,
    )


def check_parity(report: Report, min_psnr: float | None = None) -> None:
    """Raise an error if an export differs too much from its network.

    Args:
        report: A report.
        min_psnr: Float, the smallest allowed PSNR to Keras in dB; None sets no limit.

    Raises:
        ParityError: If a known pixel changed, a value is not finite, a float32 export differs by
            more than one level of 255, or the PSNR is below `min_psnr`. The message names
            signature, size and value.
    """
    for comparison in report.comparisons:
        where = f"{comparison.signature} at {comparison.height}x{comparison.width}"
        if not comparison.known_pixels_kept:
            raise ParityError(f"{where} changes pixels outside the hole")
        if not math.isfinite(comparison.largest_error):
            raise ParityError(f"{where} returns values that are not finite")
        if report.quantization == "none" and comparison.largest_error > 1 / 255 + 1e-6:
            raise ParityError(
                f"{where} differs from Keras by {comparison.largest_error * 255:.2f} levels of 255"
            )
        if min_psnr is not None and comparison.psnr < min_psnr:
            raise ParityError(
                f"{where} has a PSNR to Keras of {comparison.psnr:.2f} dB, below {min_psnr:g} dB"
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
        runs: Dict from a signature's name to the function that runs it and its input dtype,
            `"uint8"` or `"float32"`.
        photos: Uint8 arrays `(height, width, 3)`; each is cropped to `size` and gets one hole.
        size: `(height, width)` in pixels.
        seed: Int, the seed of the holes.

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
            expected = np.rint(generated * 255) / 255 if dtype == "uint8" else generated
            scale = 255 if dtype == "uint8" else 1
            error = np.abs(completed[hole] / np.float64(scale) - expected[hole])
            kept = kept and bool(np.array_equal(completed[~hole], image[0][~hole]))
            squares, count = squares + float(np.square(error).sum()), count + error.size
            # Unlike `max`, this keeps NaN.
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


class _Export(NamedTuple):
    """An export that was read back; each of its runs has a fixed size, or None for any size."""

    format: str
    runs: list[tuple[Mapping[str, tuple[Run, str]], tuple[int, int] | None]]
    ops: Mapping[str, Mapping[str, int]]
    quantization: str = "none"


def _read_saved_model(path: Path) -> _Export:
    loaded = tf.saved_model.load(str(path))
    runs = {
        name: (_saved_model_run(loaded, name), "float32" if name == "complete_float" else "uint8")
        for name in sorted(loaded.signatures)
    }
    ops = {name: _graph_ops(function) for name, function in loaded.signatures.items()}
    return _Export("saved-model", [(runs, None)], ops)


def _read_tflite(content: bytes) -> _Export:
    metadata = read_metadata(content)
    interpreter = Interpreter(model_content=content, num_threads=processors())
    runs = []
    for name, size in metadata["signatures"].items():
        own_size = (size["height"], size["width"]) if size["height"] else None
        runs.append(({name: (_litert_run(interpreter, name), "float32")}, own_size))
    return _Export("tflite", runs, count_ops(content), metadata["quantization"])


def _read_onnx(content: bytes) -> _Export:
    require_onnx()
    import onnx
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return session.run(["completed"], {"image": image, "mask": mask})[0]

    ops = Counter(node.op_type for node in onnx.load_from_string(content).graph.node)
    return _Export("onnx", [({"complete": (run, "float32")}, None)], {"complete": ops})


def _saved_model_run(loaded: tf.Module, name: str) -> Run:
    function = loaded.signatures[name]

    def run(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if name != "complete_bytes":
            return function(image=tf.constant(image), mask=tf.constant(mask))["completed"].numpy()
        files = {"image": _as_png(image), "mask": _as_png(mask * 255)}
        completed = function(**files)["completed_bytes"]
        return tf.io.decode_png(completed[0], channels=3).numpy()[None]

    return run


def _as_png(image: np.ndarray) -> tf.Tensor:
    return _encode(image.tobytes(), image.shape[1:])


@functools.lru_cache(maxsize=4)
def _encode(pixels: bytes, shape: tuple[int, int, int]) -> tf.Tensor:
    # Cached, so that only the model's call is timed, not the encoding of its request.
    return tf.io.encode_png(np.frombuffer(pixels, np.uint8).reshape(shape))[None]


def _litert_run(interpreter: Interpreter, name: str) -> Run:
    runner = interpreter.get_signature_runner(name)
    return lambda image, mask: runner(image=image, mask=mask)["completed"]


def _graph_ops(function: tf.types.experimental.ConcreteFunction) -> Counter[str]:
    """Return the number of each op in a graph and the functions that it calls."""
    graph = function.graph.as_graph_def()
    library = {entry.signature.name: entry for entry in graph.library.function}
    ops: Counter[str] = Counter()
    nodes, seen = list(graph.node), set()
    while nodes:
        node = nodes.pop()
        if node.op not in _BOOKKEEPING:
            ops[node.op] += 1
        for attribute in node.attr.values():
            called = [attribute.func, *attribute.list.func]
            for name in {entry.name for entry in called if entry.name} - seen:
                seen.add(name)
                nodes.extend(library[name].node_def)
    return ops


def _reference(
    network: keras.Model, pairs: Sequence[tuple[np.ndarray, np.ndarray]]
) -> tuple[list[np.ndarray], float]:
    """Return the network's outputs, float64 `(height, width, 3)`, and its milliseconds."""

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
    milliseconds = []
    for _ in range(_TIMED_CALLS):
        start = time.perf_counter()
        call()
        milliseconds.append((time.perf_counter() - start) * 1000)
    return median(milliseconds)


def size_on_disk(path: Path) -> int:
    """Return the size in bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
