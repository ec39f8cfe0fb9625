"""Split a TFLite network in two, so that the second half is computed in the holes only.

A completion network's large receptive field comes from its dilated convolutions. The layers after
the last of these see only a few pixels around a hole; computing them on the whole crop would spend
a third of the time on pixels that are not used.
"""

from typing import Any, NamedTuple

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from keras_inpaint.networks.receptive_field import SIZE_MULTIPLE, Convolution
from keras_inpaint.presets.tflite_metadata import FILE_IDENTIFIER

#: The signature of each part.
SIGNATURE = "part"

_OPS = schema.BuiltinOperator


class Parts(NamedTuple):
    """The two halves of a network, each a TFLite file with the signature `SIGNATURE`.

    Attributes:
        head: Bytes; maps `image` and `mask` to `features`, a quarter as high and as wide.
        tail: Bytes; maps `features` to `generated`.
        margin: Int, how far in pixels the tail sees around a pixel, a multiple of 4.
    """

    head: bytes
    tail: bytes
    margin: int


def cut_in_two(model: bytes) -> Parts | None:
    """Split a completion network after its last dilated convolution.

    Args:
        model: Contents of a `.tflite` file.

    Returns:
        The parts; None if the file has several signatures, takes fixed sizes only, computes in
        integers or has no dilated convolution.
    """
    tree = _tree(model)
    if len(tree.subgraphs) != 1 or len(tree.signatureDefs or []) != 1:
        return None
    (graph,), (signature,) = tree.subgraphs, tree.signatureDefs
    inputs = {each.name.decode(): each.tensorIndex for each in signature.inputs}
    if not _is_any_size(graph.tensors[inputs["image"]]):
        return None
    dilated = [
        number
        for number, op in enumerate(graph.operators)
        if _code(tree, op) == _OPS.CONV_2D and op.builtinOptions.dilationHFactor > 1
    ]
    rest = graph.operators[dilated[-1] + 1 :] if dilated else []
    ends = [op.outputs[0] for op in rest if _code(tree, op) == _OPS.LOGISTIC]
    if len(ends) != 1:
        return None
    features, generated = graph.operators[dilated[-1]].outputs[0], ends[0]
    if graph.tensors[features].type != schema.TensorType.FLOAT32:
        return None
    return Parts(
        head=_part(model, inputs, {"features": features}),
        tail=_part(model, {"features": features}, {"generated": generated}),
        margin=_margin(tree, rest),
    )


def _margin(tree: Any, ops: list[Any]) -> int:
    first, last = 0, SIZE_MULTIPLE - 1
    for op in reversed(ops):
        code = _code(tree, op)
        if code in (_OPS.CONV_2D, _OPS.TRANSPOSE_CONV):
            kernel = tree.subgraphs[0].tensors[op.inputs[1]].shape[1]
            strides = op.builtinOptions.strideH
            first, last = Convolution(
                int(kernel), strides, transposed=code == _OPS.TRANSPOSE_CONV
            ).inputs(first, last)
    return SIZE_MULTIPLE * max(-first, last)


def _part(model: bytes, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
    """Return a file with the operators of `model` between some tensors."""
    tree = _tree(model)
    (graph,) = tree.subgraphs
    needed, kept = set(outputs.values()), []
    for op in reversed(graph.operators):
        if needed.intersection(op.outputs) and not set(inputs.values()).intersection(op.outputs):
            kept.append(op)
            needed.update(op.inputs)
    graph.operators = kept[::-1]
    graph.inputs, graph.outputs = list(inputs.values()), list(outputs.values())
    buffers = {graph.tensors[number].buffer for number in needed if number >= 0}
    for number, buffer in enumerate(tree.buffers):
        if number not in buffers:
            buffer.data = None
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs, signature.outputs = _names(inputs), _names(outputs)
    tree.signatureDefs, tree.metadata = [signature], None
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def _names(tensors: dict[str, int]) -> list[Any]:
    maps = []
    for name, number in tensors.items():
        each = schema.TensorMapT()
        each.name, each.tensorIndex = name, number
        maps.append(each)
    return maps


def _tree(model: bytes) -> Any:
    return schema.ModelT.InitFromPackedBuf(model, 0)


def _code(tree: Any, op: Any) -> int:
    # Old files store small codes in a field of their own; the larger of both is valid.
    code = tree.operatorCodes[op.opcodeIndex]
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def _is_any_size(tensor: Any) -> bool:
    shape = tensor.shapeSignature
    return shape is not None and shape[1] < 0 and shape[2] < 0
