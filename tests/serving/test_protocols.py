"""Every protocol answers the pixels of `Inpainter`, asked by other people's clients."""

import base64
import io
import itertools
import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tritonclient", reason="pip install 'keras-inpaint[test]'")


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(np.squeeze(pixels)).save(stream, "PNG")
    return stream.getvalue()


def jpeg(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def pixels(contents):
    return np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))


def b64(contents):
    return {"b64": base64.b64encode(contents).decode()}


def assert_completed(found, wanted, pair):
    """Equal pixels: outside the hole exactly, inside up to the rounding of float sums."""
    image, mask = pair
    known = mask[..., 0] == 0
    found = np.asarray(found, np.uint8)
    np.testing.assert_array_equal(found[known], image[known])
    difference = np.abs(found.astype(int) - wanted.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3
    assert (found[~known] != image[~known]).any()


class TestTensorFlowServingRest:
    """`/v1/models/NAME:predict`, status and metadata."""

    def url(self, server, rest):
        return f"{server.url}/v1/models/{rest}"

    @pytest.mark.parametrize("version", [1, 2])
    def test_rows(self, server, http, pair, completed, version):
        rows = [
            {"image": image.tolist(), "mask": mask.tolist()}
            for image, mask in zip(*pair, strict=True)
        ]
        url = self.url(server, f"tiny/versions/{version}:predict")
        answer = http.post(url, json={"instances": rows})
        assert answer.status_code == 200, answer.text
        assert_completed(answer.json()["predictions"], completed[version], pair)

    def test_columns_and_the_highest_version(self, server, http, pair, completed):
        image, mask = pair
        columns = {"image": image.tolist(), "mask": mask.tolist()}
        payload = {"signature_name": "complete", "inputs": columns}
        answer = http.post(self.url(server, "tiny:predict"), json=payload)
        assert_completed(answer.json()["outputs"], completed[2], pair)

    def test_floats(self, server, http, pair, completed):
        image, mask = pair
        columns = {"image": (image / 255).tolist(), "mask": (mask / 255).tolist()}
        payload = {"signature_name": "complete_float", "inputs": columns}
        answer = http.post(self.url(server, "tiny/versions/1:predict"), json=payload)
        found = np.asarray(answer.json()["outputs"], np.float32)
        assert_completed(np.rint(255 * found), completed[1], pair)

    def test_files_of_several_sizes(self, server, http, pair, completed):
        image, mask = pair
        rows = [
            {"image": b64(png(image[0])), "mask": b64(png(mask[0]))},
            {"image": b64(png(image[1][:, :60])), "mask": b64(png(mask[1][:, :60]))},
        ]
        payload = {"signature_name": "complete_bytes", "instances": rows}
        answer = http.post(self.url(server, "tiny/versions/1:predict"), json=payload)
        first, second = (base64.b64decode(one["b64"]) for one in answer.json()["predictions"])
        assert Image.open(io.BytesIO(first)).format == "PNG"
        assert_completed(pixels(first)[None], completed[1][:1], (image[:1], mask[:1]))
        assert pixels(second).shape == (50, 60, 3)

    def test_a_jpeg(self, server, http, pair, model_folders):
        import keras_inpaint as ki

        image, mask = pair
        contents = jpeg(image[0])
        payload = {
            "signature_name": "complete_bytes",
            "instances": [{"image": b64(contents), "mask": b64(png(mask[0]))}],
        }
        answer = http.post(self.url(server, "tiny/versions/1:predict"), json=payload)
        found = pixels(base64.b64decode(answer.json()["predictions"][0]["b64"]))
        read = pixels(contents)
        inpainter = ki.Inpainter(model_folders / "tiny" / "1", runtime="saved-model", blend="none")
        wanted = inpainter(read, mask[0, ..., 0])
        assert_completed(found[None], wanted[None], (read[None], mask[:1]))

    def test_status(self, server, http):
        answer = http.get(self.url(server, "tiny")).json()
        good = {"error_code": "OK", "error_message": ""}
        assert answer == {
            "model_version_status": [
                {"version": "2", "state": "AVAILABLE", "status": good},
                {"version": "1", "state": "AVAILABLE", "status": good},
            ]
        }
        one = http.get(self.url(server, "tiny/versions/1")).json()
        assert [entry["version"] for entry in one["model_version_status"]] == ["1"]

    def test_status_is_what_tensorflow_serving_s_own_message_reads(self, server, http):
        from google.protobuf import json_format
        from tensorflow_serving.apis import get_model_status_pb2

        message = get_model_status_pb2.GetModelStatusResponse()
        json_format.Parse(http.get(self.url(server, "tiny")).text, message)
        states = {entry.version: entry.state for entry in message.model_version_status}
        assert states == dict.fromkeys((1, 2), get_model_status_pb2.ModelVersionStatus.AVAILABLE)

    def test_metadata_is_what_tensorflow_serving_s_own_message_reads(self, server, http):
        from google.protobuf import json_format
        from tensorflow_serving.apis import get_model_metadata_pb2

        answer = http.get(self.url(server, "tiny/metadata")).json()
        assert answer["model_spec"] == {"name": "tiny", "signature_name": "", "version": "2"}
        message = get_model_metadata_pb2.SignatureDefMap()
        json_format.ParseDict(answer["metadata"]["signature_def"], message)
        signature = message.signature_def["complete_bytes"]
        assert set(signature.inputs) == {"image", "mask"}
        assert set(signature.outputs) == {"completed_bytes"}
        one = http.get(self.url(server, "tiny/versions/1/metadata")).json()
        assert one["model_spec"]["version"] == "1"

    @pytest.mark.parametrize(
        ("rest", "message"),
        [
            ("none", "Servable not found for request: Latest(none)"),
            ("tiny/versions/9", "Servable not found for request: Specific(tiny, 9)"),
        ],
    )
    def test_what_is_not_there(self, server, http, rest, message):
        for answer in (
            http.get(self.url(server, rest)),
            http.get(self.url(server, f"{rest}/metadata")),
            http.post(self.url(server, f"{rest}:predict"), json={"instances": []}),
        ):
            assert answer.status_code == 404
            assert answer.json() == {"error": message}

    def test_no_such_signature(self, server, http):
        payload = {"signature_name": "draw", "inputs": {}}
        answer = http.post(self.url(server, "tiny:predict"), json=payload)
        assert answer.status_code == 404 and "'complete_bytes'" in answer.json()["error"]

    def test_a_bad_file_is_named_by_its_index(self, server, http, pair):
        image, mask = pair
        good = {"image": b64(png(image[0])), "mask": b64(png(mask[0]))}
        cut = {"image": b64(png(image[0])[:500]), "mask": b64(png(mask[0]))}
        payload = {"signature_name": "complete_bytes", "instances": [good, cut]}
        answer = http.post(self.url(server, "tiny:predict"), json=payload)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("index 1 of the batch: the image is no JPEG")


def clients():
    import tritonclient.grpc
    import tritonclient.http

    return {"http": tritonclient.http, "grpc": tritonclient.grpc}


@pytest.fixture(params=["http", "grpc"])
def triton(request, server):
    """Triton's own client over HTTP or gRPC: module, client, headers."""
    module = clients()[request.param]
    address = server.address if request.param == "http" else server.grpc.removeprefix("http://")
    client = module.InferenceServerClient(address)
    headers = {key.lower(): value for key, value in server.headers.items()}
    yield module, client, headers
    client.close()


class TestOpenInferenceProtocol:
    """`/v2` over HTTP and gRPC, through tritonclient."""

    def tensors(self, module, arrays, **options):
        for name, array in arrays.items():
            kind = {"u": "UINT8", "f": "FP32", "O": "BYTES"}[array.dtype.kind]
            tensor = module.InferInput(name, list(array.shape), kind)
            tensor.set_data_from_numpy(array, **options)
            yield tensor

    def test_health_and_metadata(self, triton):
        _, client, headers = triton
        assert client.is_server_live(headers=headers)
        assert client.is_server_ready(headers=headers)
        assert client.is_model_ready("tiny", headers=headers)
        assert client.is_model_ready("tiny", "1", headers=headers)
        assert not client.is_model_ready("tiny", "9", headers=headers)

    def test_metadata(self, triton):
        module, client, headers = triton
        server, model = (
            client.get_server_metadata(headers=headers),
            client.get_model_metadata("tiny", "1", headers=headers),
        )
        if module.__name__.endswith("grpc"):
            from google.protobuf.json_format import MessageToDict

            server, model = (
                MessageToDict(message, preserving_proto_field_name=True)
                for message in (server, model)
            )
        assert server["name"] == "keras-inpaint"
        assert model["versions"] == ["1", "2"]
        kinds = {tensor["name"]: tensor["datatype"] for tensor in model["inputs"]}
        assert kinds == {"image": "UINT8", "mask": "UINT8"}
        (output,) = model["outputs"]
        assert [int(size) for size in output["shape"]] == [-1, -1, -1, 3]

    @pytest.mark.parametrize("version", ["1", "2", ""])
    def test_arrays(self, triton, pair, completed, version):
        module, client, headers = triton
        image, mask = pair
        tensors = list(self.tensors(module, {"image": image, "mask": mask}))
        answer = client.infer("tiny", tensors, version, request_id="a-7", headers=headers)
        assert_completed(answer.as_numpy("completed"), completed[int(version or 2)], pair)
        response = answer.get_response()
        told = response if isinstance(response, dict) else {"id": response.id}
        assert told["id"] == "a-7"

    def test_floats(self, triton, pair, completed):
        module, client, headers = triton
        arrays = {
            name: (array / 255).astype(np.float32)
            for name, array in zip(("image", "mask"), pair, strict=True)
        }
        answer = client.infer(
            "tiny",
            list(self.tensors(module, arrays)),
            "1",
            parameters={"signature_name": "complete_float"},
            outputs=[module.InferRequestedOutput("completed")],
            headers=headers,
        )
        assert_completed(np.rint(255 * answer.as_numpy("completed")), completed[1], pair)

    @pytest.mark.parametrize("write", [png, jpeg])
    def test_files(self, triton, pair, model_folders, write):
        import keras_inpaint as ki

        module, client, headers = triton
        image, mask = pair
        photos = [write(one) for one in image]
        arrays = {
            "image": np.array(photos, object),
            "mask": np.array([png(one) for one in mask], object),
        }
        answer = client.infer(
            "tiny",
            list(self.tensors(module, arrays)),
            "1",
            parameters={"signature_name": "complete_bytes"},
            headers=headers,
        )
        found = np.stack([pixels(one) for one in answer.as_numpy("completed_bytes")])
        read = np.stack([pixels(one) for one in photos])
        inpainter = ki.Inpainter(model_folders / "tiny" / "1", runtime="saved-model", blend="none")
        assert_completed(found, inpainter(read, mask[..., 0]), (read, mask))

    def test_json_tensors(self, server, pair, completed):
        module = clients()["http"]
        image, mask = pair
        client = module.InferenceServerClient(server.address)
        arrays = {"image": image, "mask": mask}
        answer = client.infer(
            "tiny",
            list(self.tensors(module, arrays, binary_data=False)),
            "1",
            outputs=[module.InferRequestedOutput("completed", binary_data=False)],
            headers=server.headers,
        )
        assert "data" in answer.get_response()["outputs"][0]
        assert_completed(answer.as_numpy("completed"), completed[1], pair)

    def test_nested_json_as_the_protocol_allows_it(self, server, http, pair, completed):
        image, mask = pair
        inputs = [
            {"name": name, "shape": list(a.shape), "datatype": "UINT8", "data": a.tolist()}
            for name, a in (("image", image), ("mask", mask))
        ]
        url = f"{server.url}/v2/models/tiny/versions/1/infer"
        answer = http.post(url, json={"inputs": inputs})
        (output,) = answer.json()["outputs"]
        found = np.reshape(output["data"], output["shape"])
        assert_completed(found, completed[1], pair)
        assert answer.json()["model_version"] == "1"

    def test_a_png_is_no_json_text(self, server, http, pair):
        image, mask = pair
        head = json.dumps(
            {
                "parameters": {"signature_name": "complete_bytes"},
                "inputs": [
                    {
                        "name": name,
                        "shape": [1],
                        "datatype": "BYTES",
                        "parameters": {"binary_data_size": 4 + len(contents)},
                    }
                    for name, contents in (("image", png(image[0])), ("mask", png(mask[0])))
                ],
            }
        ).encode()
        blobs = [
            len(contents).to_bytes(4, "little") + contents
            for contents in (png(image[0]), png(mask[0]))
        ]
        answer = http.post(
            f"{server.url}/v2/models/tiny/infer",
            data=head + b"".join(blobs),
            headers={"Inference-Header-Content-Length": str(len(head))},
        )
        assert answer.status_code == 400
        assert "binary_data" in answer.json()["error"]

    def test_errors_reach_the_client(self, triton, pair):
        module, client, headers = triton
        image, mask = pair
        from tritonclient.utils import InferenceServerException

        cases = [
            ({"image": image}, {}, "missing mask"),
            ({"image": image, "mask": mask[:, :20]}, {}, "differ in batch, height or width"),
            ({"image": image, "mask": mask, "more": mask}, {}, "unknown more"),
            ({"image": image[..., :1], "mask": mask}, {}, "image must have the shape"),
            ({"image": image[:0], "mask": mask[:0]}, {}, "the batch is empty"),
            ({"image": image, "mask": mask.astype(np.float32)}, {}, "mask must be uint8"),
            (
                {"image": image, "mask": mask},
                {"parameters": {"signature_name": "draw"}},
                "no signature 'draw'",
            ),
            (
                {"image": image, "mask": mask},
                {"outputs": [module.InferRequestedOutput("other")]},
                "no output 'other'",
            ),
            ({"image": image, "mask": mask}, {"model_version": "9"}, "Specific(tiny, 9)"),
        ]
        for arrays, options, message in cases:
            with pytest.raises(InferenceServerException) as caught:
                client.infer("tiny", list(self.tensors(module, arrays)), headers=headers, **options)
            assert message in str(caught.value)

    def test_models_are_not_loaded_from_outside(self, server):
        from tritonclient.utils import InferenceServerException

        client = clients()["grpc"].InferenceServerClient(server.grpc)
        headers = {"x-api-key": server.key}
        with pytest.raises(InferenceServerException, match="UNIMPLEMENTED"):
            client.unload_model("tiny", headers=headers)
        assert client.is_model_ready("tiny", headers=headers)
        client.close()


def test_grpc_with_typed_contents(server, pair, completed):
    """Values in the message's own fields instead of raw bytes, as the protocol allows."""
    import grpc
    from tritonclient.grpc import service_pb2, service_pb2_grpc

    image, mask = pair
    request = service_pb2.ModelInferRequest(model_name="tiny", model_version="1")
    for name, array in (("image", image), ("mask", mask)):
        tensor = request.inputs.add(name=name, datatype="UINT8", shape=array.shape)
        tensor.contents.uint_contents.extend(array.ravel().tolist())
    with grpc.insecure_channel(server.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answer = stub.ModelInfer(request, metadata=[("x-api-key", server.key)], timeout=60)
        found = np.frombuffer(answer.raw_output_contents[0], np.uint8).reshape(image.shape)
        assert_completed(found, completed[1], pair)

        request.inputs[0].contents.uint_contents[0] = 300
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelInfer(request, metadata=[("x-api-key", server.key)], timeout=60)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_requests_that_come_together_get_their_own_answers(server, pair, completed):
    """Many clients at a time, of two sizes: batched, and nobody gets another's photo."""
    from concurrent.futures import ThreadPoolExecutor

    image, mask = pair
    module = clients()["grpc"]
    make = TestOpenInferenceProtocol().tensors

    def ask(job):
        index, wide = job
        one = image[index : index + 1, :, : 68 if wide else 48]
        hole = mask[index : index + 1, :, : 68 if wide else 48]
        client = module.InferenceServerClient(server.grpc)
        tensors = list(make(module, {"image": one, "mask": hole}))
        headers = {"x-api-key": server.key}
        answer = client.infer("tiny", tensors, "1", headers=headers).as_numpy("completed")
        client.close()
        return answer

    jobs = list(itertools.product((0, 1), (True, False))) * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, jobs))
    for (index, wide), answer in zip(jobs, answers, strict=True):
        if wide:
            one = (image[index : index + 1], mask[index : index + 1])
            assert_completed(answer, completed[1][index : index + 1], one)
        else:
            assert answer.shape == (1, 50, 48, 3)
            same = [a for j, a in zip(jobs, answers, strict=True) if j == (index, wide)]
            assert max(np.abs(a.astype(int) - answer).max() for a in same) <= 1


@pytest.mark.parametrize(
    "path", ["/v2/health/live", "/v2/health/ready", "/metrics", "/docs", "/v1/models/tiny"]
)
def test_head_answers_as_get_does_without_a_body(server, http, path):
    got, head = http.get(server.url + path), http.head(server.url + path)
    assert head.status_code == got.status_code == 200 and head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]


def test_head_of_what_only_takes_photos_is_refused(server, http):
    url = server.url + "/v1/models/tiny:predict"
    assert http.head(url).status_code == http.get(url).status_code >= 400
