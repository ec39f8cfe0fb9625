"""One JSON object a line."""

import io
import json
import logging

import pytest

from keras_inpaint.serving import logs


@pytest.fixture
def configured():
    """`configure`, undone at the end."""
    names = ("", "keras_inpaint", "uvicorn", "uvicorn.error", "uvicorn.access", "kserve")
    before = {
        name: (logging.getLogger(name).handlers[:], logging.getLogger(name).level) for name in names
    }
    yield logs.configure
    logging.captureWarnings(False)
    for name, (handlers, level) in before.items():
        logging.getLogger(name).handlers[:] = handlers
        logging.getLogger(name).setLevel(level)


def test_json(configured):
    stream = io.StringIO()
    configured("json", stream=stream)
    logger = logging.getLogger("keras_inpaint.serving.x")
    logger.info("two\nlines", extra={"fields": {"status": 200, "path": "/a\nb"}})
    try:
        raise ValueError("bad")
    except ValueError:
        logger.exception("failed")
    logging.getLogger("other").info("not kept")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["message"] == "two\nlines" and first["status"] == 200
    assert first["level"] == "info" and first["time"].endswith("+00:00")
    assert "ValueError: bad" in second["traceback"]


def test_text(configured):
    stream = io.StringIO()
    configured("text", stream=stream)
    logging.getLogger("keras_inpaint").info("ready", extra={"fields": {"http": "u"}})
    assert stream.getvalue().endswith("ready http=u\n")


def test_notes_belong_to_the_request():
    logs.note(ignored=True)
    token = logs.request_fields.set({})
    logs.note(model="m", batch=2)
    assert logs.request_fields.get() == {"model": "m", "batch": 2}
    logs.request_fields.reset(token)
