"""keras-inpaint evaluate."""

import json
import subprocess
import sys
import types

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from keras_inpaint.commands import main
from keras_inpaint.commands.evaluate import _BASELINES, _CONTRIB, command
from keras_inpaint.evaluation.baselines import BASELINES, USUAL_BASELINES, mean_pixel


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3)).astype(np.uint8))
        coarse.resize((80, 70)).save(root / f"{number}.png")
    return root


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A run's folder, and an `Inpainter` that fills its hole with the mean pixel and 10."""
    made = []

    class Inpainter:
        def __init__(self, model, **options):
            made.append((model, options))
            self.runtime = types.SimpleNamespace(name="keras")

        def __call__(self, image, mask):
            completed = image.copy()
            completed[mask] = np.minimum(mean_pixel(image, mask)[mask], 245) + 10
            return completed

    module = types.ModuleType("keras_inpaint.inference.inpainter")
    module.Inpainter = Inpainter
    monkeypatch.setitem(sys.modules, module.__name__, module)
    run = tmp_path / "run"
    run.mkdir()
    (run / "completion.keras").write_bytes(b"weights")
    return run, made


def test_everything_at_once(folder, model, tmp_path):
    run, made = model
    result = CliRunner().invoke(
        command,
        [
            *(str(folder), "--model", str(run), "--masks", "box", "--size", "48", "--baselines"),
            *("--runtime", "keras", "--blend", "feather", "--coarse", "off", "--limit", "4"),
            *("--json", str(tmp_path / "f.json"), "--html", str(tmp_path / "p.html")),
        ],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    options = {"runtime": "keras", "blend": "feather", "coarse": "off"}
    options |= {"scale": "auto", "texture": "auto"}
    assert made == [(str(run), options)]
    for name in ("run", *USUAL_BASELINES):
        assert f"\n {name} " in result.output
    assert "run: " in result.output and "dB in the hole" in result.output
    assert "measured 4 of 4 photos" in result.stderr
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["protocol"]["photos"] == 4 and found["protocol"]["size"] == 48
    assert found["models"]["run"]["file"] == "completion.keras"
    assert found["models"]["run"]["options"] == options
    page = (tmp_path / "p.html").read_text()
    assert page.startswith("<!doctype html>") and "Worst photos" in page
    assert f"{found['methods']['run']['summary']['psnr_hole']['mean']:.2f} dB" in page


def test_twice_gives_the_same_file(folder, model, tmp_path):
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    for file in files:
        arguments = [str(folder), "--model", str(model[0]), "--masks", "strokes", "--size", "48"]
        result = CliRunner().invoke(command, [*arguments, "--json", str(file)])
        assert result.exit_code == 0, result.output
    assert files[0].read_bytes() == files[1].read_bytes()


def test_baselines_alone_on_named_photos(folder, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("1.png\n\n5.png\n")
    result = CliRunner().invoke(
        command,
        [
            *(str(folder), "--model", "none", "--masks", "center:20", "--only", str(names)),
            *("--baseline", "telea", "--baseline", "mean-pixel", "--size", "48"),
        ],
    )
    assert result.exit_code == 0, result.output
    assert "photos: 2 photos, center:20, 48 px, seed 0" in result.output
    assert "telea" in result.output and "biharmonic" not in result.output


@pytest.mark.skipif(hasattr(cv2, "xphoto"), reason="OpenCV's contrib modules are there")
def test_a_named_baseline_is_measured_beside_the_usual_ones(folder):
    arguments = [str(folder), "--model", "none", "--baselines", "--size", "48"]
    result = CliRunner().invoke(command, [*arguments, "--baseline", "fsr"])
    assert result.exit_code and "contrib" in f"{result.exception} {result.output}"


def test_names_of_the_baselines_agree():
    assert _BASELINES == USUAL_BASELINES and tuple(BASELINES) == _BASELINES + _CONTRIB


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", *map(str, arguments)])
    return caught.value.code, capsys.readouterr().err


def test_failures_are_one_line_and_exit_1(folder, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    baselines = ("--model", "none", "--baselines")
    for arguments, message in (
        ((tmp_path / "nowhere", *baselines), "No such folder of photos"),
        ((empty, *baselines), "no photo in"),
        ((folder, *baselines, "--masks", "circle"), "masks must be rectangles"),
        ((folder, *baselines, "--masks", "center:200"), "must be smaller than 160 px"),
        ((folder, *baselines, "--json", tmp_path / "no" / "f.json"), "does not exist"),
        ((folder, *baselines, "--html", empty), "is a folder"),
        ((folder, "--model", "none"), "nothing to evaluate"),
        ((folder, "--model", tmp_path / "no.keras"), "no such file or folder, and no preset"),
        ((folder, "--model", empty), "no model in folder"),
    ):
        code, error = run(capsys, *arguments)
        assert code == 1 and message in error, error
        assert error.splitlines()[-1].startswith("Error: ")
    assert list(empty.iterdir()) == []


def test_wrong_usage_exits_2(folder, capsys):
    for arguments in (
        (),
        (folder, "--baseline", "magic"),
        (folder, "--size", "4"),
        (folder, "--held-out", "1"),
        (folder, "--limit", "0"),
    ):
        assert run(capsys, *arguments)[0] == 2


def test_missing_extra_is_named(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    code, error = run(capsys, folder, "--model", "none", "--baselines")
    assert code == 1 and "pip install 'keras-inpaint[evaluate]'" in error


def test_help_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from keras_inpaint.commands import main\n"
        "try: main(['evaluate', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'skimage', 'matplotlib', 'cv2', 'numpy'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Example: keras-inpaint evaluate photos/" in done.stdout
