"""What native code says at its start is held back, unless something goes wrong."""

import os

import pytest

from keras_inpaint.commands.quiet import suppress_native_logs


def test_greetings_are_held_back_and_nothing_else(capfd):
    with suppress_native_logs():
        os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN\nWARNING: no hole\n")
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
    os.write(2, b"news\n")
    assert capfd.readouterr().err == "WARNING: no hole\nnews\n"


def test_a_failure_shows_what_was_held_back(capfd):
    with pytest.raises(ImportError), suppress_native_logs():
        os.write(2, b"missing library\n")
        raise ImportError("nothing")
    assert capfd.readouterr().err == "missing library\n"
