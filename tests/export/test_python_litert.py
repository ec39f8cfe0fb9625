"""`export/python_litert/complete.py`, with LiteRT, NumPy and Pillow alone."""

import importlib.util
import subprocess
import sys
import time
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
def test_unblended_it_does_what_keras_does(models, files, tiny_network, tmp_path, kind, size):
    result = tmp_path / "completed.png"
    arguments = [PROGRAM, models[kind], *files[:2], result, "--blend", "none"]
    subprocess.run([sys.executable, "-c", WITHOUT_TENSORFLOW, *arguments], check=True)
    check(result, tiny_network, files, size)


def holes(kind, size):
    """A hole of a kind, bool `(height, width)`."""
    hole = np.zeros(size, bool)
    if kind == "middle":
        hole[35:58, 40:71] = True
    elif kind == "corner":
        hole[:30, -40:] = True
    elif kind == "from border to border":
        hole[40:52] = True
    elif kind == "several":
        hole[5:20, 5:30] = hole[50:70, 60:90] = hole[80, 10] = hole[81, 11] = True
    elif kind == "all but one pixel":
        hole[:] = True
        hole[30, 40] = False
    else:
        raise ValueError(kind)
    return hole


KINDS = ("middle", "corner", "from border to border", "several", "all but one pixel")


@pytest.mark.parametrize("kind", KINDS)
def test_blended_it_does_what_the_package_does(models, tiny_network, photo, tmp_path, kind):
    from keras_inpaint import Inpainter

    hole = holes(kind, photo.shape[:2])
    photo_file, mask_file, result = (tmp_path / f"{name}.png" for name in ("photo", "mask", "out"))
    Image.fromarray(photo).save(photo_file)
    Image.fromarray(hole).save(mask_file)
    arguments = [PROGRAM, models["any"], photo_file, mask_file, result]
    subprocess.run([sys.executable, "-c", WITHOUT_TENSORFLOW, *arguments], check=True)
    blended = np.asarray(Image.open(result)).astype(int)
    settings = {"scale": 1, "texture": "off", "coarse": "off"}
    wanted = Inpainter(tiny_network, blend="poisson", **settings)(photo, hole)
    bare = Inpainter(tiny_network, blend="none", **settings)(photo, hole)
    np.testing.assert_array_equal(blended[~hole], photo[~hole])
    assert np.abs(blended - wanted)[hole].mean() < 1.5
    assert np.abs(bare.astype(int) - wanted)[hole].mean() > 6  # it had something to do


@pytest.mark.parametrize("kind", KINDS)
def test_the_surface_solves_laplaces_equation(example, kind):
    """Against a dense solver, on a small photo."""
    hole = holes(kind, (96, 120))[::2, ::2]
    rim = hole & (example._neighbour_sum((~hole)[..., None].astype(np.float32))[..., 0] > 0)
    values = np.random.default_rng(1).normal(0, 40, (*hole.shape, 3)).astype(np.float32)
    free = np.argwhere(hole & ~rim)
    number = {tuple(place): index for index, place in enumerate(free)}
    matrix, given = np.zeros((len(free), len(free))), np.zeros((len(free), 3))
    for index, (y, x) in enumerate(free):
        for place in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= place[0] < hole.shape[0] and 0 <= place[1] < hole.shape[1] and hole[place]:
                matrix[index, index] += 1
                if place in number:
                    matrix[index, number[place]] -= 1
                else:
                    given[index] += values[place]
    surface = example.solve_laplace(values, rim, hole)
    np.testing.assert_allclose(surface[hole & ~rim], np.linalg.solve(matrix, given), atol=1)
    np.testing.assert_array_equal(surface[rim], values[rim])
    assert not surface[~hole].any()


def test_a_shifted_photo_is_shifted_back(example):
    """A generated part that is right but for its colour cast becomes right."""
    ramp = np.arange(60, 180, dtype=np.uint8)
    smooth = np.broadcast_to(ramp[None, :, None], (96, 120, 3))
    for kind in KINDS:
        hole = holes(kind, smooth.shape[:2])
        cast = np.where(hole[..., None], smooth + np.array([40, 20, 10], np.uint8), smooth)
        blended = example.poisson(cast, hole).astype(int)
        assert np.abs(blended - smooth).max() <= 2, kind


def test_nothing_known_is_left_as_generated(example, photo):
    for hole in (np.ones(photo.shape[:2], bool), np.zeros(photo.shape[:2], bool)):
        np.testing.assert_array_equal(example.poisson(photo, hole), photo)
    one = np.zeros((1, 1, 3), np.uint8)
    np.testing.assert_array_equal(example.poisson(one, np.ones((1, 1), bool)), one)


def test_blending_is_quick(example):
    photo = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    hole = np.zeros((512, 512), bool)
    hole[180:330, 180:330] = True
    start = time.process_time()
    example.poisson(photo, hole)
    assert time.process_time() - start < 1


def test_a_blend_that_is_unknown_is_named(example, photo):
    with pytest.raises(ValueError, match="got 'feather'"):
        example.complete(None, photo, np.ones(photo.shape[:2], bool), "feather")


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
    arguments = [PROGRAM, models["any"], *files[:2], result]
    subprocess.run([python, *arguments], check=True)
    subprocess.run([python, *arguments, "--blend", "none"], check=True)
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
