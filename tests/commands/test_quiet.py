"""What native code says at its start is held back, unless something goes wrong."""

import os

import pytest

from keras_inpaint.commands.quiet import native_stderr_held


def test_native_lines_are_held_back_and_later_ones_are_not(capfd):
    with native_stderr_held():
        os.write(2, b"greeting\n")
    os.write(2, b"news\n")
    assert capfd.readouterr().err == "news\n"


def test_a_failure_shows_what_was_held_back(capfd):
    with pytest.raises(ImportError), native_stderr_held():
        os.write(2, b"missing library\n")
        raise ImportError("nothing")
    assert capfd.readouterr().err == "missing library\n"
