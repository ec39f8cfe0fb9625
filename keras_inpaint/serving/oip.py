"""Open Inference Protocol v2: requests to arrays and results to answers.

KServe's own reader turns binary tensors into Python lists and BYTES into text; a photo is
neither. This one keeps arrays, checks every length that a sender names, and fills the same
`InferRequest` and `InferResponse`.
"""

import math
import struct
from typing import Any

import numpy as np
import orjson

from keras_inpaint.serving.batching import Arrays
from keras_inpaint.serving.errors import BadRequest
from keras_inpaint.serving.kserve_sdk import (
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    RequestedOutput,
    from_np_dtype,
    to_http_parameters,
    to_np_dtype,
)
from keras_inpaint.serving.oip_values import (
    checked_shape,
    from_binary,
    from_json,
    to_binary,
    to_json,
)
from keras_inpaint.serving.signatures import Signature, Tensor

#: Header that says how long the JSON before the binary tensors is.
JSON_LENGTH_HEADER = "inference-header-content-length"


def describe(tensor: Tensor) -> dict[str, Any]:
    """Return a tensor's metadata: name, datatype, shape with -1 for any size."""
    return {
        "name": tensor.name,
        "datatype": from_np_dtype(tensor.dtype),
        "shape": [-1 if size is None else size for size in tensor.shape],
    }


def read_request(body: bytes, headers: dict[str, str], name: str) -> InferRequest:
    """Return the request in an HTTP body, with binary tensors or without.

    Args:
        body: Bytes.
        headers: Lower-case names to values.
        name: String, the model's name.

    Returns:
        A request whose inputs hold arrays.

    Raises:
        BadRequest: If anything does not fit.
    """
    length = _json_length(body, headers)
    try:
        payload = orjson.loads(memoryview(body)[:length])
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is no JSON: {error}") from None
    if not isinstance(payload, dict) or not isinstance(payload.get("inputs"), list):
        raise BadRequest("the body must be a JSON object with a list 'inputs'")
    inputs, start = [], length
    for entry in payload["inputs"]:
        tensor, start = _read_input(entry, body, start)
        inputs.append(tensor)
    if start != len(body):
        raise BadRequest(f"{len(body) - start} bytes follow the last binary tensor")
    return InferRequest(
        model_name=name,
        infer_inputs=inputs,
        request_id=_typed(payload, "id", str),
        parameters=_typed(payload, "parameters", dict),
        request_outputs=_read_outputs(payload.get("outputs")),
    )


def _json_length(body: bytes, headers: dict[str, str]) -> int:
    text = headers.get(JSON_LENGTH_HEADER)
    if text is None:
        return len(body)
    if not text.isdecimal() or len(text) > 15 or not 0 < int(text) <= len(body):
        raise BadRequest(f"{JSON_LENGTH_HEADER} must be 1 to {len(body)}, got {text[:40]!r}")
    return int(text)


def _typed(entry: dict[str, Any], key: str, kind: type, required: bool = False) -> Any:
    value = entry.get(key)
    if (value is None and required) or (value is not None and not isinstance(value, kind)):
        raise BadRequest(f"{key!r} must be {kind.__name__}, got {type(value).__name__}")
    return value


def _read_outputs(entries: Any) -> list[RequestedOutput] | None:
    if entries is None or entries == []:
        return None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadRequest("'outputs' must be a list of objects")
    return [
        RequestedOutput(_typed(e, "name", str, required=True), _typed(e, "parameters", dict))
        for e in entries
    ]


def _read_input(entry: Any, body: bytes, start: int) -> tuple[InferInput, int]:
    if not isinstance(entry, dict):
        raise BadRequest("every entry of 'inputs' must be an object")
    name = _typed(entry, "name", str, required=True)
    shape = checked_shape(name, _typed(entry, "shape", list, required=True))
    datatype = _typed(entry, "datatype", str, required=True)
    parameters = _typed(entry, "parameters", dict) or {}
    if to_np_dtype(datatype) is None:
        raise BadRequest(f"input {name!r} has the unknown datatype {datatype[:20]!r}")
    size = parameters.get("binary_data_size")
    if (entry.get("data") is None) == (size is None):
        raise BadRequest(f"input {name!r} must have either 'data' or 'binary_data_size'")
    if size is not None:
        if type(size) is not int or not 0 <= size <= len(body) - start:
            raise BadRequest(
                f"input {name!r}: binary_data_size must be 0 to {len(body) - start}, got "
                f"{str(size)[:20]}"
            )
        array = from_binary(name, datatype, shape, memoryview(body)[start : start + size])
        start += size
    else:
        array = from_json(name, datatype, shape, entry["data"])
    return InferInput(name, list(array.shape), datatype, array), start


def signature_name(request: InferRequest) -> str | None:
    """Return the signature that a request's parameters name, or None.

    Raises:
        BadRequest: If it is no string.
    """
    parameters = to_http_parameters(request.parameters) if request.parameters else {}
    name = parameters.get("signature_name")
    if name is not None and not isinstance(name, str):
        raise BadRequest("the parameter signature_name must be a string")
    return name


def check_requested(request: InferRequest, signature: Signature) -> None:
    """Refuse a request for outputs that a signature does not have.

    Raises:
        BadRequest: If it asks for one.
    """
    for output in request.request_outputs or []:
        if output.name not in signature.outputs:
            raise BadRequest(
                f"no output {output.name[:80]!r}; signature {signature.name!r} gives "
                f"{', '.join(signature.outputs)}"
            )


def to_arrays(request: InferRequest) -> Arrays:
    """Return the arrays of a request.

    Raises:
        BadRequest: If a name comes twice or values do not fit a shape.
    """
    arrays: Arrays = {}
    for tensor in request.inputs:
        if tensor.name in arrays:
            raise BadRequest(f"input {tensor.name[:80]!r} is given twice")
        if isinstance(tensor.data, np.ndarray):
            arrays[tensor.name] = tensor.data
            continue
        try:
            arrays[tensor.name] = _from_grpc(tensor)
        except BadRequest:
            raise
        except (ValueError, TypeError, OverflowError, struct.error) as error:
            raise BadRequest(f"input {tensor.name[:80]!r}: {error}") from None
    return arrays


def _from_grpc(tensor: InferInput) -> np.ndarray:
    shape = checked_shape(tensor.name, list(tensor.shape))
    if to_np_dtype(tensor.datatype) is None:
        raise BadRequest(f"input {tensor.name!r} has the unknown datatype {tensor.datatype[:20]!r}")
    raw = tensor._raw_data
    if raw is not None:
        return from_binary(tensor.name, tensor.datatype, shape, memoryview(raw))
    if tensor.datatype != "BYTES":
        return from_json(tensor.name, tensor.datatype, shape, tensor.data)
    array = np.empty(len(tensor.data), object)
    array[:] = tensor.data
    if array.size != math.prod(shape):
        raise BadRequest(f"input {tensor.name!r}: shape {shape} does not fit {array.size} values")
    return array.reshape(shape)


def to_response(
    request: InferRequest, results: Arrays, *, request_id: str, name: str, version: str
) -> InferResponse:
    """Return the response to a request.

    Args:
        request: What was asked.
        results: From output name to array.
        request_id: String that the answer repeats.
        name: String, the model's name.
        version: String.
    """
    wanted = [output.name for output in request.request_outputs or []] or list(results)
    outputs = [
        InferOutput(key, list(results[key].shape), from_np_dtype(results[key].dtype), results[key])
        for key in wanted
    ]
    return InferResponse(
        request_id,
        name,
        outputs,
        model_version=version,
        requested_outputs=request.request_outputs,
    )


def write_response(response: InferResponse, request: InferRequest) -> tuple[bytes, int | None]:
    """Return the HTTP body of a response.

    Args:
        response: From `to_response`.
        request: What was asked: which outputs, and which of them in binary.

    Returns:
        Bytes, and the length of their JSON part if binary tensors follow it, else None.

    Raises:
        BadRequest: If bytes that are no text were asked for in JSON.
    """
    asked = {output.name: output.binary_data for output in request.request_outputs or []}
    entries, blobs = [], []
    for output in response.outputs:
        entry = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
        binary = asked.get(output.name)
        if binary is None:
            binary = request.use_binary_outputs
        if binary:
            blobs.append(to_binary(output.data))
            entry["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            entry["data"] = to_json(output)
        entries.append(entry)
    answer = {
        "id": response.id,
        "model_name": response.model_name,
        "model_version": response.model_version,
        "outputs": entries,
    }
    head = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join([head, *blobs]), len(head)) if blobs else (head, None)
