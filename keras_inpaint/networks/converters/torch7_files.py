"""Torch7's binary files, read without Torch7 and without running what they hold.

Source: the format is that of Torch7's File.lua,
https://github.com/torch/torch7/blob/master/doc/serialization.md.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from keras_inpaint.networks.converters.pytorch_files import strided_view

_NIL, _NUMBER, _STRING, _TABLE, _TORCH, _BOOLEAN = 0, 1, 2, 3, 4, 5
_FUNCTIONS = (6, 7, 8)
_DTYPES = {
    "Float": "<f4",
    "Double": "<f8",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "i1",
    "Byte": "u1",
    "Cuda": "<f4",
}
_MAX_DEPTH = 200


class TorchObject:
    """An object of a Torch7 class: its class's name and its fields."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.fields: dict[Any, Any] = {}

    def get(self, name: str) -> Any:
        """Return a field, None where there is none."""
        return self.fields.get(name)


def read_torch7(path: Path) -> Any:
    """Return what a binary Torch7 file with 64-bit longs (Linux, macOS) holds.

    Args:
        path: Path of a `.t7` file.

    Returns:
        Tables as dicts (arrays of Lua have the keys 1, 2, ...), tensors and storages as NumPy
        arrays, objects as `TorchObject`. Functions are None.

    Raises:
        ValueError: If it is no such file, is damaged, or ends too early.
    """
    data = Path(path).read_bytes()
    try:
        return _Reader(data).value()
    except (ValueError, struct.error, TypeError, OverflowError, RecursionError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ValueError(f"{path} is no Torch7 file that can be read: {reason}") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.depth = data, 0, 0
        self.seen: dict[int, Any] = {}

    def take(self, code: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize("<" + code)
        return values

    def skip(self, count: int) -> int:
        """Go on by so many bytes; return where they began."""
        start = self.at
        if count < 0 or start + count > len(self.data):
            raise ValueError(f"it ends at byte {len(self.data)}, within a value")
        self.at += count
        return start

    def text(self) -> str:
        (count,) = self.take("i")
        start = self.skip(count)
        return self.data[start : self.at].decode("latin-1")

    def value(self) -> Any:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        try:
            return self._value()
        finally:
            self.depth -= 1

    def _value(self) -> Any:
        (kind,) = self.take("i")
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            (number,) = self.take("d")
            return int(number) if number.is_integer() else number
        if kind == _STRING:
            return self.text()
        if kind == _BOOLEAN:
            return bool(self.take("i")[0])
        if kind not in (_TABLE, _TORCH, *_FUNCTIONS):
            raise ValueError(f"byte {self.at - 4} names a value of the unknown type {kind}")
        (index,) = self.take("i")
        if index in self.seen:
            return self.seen[index]
        if kind == _TABLE:
            return self.table(index)
        if kind == _TORCH:
            return self.torch(index)
        self.seen[index] = None  # byte code and the values that the function uses
        self.skip(self.take("i")[0])
        self.value()
        return None

    def table(self, index: int) -> dict[Any, Any]:
        table = self.seen[index] = {}
        for _ in range(self.take("i")[0]):
            key, value = self.value(), self.value()
            if isinstance(key, str | int | float):
                table[key] = value
        return table

    def torch(self, index: int) -> Any:
        kind = self.text()
        if kind.startswith("V "):
            kind = self.text()
        short = kind.removeprefix("torch.")
        if short.removesuffix("Storage") in _DTYPES and short.endswith("Storage"):
            dtype = np.dtype(_DTYPES[short.removesuffix("Storage")])
            (count,) = self.take("q")
            start = self.skip(count * dtype.itemsize)
            self.seen[index] = np.frombuffer(self.data, dtype, count, start)
        elif short.removesuffix("Tensor") in _DTYPES and short.endswith("Tensor"):
            (dims,) = self.take("i")
            if not 0 <= dims <= 16:
                raise ValueError(f"a tensor of {dims} dimensions")
            shape, strides = self.take(f"{dims}q"), self.take(f"{dims}q")
            (offset,) = self.take("q")
            storage = self.value()
            if dims == 0 or storage is None:
                self.seen[index] = np.empty(0, _DTYPES[short.removesuffix("Tensor")])
            elif isinstance(storage, np.ndarray):
                self.seen[index] = strided_view(storage, offset - 1, shape, strides)
            else:
                raise ValueError("a tensor has no storage")
        else:
            found = self.seen[index] = TorchObject(kind)
            fields = self.value()
            if isinstance(fields, dict):
                found.fields = fields
        return self.seen[index]
