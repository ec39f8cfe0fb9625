"""The clients in `docs/serving.md` run as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text("utf-8")
BLOCKS = re.findall(r"<!-- run -->\n```(\w+)\n(.*?)```", PAGE, re.S)
BASH = [text for language, text in BLOCKS if language == "bash"]
PYTHON = [text for language, text in BLOCKS if language == "python"]


def test_there_are_blocks():
    assert len(BASH) == 2 and len(PYTHON) == 4


@pytest.fixture
def folder(photo, tmp_path):
    """A folder with a photo and a mask."""
    Image.fromarray(photo).save(tmp_path / "photo.jpg", quality=95)
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[30:60, 40:80] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return tmp_path


def run(command, text, server, folder):
    text = text.replace("http://127.0.0.1:8501", server.url)
    text = text.replace("127.0.0.1:8501", server.address)
    text = text.replace("127.0.0.1:8500", server.grpc).replace("faces", "tiny")
    environment = {**os.environ, "KERAS_INPAINT_API_KEY": server.key}
    done = subprocess.run(
        [*command, text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def assert_completed(folder, name):
    found = np.asarray(Image.open(folder / name)).astype(int)
    given = np.asarray(Image.open(folder / "photo.jpg")).astype(int)
    assert found.shape == given.shape
    difference = np.abs(found - given).max(-1)
    hole = np.asarray(Image.open(folder / "mask.png")) > 0
    assert difference[hole].mean() > 5
    far = np.ones_like(hole)
    far[20:70, 30:90] = False  # the hole may be grown, and a JPEG's blocks reach over its edge
    assert difference[far].mean() < 3


@pytest.mark.parametrize("text", PYTHON)
def test_python(server, folder, text):
    run([sys.executable, "-c"], text, server, folder)
    assert_completed(folder, "completed.jpg" if "completed.jpg" in text else "completed.png")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
@pytest.mark.parametrize("text", BASH)
def test_curl(server, folder, text):
    run(["bash", "-ceu"], text, server, folder)
    if "completed.jpg" in text:
        assert_completed(folder, "completed.jpg")
    else:
        assert '"predictions"' in (folder / "answer.json").read_text()
