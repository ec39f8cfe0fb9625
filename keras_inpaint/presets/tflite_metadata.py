"""Write metadata into a TFLite file and read it without TensorFlow.

A `.tflite` file is a FlatBuffer with a table of named metadata buffers; this package's is a JSON
object named `keras_inpaint`.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

#: Name of the metadata buffer.
METADATA_NAME = "keras_inpaint"
#: Version of the JSON format; increased if readers have to change.
METADATA_FORMAT = 1

#: The bytes 4 to 8 of a TFLite file.
FILE_IDENTIFIER = b"TFL3"
_BUILTIN_NAMES = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")
}


def with_metadata(model: bytes, metadata: dict[str, Any], description: str = "") -> bytes:
    """Return a TFLite file with metadata added.

    Args:
        model: Contents of a `.tflite` file.
        metadata: Dict of JSON types; existing metadata of this package is replaced.
        description: String for the file's description field; an empty one keeps the field.

    Returns:
        Contents of the new file.
    """
    tree = schema.ModelT.InitFromObj(_root(model))
    name = METADATA_NAME.encode()
    entries = [entry for entry in tree.metadata or [] if _as_bytes(entry.name) != name]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(json.dumps(metadata, sort_keys=True).encode(), np.uint8)
    tree.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(tree.buffers) - 1
    tree.metadata = [*entries, entry]
    if description:
        tree.description = description
    builder = flatbuffers.Builder(len(model) + 65536)
    builder.Finish(tree.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def read_metadata(model: bytes | str | Path) -> dict[str, Any]:
    """Return the metadata of a TFLite file that this package exported.

    Args:
        model: Contents of a `.tflite` file, or its path.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not a TFLite file, or has no metadata of this package.
    """
    label = "the model" if isinstance(model, bytes) else str(model)
    root = _root(model if isinstance(model, bytes) else Path(model).read_bytes(), label)
    for number in range(root.MetadataLength()):
        entry = root.Metadata(number)
        if entry.Name() == METADATA_NAME.encode():
            metadata = json.loads(bytes(root.Buffers(entry.Buffer()).DataAsNumpy()))
            if metadata.get("format") != METADATA_FORMAT:
                raise ValueError(
                    f"{label} has metadata of format {metadata.get('format')!r}; this version "
                    f"of keras_inpaint reads format {METADATA_FORMAT}"
                )
            return metadata
    raise ValueError(
        f"{label} carries no {METADATA_NAME} metadata: it was exported by other software"
    )


def count_ops(model: bytes) -> dict[str, Counter[str]]:
    """Count the ops of a TFLite file, by signature.

    Args:
        model: Contents of a `.tflite` file.

    Returns:
        Dict from the signature's name (`subgraph N` if it has none) to a Counter of op names
        such as `CONV_2D`; custom ops are named `CUSTOM:name`.
    """
    root = _root(model)
    codes = [_op_name(root.OperatorCodes(i)) for i in range(root.OperatorCodesLength())]
    signatures = [root.SignatureDefs(i) for i in range(root.SignatureDefsLength())]
    names = {entry.SubgraphIndex(): entry.SignatureKey().decode() for entry in signatures}
    counts = {}
    for number in range(root.SubgraphsLength()):
        graph = root.Subgraphs(number)
        ops = (graph.Operators(i).OpcodeIndex() for i in range(graph.OperatorsLength()))
        counts[names.get(number, f"subgraph {number}")] = Counter(codes[index] for index in ops)
    return counts


def output_names(model: bytes) -> list[str]:
    """Return the name of each op's first output, for all subgraphs of a TFLite file.

    Args:
        model: Contents of a `.tflite` file.
    """
    root = _root(model)
    names = []
    for number in range(root.SubgraphsLength()):
        graph = root.Subgraphs(number)
        for op in map(graph.Operators, range(graph.OperatorsLength())):
            names.append(graph.Tensors(op.Outputs(0)).Name().decode())
    return names


def _op_name(code: Any) -> str:
    # Old files store small codes in the deprecated field; the larger of both is valid.
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if builtin == schema.BuiltinOperator.CUSTOM:
        return f"CUSTOM:{(code.CustomCode() or b'').decode()}"
    return _BUILTIN_NAMES.get(builtin, f"BUILTIN:{builtin}")


def _root(model: bytes, label: str = "the model") -> Any:
    if len(model) < 8 or model[4:8] != FILE_IDENTIFIER:
        raise ValueError(f"{label} is not a TFLite file")
    return schema.Model.GetRootAs(model, 0)


def _as_bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text
