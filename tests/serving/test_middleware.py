"""The door of the HTTP server, before an application that is not ours."""

import asyncio
import json

import pytest

pytest.importorskip("orjson", reason="pip install 'keras-inpaint[serve]'")
pytest.importorskip("prometheus_client", reason="pip install 'keras-inpaint[serve]'")

from keras_inpaint.serving.errors import BadRequest
from keras_inpaint.serving.gate import Gate
from keras_inpaint.serving.middleware import Door, given_key, key_matches
from keras_inpaint.serving.settings import Settings


async def echo(scope, receive, send):
    """Read the body and answer with its length."""
    total, more = 0, True
    while more:
        message = await receive()
        total += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(total).encode()})


def visit(app=echo, *, method="POST", path="/x", headers=(), chunks=(b"",), gate=None, **options):
    """Send one request through a door; return status, headers and body."""
    settings = Settings(allowed_hosts=("*",), **options)
    sent = []

    async def main():
        door = Door(app, settings, gate or Gate(2, 2))
        pieces = list(chunks)

        async def receive():
            if not pieces:
                await asyncio.sleep(3600)
            piece = pieces.pop(0)
            if isinstance(piece, float):
                await asyncio.sleep(piece)
                piece = b"late"
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        }
        await door(scope, receive, send)

    asyncio.run(main())
    start, *bodies = sent
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], answered, b"".join(body["body"] for body in bodies)


def test_a_request_passes():
    status, headers, body = visit(chunks=(b"abc", b"de"))
    assert (status, body) == (200, b"5")
    assert len(headers["x-request-id"]) == 32
    assert headers["x-content-type-options"] == "nosniff"


def test_the_body_is_counted_while_it_comes():
    reached = []

    async def app(scope, receive, send):
        reached.append(True)
        await echo(scope, receive, send)

    status, headers, body = visit(app, chunks=(b"x" * 60, b"x" * 60, b"x"), max_body_bytes=100)
    assert reached and status == 413 and headers["connection"] == "close"
    assert "100 bytes" in json.loads(body)["error"]


def test_a_told_length_is_refused_before_the_application():
    async def app(scope, receive, send):
        raise AssertionError

    headers = [("content-length", "101")]
    status, _, body = visit(app, headers=headers, chunks=(b"x" * 101,), max_body_bytes=100)
    assert status == 413 and "101 bytes" in json.loads(body)["error"]


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 19, "٣"])
def test_a_length_that_is_none(length):
    assert visit(headers=[("content-length", length)])[0] == 400


def test_a_body_that_takes_too_long():
    status, headers, body = visit(chunks=(b"a", 5.0), body_seconds=0.05)
    assert status == 408 and headers["connection"] == "close"
    assert "0.05 seconds" in json.loads(body)["error"]


def test_an_error_of_the_application_is_told_without_its_text():
    async def app(scope, receive, send):
        raise KeyError("secret path /home")

    status, headers, body = visit(app)
    assert status == 500
    assert json.loads(body) == {"error": f"internal error, request {headers['x-request-id']}"}


def test_an_error_after_the_answer_began_is_logged_only():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError("late")

    assert visit(app)[0] == 200


def test_a_refusal_of_the_application():
    async def app(scope, receive, send):
        raise BadRequest("no")

    assert visit(app)[0] == 400


def test_a_stopping_server_ends_connections_and_then_takes_nothing():
    gate = Gate(2, 2)
    gate.draining = True
    status, headers, _ = visit(gate=gate)
    assert status == 200 and headers["connection"] == "close"
    gate.closed = True
    status, headers, _ = visit(gate=gate)
    assert status == 503 and "retry-after" in headers


def test_places_are_given_back_whatever_happens():
    gate = Gate(1, 0)

    async def app(scope, receive, send):
        assert gate.admitted == 1
        raise KeyError

    for _ in range(3):
        assert visit(app, gate=gate)[0] == 500
    assert gate.admitted == 0


def test_reading_needs_no_place():
    assert visit(method="GET", gate=Gate(1, 0))[0] == 200


def test_keys():
    assert key_matches("abc", "abc")
    for wrong in (None, "", "ab", "abcd", "ABC", "äbc"):
        assert not key_matches(wrong, "abc")
    assert given_key({"authorization": "Bearer  abc "}) == "abc"
    assert given_key({"authorization": "Basic abc", "x-api-key": "k"}) == "k"
    assert given_key({}) is None
