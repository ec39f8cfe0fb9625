import json

import numpy as np
import pytest
from click.testing import CliRunner

from keras_inpaint.commands.export import command
from keras_inpaint.exporting import onnx as ours
from keras_inpaint.exporting.onnx import METADATA_KEY, export_onnx
from keras_inpaint.exporting.parity import check_parity, verify

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def file(tiny_network, tmp_path_factory):
    return export_onnx(tiny_network, tmp_path_factory.mktemp("onnx") / "tiny.onnx", name="Tiny")


def test_it_is_the_network_at_every_size(file, tiny_network, photos):
    report = verify(file, tiny_network, photos[:3], sizes=((64, 64), (40, 92), (64, 36)))
    check_parity(report, min_psnr=90)
    assert [found.known_pixels_kept for found in report.comparisons] == [True] * 3
    assert (report.format, report.size_on_disk) == ("onnx", file.stat().st_size)
    # A dilated convolution is one op, and nothing is rearranged from space to batch.
    assert report.ops["complete"]["Conv"] == 15 and report.ops["complete"]["ConvTranspose"] == 2


def test_its_names_shapes_and_metadata(file, tiny_network):
    session = onnxruntime.InferenceSession(str(file))
    inputs = {entry.name: entry for entry in session.get_inputs()}
    assert set(inputs) == {"image", "mask"}
    assert [inputs["image"].shape[-1], inputs["mask"].shape[-1]] == [3, 1]
    assert {entry.type for entry in inputs.values()} == {"tensor(float)"}
    assert [entry.name for entry in session.get_outputs()] == ["completed"]
    found = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    assert (found["name"], found["size_multiple"]) == ("Tiny", 4)
    assert len(found["mean_pixel"]) == 3
    batch = np.zeros((2, 32, 36, 3), "float32")
    answer = session.run(None, {"image": batch, "mask": batch[..., :1]})[0]
    np.testing.assert_array_equal(answer, batch)


def test_the_command(tiny_model_path, tmp_path, monkeypatch):
    out = tmp_path / "tiny.onnx"
    arguments = [str(tiny_model_path), "--format", "onnx", "--photo-count", "2", "-o", str(out)]
    result = CliRunner().invoke(command, [*arguments, "--json", str(tmp_path / "report.json")])
    assert result.exit_code == 0, result.output
    assert f"Wrote {out}" in result.output and "onnx: " in result.output
    assert json.loads((tmp_path / "report.json").read_text())["format"] == "onnx"
    assert CliRunner().invoke(command, [*arguments, "--dynamic"]).exit_code == 2
    assert CliRunner().invoke(command, [*arguments[:-1], str(tmp_path)]).exit_code == 2


def test_what_does_not_pass_leaves_nothing(tiny_network, tmp_path):
    def check(path):
        raise RuntimeError("not good enough")

    with pytest.raises(RuntimeError, match="not good enough"):
        export_onnx(tiny_network, tmp_path / "tiny.onnx", check=check)
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_it_says_what_to_install(tiny_network, tmp_path, monkeypatch):
    monkeypatch.setattr(ours.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'keras-inpaint\[onnx\]'"):
        export_onnx(tiny_network, tmp_path / "tiny.onnx")
