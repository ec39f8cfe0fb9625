"""PyTorch's files of weights, read without PyTorch and without running what they hold.

Source: the format is what `torch.save` writes: since 1.6 a zip archive of a pickle and one file a
storage, before that pickles one after the other and the storages behind them,
https://docs.pytorch.org/docs/stable/notes/serialization.html.
"""

import collections
import pickle
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_DTYPES = {
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
    """A storage that a pickle names, before its numbers are read."""

    def __init__(self, dtype: str, key: str, count: int) -> None:
        self.dtype, self.key, self.count = np.dtype(dtype), key, count


class _Tensor:
    """A view of a storage, before the numbers are read."""

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
    """Stands for every other class (training states, version marks): holds and does nothing."""

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
    """Pickle's stand-in for a storage's class: only its name is used."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


_KNOWN: dict[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("collections", "OrderedDict"): collections.OrderedDict,
    **{("torch", name): _Storages(dtype) for name, dtype in _DTYPES.items()},
}


class _Unpickler(pickle.Unpickler):
    """Builds numbers, text, lists, dicts and tensors; every other class becomes `_Inert`."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        return _KNOWN.get((module, name), _Inert)

    def persistent_load(self, pid: Any) -> _Storage:
        if not (isinstance(pid, tuple) and len(pid) >= 5 and isinstance(pid[1], _Storages)):
            raise pickle.UnpicklingError("a storage of a kind that is not read")
        if len(pid) > 5 and pid[5] is not None:
            raise pickle.UnpicklingError("a storage that is a view of another")
        storage = _Storage(pid[1].dtype, str(pid[2]), int(pid[4]))
        return self.storages.setdefault(storage.key, storage)


def read_pytorch(path: Path) -> Any:
    """Return what a `.pth` or `.pt` file holds, with NumPy arrays for tensors.

    No class or function that the file names is imported or called but the few that tensors are
    made of; objects of other classes come out empty.

    Args:
        path: Path of a file that `torch.save` wrote, in its zip form or the one before 1.6.

    Returns:
        What was saved, mostly a dict of strings to arrays.

    Raises:
        ValueError: If it is no such file, is damaged, or ends too early.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _read_zip(archive)
        with open(path, "rb") as file:
            return _read_legacy(file)
    except OSError:
        raise
    except Exception as error:  # pickle's machine fails in every way on a damaged file
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ValueError(f"{path} is no PyTorch file that can be read: {reason}") from error


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
        raise ValueError("it does not begin as one")
    if _Unpickler(file).load() != _LEGACY_PROTOCOL:
        raise ValueError("its protocol is unknown")
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
            raise ValueError(f"storage {key} has {count} numbers, expected {storage.count}")
        numbers[key] = np.frombuffer(file.read(count * storage.dtype.itemsize), storage.dtype)
    return _resolved(data, lambda tensor: tensor.array(numbers[tensor.storage.key]))


def _resolved(value: Any, array: Callable[[_Tensor], Any], depth: int = 0) -> Any:
    """Return the same with every tensor replaced by what `array` makes of it."""
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
    """Return the part of a storage that a tensor shows, as a view that cannot be written to.

    Args:
        numbers: Array `(count,)`, the storage.
        offset: Int, the tensor's first number.
        shape: Ints, the tensor's shape.
        strides: Ints of the same number, counted in numbers.

    Raises:
        ValueError: If the tensor reaches beyond the storage.
    """
    if len(shape) != len(strides) or min((offset, *shape, *strides), default=0) < 0:
        raise ValueError(f"a tensor has shape {shape} and strides {strides}")
    if 0 in shape:
        return np.empty(shape, numbers.dtype)
    last = offset + sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
    count = int(np.prod([int(side) for side in shape], dtype=object))
    if last >= len(numbers) or count > len(numbers):
        raise ValueError(f"a tensor of shape {shape} needs more numbers than {len(numbers)}")
    steps = [step * numbers.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False)
