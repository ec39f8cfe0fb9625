import numpy as np
import pytest
import tensorflow as tf

from keras_inpaint.exporting.warmup import WARMUP_PATH, write_warmup

REQUESTS = [
    ("complete", {"image": np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)}),
    ("complete_float", {"mask": np.full((1, 2, 2, 1), 0.25, np.float32)}),
    ("complete_bytes", {"image": np.array([b"\x89PNG\x00\xff"], object)}),
]


def test_the_bytes_on_the_wire(tmp_path):
    # tensorflow_serving/apis/prediction_log.proto: predict_log is field 6; predict_log.proto's
    # request 1; predict.proto's model_spec 1 and inputs 2; model.proto's name 1 and
    # signature_name 3; a map entry's key 1 and value 2.
    write_warmup(tmp_path, [("sig", {"x": np.array([7], np.uint8)})], "m")
    (record,) = tf.data.TFRecordDataset(str(tmp_path / WARMUP_PATH)).as_numpy_iterator()
    tensor = tf.make_tensor_proto(np.array([7], np.uint8)).SerializeToString()

    def field(number, payload):
        assert len(payload) < 128
        return bytes([number << 3 | 2, len(payload)]) + payload

    spec = field(1, field(1, b"m") + field(3, b"sig"))
    entry = field(2, field(1, b"x") + field(2, tensor))
    assert record == field(6, field(1, spec + entry))


@pytest.mark.long
def test_serving_reads_it(tmp_path):
    log = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    assert write_warmup(tmp_path, REQUESTS, "faces") == tmp_path / WARMUP_PATH
    records = tf.data.TFRecordDataset(str(tmp_path / WARMUP_PATH)).as_numpy_iterator()
    for record, (name, inputs) in zip(records, REQUESTS, strict=True):
        request = log.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "faces" and request.model_spec.signature_name == name
        for key, value in inputs.items():
            np.testing.assert_array_equal(tf.make_ndarray(request.inputs[key]), value)
