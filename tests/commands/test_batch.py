import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from keras_inpaint.commands.batch import command

pytestmark = pytest.mark.long  # most of it needs Beam


@pytest.fixture
def folder(tmp_path, monkeypatch, photo):
    """Two photos with masks, the file of a model that nobody reads, and to work there."""
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    hole = np.zeros(photo.shape[:2], np.uint8)
    hole[20:40, 30:60] = 255
    for name in ("a", "b"):
        Image.fromarray(photo).save(tmp_path / "photos" / f"{name}.jpg")
        Image.fromarray(255 - hole).save(tmp_path / "masks" / f"{name}.png")
    (tmp_path / "model.tflite").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


USUAL = ("--mask", "masks", "-o", "out", "--report", "run")


def run(*arguments):
    return CliRunner().invoke(command, ["--model", "model.tflite", *arguments])


class TestWithBeam:
    @pytest.fixture(autouse=True)
    def _beam(self):
        pytest.importorskip("apache_beam", reason="needs pip install 'keras-inpaint[beam]'")

    def test_options_reach_the_network_the_masks_and_beam(self, folder, fake):
        result = run(
            "photos/*.jpg",
            *USUAL,
            *("--mask-polarity", "black", "--scale", "2", "--texture", "off", "--blend", "none"),
            *("--runner=DirectRunner", "--direct_num_workers", "1"),
        )
        assert result.exit_code == 0, result.output
        assert "2 photos in " in result.stdout
        assert ": 2 completed, 0 unchanged, 0 skipped, 0 failed; report: run." in result.stdout
        [(model, options)] = fake.made
        assert model == "model.tflite"
        assert options["scale"] == 2
        assert (options["texture"], options["blend"], options["threads"]) == ("off", "none", None)
        done = [json.loads(line) for line in (folder / "run.done.jsonl").read_text().splitlines()]
        assert {line["hole_share"] for line in done} == {round(600 / (96 * 120), 6)}

    @pytest.mark.parametrize(
        ("options", "threads"),
        [
            ([], None),
            (["--direct_running_mode=multi_processing", "--direct_num_workers=2"], 3),
            (["--direct_running_mode=multi_processing", "--direct_num_workers=0"], 1),
            (["--runner=PortableRunner"], 1),
        ],
    )
    def test_worker_processes_share_the_processors(self, folder, monkeypatch, options, threads):
        loads = []

        def complete_batch(source, load, *args, **options):
            loads.append(load)
            return Counter()

        monkeypatch.setattr("keras_inpaint.batch.beam.complete_batch", complete_batch)
        monkeypatch.setattr("keras_inpaint.commands.batch.processors", lambda: 6)
        assert run("photos", *USUAL, *options).exit_code == 0
        assert loads[0].args[0].keywords["threads"] == threads

    def test_a_failure_is_exit_code_1(self, folder, fake):
        (folder / "photos" / "b.jpg").write_bytes(b"no photo")
        manifest = [{"photo": f"photos/{n}.jpg", "mask": f"masks/{n}.png"} for n in "ab"]
        lines = [json.dumps({**line, "output": f"out/{line['photo']}"}) for line in manifest]
        (folder / "photos.jsonl").write_text("\n".join(lines))
        result = run("--manifest", "photos.jsonl", "--report", "run", "--mask-polarity", "black")
        assert result.exit_code == 1, result.output
        assert ": 1 completed, 0 unchanged, 0 skipped, 1 failed" in result.stdout
        [line] = [
            json.loads(line) for line in (folder / "run.failed.jsonl").read_text().splitlines()
        ]
        assert line["photo"] == str(folder / "photos/b.jpg")
        assert "is not a JPEG" in line["error"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["photos", *USUAL, "--ruuner=DirectRunner"], "in Beam: --ruuner=DirectRunner"),
            (["photos", "more", *USUAL], "No such option, here or in Beam: more"),
            (["photos", *USUAL, "--", "--direct_num_workers=two"], "invalid int value: 'two'"),
            (["photos", *USUAL, "--runner", "no"], "Unexpected pipeline runner: no"),
            (["masks", *USUAL], "the output is the folder of"),
            (["--manifest", "bad.csv", "--report", "run"], "bad.csv, line 3: expected photo"),
        ],
    )
    def test_wrong_usage_is_exit_code_2(self, folder, arguments, message):
        (folder / "bad.csv").write_text("photo,mask,output\na,b,c\nd,e\n")
        arguments = ["masks" if a == "out" and arguments[0] == "masks" else a for a in arguments]
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert message in result.output
        assert not (folder / "out").exists()

    def test_no_such_model_is_told_before_anything_runs(self, folder):
        result = run("photos", *USUAL, "--model", "nothing.tflite")
        assert isinstance(result.exception, ValueError)
        assert "nothing.tflite" in str(result.exception)
        assert not (folder / "run.done.jsonl").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [*USUAL],
        ["photos", "--mask", "masks", "--report", "run"],
        ["photos", *USUAL, "--manifest", "photos.csv"],
        ["--runner=DirectRunner", "photos", *USUAL],
    ],
)
def test_photos_or_a_manifest(folder, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Give photos, --mask and --out, or only --manifest." in result.output


def test_without_beam_it_says_what_to_install(folder):
    program = (
        "import sys\nsys.modules['apache_beam'] = None\n"
        f"from keras_inpaint.commands import main\nmain(['batch', 'photos', *{USUAL}])"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert finished.returncode == 1
    assert finished.stderr.strip().endswith(
        "Error: batch needs more packages (apache_beam): pip install 'keras-inpaint[beam]'"
    )
