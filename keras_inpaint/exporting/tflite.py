"""A completion network as a TFLite file, for phones, browsers and small computers."""

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_inpaint.exporting.calibration import masked_photos, read_photos, sample_photos
from keras_inpaint.exporting.loading import load_network
from keras_inpaint.exporting.model_card import versions, weights_sha256
from keras_inpaint.exporting.tflite_metadata import METADATA_FORMAT, count_ops, with_metadata
from keras_inpaint.networks.completion import SIZE_MULTIPLE, check_image_size, mean_pixel_of
from keras_inpaint.networks.geometry import network_reach

logger = logging.getLogger(__name__)

#: How the weights and the arithmetic may be quantised.
QUANTIZATIONS = ("none", "float16", "dynamic", "int8")
#: The signature of a file that takes any size.
DYNAMIC_SIGNATURE = "complete"
#: Ops that stay float32 under full int8: filling the hole and pasting the known pixels.
FLOAT_OPS = ("ADD", "CONCATENATION", "MUL", "SUB")
#: Ops that an export may hold; all are builtin, and none rearranges space and batch.
ALLOWED_OPS = frozenset(
    {"CONV_2D", "TRANSPOSE_CONV", "LOGISTIC", "QUANTIZE", "DEQUANTIZE", *FLOAT_OPS}
)
#: Ops that only the file for any size may hold: they compute the transposed convolutions' size.
ALLOWED_DYNAMIC_OPS = ALLOWED_OPS | {"SHAPE", "STRIDED_SLICE", "PACK"}


def signature_name(size: tuple[int, int] | None) -> str:
    """Return the name of the signature for a size: `complete_256x256`, or `complete`."""
    return DYNAMIC_SIGNATURE if size is None else f"complete_{size[0]}x{size[1]}"


def export_tflite(
    network: keras.Model | str | Path,
    path: str | Path,
    *,
    quantize: str = "none",
    sizes: Sequence[tuple[int, int]] | None = ((256, 256),),
    calibration: str | Path | Sequence[np.ndarray] | None = None,
    calibration_count: int = 64,
    name: str | None = None,
    check: Callable[[Path], None] | None = None,
) -> Path:
    """Write a completion network as one TFLite file.

    Each signature takes `image`, float32 `(1, height, width, 3)` in [0, 1], and `mask`,
    float32 `(1, height, width, 1)`, 1 in the hole and 0 elsewhere, nothing between, and gives
    `completed`, float32 `(1, height, width, 3)`: the known pixels of `image`, bit for bit, and
    the network's in the hole. The order of the inputs in the file is the converter's: address
    them by name.

    Example:

    >>> export_tflite("runs/faces", "faces.tflite", quantize="int8", calibration="photos/")

    Args:
        network: A completion network, the path of a `.keras` file or run folder, or a preset's
            name.
        path: Path of the file to write. An existing file is replaced when all is done.
        quantize: String. `"none"` is float32; `"float16"` halves the file; `"dynamic"` keeps
            the weights in 8 bits; `"int8"` also computes in 8 bits, all but filling the hole
            and pasting the known pixels.
        sizes: `(height, width)` pairs, multiples of 4, one signature `complete_HxW` each, which
            share the weights; None writes one signature `complete` for any multiples of 4.
        calibration: Folder of photos, or uint8 arrays `(height, width, 3)`, that `"int8"`
            measures its ranges on. None takes drawn sample portraits, with a warning.
        calibration_count: Int, photos to calibrate on at each size.
        name: String, what the model is called in its metadata; None takes the file's stem.
        check: Called with the path of the finished file before it gets its final name; what it
            raises is raised, and nothing is left behind.

    Returns:
        The path of the file.

    Raises:
        FileNotFoundError: If there is no such network or folder of photos.
        ValueError: If an argument is out of its range.
        RuntimeError: If the converter wrote ops that a consumer may lack.
    """
    if quantize not in QUANTIZATIONS:
        raise ValueError(f"quantize must be one of {QUANTIZATIONS}, got {quantize!r}")
    if sizes is None and quantize in ("dynamic", "int8"):
        raise ValueError(
            f"a file for any size is float32 or float16, got quantize={quantize!r}: give sizes"
        )
    if sizes is not None and not sizes:
        raise ValueError("sizes must hold at least one (height, width), or be None for any size")
    if calibration_count < 1:
        raise ValueError(f"calibration_count must be at least 1, got {calibration_count}")
    path = Path(path)
    slots = [None] if sizes is None else [check_image_size(tuple(size)) for size in sizes]
    network = load_network(network)
    photos = calibration_photos(calibration, calibration_count) if quantize == "int8" else []
    model = _convert(network, slots, quantize, photos, calibration_count)
    check_ops(model)
    metadata = describe(network, slots, quantize, name or path.stem)
    model = with_metadata(model, metadata, f"{metadata['name']}: GLCIC image completion")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.stem}-{os.getpid()}.tflite")
    try:
        draft.write_bytes(model)
        if check is not None:
            check(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def describe(
    network: keras.Model, sizes: Sequence[tuple[int, int] | None], quantize: str, name: str
) -> dict[str, Any]:
    """Return the metadata that travels inside the file.

    Args:
        network: The float32 completion network.
        sizes: `(height, width)` pairs, or None for any size.
        quantize: String, one of `QUANTIZATIONS`.
        name: String, what the model is called.

    Returns:
        Dict of JSON types; `signatures` maps each signature's name to its height and width in
        pixels (None: any multiple of `size_multiple`).
    """
    reach = network_reach(network)
    image = {"dtype": "float32", "range": [0.0, 1.0], "layout": "NHWC", "channels": "RGB"}
    return {
        "format": METADATA_FORMAT,
        "name": name,
        "task": "image completion",
        "signatures": {
            signature_name(size): dict(zip(("height", "width"), size or (None, None), strict=True))
            for size in sizes
        },
        "inputs": {
            "image": image,
            "mask": {"dtype": "float32", "layout": "NHWC", "hole": 1.0, "known": 0.0},
        },
        "outputs": {"completed": image},
        "size_multiple": SIZE_MULTIPLE,
        "mean_pixel": list(mean_pixel_of(network)),
        "reach": {"before": reach.before, "after": reach.after},
        "quantization": quantize,
        "weights_sha256": weights_sha256(network),
        "versions": versions(),
    }


def check_ops(model: bytes) -> None:
    """Check that a TFLite file holds only ops that every consumer has.

    Args:
        model: Contents of a `.tflite` file.

    Raises:
        RuntimeError: If it holds another op; the message names it.
    """
    for name, ops in count_ops(model).items():
        allowed = ALLOWED_DYNAMIC_OPS if name == DYNAMIC_SIGNATURE else ALLOWED_OPS
        if strange := sorted(set(ops) - allowed):
            raise RuntimeError(
                f"signature {name} holds {', '.join(strange)}, which not every runtime of "
                f"TFLite has; allowed are {', '.join(sorted(allowed))}"
            )


def calibration_photos(
    source: str | Path | Sequence[np.ndarray] | None, count: int
) -> Sequence[np.ndarray]:
    """Return the photos to calibrate on.

    Args:
        source: Folder of photos, photos, or None for drawn sample portraits.
        count: Int, how many at most.
    """
    if source is None:
        logger.warning(
            "calibrating int8 on drawn sample portraits: give a folder of photos like those "
            "that the network will see for the best accuracy"
        )
        return sample_photos(count)
    photos = read_photos(source, count) if isinstance(source, str | Path) else list(source)
    if not photos:
        raise ValueError("int8 needs photos to calibrate on, got none")
    return photos


def _convert(
    network: keras.Model,
    sizes: Sequence[tuple[int, int] | None],
    quantize: str,
    photos: Sequence[np.ndarray],
    count: int,
) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        _write_signatures(network, sizes, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=[signature_name(size) for size in sizes]
        )
        # Without this the converter may write ops that only full TensorFlow can run.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantize != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantize != "int8":
            return converter.convert()
        converter.representative_dataset = lambda: _samples(photos, sizes, count)
        return _quantized(converter)


def _samples(
    photos: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]], count: int
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    for size in sizes:
        for photo, hole in masked_photos(photos, size, count):
            yield (
                signature_name(size),
                {
                    "image": photo[None].astype(np.float32) / 255,
                    "mask": hole[None, ..., None].astype(np.float32),
                },
            )


def _quantized(converter: tf.lite.TFLiteConverter) -> bytes:
    with warnings.catch_warnings():
        # The converter's own interpreter announces that LiteRT replaces it.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated.*")
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter,
            debug_dataset=converter.representative_dataset,
            debug_options=tf.lite.experimental.QuantizationDebugOptions(
                denylisted_ops=list(FLOAT_OPS)
            ),
        )
        return debugger.get_nondebug_quantized_model()


def _write_signatures(
    network: keras.Model, sizes: Sequence[tuple[int, int] | None], folder: str
) -> None:
    archive = keras.export.ExportArchive()
    archive.track(network)

    def complete(image: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        generated = network({"image": image, "mask": mask}, training=False)
        return {"completed": image * (1 - mask) + generated * mask}

    for size in sizes:
        height, width = size or (None, None)
        archive.add_endpoint(
            signature_name(size),
            complete,
            input_signature=[
                tf.TensorSpec((1, height, width, 3), tf.float32, "image"),
                tf.TensorSpec((1, height, width, 1), tf.float32, "mask"),
            ],
        )
    archive.write_out(folder, verbose=False)
