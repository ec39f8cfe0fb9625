import re
import subprocess
import sys
import urllib.request

import pytest
from click.testing import CliRunner

from keras_inpaint import presets
from keras_inpaint.commands.ui import command


def _invoke(*arguments):
    return CliRunner().invoke(command, arguments)


def test_without_weights_the_command_says_how_to_go_on(monkeypatch, tmp_path):
    monkeypatch.setattr(presets.registry, "WEIGHTS_FOLDER", tmp_path)
    result = _invoke()
    assert isinstance(result.exception, ValueError)
    assert "keras-inpaint train" in str(result.exception)


@pytest.mark.parametrize("wrong", [("--port", "70000"), ("--share",)])
def test_wrong_options_are_wrong_usage(wrong):
    assert _invoke(*wrong).exit_code == 2


def test_a_key_that_cannot_be_one_is_wrong_usage(monkeypatch):
    monkeypatch.setenv("KERAS_INPAINT_API_KEY", " ")
    result = _invoke("--no-open")
    assert result.exit_code == 2 and "KERAS_INPAINT_API_KEY" in result.output


def test_the_key_of_the_environment_is_asked_for(monkeypatch):
    server = pytest.importorskip("keras_inpaint.serving.server")
    served = []
    monkeypatch.setattr(server, "serve", lambda *arguments: served.append(arguments[1]))
    monkeypatch.setattr("keras_inpaint.serving.logs.configure", lambda *arguments: None)
    monkeypatch.setenv("KERAS_INPAINT_API_KEY", "secret")
    result = _invoke("--no-open", "--host", "0.0.0.0")
    assert result.exit_code == 0, result.exception
    assert served[0].api_key == "secret"


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("127.0.0.2", marks=pytest.mark.long)])
def test_it_tells_where_the_page_is(tiny_model_path, host):
    pytest.importorskip("fastapi", reason="pip install 'keras-inpaint[test]'")
    process = subprocess.Popen(
        [
            *(sys.executable, "-u", "-m", "keras_inpaint", "ui", "--no-open", "--port", "0"),
            *("--host", host, "--model", str(tiny_model_path)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stdout:
            if found := re.search(r"The page is at (\S+)", line):
                break
        with urllib.request.urlopen(found[1], timeout=30) as answer:
            assert b"data-server" in answer.read()
    finally:
        process.terminate()
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "Stopped." in rest
