"""What the processor can, and oneDNN switched on where TensorFlow leaves it off."""

import os
import subprocess
import sys

import pytest

from keras_inpaint import processors

OLD = {"avx", "avx2", "fma"}


@pytest.fixture
def fresh(monkeypatch):
    """A process without TensorFlow and without the user's word."""
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")


def test_other_systems_report_no_flags(monkeypatch):
    monkeypatch.setattr(processors.platform, "system", lambda: "Darwin")
    assert processors.processor_flags.__wrapped__() == frozenset()


@pytest.mark.parametrize(
    ("flags", "switched"),
    [
        (OLD, True),
        (OLD | {"avx512f"}, True),
        (OLD | {"avx512f", "avx512_vnni"}, False),
        (OLD | {"avx_vnni"}, False),
        ({"avx"}, False),
        (set(), False),
    ],
)
def test_onednn_is_switched_on_where_tensorflow_would_not(fresh, monkeypatch, flags, switched):
    monkeypatch.setattr(processors, "processor_flags", lambda: frozenset(flags))
    said = processors.switch_onednn_on()
    assert bool(said) == switched
    assert os.environ.get("TF_ENABLE_ONEDNN_OPTS") == ("1" if switched else None)


@pytest.mark.parametrize("word", ["0", "1"])
def test_the_user_s_word_on_onednn_stands(fresh, monkeypatch, word):
    monkeypatch.setattr(processors, "processor_flags", lambda: frozenset(OLD))
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", word)
    assert processors.switch_onednn_on() is None
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == word


@pytest.mark.parametrize(("word", "state"), [("0", "off"), ("1", "on")])
def test_the_state_of_onednn_is_told(word, state):
    program = "from keras_inpaint.processors import onednn_state; print(onednn_state())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": word},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == state
