import errno
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from keras_inpaint import commands
from keras_inpaint.commands.complete import command


@pytest.fixture
def folder(tmp_path, photo):
    """A photo, a mask and the file of a model that nobody reads."""
    Image.fromarray(photo).save(tmp_path / "photo.png")
    hole = np.zeros(photo.shape[:2], bool)
    hole[20:40, 30:60] = True
    Image.fromarray(hole).save(tmp_path / "mask.png")
    (tmp_path / "model.tflite").touch()
    return tmp_path


@pytest.fixture
def many(folder, photo):
    """Six photos, one of them broken, and their masks."""
    for name in ("photos", "masks"):
        (folder / name).mkdir()
    for number in range(6):
        Image.fromarray(photo).save(folder / "photos" / f"p{number}.jpg")
        (folder / "masks" / f"p{number}.png").write_bytes((folder / "mask.png").read_bytes())
    (folder / "photos" / "p3.jpg").write_bytes(b"no photo")
    return folder


def run(folder, *arguments):
    names = ["--model", str(folder / "model.tflite"), *arguments]
    place = os.getcwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(command, names)
    finally:
        os.chdir(place)


def failed(result):
    """Return the line that `keras-inpaint` prints for what a command raised."""
    assert isinstance(result.exception, OSError | ValueError | RuntimeError)
    return commands.describe(result.exception)


def test_a_photo(folder, fake, photo):
    result = run(folder, "photo.png", "--mask", "mask.png", "-o", "out.png", "--grow", "1")
    assert result.exit_code == 0, result.output
    assert "out.png: 1 hole filled, 700 px of 120x96, PNG RGB" in result.stdout
    with Image.open(folder / "out.png") as image:
        changed = (np.asarray(image) != photo).any(-1)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (19, 40, 29, 60)
    assert fake.made == [
        (
            str(folder / "model.tflite"),
            {
                "threads": None,
                "runtime": "auto",
                "blend": "poisson",
                "coarse": "auto",
                "scale": "auto",
                "texture": "auto",
            },
        )
    ]


def test_options_reach_the_inpainter_and_the_mask(folder, fake):
    with Image.open(folder / "mask.png") as image:
        image.convert("L").point(lambda v: 255 - v).resize((60, 48)).save(folder / "black.png")
    result = run(
        folder,
        *("photo.png", "--mask", "black.png", "-o", "out.jpg", "--mask-polarity", "black"),
        *("--resize-mask", "--runtime", "litert", "--blend", "feather", "--coarse", "off"),
        *("--scale", "2", "--texture", "on"),
    )
    assert result.exit_code == 0, result.output
    assert fake.made[0][1] == {
        "threads": None,
        "runtime": "litert",
        "blend": "feather",
        "coarse": "off",
        "scale": 2,
        "texture": "on",
    }
    assert "600 px" in result.stdout
    assert "Note: written as JPEG of quality 95 with 4:4:4" in result.stderr


@pytest.mark.parametrize("scale", ["0", "-1", "65", "half", "2.0", "\u00b2", "9999999999999"])
def test_a_scale_that_is_none_is_refused(folder, fake, scale):
    result = run(folder, "photo.png", "--mask", "mask.png", "-o", "out.png", "--scale", scale)
    assert result.exit_code == 2 and "expected auto or an integer from 1 to 64" in result.stderr
    assert not fake.made and not (folder / "out.png").exists()


def test_what_was_chosen_is_told(folder, fake, monkeypatch):
    def explained(self, image, mask):
        return self(image, mask), ("scenes at 1/2 of the scale, chosen on 4 places",)

    monkeypatch.setattr(fake, "explained", explained, raising=False)
    result = run(folder, "photo.png", "--mask", "mask.png", "-o", "out.png")
    assert result.exit_code == 0
    assert "Note: scenes at 1/2 of the scale, chosen on 4 places\n" in result.stderr


def test_warnings_are_told(folder, fake):
    Image.fromarray(np.full((96, 120), 200, np.uint8)).save(folder / "soft.png")
    result = run(folder, "photo.png", "--mask", "soft.png", "-o", "out.png")
    assert "Warning: soft.png: 100.0 % of its pixels are neither black nor white" in result.stderr
    assert "Warning: the hole is 100.0 % of the photo" in result.stderr


def test_resume_of_one_photo(folder, fake):
    arguments = ("photo.png", "--mask", "mask.png", "-o", "out.png", "--resume")
    assert "filled" in run(folder, *arguments).stdout
    assert "out.png: up to date, skipped" in run(folder, *arguments).stdout
    assert len(fake.made) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.png", "--mask", "mask.png", "-o", "out.png"), "No such file.*: missing.png"),
        (("photo.png", "--mask", "no.png", "-o", "out.png"), "No such file.*: no.png"),
        (("photo.png", "--mask", "small.png", "-o", "out.png"), "small.png: its size is 12x9"),
        (("photo.png", "--mask", "black.png", "-o", "out.png"), "black.png: the mask has no hole"),
        (("photo.png", "--mask", "mask.png", "-o", "no/out.png"), "does not exist: no"),
        (("photo.png", "--mask", "mask.png", "-o", "photo.png"), "photo.png: is the input itself"),
        (
            ("photo.png", "--mask", "mask.png", "-o", "black.png"),
            "black.png: exists, and over",
        ),
        (("photo.png", "--mask", "mask.png", "-o", "out.doc"), "out.doc: no known photo format"),
        (("photo.png", "--mask", "alpha", "-o", "out.png"), "photo.png: has no alpha channel"),
        (("text.png", "--mask", "mask.png", "-o", "out.png"), "text.png: is not a JPEG, PNG"),
        (("empty", "--mask", "mask.png", "-o", "out"), "no photo in .*empty"),
    ],
)
def test_failures_are_one_line_and_leave_nothing(folder, fake, arguments, message):
    Image.new("L", (12, 9)).save(folder / "small.png")
    Image.new("L", (120, 96)).save(folder / "black.png")
    (folder / "text.png").write_text("not a picture")
    (folder / "empty").mkdir()
    before = sorted(folder.iterdir())
    result = run(folder, *arguments)
    assert result.exit_code == 1
    line = failed(result)
    assert re.search(message, line), line
    assert "\n" not in line
    assert sorted(folder.iterdir()) == before and fake.made == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("photo.png", "-o", "out.png"),
        ("photo.png", "--mask", "mask.png"),
        ("photo.png", "--mask", ".", "-o", "out.png"),
        ("photo.png", "--mask", "mask.png", "-o", "out.png", "--grow", "-1"),
        ("photo.png", "--mask", "mask.png", "-o", "out.png", "--blend", "blur"),
        ("photo.png", "--mask", "mask.png", "-o", "out.png", "--report", "r.json"),
        (".", "--mask", "mask.png", "-o", "out", "--jobs", "0"),
    ],
)
def test_wrong_usage_is_two(folder, fake, arguments):
    assert run(folder, *arguments).exit_code == 2
    assert fake.made == []


def test_an_unknown_model_fails_at_once(folder):
    result = run(folder, "photo.png", "--mask", "mask.png", "-o", "o.png", "--model", "nobody")
    assert result.exit_code == 1 and "nobody" in failed(result)


def test_a_full_disk_leaves_nothing(folder, fake, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = sorted(folder.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    result = run(folder, "photo.png", "--mask", "mask.png", "-o", "out.png")
    assert failed(result) == "No space left on device: out.png"
    assert sorted(folder.iterdir()) == before


def test_a_folder(many, fake):
    arguments = ("photos", "--mask", "masks", "-o", "out", "--report", "report.json")
    result = run(many, *arguments, "--jobs", "2")
    assert result.exit_code == 1
    assert "Failed: photos/p3.jpg: is not a JPEG" in result.stderr
    assert "6 photos in" in result.stdout and "5 completed" in result.stdout
    assert "1 failed; report: report.json" in result.stdout
    assert len(list((many / "out").iterdir())) == 5
    report = json.loads((many / "report.json").read_text())
    assert report["settings"]["model"] == str(many / "model.tflite")
    assert report["counts"] == {"completed": 5, "unchanged": 0, "skipped": 0, "failed": 1}
    (file,) = [file for file in report["files"] if file["status"] == "failed"]
    assert file["photo"] == "photos/p3.jpg" and "p3.jpg" in file["error"]

    (many / "photos" / "p3.jpg").write_bytes((many / "photos" / "p2.jpg").read_bytes())
    Image.new("1", (9, 9)).save(many / "masks" / "nobody.png")
    result = run(many, *arguments, "--resume")
    assert result.exit_code == 0, result.output
    assert "1 completed, 0 unchanged, 5 skipped, 0 failed" in result.stdout
    assert "Warning: masks/nobody.png: no photo has this name" in result.stderr


def test_the_report_is_written_when_the_run_breaks_off(many, fake, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_inpaint.batch.folders.run_in_processes", interrupt)
    result = run(many, "photos", "--mask", "masks", "-o", "out", "--report", "report.json")
    assert result.exit_code != 0
    assert json.loads((many / "report.json").read_text())["counts"]["pending"] == 6


def test_progress_with_time_left(monkeypatch, capsys):
    from rich.console import Console

    from keras_inpaint.batch.folders import FileReport
    from keras_inpaint.commands import progress

    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    reports = [
        FileReport("a.png", "o/a.png", "m.png", "completed", seconds=1.0, warnings=("careful",)),
        FileReport("b.png", "o/b.png", "m.png", "failed", seconds=1.0, error="b.png: broken"),
    ]
    with progress.FolderProgress(Console(stderr=True)) as lines:
        for number, file in enumerate(reports):
            lines.file(file, number + 1, 4)
    out = capsys.readouterr().err.splitlines()
    assert out[0] == "Warning: a.png: careful"
    assert out[1].startswith("1 of 4 photos, 0 failed, about ") and out[1].endswith(" s left")
    assert out[2] == "Failed: b.png: broken" and out[3].startswith("2 of 4 photos, 1 failed")
    console = Console(force_terminal=True, width=80)
    with progress.FolderProgress(console) as bar:
        for number, file in enumerate(reports):
            bar.file(file, number + 1, 2)
    shown = capsys.readouterr().out
    assert "2/2" in shown and "1 failed" in shown and "b.png: broken" in shown


def test_a_network_end_to_end(folder, photo, tiny_model_path):
    result = run(
        folder,
        *("photo.png", "--mask", "mask.png", "-o", "out.png", "--model", str(tiny_model_path)),
    )
    assert result.exit_code == 0, result.output
    with Image.open(folder / "out.png") as image:
        out = np.asarray(image)
    hole = np.zeros(photo.shape[:2], bool)
    hole[20:40, 30:60] = True
    np.testing.assert_array_equal(out[~hole], photo[~hole])
    assert (out[hole] != photo[hole]).any(-1).mean() > 0.5


def test_a_tflite_file_needs_no_tensorflow(many, tiny_network):
    """One photo and a folder, where importing TensorFlow or Keras is an error."""
    import keras_inpaint as ki

    ki.export_tflite(tiny_network, many / "model.tflite", sizes=None)
    blocked = many / "blocked"
    blocked.mkdir()
    for name in ("tensorflow", "keras"):
        (blocked / f"{name}.py").write_text(f"raise ImportError('{name} was imported')")
    paths = os.pathsep.join([str(blocked), *sys.path])
    call = [sys.executable, "-P", "-m", "keras_inpaint", "complete", "--model", "model.tflite"]

    def complete(*arguments):
        return subprocess.run(
            [*call, *arguments],
            cwd=many,
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
        )

    done = complete("photo.png", "--mask", "mask.png", "-o", "out.png")
    assert done.returncode == 0, done.stderr
    assert "1 hole filled" in done.stdout
    done = complete("photos", "--mask", "masks", "-o", "out", "--jobs", "2")
    assert done.returncode == 1, done.stderr
    assert "5 completed" in done.stdout and "1 failed" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_folder_to_write_to(folder, fake):
    for arguments in (("-o", "new/"), ("-o", "new", "--overwrite")):
        result = run(folder, "photo.png", "--mask", "mask.png", *arguments)
        assert result.exit_code == 0 and "new/photo.png: 1 hole filled" in result.stdout
    assert [path.name for path in (folder / "new").iterdir()] == ["photo.png"]
    result = run(folder, "photo.png", "--mask", "mask.png", "-o", "new/")
    assert "photo.png: exists" in failed(result)
    result = run(folder, "missing.png", "--mask", "mask.png", "-o", "other/")
    assert "missing.png" in failed(result) and not (folder / "other").exists()
    result = run(folder, "photo.png", "--mask", "mask.png", "-o", "a/b/")
    assert "does not exist: a/b" in failed(result)


@pytest.mark.parametrize("out", ["-", "/dev/stdout"])
def test_the_standard_output(folder, fake, photo, out):
    result = run(folder, "photo.png", "--mask", "mask.png", "-o", out)
    assert result.exit_code == 0, result.output
    assert "-: 1 hole filled" in result.stderr
    with Image.open(io.BytesIO(result.stdout_bytes)) as piped:
        assert (piped.format, piped.size) == ("PNG", photo.shape[1::-1])
    result = run(folder, "missing.png", "--mask", "mask.png", "-o", out)
    assert "missing.png" in failed(result) and not result.stdout_bytes
    result = run(folder, "photo.png", "photo.png", "--mask", "mask.png", "-o", out)
    assert result.exit_code == 2 and "several photos cannot" in result.stderr


def test_several_photos(many, fake):
    names = ("photos/p0.jpg", "photos/p3.jpg", "photos/p5.jpg")
    result = run(many, *names, "--mask", "masks", "-o", "out", "--report", "r.json")
    assert result.exit_code == 1
    assert re.match(r"3 photos in .*: 2 completed, 0 unchanged, 0 skipped, 1 failed", result.stdout)
    assert "Failed: photos/p3.jpg: is not a JPEG" in result.stderr
    assert "no photo has this name" not in result.stderr
    assert sorted(path.name for path in (many / "out").iterdir()) == ["p0.jpg", "p5.jpg"]
    assert json.loads((many / "r.json").read_text())["settings"]["photos"] == list(names)
    result = run(many, "photos/p1.jpg", "photos/p2.jpg", "--mask", "mask.png", "-o", "one/")
    assert result.exit_code == 0 and len(list((many / "one").iterdir())) == 2
    result = run(many, "photos/p1.jpg", "--mask", "masks", "-o", "of_one/")
    assert result.exit_code == 0 and (many / "of_one" / "p1.jpg").exists()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("photos/p0.jpg", "photos"), "photos: is a folder; name one folder, or photo files only"),
        (("photos/p0.jpg", "./photos/../p0.jpg"), "p0.jpg would be written to one file"),
    ],
)
def test_photos_that_cannot_stand_together(many, fake, names, message):
    result = run(many, *names, "--mask", "masks", "-o", "out")
    assert message in failed(result) and not (many / "out").exists()
