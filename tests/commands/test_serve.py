"""`keras-inpaint serve`: what it says before it serves."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from keras_inpaint.commands.serve import command


def run(*arguments, env=None):
    return CliRunner().invoke(command, arguments, env=env)


def test_help_names_what_matters_and_imports_little():
    code = (
        "import sys; sys.argv = ['keras-inpaint', 'serve', '--help']\n"
        "from keras_inpaint.commands import main\n"
        "try:\n    main()\n"
        "finally:\n    loaded = {'tensorflow', 'keras', 'fastapi'} & set(sys.modules)\n"
        "    print('loaded', sorted(loaded))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert "loaded []" in done.stdout
    for word in ("--host", "127.0.0.1", "KERAS_INPAINT_API_KEY", "/complete", "8501"):
        assert word in done.stdout
    assert done.stdout.count("\n  --") <= 14


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--port", "70000"), "--port"),
        (("--workers", "0"), "--workers"),
        (("--timeout", "nan"), "timeout must be above 0"),
        (("--grpc-port", "1"), "No such option"),
    ],
)
def test_wrong_usage(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_key_that_is_none():
    result = run(env={"KERAS_INPAINT_API_KEY": " "})
    assert result.exit_code == 2 and "KERAS_INPAINT_API_KEY" in result.output


def test_no_such_model(tmp_path):
    result = run("--model", str(tmp_path / "none"))
    assert isinstance(result.exception, ValueError)
    assert "none" in str(result.exception)
