"""The page of the API: pdoc makes it of the docstrings, and every public name is on it."""

import re
import subprocess
import sys

import pytest

import keras_inpaint

pytest.importorskip("pdoc")

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    command = [sys.executable, "-W", "error::UserWarning", "-m", "pdoc", "-d", "google"]
    names = ["keras_inpaint", "!keras_inpaint."]
    run = subprocess.run([*command, "-o", str(folder), *names], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return (folder / "keras_inpaint.html").read_text("utf-8")


def test_every_public_name_is_on_the_page(page):
    assert set(keras_inpaint.__all__) <= set(re.findall(r'<section id="(\w+)">', page))


def test_every_setting_of_a_run_is_told(page):
    told = page[page.index('<section id="TrainingConfig">') :]
    assert "Steps at the end of a phase over which a constant learning rate falls" in told
