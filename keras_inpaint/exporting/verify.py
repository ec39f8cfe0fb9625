"""Read an exported file back and compare it with its network."""

import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from keras_inpaint.exporting.loading import load_network
from keras_inpaint.exporting.parity import Report, Run, compare_outputs, size_on_disk
from keras_inpaint.presets.tflite_metadata import count_ops, read_metadata
from keras_inpaint.processors import processors

#: Sizes at which a SavedModel is compared; the sides of the last are no multiples of 4.
SAVED_MODEL_SIZES = ((256, 256), (160, 208), (93, 131))
#: Sizes at which a TFLite file for any multiples of 4 is compared.
TFLITE_SIZES = ((256, 256), (160, 208), (96, 132))

#: Bookkeeping that says nothing about what a graph computes.
_BOOKKEEPING = frozenset(
    {"Const", "Identity", "NoOp", "Placeholder", "ReadVariableOp", "StatefulPartitionedCall"}
    | {"PartitionedCall", "_Arg", "_Retval", "StaticRegexFullMatch"}
)


def verify_saved_model(
    path: str | Path,
    network: keras.Model | str | Path,
    photos: Sequence[np.ndarray],
    sizes: Sequence[tuple[int, int]] = SAVED_MODEL_SIZES,
) -> Report:
    """Compare every signature of a SavedModel with the network that it was made from.

    Args:
        path: The SavedModel's folder.
        network: The completion network, or what leads to it.
        photos: Uint8 arrays `(height, width, 3)`.
        sizes: `(height, width)` pairs to compare at.

    Returns:
        The report.
    """
    path, network = Path(path), load_network(network)
    loaded = tf.saved_model.load(str(path))
    runs = {
        name: (_saved_model_run(loaded, name), "float32" if name == "complete_float" else "uint8")
        for name in sorted(loaded.signatures)
    }
    comparisons = [row for size in sizes for row in compare_outputs(network, runs, photos, size)]
    ops = {name: _graph_ops(function) for name, function in loaded.signatures.items()}
    return Report(path, "saved-model", "none", size_on_disk(path), tuple(comparisons), ops)


def verify_tflite(
    path: str | Path,
    network: keras.Model | str | Path,
    photos: Sequence[np.ndarray],
    sizes: Sequence[tuple[int, int]] = TFLITE_SIZES,
    threads: int | None = None,
) -> Report:
    """Compare every signature of a TFLite file with the network that it was made from.

    Args:
        path: The file.
        network: The completion network, or what leads to it.
        photos: Uint8 arrays `(height, width, 3)`.
        sizes: `(height, width)` pairs, multiples of 4, to compare a file for any size at; a
            signature for one size is compared at that size.
        threads: Int, threads of the interpreter; None takes all processors.

    Returns:
        The report.

    Raises:
        ValueError: If the file has no metadata of this package.
    """
    path, network = Path(path), load_network(network)
    model = path.read_bytes()
    metadata = read_metadata(model)
    interpreter = Interpreter(model_content=model, num_threads=threads or processors())
    comparisons = []
    for name, size in metadata["signatures"].items():
        runs = {name: (_litert_run(interpreter, name), "float32")}
        own = [(size["height"], size["width"])] if size["height"] else sizes
        comparisons += [row for size in own for row in compare_outputs(network, runs, photos, size)]
    quantization = metadata["quantization"]
    return Report(path, "tflite", quantization, len(model), tuple(comparisons), count_ops(model))


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
    # Kept, so that what is timed is the model's call and not the making of its request.
    return tf.io.encode_png(np.frombuffer(pixels, np.uint8).reshape(shape))[None]


def _litert_run(interpreter: Interpreter, name: str) -> Run:
    runner = interpreter.get_signature_runner(name)
    return lambda image, mask: runner(image=image, mask=mask)["completed"]


def _graph_ops(function: tf.types.experimental.ConcreteFunction) -> Counter[str]:
    """Count the ops of a graph and of the functions that it calls."""
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
