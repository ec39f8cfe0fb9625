import asyncio

import pytest

from keras_inpaint.serving.ui_gate import Gate


async def _echo(scope, receive, send):
    """Answers with the length of the body, or raises where the sender is gone."""
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        length += len(message["body"])
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


def ask(gate, *bodies, host=b"127.0.0.1:7860", length=None):
    headers = [(b"host", host)]
    if length is not None:
        headers.append((b"content-length", length))
    waiting = [
        {"type": "http.request", "body": body, "more_body": number < len(bodies)}
        for number, body in enumerate(bodies, start=1)
    ]
    sent = []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(gate({"type": "http", "headers": headers}, receive, send))
    start, body = sent
    return start["status"], dict(start["headers"]), body["body"].decode()


@pytest.mark.parametrize("host", [b"127.0.0.1:7860", b"LOCALHOST", b"[::1]:80", b"[::1]"])
def test_it_answers_to_this_computers_names_and_confines_the_page(host):
    status, headers, body = ask(Gate(_echo, loopback=True, max_body=10), b"12", b"345", host=host)
    assert (status, body) == (200, "5")
    policy = headers[b"content-security-policy"].decode()
    assert policy.startswith("default-src 'self'") and "http" not in policy


@pytest.mark.parametrize("host", [b"evil.example", b"evil.example:7860", b"", b"127.0.0.1.evil"])
def test_on_loopback_it_answers_to_no_other_name(host):
    assert ask(Gate(_echo, loopback=True, max_body=10), b"", host=host)[0] == 400
    assert ask(Gate(_echo, loopback=False, max_body=10), b"", host=host)[0] == 200


def test_too_long_requests_are_refused_however_they_are_sent():
    gate = Gate(_echo, loopback=True, max_body=4)
    assert ask(gate, b"1234", length=b"4")[::2] == (200, "4")
    assert ask(gate, b"12345", length=b"5")[0] == 413
    assert ask(gate, b"12", b"34", b"5")[0] == 413
    assert ask(gate, b"12", length=b"-2")[0] == 413


def test_a_failure_of_the_page_is_not_hidden():
    async def failing(scope, receive, send):
        raise KeyError("page")

    with pytest.raises(KeyError):
        ask(Gate(failing, loopback=True, max_body=4), b"1")
