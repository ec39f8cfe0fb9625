"""`export/c_api/complete.c`, compiled and run."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[2] / "export" / "c_api"
TENSORFLOW = Path(importlib.util.find_spec("tensorflow").origin).parent
LIBRARIES = [TENSORFLOW / f"libtensorflow_{part}.so.2" for part in ("cc", "framework")]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The compiled program."""
    compiler = shutil.which("gcc")
    if compiler is None or not all(library.is_file() for library in LIBRARIES):
        pytest.skip("needs gcc and TensorFlow's shared libraries")
    target = tmp_path_factory.mktemp("c_api") / "complete"
    flags = ["-O2", "-Wall", "-Werror", f"-I{TENSORFLOW / 'include'}", "-o", target]
    linked = [*LIBRARIES, f"-Wl,-rpath,{TENSORFLOW}"]
    subprocess.run([compiler, FOLDER / "complete.c", *flags, *linked], check=True)
    return target


@pytest.fixture(scope="module")
def model(tiny_network, tmp_path_factory):
    """The tiny network as a SavedModel, and the name of what complete_bytes ends in."""
    import tensorflow as tf

    from keras_inpaint.exporting.saved_model import export_saved_model

    path = export_saved_model(tiny_network, tmp_path_factory.mktemp("model") / "tiny", warmup=False)
    command = "from tensorflow.python.tools.saved_model_cli import main; main()"
    asked = ["--tag_set", "serve", "--signature_def", "complete_bytes"]
    shown = subprocess.run(
        [sys.executable, "-c", command, "show", "--dir", path, *asked],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    output = shown.split("output(s)")[1]
    return path, re.search(r"name: (\w+):0", output)[1], tf.saved_model.load(str(path))


def run(program, *arguments):
    silent = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run([program, *arguments], capture_output=True, text=True, env=silent)


def test_it_gives_the_pixels_of_python(program, model, photo, tmp_path):
    path, output, loaded = model
    Image.fromarray(photo).save(tmp_path / "photo.png")
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[20:60, 30:80] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    done = run(
        program, path, output, tmp_path / "photo.png", tmp_path / "mask.png", tmp_path / "out.png"
    )
    assert done.returncode == 0, done.stderr
    completed = np.asarray(Image.open(tmp_path / "out.png"))
    wanted = loaded.signatures["complete"](image=photo[None], mask=mask[None, ..., None])
    np.testing.assert_array_equal(completed, wanted["completed"][0])
    np.testing.assert_array_equal(completed[mask == 0], photo[mask == 0])
    assert (completed[mask == 255] != photo[mask == 255]).any()


def test_it_says_what_is_wrong(program, model, tmp_path):
    path, output, _ = model
    junk = tmp_path / "junk.jpg"
    junk.write_bytes(b"no image")
    done = run(program, path, output, junk, junk, tmp_path / "out.png")
    assert done.returncode == 1 and "index 0 of the batch: the image is not a JPEG" in done.stderr
    done = run(program, path, "nothing", junk, junk, tmp_path / "out.png")
    assert done.returncode == 1 and "no signature complete_bytes" in done.stderr
    done = run(program, path, output, tmp_path / "nowhere", junk, tmp_path / "out.png")
    assert done.returncode == 1 and "nowhere: No such file" in done.stderr
    done = run(program, tmp_path, output, junk, junk, tmp_path / "out.png")
    assert done.returncode == 1 and str(tmp_path) in done.stderr
    assert run(program).returncode == 2
    assert not (tmp_path / "out.png").exists()
