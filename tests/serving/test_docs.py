"""The examples in `docs/serving.md` run as they stand there, against a server without a key."""

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


@pytest.fixture(scope="module")
def open_server(tiny_model_path, tmp_path_factory):
    """A server without a key, and the folder that the examples run in."""
    pytest.importorskip("fastapi", reason="pip install 'keras-inpaint[test]'")
    folder = tmp_path_factory.mktemp("docs")
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_INPAINT_API_KEY"}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "keras_inpaint", "serve", "--port", "0"),
            *("--log-format", "text", "--model", str(tiny_model_path)),
        ],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    for line in process.stdout:
        if found := re.search(r"ready.* url=(\S+)", line):
            break
    yield found[1], folder, environment
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize(("language", "text"), BLOCKS)
def test_an_example(open_server, photo, language, text):
    url, folder, environment = open_server
    if language == "bash" and shutil.which("curl") is None:
        pytest.skip("no curl")
    Image.fromarray(photo).save(folder / "photo.jpg", quality=95)
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[30:60, 40:80] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    (folder / "completed.jpg").unlink(missing_ok=True)
    command = ["bash", "-ceu"] if language == "bash" else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, text.replace("http://127.0.0.1:8501", url)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = np.asarray(Image.open(folder / "completed.jpg")).astype(int)
    difference = np.abs(found - np.asarray(Image.open(folder / "photo.jpg"))).max(-1)
    assert difference[mask > 0].mean() > 5
    far = np.ones_like(mask, bool)
    far[20:70, 30:90] = False  # the hole may be grown, and a JPEG's blocks reach over its edge
    assert difference[far].mean() < 4


def test_a_refused_photo_is_no_file(open_server):
    """The first example of the page, with a mask that is none: curl fails and writes no photo."""
    url, folder, environment = open_server
    (text,) = [text for language, text in BLOCKS if language == "bash"][:1]
    Image.new("RGB", (20, 20)).save(folder / "photo.jpg")
    Image.new("L", (20, 20)).save(folder / "mask.png")
    (folder / "completed.jpg").unlink(missing_ok=True)
    done = subprocess.run(
        ["bash", "-ceu", text.replace("http://127.0.0.1:8501", url)],
        cwd=folder,
        env=environment,
        capture_output=True,
    )
    assert done.returncode == 22 and not (folder / "completed.jpg").exists()


def test_there_are_examples():
    assert [language for language, _ in BLOCKS] == ["bash", "python"]
