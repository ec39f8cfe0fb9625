"""`export/python_litert/complete.py`, with LiteRT, NumPy and Pillow alone."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROGRAM = Path(__file__).parents[2] / "export" / "python_litert" / "complete.py"
#: Runs the program where TensorFlow cannot be imported.
WITHOUT_TENSORFLOW = (
    "import runpy, sys; sys.modules['tensorflow'] = sys.modules['keras'] = None; "
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)


@pytest.fixture(scope="module")
def example():
    """The program as a module."""
    spec = importlib.util.spec_from_file_location("python_litert_complete", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def models(tiny_network, tmp_path_factory):
    """The tiny network for any size, and for two sizes."""
    from keras_inpaint.exporting.tflite import export_tflite

    folder = tmp_path_factory.mktemp("litert")
    return {
        "any": export_tflite(tiny_network, folder / "any.tflite", sizes=None),
        "fixed": export_tflite(
            tiny_network, folder / "fixed.tflite", sizes=((128, 128), (144, 160))
        ),
    }


@pytest.fixture(scope="module")
def files(photo, tmp_path_factory):
    """A photo and a mask as files, and as arrays."""
    folder = tmp_path_factory.mktemp("photo")
    hole = np.zeros(photo.shape[:2], bool)
    hole[35:58, 40:71] = True
    Image.fromarray(photo).save(folder / "photo.png")
    Image.fromarray(hole.astype(np.uint8) * 255).save(folder / "mask.png")
    return folder / "photo.png", folder / "mask.png", photo, hole


def by_keras(network, photo, hole, size):
    border = [(0, wanted - side) for wanted, side in zip(size, hole.shape, strict=True)]
    image = np.pad(photo, [*border, (0, 0)], mode="reflect")[None].astype("float32") / 255
    mask = np.pad(hole, border, mode="reflect")[None, ..., None].astype("float32")
    generated = network.predict_on_batch({"image": image, "mask": mask})[0]
    generated = np.rint(generated[: hole.shape[0], : hole.shape[1]] * 255).astype("uint8")
    return np.where(hole[..., None], generated, photo)


def check(result, network, files, size):
    _, _, photo, hole = files
    completed = np.asarray(Image.open(result))
    np.testing.assert_array_equal(completed[~hole], photo[~hole])
    difference = np.abs(completed.astype(int) - by_keras(network, photo, hole, size))
    assert difference.max() <= 1 and (difference > 0).mean() < 0.01


@pytest.mark.parametrize(("kind", "size"), (("any", (96, 120)), ("fixed", (128, 128))))
def test_it_does_what_keras_does(models, files, tiny_network, tmp_path, kind, size):
    result = tmp_path / "completed.png"
    arguments = [PROGRAM, models[kind], *files[:2], result]
    subprocess.run([sys.executable, "-c", WITHOUT_TENSORFLOW, *arguments], check=True)
    check(result, tiny_network, files, size)


def test_a_hole_larger_than_every_signature_is_scaled(example, models):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(models["fixed"]))
    photo = np.random.default_rng(0).integers(0, 256, (300, 411, 3), np.uint8)
    hole = np.zeros((300, 411), bool)
    hole[20:270, 90:330] = True
    completed = example.complete(interpreter, photo, hole)
    assert completed.shape == photo.shape and completed.dtype == np.uint8
    np.testing.assert_array_equal(completed[~hole], photo[~hole])
    assert (completed[hole] != photo[hole]).any(axis=-1).mean() > 0.9
    np.testing.assert_array_equal(example.complete(interpreter, photo, ~hole & hole), photo)


def test_the_signature_and_the_window_follow_the_hole(example):
    sizes = {"small": (256, 256), "large": (512, 512)}
    assert example.choose(sizes, (0, 0, 160, 160)) == "small"
    assert example.choose(sizes, (0, 0, 161, 10)) == "large"
    assert example.choose(sizes, (0, 0, 900, 900)) == "large"
    assert example.around((100, 200, 140, 260), (256, 256), (1000, 2000)) == (0, 102, 256, 358)
    assert example.around((900, 0, 990, 20), (256, 256), (1000, 2000)) == (744, 0, 1000, 256)
    assert example.around((10, 10, 20, 20), (256, 256), (100, 300)) == (0, 0, 256, 256)
    top, left, bottom, right = example.around((0, 0, 416, 100), (256, 256), (1000, 2000))
    assert (bottom - top, right - left) == (512, 512)


@pytest.mark.slow
def test_it_needs_three_packages_only(models, files, tiny_network, tmp_path):
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    packages = ["ai-edge-litert", "numpy", "pillow"]
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    missing = subprocess.run([python, "-c", "import tensorflow"], capture_output=True, text=True)
    assert "ModuleNotFoundError" in missing.stderr
    result = tmp_path / "completed.png"
    subprocess.run([python, PROGRAM, models["any"], *files[:2], result], check=True)
    check(result, tiny_network, files, (96, 120))


@pytest.mark.parametrize("kind", ["strokes on transparency", "0 and 1", "16 bit", "one bit"])
def test_masks_of_other_kinds(example, files, tmp_path, kind):
    hole = files[3]
    white = np.where(hole, np.uint8(255), np.uint8(0))
    made = {
        "strokes on transparency": Image.fromarray(np.dstack([white * 0 + 255] * 3 + [white])),
        "0 and 1": Image.fromarray(hole.astype(np.uint8)),
        "16 bit": Image.fromarray(hole.astype(np.uint16) * 65535),
        "one bit": Image.fromarray(hole),
    }
    made[kind].save(tmp_path / "mask.png")
    np.testing.assert_array_equal(example.read_hole(tmp_path / "mask.png"), hole)


@pytest.mark.parametrize("wrong", ["photo", "mask", "black mask", "other size"])
def test_what_is_wrong_is_one_line(models, files, tmp_path, wrong):
    photo, mask = files[:2]
    bad = tmp_path / "bad.png"
    if wrong in ("photo", "mask"):
        bad.write_text("no picture")
    else:
        Image.new("L", (9, 9) if wrong == "other size" else files[3].shape[::-1]).save(bad)
        if wrong == "other size":
            Image.new("L", (9, 9), 255).save(bad)
    photo, mask = (bad, mask) if wrong == "photo" else (photo, bad)
    done = subprocess.run(
        [sys.executable, PROGRAM, models["any"], photo, mask, tmp_path / "out.png"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not (tmp_path / "out.png").exists()
