"""Three phases in a folder; a run that was stopped ends as one that was not."""

import dataclasses
import errno
import os

import keras
import numpy as np
import pytest
from tiny_runs import CONFIG, Killed, assert_same_network, kill_at, killed, read_config
from tiny_runs import read_rows as rows

from keras_inpaint.networks.completion import mean_pixel_of
from keras_inpaint.networks.weights import read_network
from keras_inpaint.presets.references import resolve
from keras_inpaint.training.callbacks import TrainingFailed
from keras_inpaint.training.config import TrainingConfig
from keras_inpaint.training.run_folder import RunFolder
from keras_inpaint.training.schedule import train

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def whole(images, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "whole"
    events = []
    train(CONFIG, run, images=images, listener=lambda e, f: events.append((e, f)))
    return run, events


def test_a_run_leaves_everything_that_was_promised(whole):
    run, events = whole
    names = {p.name for p in run.iterdir()}
    assert {"config.json", "state", "completion.keras", "samples", "progress.gif"} <= names
    assert {"metrics.csv", "held_out.json", "completion-phase1.keras"} <= names
    sheets = {p.name for p in (run / "samples").glob("*.png")}
    assert {"phase1-step000000.png", "phase1-step000004.png", "phase1-step000006.png"} <= sheets
    assert {"phase3-step000004.png", "phase3-step000005.png"} <= sheets
    assert not list(run.rglob("*.part*"))
    phases = [facts["phase"] for event, facts in events if event == "phase"]
    assert phases == [1, 2, 3]


def test_every_row_has_its_phases_figures(whole):
    table = rows(whole[0])
    assert [(r["phase"], r["step"]) for r in table] == [
        (1, 2), (1, 4), (1, 6), (2, 2), (2, 4), (3, 2), (3, 4), (3, 5),
    ]  # fmt: skip
    for row in table:
        assert np.isfinite(list(row.values())).all()
        if row["phase"] != 2:
            assert {"loss", "completion_loss", "completion_gradient_norm"} <= set(row)
        if row["phase"] != 1:
            assert {"discriminator_loss", "real_score", "fake_score"} <= set(row)
            assert {"discriminator_accuracy", "discriminator_gradient_norm"} <= set(row)


def test_the_network_is_float32_and_carries_the_mean_pixel(whole, images):
    network = read_network(whole[0] / "completion.keras")
    assert {layer.dtype_policy.name for layer in network.layers} == {"float32"}
    kept, _ = images.split(CONFIG.held_out, CONFIG.seed)
    assert mean_pixel_of(network) == pytest.approx(kept.mean_pixel, abs=1e-6)
    assert read_config(whole[0]) == CONFIG


@pytest.mark.parametrize("place", [(1, 5), (2, 3), (3, 4)])
def test_a_killed_run_goes_on_and_ends_the_same(place, whole, images, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(Killed):
        train(CONFIG, run, images=images, save_seconds=0, listener=kill_at(*place))
    assert RunFolder(run).load_place() != (3, 5)
    events = []
    train(CONFIG, run, images=images, listener=lambda e, f: events.append(e))
    assert "resume" in events
    for ours, theirs in zip(rows(run), rows(whole[0]), strict=True):
        assert ours == pytest.approx(theirs, rel=2e-3, abs=1e-5)
    pair = [keras.models.load_model(r / "completion.keras") for r in (run, whole[0])]
    for a, b in zip(*(n.weights for n in pair), strict=True):
        np.testing.assert_allclose(np.array(a), np.array(b), rtol=1e-2, atol=1e-4)


def test_a_run_killed_between_two_phases_settles_the_first(whole, images, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "keep_first_phase", killed)
        with pytest.raises(Killed):
            train(CONFIG, tmp_path / "run", images=images)
    assert RunFolder(tmp_path / "run").load_place() == (1, 6)
    train(CONFIG, tmp_path / "run", images=images)
    first, second = (
        keras.models.load_model(run / "completion-phase1.keras").get_weights()
        for run in (whole[0], tmp_path / "run")
    )
    for expected, found in zip(first, second, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for expected, found in zip(rows(whole[0]), rows(tmp_path / "run"), strict=True):
        assert found == pytest.approx(expected, rel=2e-3, abs=1e-5)


def test_a_finished_run_has_nothing_left_to_do(whole, images):
    before = (whole[0] / "metrics.csv").read_bytes()
    events = []
    train(CONFIG, whole[0], images=images, listener=lambda e, f: events.append(e))
    assert "phase" not in events
    assert (whole[0] / "metrics.csv").read_bytes() == before


def test_another_configuration_or_other_images_are_refused(whole, images):
    other = dataclasses.replace(CONFIG, width=0.125, alpha=1e-3)
    with pytest.raises(ValueError, match=r"alpha=0.0004 \(now 0.001\)") as error:
        train(other, whole[0], images=images)
    assert "width=0.0625" in str(error.value) and "with fresh" in str(error.value)
    with pytest.raises(ValueError, match="other images"):
        train(CONFIG, whole[0], images=images.subset(range(11)))


def test_a_disk_that_fills_up_loses_nothing_that_was_saved(images, tmp_path, monkeypatch):
    run = tmp_path / "run"
    with pytest.raises(Killed):
        train(CONFIG, run, images=images, save_seconds=0, listener=kill_at(1, 5))
    place = RunFolder(run).load_place()
    monkeypatch.setattr(
        np, "savez", lambda *a, **k: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full"))
    )
    with pytest.raises(OSError, match="full"):
        train(CONFIG, run, images=images, save_seconds=0)
    assert RunFolder(run).load_place() == place
    assert keras.models.load_model(run / "completion.keras") is not None


def test_the_moving_average_is_what_is_judged_and_saved(images, tmp_path):
    config = dataclasses.replace(CONFIG, steps=(3, 1, 3), ema=0.9, optimizer="adam")
    path = train(config, tmp_path / "run", images=images)
    with np.load(tmp_path / "run" / "state" / "state.npz") as state:
        last = state["completion_network/0001"]
    saved = keras.models.load_model(path)
    kernel = np.array(saved.get_layer("conv_1").kernel)
    assert kernel.shape == last.shape
    assert not np.allclose(kernel, last, atol=1e-6)


def test_before_the_first_step_the_moving_average_is_the_network(images, tmp_path):
    judged = {}
    for ema in (0.0, 0.9):
        config = dataclasses.replace(CONFIG, steps=(1, 1, 1), ema=ema, optimizer="adam")
        train(
            config,
            tmp_path / str(ema),
            images=images,
            listener=lambda e, f, ema=ema: judged.setdefault((ema, e), []).append(f),
        )
    plain, averaged = (
        [row["held_out_psnr"] for row in judged[ema, "evaluated"]] for ema in (0.0, 0.9)
    )
    np.testing.assert_allclose(averaged, plain, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": (0, 0, 0)}, "steps"),
        ({"precision": "float8"}, "float8"),
        ({"decay": "linear"}, "linear"),
        ({"adversarial": "wgan"}, "wgan"),
        ({"ema": 1.0}, "ema .* 1.0"),
    ],
)
def test_wrong_configurations_are_named(change, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(CONFIG, **change)


def test_a_second_training_in_the_same_folder_is_refused(images, tmp_path):
    pytest.importorskip("fcntl")
    refused = []

    def listener(event, facts):
        if event == "step" and not refused:
            with pytest.raises(
                RuntimeError, match=rf"run is being trained by process {os.getpid()}"
            ):
                train(CONFIG, tmp_path / "run", images=images)
            refused.append(True)

    train(
        dataclasses.replace(CONFIG, steps=(2, 0, 0)),
        tmp_path / "run",
        images=images,
        listener=listener,
    )
    assert refused and not RunFolder(tmp_path / "run").lock_file.exists()


def test_a_lock_that_was_removed_meanwhile_is_no_lock(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    folder, removed = RunFolder(tmp_path / "run"), []
    lock = fcntl.flock

    def removed_before_it_is_locked(file, how):
        if not removed:
            removed.append(True)
            folder.lock_file.unlink()
        return lock(file, how)

    monkeypatch.setattr(fcntl, "flock", removed_before_it_is_locked)
    with folder.claimed():
        assert folder.lock_file.read_text() == f"{os.getpid()}\n"
        with pytest.raises(RuntimeError, match="is being trained"), folder.claimed():
            pass


def test_a_run_that_failed_says_so(images, tmp_path, caplog):
    def listener(event, facts):
        if event == "step" and facts["step"] == 1:
            raise TrainingFailed("loss is not a finite number")

    config = dataclasses.replace(CONFIG, steps=(6, 0, 0))
    for _ in range(2):
        with pytest.raises(TrainingFailed, match="not a finite number"):
            train(config, tmp_path / "run", images=images, listener=listener)
    assert "run failed before: loss is not a finite number" in caplog.text
    with pytest.raises(ValueError, match=r"run has not finished phase 1: step 0 of 6, so that"):
        resolve(tmp_path / "run")
    train(config, tmp_path / "run", images=images)
    assert not RunFolder(tmp_path / "run").failure_file.exists()
    assert resolve(tmp_path / "run").name == "completion.keras"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"masks": "rectangles:4-20"}, r"a hole of 20 px does not fit .* other masks or another"),
        ({"masks": "center:17"}, "a hole of 17 px does not fit an image of 16 px"),
        ({"masks": "blobs"}, "masks must be"),
        ({"patch_size": 20}, "patch_size must be .* to the size 16, got 20"),
        ({"patch_size": 6}, "multiple of 4"),
        ({"size": 18}, "size must be a multiple of 4"),
    ],
)
def test_what_does_not_fit_the_crop_is_refused_at_once(settings, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **settings)


def test_the_options_of_phase_three_reach_its_trainer_and_resume_exactly(images, tmp_path):
    inputs = keras.Input((None, None, 3))
    outputs = keras.layers.Conv2D(4, 3, 2, "same", activation="relu")(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "features.keras")
    config = dataclasses.replace(
        CONFIG,
        steps=(2, 2, 6),
        augment="color,translation",
        feature_matching=0.02,
        perceptual=0.05,
        perceptual_network=str(tmp_path / "features.keras"),
        r1=1.0,
        r1_every=2,
    )
    train(config, tmp_path / "whole", images=images)
    with pytest.raises(Killed):
        train(
            config,
            tmp_path / "stopped",
            images=images,
            save_seconds=0,
            listener=kill_at(3, 3),
        )
    train(config, tmp_path / "stopped", images=images)
    table = [row for row in rows(tmp_path / "whole") if row["phase"] == 3]
    for column in ("feature_loss", "perceptual_loss", "r1_penalty"):
        assert all(row[column] > 0 for row in table), column
    assert_same_network(tmp_path / "whole", tmp_path / "stopped")


def test_an_unknown_augmentation_is_named():
    with pytest.raises(ValueError, match="got 'blur'"):
        TrainingConfig(augment="blur")


def test_a_perceptual_loss_needs_its_network_from_the_start(images, tmp_path):
    with pytest.raises(ValueError, match="needs a perceptual_network"):
        TrainingConfig(perceptual=0.5)
    config = dataclasses.replace(CONFIG, perceptual=0.5, perceptual_network="none.keras")
    with pytest.raises(ValueError, match=r"'none.keras': no such file"):
        train(config, tmp_path, images=images)
    assert not (tmp_path / "config.json").exists()
