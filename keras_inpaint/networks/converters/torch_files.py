"""Read PyTorch and Torch7 weight files without either library and without executing their code.

Sources: since 1.6, `torch.save` writes a zip archive of one pickle and one file per storage;
before, it wrote a sequence of pickles followed by the storages,
https://docs.pytorch.org/docs/stable/notes/serialization.html; Torch7's File.lua,
https://github.com/torch/torch7/blob/master/doc/serialization.md.
"""

import collections
import pickle
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from keras_inpaint.files import first_line

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_PYTORCH_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class _Storage:
    """A storage that a pickle refers to, before its values are read."""

    def __init__(self, dtype: str, key: str, count: int) -> None:
        self.dtype, self.key, self.count = np.dtype(dtype), key, count


class _Tensor:
    """A view of a storage, before the values are read."""

    def __init__(
        self, storage: _Storage, offset: int, shape: Sequence[int], strides: Sequence[int]
    ) -> None:
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError("a tensor has no storage")
        self.storage, self.offset = storage, int(offset)
        self.shape, self.strides = tuple(map(int, shape)), tuple(map(int, strides))

    def array(self, numbers: np.ndarray) -> np.ndarray:
        return strided_view(numbers, self.offset, self.shape, self.strides)


class _Inert:
    """Placeholder for instances of all other classes; it discards its state."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass

    def add(self, value: Any) -> None:
        pass


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


def _parameter(data: Any, *rest: Any) -> Any:
    return data


class _Storages:
    """Stand-in for a storage class in a pickle, such as `torch.FloatStorage`."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


_KNOWN: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("collections", "OrderedDict"): collections.OrderedDict,
    **{("torch", name): _Storages(dtype) for name, dtype in _PYTORCH_DTYPES.items()},
}


class _Unpickler(pickle.Unpickler):
    """Unpickle numbers, strings, lists, dicts and tensors; all other classes become `_Inert`."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        return _KNOWN.get((module, name), _Inert)

    def persistent_load(self, pid: Any) -> _Storage:
        if not (isinstance(pid, tuple) and len(pid) >= 5 and isinstance(pid[1], _Storages)):
            raise pickle.UnpicklingError("the type of a storage is not supported")
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError("storages that are views of others are not supported")
        storage = _Storage(pid[1].dtype, str(pid[2]), int(pid[4]))
        return self.storages.setdefault(storage.key, storage)


def read_pytorch(path: Path) -> Any:
    """Return the content of a `.pth` or `.pt` file, with NumPy arrays in place of tensors.

    No class or function that the file names is imported or called, except for the few that
    tensors consist of; objects of other classes are returned empty.

    Args:
        path: Path of a file written by `torch.save`, as a zip archive or in the format before
            1.6.

    Returns:
        The saved object, usually a dict from strings to arrays.

    Raises:
        ValueError: If it is not such a file, or is damaged or truncated.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _read_zip(archive)
        with open(path, "rb") as file:
            return _read_legacy(file)
    except OSError:
        raise
    except Exception as error:  # unpickling a damaged file can raise anything
        reason = first_line(error)
        raise ValueError(f"{path} is not a PyTorch file or cannot be read: {reason}") from error


def _read_zip(archive: zipfile.ZipFile) -> Any:
    pickles = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise ValueError("the archive has no data.pkl")
    root = pickles[0].removesuffix("data.pkl")
    byteorder = f"{root}byteorder"
    if byteorder in archive.namelist() and archive.read(byteorder).strip() != b"little":
        raise ValueError("it was written on a big-endian machine")
    with archive.open(pickles[0]) as file:
        data = _Unpickler(file).load()
    numbers: dict[str, np.ndarray] = {}

    def array(tensor: _Tensor) -> np.ndarray:
        storage = tensor.storage
        if storage.key not in numbers:
            member = f"{root}data/{storage.key}"
            expected = storage.count * storage.dtype.itemsize
            size = archive.getinfo(member).compress_size  # PyTorch does not compress
            if size != expected:
                raise ValueError(f"{member} has {size} bytes, expected {expected}")
            numbers[storage.key] = np.frombuffer(archive.read(member), storage.dtype)
        return tensor.array(numbers[storage.key])

    return _resolved(data, array)


def _read_legacy(file: BinaryIO) -> Any:
    if _Unpickler(file).load() != _LEGACY_MAGIC:
        raise ValueError("it does not begin with the format's magic number")
    if _Unpickler(file).load() != _LEGACY_PROTOCOL:
        raise ValueError("its protocol version is unknown")
    system = _Unpickler(file).load()
    if not isinstance(system, dict) or not system.get("little_endian", True):
        raise ValueError("it was written on a big-endian machine")
    unpickler = _Unpickler(file)
    data = unpickler.load()
    keys = _Unpickler(file).load()
    storages = unpickler.storages
    numbers = {}
    for key in map(str, keys):
        if key not in storages:
            raise ValueError(f"no tensor uses storage {key}")
        storage = storages[key]
        (count,) = struct.unpack("<q", file.read(8))
        if count != storage.count:
            raise ValueError(f"storage {key} has {count} values, expected {storage.count}")
        numbers[key] = np.frombuffer(file.read(count * storage.dtype.itemsize), storage.dtype)
    return _resolved(data, lambda tensor: tensor.array(numbers[tensor.storage.key]))


def _resolved(value: Any, array: Callable[[_Tensor], Any], depth: int = 0) -> Any:
    """Return `value` with every tensor replaced by its array, converted by `array`."""
    if depth > 50:
        raise ValueError("it is nested too deeply")
    if isinstance(value, _Tensor):
        return array(value)
    if isinstance(value, dict):
        return {key: _resolved(item, array, depth + 1) for key, item in value.items()}
    return value


def strided_view(
    numbers: np.ndarray, offset: int, shape: Sequence[int], strides: Sequence[int]
) -> np.ndarray:
    """Return a tensor as a read-only view of its storage.

    Args:
        numbers: Array `(count,)`, the storage.
        offset: Int, index of the tensor's first value.
        shape: Ints, the tensor's shape.
        strides: Ints, the stride of each axis, in values.

    Raises:
        ValueError: If the tensor reaches beyond the storage.
    """
    if len(shape) != len(strides) or min((offset, *shape, *strides), default=0) < 0:
        raise ValueError(
            f"a tensor has invalid offset {offset}, shape {shape} or strides {strides}"
        )
    if 0 in shape:
        return np.empty(shape, numbers.dtype)
    last = offset + sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
    count = int(np.prod([int(side) for side in shape], dtype=object))
    if last >= len(numbers) or count > len(numbers):
        raise ValueError(f"a tensor of shape {shape} exceeds its storage of {len(numbers)} values")
    steps = [step * numbers.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False)


_NIL, _NUMBER, _STRING, _TABLE, _TORCH, _BOOLEAN = 0, 1, 2, 3, 4, 5
_FUNCTIONS = (6, 7, 8)
_TORCH7_DTYPES = {
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
    """A Torch7 object: the name of its class and its fields."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.fields: dict[Any, Any] = {}

    def get(self, name: str) -> Any:
        """Return a field, or None if it does not exist."""
        return self.fields.get(name)


def read_torch7(path: Path) -> Any:
    """Return the content of a binary Torch7 file with 64-bit longs (Linux, macOS).

    Args:
        path: Path of a `.t7` file.

    Returns:
        Tables as dicts (Lua arrays have the keys 1, 2, ...), tensors and storages as NumPy
        arrays, objects as `TorchObject`, functions as None.

    Raises:
        ValueError: If it is not such a file, or is damaged or truncated.
    """
    data = Path(path).read_bytes()
    try:
        return _Reader(data).value()
    except (ValueError, struct.error, TypeError, OverflowError, RecursionError) as error:
        reason = first_line(error)
        raise ValueError(f"{path} is not a Torch7 file or cannot be read: {reason}") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.depth = data, 0, 0
        self.seen: dict[int, Any] = {}

    def take(self, code: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize("<" + code)
        return values

    def skip(self, count: int) -> int:
        """Advance by `count` bytes and return their start."""
        start = self.at
        if count < 0 or start + count > len(self.data):
            raise ValueError(f"it ends at byte {len(self.data)}, in the middle of a value")
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
            raise ValueError(f"unknown type {kind} at byte {self.at - 4}")
        (index,) = self.take("i")
        if index in self.seen:
            return self.seen[index]
        if kind == _TABLE:
            return self.table(index)
        if kind == _TORCH:
            return self.torch(index)
        self.seen[index] = None  # skip the function's byte code and its upvalues
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
        if short.removesuffix("Storage") in _TORCH7_DTYPES and short.endswith("Storage"):
            dtype = np.dtype(_TORCH7_DTYPES[short.removesuffix("Storage")])
            (count,) = self.take("q")
            start = self.skip(count * dtype.itemsize)
            self.seen[index] = np.frombuffer(self.data, dtype, count, start)
        elif short.removesuffix("Tensor") in _TORCH7_DTYPES and short.endswith("Tensor"):
            (dims,) = self.take("i")
            if not 0 <= dims <= 16:
                raise ValueError(f"a tensor has {dims} dimensions, at most 16 are supported")
            shape, strides = self.take(f"{dims}q"), self.take(f"{dims}q")
            (offset,) = self.take("q")
            storage = self.value()
            if dims == 0 or storage is None:
                self.seen[index] = np.empty(0, _TORCH7_DTYPES[short.removesuffix("Tensor")])
            elif isinstance(storage, np.ndarray):
                self.seen[index] = strided_view(storage, offset - 1, shape, strides)
            else:
                raise ValueError("a tensor has no storage")
        else:
            instance = self.seen[index] = TorchObject(kind)
            fields = self.value()
            if isinstance(fields, dict):
                instance.fields = fields
        return self.seen[index]
