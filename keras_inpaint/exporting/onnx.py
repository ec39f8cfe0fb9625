"""Export a completion network to an ONNX file with Keras' exporter (tf2onnx)."""

import importlib.util
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras

from keras_inpaint.exporting.network import card_of, load_network
from keras_inpaint.exporting.tflite import metadata_of
from keras_inpaint.files import replacing

#: Operator set of the file, supported by ONNX Runtime since 1.14 (2023).
OPSET = 18
#: The key of the metadata in the file.
METADATA_KEY = "keras_inpaint"


def export_onnx(
    network: keras.Model | str | Path,
    path: str | Path,
    *,
    name: str | None = None,
    card: Mapping[str, Any] | None = None,
    check: Callable[[Path], None] | None = None,
) -> Path:
    """Export a completion network to an ONNX file for photos whose sides are multiples of 4.

    Inputs `image`, float32 `(batch, height, width, 3)` in [0, 1], and `mask`, float32
    `(batch, height, width, 1)`, 1 in the hole and 0 elsewhere; output `completed`, float32 like
    `image`, bit-identical to `image` outside the hole.

    Example:

    >>> export_onnx("runs/faces", "faces.onnx")

    Args:
        network: A completion network, the path of a `.keras` file or run folder, or a preset's
            name.
        path: Path of the file to write. An existing file is replaced at the end.
        name: String, the model's name in the metadata; None is the stem of the file's name.
        card: As for `export_tflite`.
        check: Called with the path of the finished file before it gets its final name; if it
            raises an error, no file is left.

    Returns:
        The path of the file.

    Raises:
        ModuleNotFoundError: If the extra `onnx` is not installed.
        FileNotFoundError: If the network does not exist.
    """
    require_onnx()
    import onnx

    path = Path(path)
    known = card_of(network) if card is None else card
    network = load_network(network)
    metadata = metadata_of(network, [None], "none", name or path.stem, known)
    pasting = _pasting(network)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tf2onnx and its patch for NumPy 2
            signature = [[keras.InputSpec("float32", tensor.shape) for tensor in pasting.inputs]]
            for spec, tensor in zip(signature[0], pasting.inputs, strict=True):
                spec.name = tensor.name
            pasting.export(
                draft, format="onnx", verbose=False, input_signature=signature, opset_version=OPSET
            )
        model = onnx.load(draft)
        _pad_by_numbers(model)
        _rename_output(model, "completed")
        onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
        onnx.checker.check_model(model)
        onnx.save(model, draft)
        if check is not None:
            check(draft)
    return path


def require_onnx() -> None:
    """Raise a ModuleNotFoundError with the command to install if a package is missing."""
    for module in ("onnx", "tf2onnx", "onnxruntime"):
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(
                f"ONNX needs the package {module}: pip install 'keras-inpaint[onnx]'", name=module
            )


def _pasting(network: keras.Model) -> keras.Model:
    """Return the network with the known pixels pasted back: image (1 - mask) + generated mask."""
    image = keras.Input((None, None, 3), name="image")
    mask = keras.Input((None, None, 1), name="mask")
    generated = network({"image": image, "mask": mask}, training=False)
    known = keras.layers.Rescaling(-1.0, 1.0, name="known")(mask)
    parts = [
        keras.layers.Multiply(name="kept")([image, known]),
        keras.layers.Multiply(name="filled")([generated, mask]),
    ]
    return keras.Model([image, mask], keras.layers.Add(name="completed")(parts))


def _pad_by_numbers(model: Any) -> None:
    """Make the padding of dilated convolutions explicit: ONNX Runtime lacks "same" for them."""
    from onnx import helper

    for node in model.graph.node:
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        dilations = attributes.get("dilations", [1])
        if node.op_type != "Conv" or max(dilations) == 1 or b"SAME" not in attributes["auto_pad"]:
            continue
        # Their strides are 1, so "same" pads both sides equally.
        pads = [
            dilation * (kernel - 1) // 2
            for dilation, kernel in zip(dilations, attributes["kernel_shape"], strict=True)
        ]
        kept = [entry for entry in node.attribute if entry.name not in ("auto_pad", "pads")]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("pads", pads * 2)])


def _rename_output(model: Any, name: str) -> None:
    old = model.graph.output[0].name
    model.graph.output[0].name = name
    for node in model.graph.node:
        node.output[:] = [name if output == old else output for output in node.output]
        node.input[:] = [name if entry == old else entry for entry in node.input]
