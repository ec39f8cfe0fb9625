"""Engines for tensors: KServe's server runs the exported SavedModel, Triton's files fit it."""

import base64
import io
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

EXPORT = Path(__file__).parents[2] / "export"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def saved_model(tiny_network, tmp_path_factory):
    from keras_inpaint.exporting.saved_model import export_saved_model

    return export_saved_model(tiny_network, tmp_path_factory.mktemp("engines") / "tiny")


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (1, 50, 68, 3), dtype=np.uint8)
    mask = np.zeros((1, 50, 68, 1), np.uint8)
    mask[0, 10:30, 20:45] = 255
    return image, mask


@pytest.fixture(scope="module")
def expected(pair, saved_model):
    import keras_inpaint as ki

    inpainter = ki.Inpainter(saved_model, blend="none", scale=1, texture="off")
    return inpainter(pair[0], pair[1][..., 0])


@pytest.fixture(scope="module")
def kserve_server(saved_model, tmp_path_factory):
    """KServe's model server with the SavedModel, on free ports; its HTTP and gRPC addresses."""
    pytest.importorskip("tritonclient", reason="pip install 'keras-inpaint[test-all]'")
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    log = (tmp_path_factory.mktemp("kserve") / "log").open("w+b")
    process = subprocess.Popen(
        [
            *(sys.executable, EXPORT / "kserve" / "server.py", saved_model, "--model_name", "tiny"),
            *("--http_port", str(ports[0]), "--grpc_port", str(ports[1])),
        ],
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(600):
            try:
                url = f"http://127.0.0.1:{ports[0]}/v2/models/tiny/ready"
                with urllib.request.urlopen(url, timeout=5):
                    break
            except OSError:
                assert process.poll() is None, Path(log.name).read_text()[-2000:]
                time.sleep(0.2)
        yield tuple(f"127.0.0.1:{port}" for port in ports)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        log.close()


def check(found, pair, expected):
    assert np.abs(found.astype(int) - expected).max() <= 1
    known = pair[1][..., 0] == 0
    np.testing.assert_array_equal(found[known], pair[0][known])


def tensors(module, arrays):
    for name, array in arrays.items():
        kind = {"uint8": "UINT8", "float32": "FP32", "object": "BYTES"}[array.dtype.name]
        tensor = module.InferInput(name, list(array.shape), kind)
        tensor.set_data_from_numpy(array)
        yield tensor


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_v2(kserve_server, pair, expected, way):
    module = pytest.importorskip(f"tritonclient.{way}")
    client = module.InferenceServerClient(kserve_server[way == "grpc"])
    answer = client.infer("tiny", list(tensors(module, {"image": pair[0], "mask": pair[1]})))
    check(answer.as_numpy("completed"), pair, expected)
    wrong = {"image": pair[0][..., [0, 1, 2, 0]], "mask": pair[1]}
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException, match="image must have 3 channels, RGB"):
        client.infer("tiny", list(tensors(module, wrong)))
    client.close()


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def post(address, body):
    request = urllib.request.Request(
        f"http://{address}/v1/models/tiny:predict",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_v1_files(kserve_server, pair, expected):
    row = {
        name: {"b64": base64.b64encode(png(array)).decode()}
        for name, array in {"image": pair[0][0], "mask": pair[1][0, ..., 0]}.items()
    }
    answer = post(kserve_server[0], {"signature_name": "complete_bytes", "instances": [row]})
    data = base64.b64decode(answer["predictions"][0]["b64"])
    check(np.asarray(Image.open(io.BytesIO(data)))[None], pair, expected)


def test_v1_rows_and_columns(kserve_server, pair, expected):
    lists = {"image": pair[0].tolist(), "mask": pair[1].tolist()}
    columns = post(kserve_server[0], {"inputs": lists})["outputs"]
    rows = [{"image": lists["image"][0], "mask": lists["mask"][0]}]
    for found in (columns, post(kserve_server[0], {"instances": rows})["predictions"]):
        check(np.array(found, np.uint8), pair, expected)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"signature_name": "nothing", "inputs": {}}, "no signature 'nothing'"),
        ({"inputs": {"image": [[[[1, 2, 3]]]]}}, "takes image, mask"),
        ({"inputs": {"image": "x", "mask": "y"}}, ""),
        ({}, "instances or inputs"),
    ],
)
def test_what_is_wrong_is_told(kserve_server, body, message):
    with pytest.raises(urllib.error.HTTPError) as raised:
        post(kserve_server[0], body)
    assert raised.value.code == 400
    assert message in raised.value.read().decode()


def test_the_rest_client_of_tf_serving(kserve_server, pair, expected, tmp_path):
    """`export/tf_serving/client.py` speaks the protocol that KServe calls V1."""
    pytest.importorskip("requests")
    (tmp_path / "photo.png").write_bytes(png(pair[0][0]))
    (tmp_path / "mask.png").write_bytes(png(pair[1][0, ..., 0]))
    result = tmp_path / "out.png"
    done = subprocess.run(
        [
            *(sys.executable, EXPORT / "tf_serving" / "client.py", "rest"),
            *(tmp_path / "photo.png", tmp_path / "mask.png", result),
            *("--url", f"http://{kserve_server[0]}", "--model", "tiny"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    check(np.asarray(Image.open(result))[None], pair, expected)


def test_triton_s_configuration_fits_the_saved_model(saved_model):
    import tensorflow as tf
    from google.protobuf import text_format

    triton = pytest.importorskip("tritonclient.grpc.model_config_pb2")
    text = (EXPORT / "triton" / "completion" / "config.pbtxt").read_text("utf-8")
    config = text_format.Parse(text, triton.ModelConfig())
    assert (config.name, config.backend, config.max_batch_size) == ("completion", "tensorflow", 0)
    name = config.parameters["TF_SIGNATURE_DEF"].string_value
    signature = tf.saved_model.load(str(saved_model)).signatures[name]
    kinds = {tf.uint8: triton.TYPE_UINT8}
    specs = {**signature.structured_input_signature[1], **signature.structured_outputs}
    for entry in (*config.input, *config.output):
        spec = specs.pop(entry.name)
        assert entry.data_type == kinds[spec.dtype]
        assert list(entry.dims) == [-1 if side is None else side for side in spec.shape]
    assert not specs
