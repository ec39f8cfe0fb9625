"""A failure is one line; its traceback is one option away."""

import click
import pytest

from keras_inpaint import commands


@pytest.fixture
def failing(monkeypatch):
    """A command `fail` that raises what the test puts into the returned list."""
    raised = []

    @click.command()
    def command():
        raise raised[0]

    get = commands._LazyGroup.get_command
    monkeypatch.setattr(
        commands._LazyGroup,
        "get_command",
        lambda self, ctx, name: command if name == "fail" else get(self, ctx, name),
    )
    return raised


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file", "a.png"), "No such file: a.png"),
        (ValueError("the mask is empty"), "the mask is empty"),
        (KeyError("patch"), "KeyError: 'patch' (run again with --debug"),
        (TypeError("bad\nmany lines"), "TypeError: bad (run again with --debug"),
        (AssertionError(), "AssertionError"),
    ],
)  # fmt: skip
def test_a_failure_is_one_line(failing, capsys, error, line):
    failing.append(error)
    with pytest.raises(SystemExit) as ended:
        commands.main(["fail"])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"Error: {line}") and said.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("no")])
def test_debug_shows_the_traceback(failing, error):
    failing.append(error)
    with pytest.raises(type(error)):
        commands.main(["--debug", "fail"])
