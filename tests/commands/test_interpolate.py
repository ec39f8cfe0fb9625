"""A network between two phases'."""

import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from keras_inpaint.commands.interpolate import command
from keras_inpaint.networks.weights import interpolate, read_network


@pytest.fixture
def run(tiny_model_path, tmp_path):
    shutil.copyfile(tiny_model_path, tmp_path / "completion-phase1.keras")
    later = read_network(tiny_model_path)
    later.set_weights([weight + 0.5 for weight in later.get_weights()])
    later.save(tmp_path / "completion.keras")
    return tmp_path


def test_every_weight_lies_so_far_between_the_phases(run):
    out = run / "mixed.keras"
    result = CliRunner().invoke(command, [str(run), "--weight", "0.25", "-o", str(out)])
    assert result.exit_code == 0, result.output
    first = read_network(run / "completion-phase1.keras").get_weights()
    for one, mixed in zip(first, read_network(out).get_weights(), strict=True):
        np.testing.assert_allclose(mixed, one + 0.125, atol=1e-6)


def test_phase_one_may_be_another_run(run, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("earlier") / "completion-phase1.keras"
    (run / "completion-phase1.keras").rename(elsewhere)
    out = run / "mixed.keras"
    arguments = [str(run), "--first", str(elsewhere), "--weight", "0.25", "-o", str(out)]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    first = read_network(elsewhere).get_weights()
    for one, mixed in zip(first, read_network(out).get_weights(), strict=True):
        np.testing.assert_allclose(mixed, one + 0.125, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--weight", "1.5", "-o", "mixed.keras"], 2, "1.5"),
        (["--weight", "0.5", "-o", "mixed.h5"], 2, "mixed.h5"),
        (["--weight", "0.5", "-o", "completion.keras"], 1, "exists, and overwrite is not set"),
        (["--weight", "0.5", "-o", "none/mixed.keras"], 1, "does not exist: none"),
    ],
)
def test_wrong_use_is_named(run, monkeypatch, arguments, code, words):
    monkeypatch.chdir(run)
    result = CliRunner().invoke(command, [".", *arguments])
    assert result.exit_code == code and words in result.output


def test_a_run_without_phase_one_is_named(run):
    (run / "completion-phase1.keras").unlink()
    result = CliRunner().invoke(command, [str(run), "--weight", "0.5", "-o", str(run / "m.keras")])
    assert result.exit_code == 1 and "completion-phase1.keras" in result.output


def test_networks_of_other_widths_do_not_mix(tiny_model_path):
    from keras_inpaint.networks.completion import build_completion_network

    pair = [read_network(tiny_model_path), build_completion_network(0.125)]
    for first, last in (pair, pair[::-1]):
        with pytest.raises(ValueError, match="differ in architecture: conv_1/kernel"):
            interpolate(first, last, 0.5)


def test_networks_that_do_not_mix_leave_the_run_as_it_is(run):
    from keras_inpaint.networks.completion import build_completion_network

    build_completion_network(0.125).save(run / "completion.keras")
    before = (run / "completion.keras").read_bytes()
    arguments = [str(run), "--weight", "0.5", "-o", str(run / "completion.keras"), "--overwrite"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1 and "differ in architecture" in result.output
    assert (run / "completion.keras").read_bytes() == before
