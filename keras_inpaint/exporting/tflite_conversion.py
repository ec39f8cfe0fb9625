"""From a completion network to the bytes of a TFLite file, quantised or not."""

import tempfile
import warnings
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_inpaint.exporting.calibration import masked_photos
from keras_inpaint.presets.tflite_metadata import output_names

#: How the weights and the arithmetic may be quantised.
QUANTIZATIONS = ("none", "float16", "dynamic", "int8")
#: The signature of a file that takes any size.
DYNAMIC_SIGNATURE = "complete"
#: Ops that stay float32 under full int8: filling the hole and pasting the known pixels.
FLOAT_OPS = ("ADD", "CONCATENATION", "MUL", "SUB")


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
    """Convert a completion network to TFLite.

    Args:
        network: The float32 completion network.
        sizes: `(height, width)` of each signature; None for any size.
        quantize: String, one of `QUANTIZATIONS`.
        photos: Uint8 arrays `(height, width, 3)` to calibrate `"int8"` on.
        count: Int, how many photos to calibrate on at each size.
        float_layers: Names of convolutions that stay float32 under `"int8"`.

    Returns:
        Contents of a `.tflite` file without metadata.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_signatures(network, sizes, folder)
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
    """Quantise all but the float ops and layers; the debugger is what can leave some out."""
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
            # A convolution is called after all layers that were folded into it. The sigmoid takes
            # what the last one gives, in 8 bits or not.
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
    """Write the SavedModel that the converter reads.

    Args:
        network: The float32 completion network.
        sizes: `(height, width)` of each signature; None for any size.
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
