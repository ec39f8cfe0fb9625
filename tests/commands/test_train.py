"""``keras-inpaint train``: resumes, explains itself, refuses nonsense."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from keras_inpaint.commands import cli, main

SMALL = [
    *("--size", "16", "--width", "0.0625", "--steps", "4", "2", "2", "--patch-size", "8"),
    *("--masks", "rectangles:4-8", "--log-every", "2", "--batch-size", "4"),
    *("--precision", "float32"),
]


def ended(arguments, capsys):
    """Run the command line and return its exit code and what it says on stderr."""
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    return end.value.code, capsys.readouterr().err


def test_help_has_an_example_and_every_option_a_sentence():
    result = CliRunner().invoke(cli, ["train", "--help"])
    assert result.exit_code == 0
    assert "Example: keras-inpaint train photos/" in result.output
    for parameter in cli.get_command(None, "train").params:
        if parameter.param_type_name == "option":
            assert parameter.help, parameter.name


@pytest.mark.parametrize(
    "arguments",
    [
        ["--size", "nine"],
        ["--size", "0"],
        ["--steps", "1", "2"],
        ["--steps", "0", "0", "0"],
        ["--precision", "int4"],
        ["--preset", "cats"],
        ["--no-such-option"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments, tmp_path, capsys):
    code, said = ended(["train", *arguments, "--out", tmp_path / "run"], capsys)
    assert code == 2 and said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "it is not set"),
        ("{", "got '{'"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}', "got '{"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "got '{"),
        (
            '{"cluster": {"worker": ["a:1", "b", "c"]}, "task": {"type": "worker", "index": 0}}',
            "batch_size must be a multiple of the 3 replicas, got 4",
        ),
    ],
)
def test_a_cluster_that_cannot_be_is_wrong_usage(given, words, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if given is not None:
        monkeypatch.setenv("TF_CONFIG", given)
    arguments = ["train", "sample:8", "--out", tmp_path / "run", *SMALL]
    code, said = ended([*arguments, "--strategy", "multi-worker"], capsys)
    assert code == 2 and words in said and not (tmp_path / "run").exists()


def test_a_data_service_is_an_address(tmp_path, capsys):
    arguments = ["train", "sample:8", "--out", tmp_path / "run", *SMALL, "--data-service"]
    code, said = ended([*arguments, "host:1"], capsys)
    assert code == 2 and "data_service must be grpc://HOST:PORT, got 'host:1'" in said
    code, said = ended([*arguments, "grpc://127.0.0.1:1"], capsys)
    assert code == 1 and "no tf.data service responds at grpc://127.0.0.1:1" in said
    assert not (tmp_path / "run").exists()


def test_failures_are_exit_code_1_and_name_the_file(tmp_path, capsys):
    code, said = ended(["train", tmp_path / "none", "--out", tmp_path / "run"], capsys)
    assert code == 1 and f"{tmp_path / 'none'}" in said and "Traceback" not in said
    (tmp_path / "empty").mkdir()
    code, said = ended(["train", tmp_path / "empty", "--out", tmp_path / "run"], capsys)
    assert code == 1 and f"no photo in {tmp_path / 'empty'}" in said


def test_images_smaller_than_the_crop(tmp_path, capsys):
    code, said = ended(
        ["train", "sample:3", "--out", tmp_path / "run", "--size", "64", "--held-out", "0.3",
         "--patch-size", "80"], capsys,
    )  # fmt: skip
    assert code == 2 and "80" in said and not (tmp_path / "run").exists()


def test_a_foreign_folder_is_refused(tmp_path, capsys):
    (tmp_path / "holiday.txt").write_text("mine")
    code, said = ended(["train", "sample:4", "--out", tmp_path, *SMALL], capsys)
    assert code == 1 and str(tmp_path) in said and "not a run" in said


def run(arguments, **options):
    command = [sys.executable, "-m", "keras_inpaint", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def test_a_run_on_the_sample_and_the_same_command_again(tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ["train", "sample:24", "--out", out, "--held-out", "0.2", *SMALL]
    first = run(arguments)
    said, errors = first.communicate(timeout=600)
    assert first.returncode == 0, errors
    for words in (
        "24 images of sample:24",
        "Precision: float32 (as requested)",
        "Telea",
        "phase 3, both networks",
        "left in this phase",
        str(out / "completion.keras"),
    ):
        assert words in said
    assert "Traceback" not in errors
    metrics = (out / "metrics.csv").read_bytes()
    code, errors = ended(arguments, capsys)
    assert code == 0, errors
    assert (out / "metrics.csv").read_bytes() == metrics
    code, errors = ended([*arguments, "--alpha", "0.1"], capsys)
    assert code == 1
    assert "alpha=0.0004 (now 0.1)" in errors and "with fresh" in errors


@pytest.mark.slow
def test_sigkill_in_each_phase_loses_nothing(tmp_path):
    settings = ["--held-out", "0.2", *SMALL, "--steps", "30", "30", "30"]
    with run(["train", "sample:24", "--out", tmp_path / "whole", *settings]) as whole:
        assert whole.wait(timeout=900) == 0
    arguments = ["train", "sample:24", "--out", tmp_path / "cut", *settings]
    for phase in (1, 2, 3):
        with run(arguments) as cut:
            for line in cut.stdout:
                if line.startswith(f"phase {phase} step 10/"):
                    cut.kill()
                    break
        assert cut.returncode == -9
    with run(arguments) as rest:
        assert rest.wait(timeout=900) == 0
    tables = [(tmp_path / name / "metrics.csv").read_text().split() for name in ("whole", "cut")]
    assert len(tables[0]) == len(tables[1])
    for ours, theirs in zip(*tables, strict=True):
        for a, b in zip(ours.split(","), theirs.split(","), strict=True):
            if a[:1].isdigit():
                assert float(a) == pytest.approx(float(b), rel=1e-2, abs=1e-4)
            else:
                assert a == b


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "32", "--out", "b"], "takes size from its run"),
        ([], "requires --out"),
        (
            ["--strategy", "multi-worker", "--out", "b"],
            "--strategy none or mirrored, got",
        ),
    ],
)
def test_a_branch_takes_its_settings_from_its_run(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    code, said = ended(["train", "--branch", "a", *arguments], capsys)
    assert code == 2 and words in said and [path.name for path in tmp_path.iterdir()] == ["a"]


def test_every_setting_is_an_option_with_its_limits():
    import dataclasses

    from keras_inpaint.training.config import TrainingConfig

    options = {option.name: option for option in cli.get_command(None, "train").params}
    for setting in dataclasses.fields(TrainingConfig):
        if setting.metadata.get("option", True):
            assert options[setting.name].help == setting.metadata["help"]
    assert (options["width"].type.min, options["width"].type.min_open) == (0, True)
    assert options["label_smoothing"].type.max_open and options["steps"].nargs == 3
