"""Sheets, animations, the guard against collapse, and losses that are no numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import keras_inpaint as ki
from keras_inpaint.training.callbacks import StopOnNaN, TrainingFailed, write_samples


class Painter:
    """Stands for a completion network: paints every pixel in one grey."""

    def __init__(self, grey=0.5):
        self.grey = grey

    def __call__(self, inputs, training=False):
        return np.full_like(np.asarray(inputs["image"]), self.grey)


@pytest.fixture
def examples():
    image = np.full((10, 16, 16, 3), 0.75, "float32")
    mask = np.zeros((10, 16, 16, 1), "float32")
    mask[:, 4:8, 4:12] = 1
    return {"image": image, "mask": mask}


def test_samples_show_the_photos_and_measure_the_holes(examples, tmp_path):
    animation = tmp_path / "progress.gif"
    for step in range(3):
        error = write_samples(
            Painter(0.25 + step / 4), examples, tmp_path / "s", f"step{step}", "run", animation
        )
        assert error == pytest.approx((0.5 - step / 4) ** 2, abs=1e-6)
    with Image.open(tmp_path / "s" / "step0.png") as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape[0] > 4 * 128 and pixels.shape[1] > 6 * 128, "eight photos, enlarged"
    for level in (191, 64, 255):
        assert (pixels == level).all(axis=-1).sum() > 8 * 32 * 32
    with Image.open(animation) as gif:
        assert gif.n_frames == 3 and gif.info["loop"] == 0
    assert not list(tmp_path.rglob("*.part*"))


def test_the_contact_sheet_writes_at_the_start_every_so_often_and_at_the_end(examples, tmp_path):
    callback = ki.ContactSheet(examples, tmp_path, every=4, label="phase1", first_step=10)
    callback.set_model(SimpleNamespace(completion_network=Painter()))
    callback.on_train_begin()
    for batch in range(5):
        callback.on_train_batch_end(batch)
    callback.on_train_end()
    names = sorted(p.name for p in tmp_path.glob("*.png"))
    assert names == [f"phase1-step{n:06d}.png" for n in (10, 12, 15)]
    with pytest.raises(ValueError, match="every must be above 0"):
        ki.ContactSheet(examples, tmp_path, every=0)


def feed(guard, epochs, d_loss, accuracy, steps=50):
    for epoch in range(epochs):
        guard.on_epoch_begin(epoch)
        for batch in range(steps):
            guard.on_train_batch_end(batch)
        logs = {"discriminator_loss": d_loss, "discriminator_accuracy": accuracy, "loss": 1.0}
        guard.on_epoch_end(epoch, logs)


class Variable:
    def __init__(self, value):
        self.value = value

    def numpy(self):
        return self.value

    def assign(self, value):
        self.value = value


def guarded(action):
    guard = ki.CollapseGuard(action, window=200)
    guard.set_model(SimpleNamespace(stop_training=False, alpha=Variable(4e-4)))
    return guard


def test_a_discriminator_that_wins_is_explained_and_training_stopped(caplog):
    guard = guarded("stop")
    feed(guard, 3, 0.001, 1.0)
    assert not guard.model.stop_training, "the window is not full yet"
    feed(guard, 1, 0.001, 1.0)
    assert guard.model.stop_training and guard.fired == 1
    assert "The discriminator wins" in caplog.text and "learning rate" in caplog.text


@pytest.mark.parametrize(("d_loss", "accuracy"), [(0.3, 1.0), (0.01, 0.9)])
def test_a_fair_game_goes_on(d_loss, accuracy):
    guard = guarded("stop")
    feed(guard, 20, d_loss, accuracy)
    assert guard.fired == 0 and not guard.model.stop_training


def test_rebalancing_halves_alpha_and_goes_on():
    guard = guarded("rebalance")
    feed(guard, 8, 0.001, 1.0)
    assert guard.fired == 2
    assert guard.model.alpha.value == pytest.approx(1e-4)
    assert not guard.model.stop_training


def test_phase_one_has_no_discriminator_to_guard_against():
    guard = guarded("stop")
    guard.on_epoch_end(0, {"loss": 0.0})
    assert guard.fired == 0


def test_a_wrong_action_is_named():
    with pytest.raises(ValueError, match="panic"):
        ki.CollapseGuard("panic")


def test_a_loss_that_is_no_number_stops_at_once():
    guard = StopOnNaN()
    guard.on_train_batch_end(0, {"loss": 1.0, "completion_gradient_norm": float("inf")})
    with pytest.raises(TrainingFailed, match="loss is not a finite number after 2 steps"):
        guard.on_train_batch_end(1, {"loss": float("nan")})
