"""The README's commands are the project's own, and its Python runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_inpaint

ROOT = Path(keras_inpaint.__file__).parent.parent
README = ROOT / "README.md"

pytestmark = pytest.mark.skipif(not README.exists(), reason="not a checkout")

#: The sample's portrait in docs/images.
PORTRAIT = 10


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text("utf-8"), re.M | re.S)


def test_the_python_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (program,) = blocks("python")
    lines = [line for line in program.splitlines() if line.strip()]
    assert len(lines) <= 11
    names = {}
    exec(compile(program, "README.md", "exec"), names)
    photo, hole, completed = names["photo"], names["hole"], names["completed"]
    assert completed.shape == photo.shape == (157, 128, 3) and completed.dtype == np.uint8
    np.testing.assert_array_equal(completed[~hole], photo[~hole])
    assert (completed[hole] != photo[hole]).any()


def test_the_first_two_blocks_install_and_run_and_install_and_test():
    first, second = blocks("sh")[:2]
    assert "pip install ." in first and "keras-inpaint train" in first
    assert "keras-inpaint complete" in first
    assert "pip install -e '.[test]'" in second and re.search(r"^pytest", second, re.M)


def test_every_command_and_option_exists():
    from keras_inpaint.commands import cli

    used = 0
    for block in blocks("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            match = re.match(r"keras-inpaint (\w+)(.*)", line)
            if not match:
                continue
            command = cli.get_command(None, match[1])
            known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
            for option in re.findall(r"(?<!\S)--?[a-z][\w-]*", match[2]):
                assert option in known, f"{match[1]} has no {option}"
                used += 1
    assert used > 20


def test_links_lead_somewhere():
    text = README.read_text("utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in t]
    assert len(targets) > 5
    for target in targets:
        assert (ROOT / target).exists(), target


def test_the_portrait_of_the_first_block_is_of_somebody_not_trained_on():
    from keras_inpaint.data import sample

    folder = ROOT / "docs" / "images"
    with Image.open(folder / "portrait.png") as file:
        np.testing.assert_array_equal(np.asarray(file), sample.portrait(PORTRAIT))
    with Image.open(folder / "portrait-mask.png") as file:
        np.testing.assert_array_equal(np.asarray(file) > 127, sample.example_hole(PORTRAIT))
