"""Limits, the API key, hosts and origins: each with its answer, and the server goes on."""

import io
import json
import socket
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

requests = pytest.importorskip("requests", reason="pip install 'keras-inpaint[test]'")


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def huge_png(width=60_000, height=60_000):
    """A file of some hundred bytes that declares 3.6 gigapixels."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.fixture(autouse=True)
def goes_on(server):
    yield
    answer = requests.get(f"{server.url}/v2/health/ready", timeout=60)
    assert answer.json() == {"ready": True}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/tiny"),
        ("GET", "/v2/models/tiny"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/nothing"),
        ("POST", "/complete"),
        ("POST", "/v1/models/tiny:predict"),
        ("POST", "/v2/models/tiny/infer"),
    ],
)
def test_nothing_without_the_key(server, method, path):
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {server.key}"},
        {"Authorization": f"Bearer {server.key}x"},
        {"X-API-Key": ""},
        {"X-API-Key": "schl\u00fcssel".encode("latin-1")},
    ):
        answer = requests.request(method, server.url + path, headers=headers, timeout=60)
        assert answer.status_code == 401
        assert answer.json() == {"error": "a valid API key is needed: Authorization: Bearer KEY"}
        assert answer.headers["www-authenticate"] == "Bearer"


def test_with_the_key_and_health_without(server):
    url = f"{server.url}/v1/models/tiny"
    assert requests.get(url, headers={"X-API-Key": server.key}, timeout=60).status_code == 200
    bearer = {"Authorization": f"bearer {server.key}"}
    assert requests.get(url, headers=bearer, timeout=60).status_code == 200
    assert requests.get(f"{server.url}/v2/health/live", timeout=60).json() == {"live": True}


def test_grpc_needs_the_key_too(server):
    grpc = pytest.importorskip("tritonclient.grpc")
    from tritonclient.utils import InferenceServerException

    client = grpc.InferenceServerClient(server.grpc)
    assert client.is_server_live() and client.is_server_ready()
    for headers in ({}, {"x-api-key": "wrong"}, {"authorization": "Bearer wrong"}):
        with pytest.raises(InferenceServerException, match="UNAUTHENTICATED"):
            client.get_model_metadata("tiny", headers=headers)
    client.get_model_metadata("tiny", headers={"authorization": f"Bearer {server.key}"})
    client.close()


def test_other_host_names_are_not_answered(server, http):
    for host in ("evil.example", "evil.example:8501", "127.0.0.1.evil.example", ""):
        answer = http.get(f"{server.url}/v2/health/live", headers={"Host": host})
        assert answer.status_code in (400, 421), host
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8501"):
        assert http.get(f"{server.url}/v2", headers={"Host": host}).status_code == 200


def test_origins(server):
    url = f"{server.url}/v1/models/tiny"
    headers = {"Origin": server.origin, **server.headers}
    answer = requests.get(url, headers=headers, timeout=60)
    assert answer.headers["access-control-allow-origin"] == server.origin
    other = requests.get(url, headers={**headers, "Origin": "https://evil.example"}, timeout=60)
    assert "access-control-allow-origin" not in other.headers
    asked = {"Origin": server.origin, "Access-Control-Request-Method": "POST"}
    assert requests.options(f"{server.url}/complete", headers=asked, timeout=60).ok
    asked["Origin"] = "https://evil.example"
    assert requests.options(f"{server.url}/complete", headers=asked, timeout=60).status_code == 400


@pytest.mark.parametrize("path", ["/complete", "/v1/models/tiny:predict", "/v2/models/tiny/infer"])
def test_a_body_that_is_too_large(server, http, path):
    body = b"x" * (server.max_body + 1)
    form = {"content-type": "multipart/form-data; boundary=b"}
    answer = http.post(server.url + path, data=body, headers=form)
    assert answer.status_code == 413
    assert str(server.max_body) in answer.json()["error"]

    def stream():  # chunked: the length is not told
        for _ in range(server.max_body // 65536 + 2):
            yield bytes(65536)

    answer = http.post(server.url + path, data=stream(), headers=form)
    assert answer.status_code in (400, 413)
    if path != "/complete":
        assert answer.status_code == 413


def test_curl_s_expect_header_is_answered_before_the_body(server):
    lines = [
        "POST /complete HTTP/1.1",
        f"Host: {server.address}",
        f"Authorization: Bearer {server.key}",
        "Content-Type: multipart/form-data; boundary=b",
        f"Content-Length: {server.max_body * 100}",
        "Expect: 100-continue",
    ]
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_a_grpc_message_that_is_too_large(server):
    grpc = pytest.importorskip("tritonclient.grpc")
    from tritonclient.utils import InferenceServerException

    client = grpc.InferenceServerClient(server.grpc)
    image = np.zeros((10, 300, 300, 3), np.uint8)
    tensor = grpc.InferInput("image", list(image.shape), "UINT8")
    tensor.set_data_from_numpy(image)
    with pytest.raises(InferenceServerException, match="RESOURCE_EXHAUSTED"):
        client.infer("tiny", [tensor], headers={"x-api-key": server.key})
    client.close()


def test_too_many_pixels_in_tensors(server, http):
    def infer(shape):
        image, mask = np.zeros((*shape, 3), np.uint8), np.zeros((*shape, 1), np.uint8)
        mask[:, :4, :4] = 1
        inputs = [
            {
                "name": name,
                "shape": list(a.shape),
                "datatype": "UINT8",
                "parameters": {"binary_data_size": a.nbytes},
            }
            for name, a in (("image", image), ("mask", mask))
        ]
        head = json.dumps({"inputs": inputs}).encode()
        return http.post(
            f"{server.url}/v2/models/tiny/infer",
            data=head + image.tobytes() + mask.tobytes(),
            headers={"Inference-Header-Content-Length": str(len(head))},
        )

    assert infer((1, 320, 320)).status_code == 200
    for shape in ((1, 321, 320), (2, 300, 300)):
        answer = infer(shape)
        assert answer.status_code == 413
        assert "102400 pixels" in answer.json()["error"]


def test_too_many_pixels_in_files(server, http, photo):
    import base64

    bomb = huge_png()
    assert len(bomb) < 1000
    answer = http.post(
        f"{server.url}/complete", files={"photo": bomb, "mask": bomb}, data={"model": "tiny"}
    )
    assert answer.status_code == 413 and "pixels" in answer.json()["error"]
    small, large = png(photo), png(np.zeros((601, 601), np.uint8))
    for files in ({"photo": large, "mask": large}, {"photo": small, "mask": large}):
        answer = http.post(f"{server.url}/complete", files=files, data={"model": "tiny"})
        assert answer.status_code == 413
        assert "601 by 601 pixels" in answer.json()["error"]
    for contents in (bomb, large):
        row = {name: {"b64": base64.b64encode(contents).decode()} for name in ("image", "mask")}
        answer = http.post(
            f"{server.url}/v1/models/tiny:predict",
            json={"signature_name": "complete_bytes", "instances": [row]},
        )
        assert answer.status_code == 413 and "pixels" in answer.json()["error"]


def test_compressed_bodies_are_not_read(server, http):
    import gzip

    answer = http.post(
        f"{server.url}/v1/models/tiny:predict",
        data=gzip.compress(b'{"instances": []}'),
        headers={"Content-Encoding": "gzip"},
    )
    assert answer.status_code == 415


def test_more_requests_than_work_and_queue_hold(server, eventually):
    """Connections that hold a place without sending their body; the next is refused."""
    host, _, port = server.address.rpartition(":")
    head = "\r\n".join(
        [
            "POST /v1/models/tiny:predict HTTP/1.1",
            f"Host: {server.address}",
            f"Authorization: Bearer {server.key}",
            "Content-Length: 100",
            "",
            "",
        ]
    ).encode()
    waiting = []
    try:
        for _ in range(16):  # 8 in work and 8 in the queue
            connection = socket.create_connection((host, int(port)), timeout=60)
            connection.sendall(head)
            waiting.append(connection)
        url = f"{server.url}/v1/models/tiny:predict"

        def refused():
            answer = requests.post(url, json={}, headers=server.headers, timeout=60)
            if answer.status_code != 429:
                return False
            assert answer.headers["retry-after"] == "1"
            assert "8 requests are in work and 8 wait" in answer.json()["error"]
            return True

        eventually(refused)
        # What needs no place is still answered.
        assert requests.get(f"{server.url}/v2/health/ready", timeout=60).ok
        assert requests.get(f"{server.url}/metrics", headers=server.headers, timeout=60).ok
    finally:
        for connection in waiting:
            connection.close()

    def free():
        answer = requests.post(url, json={}, headers=server.headers, timeout=60)
        return answer.status_code == 400

    eventually(free)


def test_a_burst_is_answered_or_refused(server, photo):
    """Many uploads at once: each is completed or told to come again; none hangs or fails."""
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[10:30, 10:30] = 255
    files = {"photo": png(photo), "mask": png(mask)}

    def ask(_):
        return requests.post(
            f"{server.url}/complete",
            files=files,
            data={"model": "tiny"},
            headers=server.headers,
            timeout=120,
        ).status_code

    with ThreadPoolExecutor(40) as pool:
        codes = list(pool.map(ask, range(60)))
    assert set(codes) <= {200, 429}
    assert codes.count(200) >= 16


def test_a_connection_that_breaks_off_frees_its_place(server, eventually):
    host, _, port = server.address.rpartition(":")
    for _ in range(40):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(
                f"POST /complete HTTP/1.1\r\nHost: {server.address}\r\n"
                f"Authorization: Bearer {server.key}\r\n"
                "Content-Type: multipart/form-data; boundary=b\r\n"
                "Content-Length: 1000\r\n\r\n--b".encode()
            )

    def empty():
        text = requests.get(f"{server.url}/metrics", headers=server.headers, timeout=60).text
        return "\nkeras_inpaint_admitted_requests 0.0\n" in text

    eventually(empty)


def test_garbage_on_the_wire(server):
    host, _, port = server.address.rpartition(":")
    for garbage in (b"\x16\x03\x01" + bytes(200), b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 5000):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(30)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                pass


def test_metrics(server, http):
    text = http.get(f"{server.url}/metrics").text
    for name in (
        'keras_inpaint_model_available{model="tiny",version="2"} 1.0',
        "keras_inpaint_batch_rows_count",
        "keras_inpaint_call_seconds_bucket",
        'request_predict_seconds_bucket{le="0.005",model_name="tiny/1"}',
        "process_resident_memory_bytes",
    ):
        assert name in text or name.startswith("request_predict")
    # Paths that do not exist must not make a series each.
    for index in range(5):
        http.get(f"{server.url}/nothing/{index}")
    text = http.get(f"{server.url}/metrics").text
    assert "nothing/" not in text


def test_the_log_is_json_without_contents(server, http, photo):
    marker = "x-" + "marker" * 3
    answer = http.post(
        f"{server.url}/complete",
        files={"photo": (f"{marker}.png", png(photo)), "mask": (f"{marker}.png", png(photo))},
        data={"model": "tiny"},
        headers={"X-Request-Id": "asked-for-1"},
    )
    assert answer.headers["x-request-id"] == "asked-for-1"
    time.sleep(0.2)
    lines = server.lines()  # every line is JSON
    mine = [line for line in lines if line.get("request_id") == "asked-for-1"]
    assert len(mine) == 1
    assert {"route", "status", "milliseconds", "bytes_in", "bytes_out", "time"} <= mine[0].keys()
    text = server.log_path.read_text("utf-8")
    assert marker not in text and server.key not in text
    forged = http.get(f"{server.url}/v2", headers={"X-Request-Id": "a b\tc"})
    assert forged.headers["x-request-id"] != "a b\tc"


def test_description_and_its_page_need_nothing_from_outside(server, http):
    document = http.get(f"{server.url}/openapi.json").json()
    assert {"/complete", "/v1/models/{name}:predict", "/v2/models/{name}/infer"} <= set(
        document["paths"]
    )
    page = http.get(f"{server.url}/docs").text
    links = [part.split('"')[0] for part in page.replace("src=", "href=").split('href="')[1:]]
    assert links and all(link.startswith("/docs/assets/") for link in links)
    for link in links:
        assert http.get(server.url + link).ok
