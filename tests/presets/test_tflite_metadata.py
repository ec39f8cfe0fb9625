import subprocess
import sys

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from keras_inpaint.presets.tflite_metadata import count_ops, read_metadata, with_metadata


@pytest.fixture(scope="module")
def empty_model():
    model = schema.ModelT()
    model.version, model.buffers = 3, [schema.BufferT()]
    model.operatorCodes, model.subgraphs = [], []
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_what_is_written_is_read(empty_model, tmp_path):
    facts = {"format": 1, "name": "fäces", "mean_pixel": [0.5, 0.25, 0.125]}
    model = with_metadata(empty_model, facts, "a description")
    assert read_metadata(model) == facts
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    assert read_metadata(path) == facts
    assert schema.Model.GetRootAs(model, 0).Description() == b"a description"


def test_an_earlier_entry_is_replaced(empty_model):
    model = with_metadata(empty_model, {"format": 1, "name": "first"})
    model = with_metadata(model, {"format": 1, "name": "second"})
    assert read_metadata(model)["name"] == "second"
    assert schema.Model.GetRootAs(model, 0).MetadataLength() == 1


def test_what_cannot_be_read(empty_model, tmp_path):
    with pytest.raises(ValueError, match="carries no keras_inpaint metadata"):
        read_metadata(empty_model)
    with pytest.raises(ValueError, match="metadata of format 99"):
        read_metadata(with_metadata(empty_model, {"format": 99}))
    path = tmp_path / "model.tflite"
    path.write_bytes(b"junk that is long enough")
    with pytest.raises(ValueError, match=r"model\.tflite is not a TFLite file"):
        read_metadata(path)


def test_ops_of_a_model_without_any(empty_model):
    assert count_ops(empty_model) == {}


def test_it_needs_no_tensorflow():
    program = (
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None\n"
        "import keras_inpaint.presets.tflite_metadata"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
