"""Readers of foreign files: what they take, and that nothing in a file is run."""

import os
import pickle
import zipfile

import numpy as np
import pytest
from writing import Module, write_pytorch, write_torch7

from keras_inpaint.networks.converters.torch_files import (
    TorchObject,
    read_pytorch,
    read_torch7,
    strided_view,
)

ARRAYS = {
    "a": np.arange(24, dtype="float32").reshape(2, 3, 4),
    "b": np.arange(5, dtype="int64"),
    "inner": {"c": np.array(2.5, "float64"), "d": np.empty((0, 3), "float32")},
}


def same(found, wanted):
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        if isinstance(value, dict):
            same(found[key], value)
        else:
            assert found[key].dtype == value.dtype
            np.testing.assert_array_equal(found[key], value)


@pytest.mark.parametrize("legacy", [False, True])
def test_pytorch_files_are_read_whole(tmp_path, legacy):
    write_pytorch(tmp_path / "a.pth", ARRAYS, legacy)
    same(read_pytorch(tmp_path / "a.pth"), ARRAYS)


@pytest.mark.parametrize("legacy", [False, True])
def test_files_that_torch_itself_writes(tmp_path, legacy):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    tensors = {"a": torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1), "b": torch.ones(3)}
    torch.save(tensors, tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
    same(read_pytorch(tmp_path / "a.pth"), {k: v.numpy() for k, v in tensors.items()})


class Hostile:
    """Pickled, it makes the folder that it names when it is loaded."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("form", ["zip", "legacy", "plain"])
def test_a_hostile_file_runs_nothing(tmp_path, form):
    made = tmp_path / "made"
    data = pickle.dumps({"a": Hostile(made)}, protocol=2)
    pickle.loads(data)  # it would work
    made.rmdir()
    path = tmp_path / "hostile.pth"
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", data)
        assert set(read_pytorch(path)) == {"a"}
    elif form == "legacy":
        write_pytorch(path, {}, legacy=True)
        head = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
        path.write_bytes(head + pickle.dumps({}, 2) + data + pickle.dumps([], 2))
        assert set(read_pytorch(path)) == {"a"}
    else:
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"hostile\.pth is not a PyTorch file"):
            read_pytorch(path)
    assert not made.exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_truncated_pytorch_file_is_one_line(tmp_path, legacy):
    path = tmp_path / "a.pth"
    write_pytorch(path, ARRAYS, legacy)
    whole = path.read_bytes()
    for count in range(0, len(whole), 7):
        path.write_bytes(whole[:count])
        with pytest.raises(ValueError, match=r"a\.pth is not a PyTorch file") as caught:
            read_pytorch(path)
        assert "\n" not in str(caught.value)


def test_a_storage_of_another_size_is_named(tmp_path):
    path, other = tmp_path / "a.pth", tmp_path / "b.pth"
    write_pytorch(path, {"a": np.ones(8, "float32")})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data[:-4] if name == "archive/data/0" else data)
    with pytest.raises(ValueError, match="archive/data/0 has 28 bytes, expected 32"):
        read_pytorch(other)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (5,), (1,)),
        (1, (4,), (1,)),
        (0, (2, 2), (3, 1)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (1 << 40, 1 << 40), (0, 0)),
        (0, (2, 2), (1,)),
    ],
)
def test_a_tensor_stays_within_its_storage(offset, shape, strides):
    with pytest.raises(ValueError, match="a tensor"):
        strided_view(np.arange(4.0), offset, shape, strides)


CONTENT = {
    "model": Module("nn.Sequential", modules={1: Module("nn.ReLU", inplace=True)}),
    "mean": np.array([0.1, 0.2, 0.3], "float32"),
    "wide": np.arange(6, dtype="float64").reshape(2, 3),
    "number": 2.5,
    "nothing": None,
}


def test_torch7_files_are_read_whole(tmp_path):
    write_torch7(tmp_path / "a.t7", CONTENT)
    found = read_torch7(tmp_path / "a.t7")
    np.testing.assert_array_equal(found["mean"], CONTENT["mean"])
    np.testing.assert_array_equal(found["wide"], CONTENT["wide"])
    assert found["number"] == 2.5 and found["nothing"] is None
    assert found["model"].kind == "nn.Sequential"
    (relu,) = found["model"].get("modules").values()
    assert isinstance(relu, TorchObject) and relu.get("inplace") is True


def test_a_truncated_torch7_file_is_one_line(tmp_path):
    path = tmp_path / "a.t7"
    write_torch7(path, CONTENT)
    whole = path.read_bytes()
    for count in range(len(whole)):
        path.write_bytes(whole[:count])
        with pytest.raises(ValueError, match=r"a\.t7 is not a Torch7 file") as caught:
            read_torch7(path)
        assert "\n" not in str(caught.value)


def test_damaged_files_end_in_a_value_error_or_are_read(tmp_path):
    rng = np.random.default_rng(2)
    write_pytorch(tmp_path / "zip.pth", ARRAYS)
    write_pytorch(tmp_path / "legacy.pth", ARRAYS, legacy=True)
    write_torch7(tmp_path / "net.t7", CONTENT)
    failed = 0
    for name, read in (
        ("zip.pth", read_pytorch),
        ("legacy.pth", read_pytorch),
        ("net.t7", read_torch7),
    ):
        whole = (tmp_path / name).read_bytes()
        for _ in range(150):
            data = bytearray(whole)
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
            (tmp_path / name).write_bytes(data)
            try:
                read(tmp_path / name)
            except ValueError as error:
                failed += 1
                assert name in str(error)
    assert failed > 50


def test_a_deep_torch7_file_is_refused(tmp_path):
    value = {}
    for _ in range(400):
        value = {1: value}
    write_torch7(tmp_path / "deep.t7", value)
    with pytest.raises(ValueError, match="nested too deeply"):
        read_torch7(tmp_path / "deep.t7")


@pytest.mark.parametrize("read", [read_pytorch, read_torch7])
@pytest.mark.parametrize("data", [b"", b"<!DOCTYPE html>", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_foreign_files_are_one_line(tmp_path, read, data):
    (tmp_path / "other").write_bytes(data)
    with pytest.raises(ValueError, match="other is not a"):
        read(tmp_path / "other")
