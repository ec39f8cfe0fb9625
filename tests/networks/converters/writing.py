"""Files as PyTorch and Torch7 write them, made without either."""

import collections
import contextlib
import io
import pickle
import struct
import sys
import types
import zipfile

import numpy as np

_STORAGES = {"<f4": "FloatStorage", "<f8": "DoubleStorage", "<i8": "LongStorage"}


@contextlib.contextmanager
def torch_names():
    """Make the names importable that the pickles of PyTorch refer to."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError("the pickle is not to run the real function")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in _STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    kept = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        yield torch
    finally:
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


class _StorageId:
    def __init__(self, pid):
        self.pid = pid


class _Tensor:
    def __init__(self, key, array, torch):
        self.key, self.array, self.torch = key, array, torch

    def __reduce__(self):
        kind = getattr(self.torch, _STORAGES[self.array.dtype.newbyteorder("<").str])
        size = self.array.size
        storage = _StorageId(("storage", kind, self.key, "cpu", size))
        strides = tuple(step // self.array.itemsize for step in self.array.strides)
        build = sys.modules["torch._utils"]._rebuild_tensor_v2
        return build, (storage, 0, self.array.shape, strides, False, collections.OrderedDict())


def _pickled(value, legacy):
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol=2)

    def persistent_id(found):
        if isinstance(found, _StorageId):
            return (*found.pid, None) if legacy else found.pid
        return None

    pickler.persistent_id = persistent_id
    pickler.dump(value)
    return file.getvalue()


def write_pytorch(path, value, legacy=False):
    """Write nested dicts of arrays as `torch.save` does, in its zip form or the older one."""
    arrays = {}
    with torch_names() as torch:

        def wrap(found):
            if isinstance(found, np.ndarray):
                key = str(len(arrays))
                arrays[key] = np.ascontiguousarray(found)
                return _Tensor(key, arrays[key], torch)
            if isinstance(found, dict):
                return collections.OrderedDict((k, wrap(v)) for k, v in found.items())
            return found

        data = _pickled(wrap(value), legacy)
    if not legacy:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("archive/data.pkl", data)
            archive.writestr("archive/byteorder", "little")
            for key, array in arrays.items():
                archive.writestr(f"archive/data/{key}", array.tobytes())
            archive.writestr("archive/version", "3\n")
        return
    with open(path, "wb") as file:
        pickle.dump(0x1950A86A20F9469CFC6C, file, protocol=2)
        pickle.dump(1001, file, protocol=2)
        pickle.dump({"protocol_version": 1001, "little_endian": True}, file, protocol=2)
        file.write(data)
        pickle.dump(sorted(arrays), file, protocol=2)
        for key in sorted(arrays):
            file.write(struct.pack("<q", arrays[key].size) + arrays[key].tobytes())


class Module:
    """An object of a Torch7 class, to write."""

    def __init__(self, kind, **fields):
        self.kind, self.fields = kind, fields


def write_torch7(path, value):
    """Write nested dicts, arrays and `Module`s as Torch7's `torch.save` does on Linux."""
    out, indices = bytearray(), iter(range(1, 1 << 30))

    def text(found):
        out.extend(struct.pack("<i", len(found)) + found.encode())

    def put(found):
        if found is None:
            out.extend(struct.pack("<i", 0))
        elif isinstance(found, bool):
            out.extend(struct.pack("<ii", 5, found))
        elif isinstance(found, int | float):
            out.extend(struct.pack("<id", 1, found))
        elif isinstance(found, str):
            out.extend(struct.pack("<i", 2))
            text(found)
        elif isinstance(found, dict):
            out.extend(struct.pack("<iii", 3, next(indices), len(found)))
            for key, item in found.items():
                put(key)
                put(item)
        elif isinstance(found, Module):
            out.extend(struct.pack("<ii", 4, next(indices)))
            text("V 1")
            text(found.kind)
            put(found.fields)
        else:
            kind = {"<f4": "Float", "<f8": "Double"}[found.dtype.str]
            out.extend(struct.pack("<ii", 4, next(indices)))
            text("V 1")
            text(f"torch.{kind}Tensor")
            strides = [step // found.itemsize for step in found.strides]
            numbers = (found.ndim, *found.shape, *strides, 1)
            out.extend(struct.pack(f"<i{2 * found.ndim}qq", *numbers))
            out.extend(struct.pack("<ii", 4, next(indices)))
            text("V 1")
            text(f"torch.{kind}Storage")
            out.extend(struct.pack("<q", found.size) + found.tobytes())

    put(value)
    path.write_bytes(out)
