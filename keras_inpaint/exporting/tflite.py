"""Export a completion network to a TFLite file, for phones, browsers and small computers."""

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_inpaint.exporting.calibration import masked_photos, read_photos, sample_photos
from keras_inpaint.exporting.network import card_of, facts_of, load_network, network_size
from keras_inpaint.files import replacing
from keras_inpaint.networks.completion import SIZE_MULTIPLE, check_image_size
from keras_inpaint.presets.tflite_metadata import (
    METADATA_FORMAT,
    count_ops,
    output_names,
    with_metadata,
)

logger = logging.getLogger(__name__)

#: The quantisations of the weights and the arithmetic.
QUANTIZATIONS = ("none", "float16", "dynamic", "int8")
#: The signature of a file that takes any size.
DYNAMIC_SIGNATURE = "complete"
#: Ops that stay float32 under full int8: filling the hole and pasting the known pixels.
FLOAT_OPS = ("ADD", "CONCATENATION", "MUL", "SUB")
#: Convolutions that stay float32 under full int8.
FLOAT_LAYERS = ("conv_17",)
#: Ops allowed in an export; all are builtin, and none rearranges space and batch.
ALLOWED_OPS = frozenset(
    {"CONV_2D", "TRANSPOSE_CONV", "LOGISTIC", "QUANTIZE", "DEQUANTIZE", *FLOAT_OPS}
)
#: Ops allowed in a file for any size: some compute the sizes of the transposed convolutions.
ALLOWED_DYNAMIC_OPS = ALLOWED_OPS | {"SHAPE", "STRIDED_SLICE", "PACK"}

#: The entries of a network's card that are copied into its file.
TOLD = ("licence", "intended_use", "limits")


def export_tflite(
    network: keras.Model | str | Path,
    path: str | Path,
    *,
    quantize: str = "none",
    sizes: Sequence[tuple[int, int]] | None = ((256, 256),),
    calibration: str | Path | Sequence[np.ndarray] | None = None,
    calibration_count: int = 32,
    float_layers: Sequence[str] = FLOAT_LAYERS,
    name: str | None = None,
    card: Mapping[str, Any] | None = None,
    check: Callable[[Path], None] | None = None,
) -> Path:
    """Export a completion network to a TFLite file.

    Each signature takes `image`, float32 `(1, height, width, 3)` in [0, 1], and `mask`, float32
    `(1, height, width, 1)`, exactly 1 in the hole and 0 elsewhere, and returns `completed`,
    float32 `(1, height, width, 3)`: the network's pixels in the hole, bit-identical to `image`
    outside. The converter chooses the order of the inputs: address them by name.

    Example:

    >>> export_tflite("runs/faces", "faces.tflite", quantize="int8", calibration="photos/")

    Args:
        network: A completion network, the path of a `.keras` file or run folder, or a preset's
            name.
        path: Path of the file to write. An existing file is replaced at the end.
        quantize: String. `"none"` is float32; `"float16"` halves the file; `"dynamic"` stores
            the weights in 8 bits; `"int8"` also computes in 8 bits, except for `float_layers`,
            filling the hole and pasting the known pixels.
        sizes: `(height, width)` pairs, multiples of 4, one signature `complete_HxW` each, which
            share the weights; None writes one signature `complete` for any multiples of 4.
        calibration: Folder of photos, or uint8 arrays `(height, width, 3)`, to calibrate the
            ranges of `"int8"` on. None uses the built-in portraits, with a warning.
        calibration_count: Int, the number of photos to calibrate on at each size.
        float_layers: Names of convolutions, `conv_1` to `conv_17` except the transposed `conv_13`
            and `conv_15`, that stay float32 under `"int8"`; the sigmoid stays float32 with the
            last. Each costs time and improves the accuracy, `conv_17` the most, at 1/600 of the
            network's computation.
        name: String, the model's name in the metadata; None is the stem of the file's name.
        card: The network's card, from which licence, intended use and limits are copied into the
            metadata; None reads it from the files beside the network.
        check: Called with the path of the finished file before it gets its final name; if it
            raises an error, no file is left.

    Returns:
        The path of the file.

    Raises:
        FileNotFoundError: If the network or the folder of photos does not exist.
        ValueError: If an argument is out of its range.
        RuntimeError: If the converter wrote ops that some runtimes lack.
    """
    if quantize not in QUANTIZATIONS:
        raise ValueError(f"quantize must be one of {QUANTIZATIONS}, got {quantize!r}")
    if sizes is None and quantize in ("dynamic", "int8"):
        raise ValueError(
            f"a file for any size is float32 or float16, got quantize={quantize!r}: give sizes"
        )
    if sizes is not None and not sizes:
        raise ValueError("sizes must have at least one (height, width), or be None for any size")
    if calibration_count < 1:
        raise ValueError(f"calibration_count must be at least 1, got {calibration_count}")
    path = Path(path)
    slots = [None] if sizes is None else [check_image_size(tuple(size)) for size in sizes]
    known = card_of(network) if card is None else card
    network = load_network(network)
    _check_layers(network, float_layers)
    _check_sizes(network, slots)
    photos = calibration_photos(calibration, calibration_count) if quantize == "int8" else []
    model = convert(network, slots, quantize, photos, calibration_count, float_layers)
    check_ops(model)
    metadata = metadata_of(network, slots, quantize, name or path.stem, known)
    model = with_metadata(model, metadata, f"{metadata['name']}: GLCIC image completion")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft:
        draft.write_bytes(model)
        if check is not None:
            check(draft)
    return path


def _check_layers(network: keras.Model, names: Sequence[str]) -> None:
    # The quantiser ignores requests to leave out a transposed convolution.
    known = [
        layer.name
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D)
        and not isinstance(layer, keras.layers.Conv2DTranspose)
    ]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(
            f"{', '.join(unknown)} cannot stay float32: the network's convolutions that can are "
            f"{', '.join(known)}"
        )


def _check_sizes(network: keras.Model, sizes: Sequence[tuple[int, int] | None]) -> None:
    own = network_size(network)
    if own != (None, None) and list(sizes) != [own]:
        raise ValueError(f"the network takes {own[0]}x{own[1]} only, got sizes {sizes}")


def metadata_of(
    network: keras.Model,
    sizes: Sequence[tuple[int, int] | None],
    quantize: str,
    name: str,
    known: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the metadata to store in a TFLite or ONNX file.

    Args:
        network: The float32 completion network.
        sizes: `(height, width)` pairs, or None for any size.
        quantize: String, one of `QUANTIZATIONS`.
        name: String, the model's name.
        known: The network's card, from which the entries `TOLD` are copied.

    Returns:
        Dict of JSON types; `signatures` maps each signature's name to its height and width in
        pixels (None: any multiple of `size_multiple`).
    """
    image = {"dtype": "float32", "range": [0.0, 1.0], "layout": "NHWC", "channels": "RGB"}
    return {
        **{key: known[key] for key in TOLD if known.get(key)},
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
        "quantization": quantize,
        **facts_of(network),
    }


def check_ops(model: bytes) -> None:
    """Raise a RuntimeError if a TFLite file has an op that some runtimes lack."""
    for name, ops in count_ops(model).items():
        allowed = ALLOWED_DYNAMIC_OPS if name == DYNAMIC_SIGNATURE else ALLOWED_OPS
        if excess := sorted(set(ops) - allowed):
            raise RuntimeError(
                f"signature {name} has the ops {', '.join(excess)}, which some TFLite runtimes "
                f"lack; allowed are {', '.join(sorted(allowed))}"
            )


def calibration_photos(
    source: str | Path | Sequence[np.ndarray] | None, count: int
) -> Sequence[np.ndarray]:
    """Return at most `count` photos of a folder, the given photos, or built-in portraits."""
    if source is None:
        logger.warning(
            "calibrating int8 on the built-in sample portraits: for the best accuracy, give a "
            "folder of photos like those that the network will complete"
        )
        return sample_photos(count)
    photos = read_photos(source, count) if isinstance(source, str | Path) else list(source)
    if not photos:
        raise ValueError("int8 needs photos to calibrate on, got none")
    return photos


def signature_name(size: tuple[int, int] | None) -> str:
    """Return the name of the signature for a size: `complete_256x256`, or `complete`."""
    return DYNAMIC_SIGNATURE if size is None else f"complete_{size[0]}x{size[1]}"


def convert(
    network: keras.Model,
    sizes: Sequence[tuple[int, int] | None],
    quantize: str = "none",
    photos: Sequence[np.ndarray] = (),
    count: int = 0,
    float_layers: Sequence[str] = (),
) -> bytes:
    """Return the contents of a TFLite file without metadata; see `export_tflite`.

    Args:
        network: The float32 completion network.
        sizes: `(height, width)` of each signature; None for any size.
        quantize: String, one of `QUANTIZATIONS`.
        photos: Uint8 arrays `(height, width, 3)` to calibrate `"int8"` on.
        count: Int, the number of photos to calibrate on at each size.
        float_layers: Names of convolutions that stay float32 under `"int8"`.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_signatures(network, sizes, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=[signature_name(size) for size in sizes]
        )
        # Otherwise the converter may write ops that only full TensorFlow can run.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantize != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantize != "int8":
            return converter.convert()
        converter.representative_dataset = lambda: _samples(photos, sizes, count)
        return _quantized(converter, float_layers)


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


def _quantized(converter: tf.lite.TFLiteConverter, float_layers: Sequence[str]) -> bytes:
    """Quantise all but the float ops and layers; only the debugger can exclude some."""
    debugging = tf.lite.experimental
    with warnings.catch_warnings():
        # The converter's own interpreter announces that LiteRT replaces it.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated.*")
        debugger = debugging.QuantizationDebugger(
            converter=converter,
            debug_dataset=converter.representative_dataset,
            debug_options=debugging.QuantizationDebugOptions(denylisted_ops=list(FLOAT_OPS)),
        )
        if float_layers:
            # A convolution's name lists all layers that were folded into it. The sigmoid has the
            # dtype of the last convolution.
            ops = [*FLOAT_OPS, *(["LOGISTIC"] if "conv_17" in float_layers else [])]
            nodes = [
                name
                for name in output_names(debugger.calibrated_model)
                if any(f"/{layer}_" in name or f"/{layer}/" in name for layer in float_layers)
            ]
            debugger.options = debugging.QuantizationDebugOptions(
                denylisted_ops=ops, denylisted_nodes=nodes
            )
        return debugger.get_nondebug_quantized_model()


def write_signatures(
    network: keras.Model, sizes: Sequence[tuple[int, int] | None], folder: str
) -> None:
    """Write the SavedModel for the converter, with a signature for each `(height, width)`.

    Args:
        network: The float32 completion network.
        sizes: `(height, width)` pairs; None is any size.
        folder: Path of the folder to write to.
    """
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
