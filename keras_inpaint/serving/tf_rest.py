"""TensorFlow Serving's REST protocol: JSON to arrays and back.

Follows https://www.tensorflow.org/tfx/serving/api_rest: `instances` is a list of rows,
`inputs` one value a tensor; strings of bytes are `{"b64": "..."}`; results come back in the
form in which the request was written.
"""

import base64
import binascii
from typing import Any

import numpy as np
import orjson

from keras_inpaint.serving.batching import Arrays
from keras_inpaint.serving.errors import BadRequest
from keras_inpaint.serving.signatures import Signature, Tensor

_KEYS = {"signature_name", "instances", "inputs"}


def parse_body(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a `:predict` request.

    Args:
        body: Bytes of the request.

    Raises:
        BadRequest: If it is no JSON object, or has none or both of `instances` and `inputs`.
    """
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is no JSON: {error}") from None
    if not isinstance(payload, dict):
        raise BadRequest(f"the body must be a JSON object, got {type(payload).__name__}")
    if ("instances" in payload) == ("inputs" in payload):
        raise BadRequest("the body must have either 'instances' or 'inputs'")
    if payload.keys() - _KEYS:
        unknown = ", ".join(sorted(payload.keys() - _KEYS))[:200]
        raise BadRequest(f"unknown keys in the body: {unknown}")
    if not isinstance(payload.get("signature_name", ""), str):
        raise BadRequest("signature_name must be a string")
    return payload


def to_arrays(payload: dict[str, Any], signature: Signature) -> Arrays:
    """Return the arrays of a request.

    Args:
        payload: What `parse_body` returned.
        signature: The signature that it names.

    Returns:
        From input name to array of the input's dtype. Shapes are not checked here.

    Raises:
        BadRequest: If names or values do not fit.
    """
    columns = _columns_of_rows(payload, signature) if "instances" in payload else payload["inputs"]
    if not isinstance(columns, dict) or _is_b64(columns):
        if len(signature.inputs) != 1:
            raise BadRequest(
                f"'inputs' must be an object with {', '.join(sorted(signature.inputs))}"
            )
        columns = {next(iter(signature.inputs)): columns}
    unknown = [name for name in columns if name not in signature.inputs]
    if unknown:
        raise BadRequest(
            f"unknown input {str(unknown[0])[:80]!r}; signature {signature.name!r} takes "
            f"{', '.join(sorted(signature.inputs))}"
        )
    return {name: _to_array(signature.inputs[name], value) for name, value in columns.items()}


def _columns_of_rows(payload: dict[str, Any], signature: Signature) -> dict[str, list[Any]]:
    rows = payload["instances"]
    if not isinstance(rows, list) or not rows:
        raise BadRequest("'instances' must be a list of at least one row")
    if len(signature.inputs) == 1:
        name = next(iter(signature.inputs))
        return {name: [row[name] if _is_row(row, name) else row for row in rows]}
    names = list(signature.inputs)
    for index, row in enumerate(rows):
        if not isinstance(row, dict) or set(row) != set(names):
            raise BadRequest(
                f"row {index} of 'instances' must be an object with exactly "
                f"{', '.join(sorted(names))}"
            )
    return {name: [row[name] for row in rows] for name in names}


def _is_row(row: Any, name: str) -> bool:
    return isinstance(row, dict) and set(row) == {name} and not _is_b64(row)


def _is_b64(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def _to_array(tensor: Tensor, value: Any) -> np.ndarray:
    if tensor.is_text:
        return _to_texts(tensor, value)
    try:
        array = np.array(value)
    except ValueError:
        raise BadRequest(f"{tensor.name} is ragged: its rows differ in length") from None
    if array.dtype.kind not in "iuf":
        raise BadRequest(f"{tensor.name} must hold numbers ({tensor.dtype.name})")
    if tensor.dtype.kind in "iu":
        if array.dtype.kind == "f":
            raise BadRequest(f"{tensor.name} must hold whole numbers ({tensor.dtype.name})")
        bounds = np.iinfo(tensor.dtype)
        if array.size and (array.min() < bounds.min or array.max() > bounds.max):
            raise BadRequest(
                f"{tensor.name} must lie in {bounds.min} to {bounds.max}, got values from "
                f"{array.min()} to {array.max()}"
            )
    return array.astype(tensor.dtype)


def decode_base64(text: str) -> bytes:
    """Return the bytes of base64: with line breaks, without padding, url-safe, as a data: URI.

    Raises:
        ValueError: If it is no base64.
    """
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise ValueError("a data: URI without base64")
    text = "".join(text.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _to_texts(tensor: Tensor, value: Any) -> np.ndarray:
    if not isinstance(value, list):
        raise BadRequest(f'{tensor.name} must be a list of {{"b64": "..."}}')
    texts = np.empty(len(value), object)
    for index, item in enumerate(value):
        if _is_b64(item):
            try:
                texts[index] = decode_base64(item["b64"])
            except (binascii.Error, ValueError):
                raise BadRequest(f"{tensor.name}, row {index}: b64 is no base64") from None
        elif isinstance(item, str):
            texts[index] = item.encode("utf-8", "surrogatepass")
        else:
            raise BadRequest(f'{tensor.name}, row {index}: expected {{"b64": "..."}}')
    return texts


def to_body(payload: dict[str, Any], results: Arrays) -> bytes:
    """Return the JSON answer to a request.

    Args:
        payload: The request, whose form the answer takes.
        results: From output name to array.

    Returns:
        Bytes of JSON: `{"predictions": [...]}` for rows, `{"outputs": ...}` for columns.
    """
    values = {name: _to_json(array) for name, array in results.items()}
    single = len(values) == 1
    if "inputs" in payload:
        outputs: Any = next(iter(values.values())) if single else values
        return orjson.dumps({"outputs": outputs}, option=orjson.OPT_SERIALIZE_NUMPY)
    if single:
        predictions: Any = next(iter(values.values()))
    else:
        predictions = [
            dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)
        ]
    return orjson.dumps({"predictions": predictions}, option=orjson.OPT_SERIALIZE_NUMPY)


def _to_json(array: np.ndarray) -> Any:
    if array.dtype == np.dtype(object):
        # TensorFlow Serving does so where the output's name ends in `_bytes`; a PNG can be
        # written in JSON in no other way.
        return [{"b64": base64.b64encode(text).decode("ascii")} for text in array.ravel()]
    return np.ascontiguousarray(array)
