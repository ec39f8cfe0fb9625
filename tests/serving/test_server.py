"""The photo server: what it answers, whom, and what it refuses."""

import io
import json
import re
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

import keras_inpaint as ki

requests = pytest.importorskip("requests", reason="pip install 'keras-inpaint[test]'")
pytest.importorskip("fastapi", reason="pip install 'keras-inpaint[test]'")

#: As the server of the tests was told.
MAX_BODY, MAX_PIXELS, MAX_HOLE = 4 * 2**20, 600 * 600, 90_000
MEDIA_TYPES = {
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
}


def encoded(pixels, format="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format, **options)
    return stream.getvalue()


def decoded(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def hole(photo):
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[30:60, 40:80] = 255
    return mask


@pytest.fixture(scope="module")
def upload(photo, hole):
    return {"photo": encoded(photo), "mask": encoded(hole)}


@pytest.fixture
def complete(http, server, upload):
    def post(files=None, headers=None, **fields):
        fields.setdefault("model", "tiny")
        files = upload if files is None else files
        return http.post(
            f"{server.url}/complete", files=files, data=fields, headers=headers, timeout=60
        )

    return post


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP"])
def test_pixels_are_those_of_inpainter(complete, photo, hole, model_folders, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    files = {"photo": encoded(photo, kind, **options), "mask": encoded(hole)}
    answer = complete(files, blend="feather")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPES[kind]
    expected = ki.Inpainter(model_folders / "tiny" / "1", blend="feather")(photo, hole)
    found = decoded(answer.content).astype(int)
    np.testing.assert_array_equal(found[hole == 0], photo[hole == 0])
    assert np.abs(found - expected).max() <= 1
    assert isinstance(json.loads(answer.headers["x-keras-inpaint-notes"]), list)


def test_jpeg_stays_jpeg_and_keeps_its_exif(complete, photo, hole):
    exif = Image.Exif()
    exif[315] = "A. Painter"
    answer = complete({"photo": encoded(photo, "JPEG", exif=exif), "mask": encoded(hole)})
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, image.getexif()[315]) == ("JPEG", "A. Painter")
    assert "written as JPEG" in answer.headers["x-keras-inpaint-notes"]


def test_without_a_mask_the_transparent_part_is_the_hole(complete, photo, hole):
    transparent = np.dstack([photo, 255 - hole])
    answer = complete({"photo": encoded(transparent)})
    found = decoded(answer.content)
    assert (found[..., 3] == 255).all()
    np.testing.assert_array_equal(found[hole == 0], transparent[hole == 0])
    refused = complete({"photo": encoded(photo)})
    assert refused.status_code == 422 and "has no alpha channel" in refused.json()["error"]


def test_options(complete, photo, hole, upload):
    grown = complete(grow="4")
    changed = (decoded(grown.content) != photo).any(-1)
    assert changed[27:30, 45:75].any() and not changed[:25].any()
    black = complete({**upload, "mask": encoded(255 - hole)}, polarity="black")
    np.testing.assert_array_equal(decoded(black.content), decoded(complete().content))
    half = encoded(hole[::2, ::2])
    assert (
        "that of photo is 120x96; resize it" in complete({**upload, "mask": half}).json()["error"]
    )
    assert complete({**upload, "mask": half}, resize_mask="true").status_code == 200
    auto = complete(model="auto", scale="1", texture="off")
    assert auto.status_code == 200 and "completed with" in auto.headers["x-keras-inpaint-notes"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"grow": "x"}, "grow: .*integer.* got 'x'"),
        ({"grow": "1001"}, "grow: .*1000"),
        ({"blend": "blur"}, "blend: .*poisson.*blur"),
        ({"scale": "0"}, "scale: "),
        ({"nonsense": "1"}, "nonsense: "),
        ({"resize_mask": "perhaps"}, "resize_mask: "),
    ],
)
def test_wrong_parameters(complete, fields, message):
    answer = complete(**fields)
    assert answer.status_code == 422
    assert re.search(message, answer.json()["error"]), answer.text


@pytest.mark.parametrize(
    ("files", "status", "message"),
    [
        ({"photo": b"no photo"}, 422, "photo: is not a JPEG, PNG"),
        ({"mask": b"no mask"}, 422, "mask: is not a JPEG, PNG"),
        ({"photo": b""}, 422, "photo"),
        ({"mask": "black"}, 422, "has no hole"),
        ({"mask": "white"}, 422, "all pixels are in the hole"),
        ({"mask": "swapped", "photo": "mask"}, 422, "were photo and mask swapped"),
        ({"photo": "large"}, 413, f"more than the {MAX_PIXELS} allowed"),
        ({"mask": "large"}, 413, f"more than the {MAX_PIXELS} allowed"),
        ({"photo": "wide", "mask": "wide hole"}, 413, f"more than the {MAX_HOLE} allowed"),
    ],
)
def test_files_that_cannot_be_worked_with(complete, upload, photo, hole, files, status, message):
    made = {
        "black": encoded(0 * hole),
        "white": encoded(0 * hole + 255),
        "swapped": encoded(photo),
        "mask": encoded(np.dstack([hole] * 3)),
        "large": encoded(np.zeros((601, 600), np.uint8)),
        "wide": encoded(np.zeros((500, 500, 3), np.uint8)),
        "wide hole": encoded(np.pad(np.full((310, 310), 255, np.uint8), 95)),
    }
    sent = {name: made.get(data, data) for name, data in files.items()}
    answer = complete({**upload, **sent})
    assert answer.status_code == status, answer.text
    assert message in answer.json()["error"]


def test_no_such_model_and_no_such_route(complete, http, server):
    answer = complete(model="moon")
    assert answer.status_code == 404 and "models: tiny, other" in answer.json()["error"]
    assert http.get(f"{server.url}/v1/models/tiny").status_code == 404
    assert http.get(f"{server.url}/complete").status_code == 405


def test_models_and_their_cards(http, server):
    found = http.get(f"{server.url}/models").json()["models"]
    assert [model["name"] for model in found] == ["auto", "tiny", "other"]
    assert [model["default"] for model in found] == [True, False, False]
    assert all(model["card"] for model in found)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/docs"])
def test_head(http, server, path):
    get, head = http.get(server.url + path), http.head(server.url + path)
    assert (get.status_code, head.status_code) == (200, 200)
    assert get.content and not head.content


def test_metrics(http, server, complete):
    complete()
    text = http.get(f"{server.url}/metrics").text
    for name in ("requests_total", "request_seconds_bucket", "working_requests", "waiting"):
        assert f"keras_inpaint_{name}" in text
    assert 'route="/complete"' in text


def test_the_key(server, upload):
    for headers in ({}, {"X-API-Key": "wrong"}, {"Authorization": "Basic abc"}):
        answer = requests.post(f"{server.url}/complete", files=upload, headers=headers)
        assert answer.status_code == 401 and "API key" in answer.json()["error"]
        assert answer.headers["www-authenticate"] == "Bearer"
    good = {"X-API-Key": server.key}
    assert requests.get(f"{server.url}/models", headers=good).status_code == 200
    for path in ("/health/live", "/health/ready", "/docs", "/openapi.json"):
        assert requests.get(server.url + path).status_code == 200, path
    document = requests.get(f"{server.url}/openapi.json").json()
    assert document["security"] == [{"key": []}]


def test_pages_of_other_origins_may_not_ask(complete, server):
    assert complete(headers={"Origin": "http://elsewhere.example"}).status_code == 403
    assert complete(headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert complete(headers={"Origin": "null"}).status_code == 403
    allowed = complete(headers={"Origin": server.origin})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == server.origin
    assert complete(headers={"Origin": server.url}).status_code == 200


def test_host_names(complete):
    answer = complete(headers={"Host": "pages.example"})
    assert answer.status_code == 421 and "pages.example" in answer.json()["error"]
    for name in ("localhost:1", "127.0.0.2", "[::1]:8501"):
        assert complete(headers={"Host": name}).status_code == 200, name


def test_a_body_that_is_too_large(complete, upload):
    answer = complete({**upload, "photo": bytes(MAX_BODY)})
    assert answer.status_code == 413 and str(MAX_BODY) in answer.json()["error"]


def test_a_body_of_unknown_length_that_is_too_large(server):
    def parts():
        yield b'--x\r\nContent-Disposition: form-data; name="photo"; filename="p"\r\n\r\n'
        for _ in range(MAX_BODY // 65536 + 2):
            yield bytes(65536)

    headers = {**server.headers, "content-type": "multipart/form-data; boundary=x"}
    try:
        answer = requests.post(f"{server.url}/complete", data=parts(), headers=headers)
    except requests.ConnectionError:  # it was told and cut off while it still sent
        return
    assert answer.status_code == 413


def test_requests_have_ids(complete):
    assert complete(headers={"x-request-id": "my-7"}).headers["x-request-id"] == "my-7"
    assert len(complete(headers={"x-request-id": "no good"}).headers["x-request-id"]) == 32


def test_clients_that_go_away(server, http, complete, eventually):
    """In the middle of the body, and after it: neither is an error, and no place is lost."""
    before = len(server.lines())
    address = urlsplit(server.url)
    head = (
        f"POST /complete HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {server.key}\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        "Content-Length: 100000\r\n\r\n--b\r\n"
        'Content-Disposition: form-data; name="photo"; filename="p"\r\n\r\n'
    )
    for _ in range(20):
        with socket.create_connection((address.hostname, address.port)) as client:
            client.sendall(head.encode() + b"x" * 500)
        eventually(lambda: http.get(f"{server.url}/health/live").ok)
    eventually(lambda: len(server.lines()) >= before + 20)
    lines = server.lines()[before:]
    assert [line["status"] for line in lines] == [499] * 20
    assert not [line for line in lines if "traceback" in line or line["level"] == "error"]
    assert complete().status_code == 200


def test_many_at_a_time_and_too_many(server, http, complete, upload):
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: complete(), range(48)))
    codes = {answer.status_code for answer in answers}
    assert codes <= {200, 429} and 200 in codes
    for answer in answers:
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
            assert "too many requests" in answer.json()["error"]
    good = [answer.content for answer in answers if answer.status_code == 200]
    assert len(set(good)) == 1


def test_nothing_is_written(server, complete):
    assert complete().status_code == 200
    assert server.writes_outside() == []
    assert list(Path(server.scratch).iterdir()) == []


HARD = {"scale": "1", "texture": "on"}


@pytest.fixture
def hard():
    """A photo with a hole that takes many seconds to fill with texture."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
    hole = np.zeros((1500, 1500), np.uint8)
    hole[100:1400, 100:1400] = 255
    return {"photo": encoded(photo, "BMP"), "mask": encoded(hole)}


def test_time_out_stops_the_work_and_gives_its_place_back(
    start_server, model_folders, tmp_path, hard, upload, eventually
):
    server = start_server(
        *("--model", model_folders / "tiny" / "1", "--timeout", 1.5, "--workers", 1),
        *("--queue", 2),
        log=tmp_path / "log.jsonl",
    )
    try:

        def working():
            text = requests.get(f"{server.url}/metrics").text
            return float(text.split("\nkeras_inpaint_working_requests ")[1].split()[0])

        post = f"{server.url}/complete"
        memory = []
        for _ in range(4):
            start = time.monotonic()
            answer = requests.post(post, files=hard, data=HARD, timeout=30)
            assert answer.status_code == 504, answer.text[:200]
            assert time.monotonic() - start < 6
            eventually(lambda: working() == 0, 20)
            memory.append(server.resident_bytes())
        assert memory[-1] < memory[0] + 200e6
        assert requests.post(post, files=upload, timeout=10).status_code == 200
        # A client that goes away stops its work, too.
        with pytest.raises(requests.ReadTimeout):
            requests.post(post, files=hard, data=HARD, timeout=(5, 0.7))
        eventually(lambda: working() == 0, 20)
        assert server.lines()[-1]["status"] in (200, 499)
    finally:
        assert server.stop() == 0
    assert not [line for line in server.lines() if "traceback" in line]


def test_stopping_ends_what_is_in_work(start_server, model_folders, tmp_path, hard):
    server = start_server(
        *("--model", model_folders / "tiny" / "1", "--grace", 0.5), log=tmp_path / "log.jsonl"
    )
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(
            requests.post, f"{server.url}/complete", files=hard, data=HARD, timeout=60
        )
        time.sleep(1)
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < 20
        assert work.result().status_code == 503
    assert server.lines()[-1]["message"] == "stopped" and server.lines()[-1]["unanswered"] == 1


def test_headers_that_do_not_end_are_not_waited_for(model_folders, tmp_path):
    code = (
        "from keras_inpaint.serving import logs, server, settings\n"
        "import sys; logs.configure()\n"
        "server.serve([sys.argv[1]], settings.Settings(port=0, body_timeout=1))"
    )
    log = (tmp_path / "log").open("w+b")
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(model_folders / "tiny" / "1")], stdout=log
    )
    try:
        while b'"ready"' not in (text := (tmp_path / "log").read_bytes()):
            time.sleep(0.2)
            assert process.poll() is None
        url = urlsplit(json.loads(text.splitlines()[0])["url"])
        with socket.create_connection((url.hostname, url.port), timeout=20) as client:
            client.sendall(b"POST /complete HTTP/1.1\r\nHost: localhost\r\n")
            assert client.recv(10) == b""  # closed
        with socket.create_connection((url.hostname, url.port), timeout=20) as client:
            client.sendall(
                b"POST /complete HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b"
            )
            assert b"408" in client.recv(100)
    finally:
        process.terminate()
        assert process.wait(30) == 0
        log.close()


def test_without_any_weights_there_is_a_word_on_how_to_go_on(monkeypatch, tmp_path):
    from keras_inpaint import presets
    from keras_inpaint.serving.models import Models

    monkeypatch.setattr(presets.registry, "WEIGHTS_FOLDER", tmp_path)
    with pytest.raises(ValueError, match="name a model, or train"):
        Models((), copies=1)
