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
    assert "--model PATH" in str(result.exception)
    assert "keras-inpaint train" in str(result.exception)


@pytest.mark.parametrize("wrong", [("--port", "70000"), ("--max-pixels", "0"), ("--share",)])
def test_wrong_options_are_wrong_usage(wrong):
    assert _invoke(*wrong).exit_code == 2
