"""`export/tf_serving`: its client, its check and its files."""

import importlib.util
import io
import shutil
from concurrent import futures
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[2] / "export" / "tf_serving"

pytest.importorskip("tensorflow_serving", reason="pip install 'keras-inpaint[test-all]'")
pytest.importorskip("requests", reason="pip install 'keras-inpaint[test-all]'")

pytestmark = pytest.mark.long


def program(name):
    spec = importlib.util.spec_from_file_location(f"tf_serving_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def files(pair, tmp_path_factory):
    image, mask = pair
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(image[0]).save(folder / "photo.png")
    Image.fromarray(mask[0, ..., 0]).save(folder / "mask.png")
    return folder


def assert_completed(contents, pair, completed):
    found = np.asarray(Image.open(io.BytesIO(contents))).astype(int)
    assert np.abs(found - completed[1][0]).max() <= 1
    known = pair[1][0, ..., 0] == 0
    np.testing.assert_array_equal(found[known], pair[0][0][known])


@pytest.fixture(scope="module")
def prediction_service(model_folders):
    """TensorFlow Serving's `PredictionService`, with an exported model behind it."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    model = tf.saved_model.load(str(model_folders / "tiny" / "1"))

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            if request.model_spec.name != "tiny":
                context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found")
            function = model.signatures[request.model_spec.signature_name or "serving_default"]
            inputs = {key: tf.make_ndarray(proto) for key, proto in request.inputs.items()}
            specs = function.structured_input_signature[1]
            tensors = {
                key: tf.constant(a.tolist() if a.dtype == object else a, specs[key].dtype)
                for key, a in inputs.items()
            }
            answer = predict_pb2.PredictResponse()
            for key, value in function(**tensors).items():
                answer.outputs[key].CopyFrom(tf.make_tensor_proto(value.numpy()))
            return answer

    service = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), service)
    port = service.add_insecure_port("127.0.0.1:0")
    service.start()
    yield f"127.0.0.1:{port}"
    service.stop(None).wait(10)


@pytest.mark.parametrize("way", ["complete_files", "complete_arrays"])
def test_the_grpc_client_against_tensorflow_serving_s_stubs(
    prediction_service, files, pair, completed, way
):
    client = program("client")
    service = client.Rpc(prediction_service, "tiny")
    contents = getattr(client, way)(
        service, (files / "photo.png").read_bytes(), (files / "mask.png").read_bytes()
    )
    assert_completed(contents, pair, completed)


def test_a_grpc_error_is_told(prediction_service):
    client = program("client")
    with pytest.raises(RuntimeError, match="NOT_FOUND: Servable not found"):
        client.complete_files(client.Rpc(prediction_service, "nobody"), b"", b"")


def test_exports_are_as_documented(model_folders):
    assert program("check").check(model_folders / "tiny") == []


def test_what_is_wrong_is_found(model_folders, tmp_path):
    check = program("check").check
    assert "no folder of a numbered version" in check(tmp_path)[0]
    (tmp_path / "1").mkdir()
    assert "no saved_model.pb" in check(tmp_path)[0]
    shutil.rmtree(tmp_path / "1")
    shutil.copytree(model_folders / "tiny" / "1", tmp_path / "1")
    warmup = tmp_path / "1" / "assets.extra" / "tf_serving_warmup_requests"
    warmup.write_bytes(warmup.read_bytes()[:-5])
    assert "cannot be read after" in check(tmp_path)[0]
    warmup.unlink()
    assert "the first requests will be slow" in check(tmp_path)[0]


def test_the_model_list_is_read_by_tensorflow_serving_s_own_message():
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    text = (FOLDER / "models.config").read_text("utf-8")
    message = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (config,) = message.model_config_list.config
    assert config.name == "faces" and config.model_version_policy.latest.num_versions == 2
