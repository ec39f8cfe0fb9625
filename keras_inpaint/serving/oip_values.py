"""Values of Open Inference Protocol v2's tensors: JSON and binary to arrays, and back."""

import math
import struct
from typing import Any

import numpy as np

from keras_inpaint.serving.errors import BadRequest
from keras_inpaint.serving.kserve_sdk import InferOutput, to_np_dtype


def checked_shape(name: str, sizes: list[Any]) -> tuple[int, ...]:
    """Return the shape that a sender names for an input.

    Raises:
        BadRequest: If it is none.
    """
    if not all(type(size) is int and 0 <= size < 2**31 for size in sizes) or len(sizes) > 8:
        raise BadRequest(f"input {name!r}: 'shape' must be up to 8 whole numbers of 0 or more")
    return tuple(sizes)


def from_binary(name: str, datatype: str, shape: tuple[int, ...], data: memoryview) -> np.ndarray:
    """Return the array in a binary tensor; strings stand after their lengths.

    Raises:
        BadRequest: If the bytes do not fit datatype and shape.
    """
    count = math.prod(shape)
    if datatype == "BYTES":
        return _texts(name, data, count).reshape(shape)
    dtype = np.dtype(to_np_dtype(datatype))
    if len(data) != count * dtype.itemsize:
        raise BadRequest(
            f"input {name!r}: {datatype} of shape {shape} is {count * dtype.itemsize} bytes, got "
            f"{len(data)}"
        )
    return np.frombuffer(data, dtype).reshape(shape)


def _texts(name: str, data: memoryview, count: int) -> np.ndarray:
    texts, at = [], 0
    while at < len(data):
        if at + 4 > len(data):
            raise BadRequest(f"input {name!r}: a length is cut off")
        (length,) = struct.unpack_from("<I", data, at)
        at += 4
        if length > len(data) - at:
            raise BadRequest(f"input {name!r}: a string of {length} bytes is cut off")
        texts.append(bytes(data[at : at + length]))
        at += length
    if len(texts) != count:
        raise BadRequest(f"input {name!r}: the shape asks for {count} strings, got {len(texts)}")
    array = np.empty(count, object)
    array[:] = texts
    return array


def from_json(name: str, datatype: str, shape: tuple[int, ...], data: Any) -> np.ndarray:
    """Return the array in JSON values, nested or flat.

    Raises:
        BadRequest: If the values do not fit datatype and shape.
    """
    try:
        array = np.array(data, object) if datatype == "BYTES" else np.array(data)
    except ValueError:
        raise BadRequest(f"input {name!r} is ragged") from None
    if array.size != math.prod(shape):
        raise BadRequest(f"input {name!r}: shape {shape} does not fit {array.size} values")
    array = array.reshape(shape)
    if datatype == "BYTES":
        if not all(isinstance(text, str) for text in array.ravel()):
            raise BadRequest(f"input {name!r} must hold strings")
        flat = np.empty(array.size, object)
        flat[:] = [text.encode("utf-8", "surrogatepass") for text in array.ravel()]
        return flat.reshape(shape)
    return _cast(name, array, np.dtype(to_np_dtype(datatype)))


def _cast(name: str, array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    kinds = {"b": "b", "u": "iu", "i": "iu", "f": "iuf"}[dtype.kind]
    if array.size and array.dtype.kind not in kinds:
        raise BadRequest(f"input {name!r} must hold {dtype.name}")
    if array.size and dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        if array.min() < bounds.min or array.max() > bounds.max:
            raise BadRequest(f"input {name!r} must lie in {bounds.min} to {bounds.max}")
    with np.errstate(over="ignore"):
        return array.astype(dtype)


def to_binary(array: np.ndarray) -> bytes:
    """Return the bytes of a binary tensor; before each string stands its length."""
    if array.dtype != np.dtype(object):
        return array.tobytes()
    return b"".join(struct.pack("<I", len(text)) + text for text in array.ravel())


def to_json(output: InferOutput) -> Any:
    """Return an output's values for JSON, flat.

    Raises:
        BadRequest: If they are bytes that are no text.
    """
    if output.data.dtype != np.dtype(object):
        return np.ascontiguousarray(output.data).ravel()
    try:
        return [text.decode("utf-8") for text in output.data.ravel()]
    except UnicodeDecodeError:
        raise BadRequest(
            f"output {output.name!r} is no text; ask for it with the parameter binary_data: true"
        ) from None
