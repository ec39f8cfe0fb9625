"""Benchmark completing one image of 256, 512 and 1024 px: Keras, SavedModel, TFLite, PyTorch."""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.timing import Case
from benchmarks.training import BF16_PEAK, F32_PEAK, gflop_of

SIZES = (256, 512, 1024)


def cases(arguments: argparse.Namespace) -> list[Case]:
    """Return a case for every runtime and size, the whole network on the whole image."""
    import keras_inpaint as ki
    from keras_inpaint.inference.runtime import load_runtime

    folder = Path(tempfile.mkdtemp(prefix="keras-inpaint-bench-"))
    network = ki.build_completion_network(arguments.width)
    network.save(folder / "completion.keras")
    ki.export_saved_model(network, folder / "saved", warmup=False)
    ki.export_tflite(network, folder / "float32.tflite", sizes=None)
    runtimes = {
        "Keras": load_runtime(folder / "completion.keras", "keras"),
        "SavedModel": load_runtime(folder / "saved", "saved-model"),
        "TFLite float32": load_runtime(folder / "float32.tflite", "litert"),
    }
    result = []
    for size in SIZES:
        gflop = gflop_of(network, size)
        image = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), "uint8")
        mask = np.zeros((1, size, size), bool)
        mask[:, size // 3 : size // 2, size // 3 : size // 2] = True
        for label, runtime in runtimes.items():
            result.append(
                Case(
                    f"{label}, {size} px",
                    lambda r=runtime, i=image, m=mask: r.generate(i, m),
                    gflop,
                    F32_PEAK,
                )
            )
        result += _int8(folder, network, size, image, mask, gflop)
        result += _torch(size, arguments.width, gflop)
    return result


def _int8(folder, network, size, image, mask, gflop) -> list[Case]:
    if size > 512:
        return []
    import keras_inpaint as ki
    from keras_inpaint.inference.runtime import load_runtime

    path = folder / f"int8_{size}.tflite"
    ki.export_tflite(network, path, quantize="int8", sizes=((size, size),))
    runtime = load_runtime(path, "litert")
    return [Case(f"TFLite int8, {size} px", lambda: runtime.generate(image, mask), gflop)]


def _torch(size: int, width: float, gflop: float) -> list[Case]:
    try:
        from benchmarks.torch_network import completing
    except ImportError:
        return []
    return [
        Case(f"PyTorch float32, {size} px", completing(size, width, False), gflop, F32_PEAK),
        Case(f"PyTorch bfloat16, {size} px", completing(size, width, True), gflop, BF16_PEAK),
    ]
