"""What each phase trains, what it leaves alone, and what it writes down."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_inpaint as ki
from keras_inpaint.networks.layers import with_dtype_policy
from keras_inpaint.training.losses import DiscriminatorLoss
from keras_inpaint.training.steps import composite, discriminate

SIZE, PATCH = 16, 8
POLICIES = ["float32", pytest.param("mixed_bfloat16", marks=pytest.mark.long), "mixed_float16"]


def small_networks(policy="float32"):
    keras.utils.set_random_seed(1)
    completion = ki.build_completion_network(0.0625)
    discriminator = ki.build_context_discriminator(SIZE, PATCH, 0.0625)
    return with_dtype_policy(completion, policy), with_dtype_policy(discriminator, policy)


def build(phase, policy="float32", **joint):
    completion, discriminator = small_networks(policy)
    if phase == 1:
        trainer = ki.CompletionTrainer(completion)
    elif phase == 2:
        trainer = ki.DiscriminatorTrainer(completion, discriminator)
    else:
        trainer = ki.JointTrainer(completion, discriminator, **joint)
    return trainer, completion, discriminator


def snapshot(network):
    trained = [np.array(w) for w in network.trainable_weights]
    moving = [np.array(w) for w in network.non_trainable_weights if "moving" in w.path]
    return trained, moving


def changed(before, after):
    return any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def all_changed(before, after):
    return all(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_phase_one_learns(policy, dataset):
    trainer, *_ = build(1, policy)
    trainer.compile(keras.optimizers.Adam(3e-3))
    history = trainer.fit(dataset, steps_per_epoch=15, epochs=4, verbose=0).history
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert np.isfinite(history["completion_gradient_norm"]).all()
    assert all(w.dtype == "float32" for w in trainer.completion_network.trainable_weights)


def test_phase_two_learns_and_leaves_the_completion_network_alone(dataset):
    trainer, completion, discriminator = build(2)
    trainer.compile(keras.optimizers.Adam(1e-3))
    before = snapshot(completion), snapshot(discriminator)
    history = trainer.fit(dataset, steps_per_epoch=15, epochs=4, verbose=0).history
    after = snapshot(completion), snapshot(discriminator)
    assert not changed(before[0][0], after[0][0])
    assert not changed(before[0][1], after[0][1]), "batch norm in inference mode"
    assert all_changed(before[1][1], after[1][1]), "batch norm in training mode"
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert history["discriminator_accuracy"][-1] > 0.75
    assert history["real_score"][-1] > history["fake_score"][-1]


@pytest.mark.parametrize("policy", POLICIES)
def test_phase_three_trains_both(policy, dataset):
    trainer, completion, discriminator = build(3, policy)
    trainer.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-4))
    before = snapshot(completion), snapshot(discriminator)
    history = trainer.fit(dataset, steps_per_epoch=10, epochs=3, verbose=0).history
    after = snapshot(completion), snapshot(discriminator)
    for one, two in zip(before, after, strict=True):
        assert changed(one[0], two[0])
        assert all_changed(one[1], two[1]), "batch norm in training mode"
    assert history["completion_loss"][-1] < history["completion_loss"][0]
    wanted = {
        "loss",
        "completion_loss",
        "adversarial_loss",
        "discriminator_loss",
        "real_score",
        "fake_score",
        "discriminator_accuracy",
        "completion_gradient_norm",
        "discriminator_gradient_norm",
        "alpha",
    }
    assert set(history) == wanted
    total = history["completion_loss"][-1] + 4e-4 * history["adversarial_loss"][-1]
    assert history["loss"][-1] == pytest.approx(total, rel=1e-3)


def test_gradients_reach_the_completion_network_through_a_frozen_discriminator(batch):
    """With no squared error to learn from, only the discriminator can move it."""
    trainer, completion, discriminator = build(3, alpha=1.0)
    trainer.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(0.0))
    trainer.completion_loss = lambda image, generated, mask: 0.0 * tf.reduce_sum(generated)
    before = snapshot(completion)[0], snapshot(discriminator)[0]
    trainer.train_step(batch)
    moved = [
        w.path
        for w, old in zip(completion.trainable_weights, before[0], strict=True)
        if not np.array_equal(w, old)
    ]
    assert {p for p in moved if p.endswith("kernel")} == {
        w.path for w in completion.trainable_weights if w.path.endswith("kernel")
    }
    assert not changed(before[1], snapshot(discriminator)[0])


def test_the_discriminator_goes_first_and_learns_from_its_own_loss_alone(batch):
    """Its update is the one it would get on the same completed images without the other's."""
    trainer, completion, discriminator = build(3, alpha=100.0)
    trainer.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.1))
    _, twin = small_networks()
    twin.set_weights(discriminator.get_weights())
    generated = completion({"image": batch["image"], "mask": batch["mask"]}, training=True)
    completed = composite(batch["image"], batch["mask"], generated)
    with tf.GradientTape() as tape:
        real = discriminate(twin, batch["image"], batch["real_patch"], True)
        fake = discriminate(twin, completed, batch["patch"], True)
        loss = DiscriminatorLoss()
        value = (loss(tf.ones_like(real), real) + loss(tf.zeros_like(fake), fake)) / 2
    variables = twin.trainable_variables
    keras.optimizers.SGD(0.1).apply(tape.gradient(value, [v.value for v in variables]), variables)
    logs = trainer.train_step(batch)
    for ours, expected in zip(
        discriminator.trainable_variables, twin.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(np.array(ours), np.array(expected), rtol=1e-4, atol=1e-6)
    # The completion network was judged by the discriminator just updated.
    logits = discriminate(twin, completed, batch["patch"], True)
    fooled = keras.losses.binary_crossentropy(tf.ones_like(logits), logits, from_logits=True)
    assert float(logs["adversarial_loss"]) == pytest.approx(float(tf.reduce_mean(fooled)), rel=1e-3)


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_evaluating_changes_nothing(phase, dataset):
    trainer, completion, discriminator = build(phase)
    trainer.compile()
    before = completion.get_weights() + discriminator.get_weights()
    logs = trainer.evaluate(dataset, steps=2, verbose=0, return_dict=True)
    after = completion.get_weights() + discriminator.get_weights()
    assert not changed(before, after)
    assert np.isfinite(logs["loss"]) and logs["loss"] > 0


@pytest.mark.parametrize(
    ("phase", "policy"),
    [
        (1, "float32"),
        (2, "float32"),
        (3, "float32"),
        pytest.param(3, "mixed_float16", marks=pytest.mark.long),
    ],
)
def test_a_saved_trainer_goes_on_with_its_optimisers(phase, policy, dataset, tmp_path):
    trainer, *_ = build(phase, policy)
    trainer.compile()
    trainer.fit(dataset, steps_per_epoch=3, verbose=0)
    trainer.save(tmp_path / "trainer.keras")
    loaded = keras.models.load_model(tmp_path / "trainer.keras")
    assert loaded.compiled and type(loaded) is type(trainer)
    names = ["optimizer", "discriminator_optimizer"] if phase == 3 else ["optimizer"]
    for name in names:
        ours, theirs = getattr(trainer, name), getattr(loaded, name)
        assert type(ours) is type(theirs)
        assert len(ours.variables) == len(theirs.variables) > 10
        for a, b in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_array_equal(np.array(a), np.array(b))
    assert int(loaded.optimizer.iterations) == 3
    step = [
        t.fit(dataset, steps_per_epoch=2, verbose=0).history["loss"][0] for t in (trainer, loaded)
    ]
    assert step[0] == pytest.approx(step[1], rel=1e-3)


def test_float16_scales_the_loss_of_both_optimisers(batch):
    trainer, *_ = build(3, "mixed_float16")
    trainer.compile()
    for optimizer in (trainer.optimizer, trainer.discriminator_optimizer):
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    # The norm that is logged has the scale taken out again.
    plain, *_ = build(3)
    plain.compile()
    for key in ("completion_gradient_norm", "discriminator_gradient_norm"):
        ratio = float(trainer.train_step(batch)[key]) / float(plain.train_step(batch)[key])
        assert 0.5 < ratio < 2


def test_bfloat16_and_float32_follow_each_other(batch):
    losses = []
    for policy in ("float32", "mixed_bfloat16"):
        trainer, *_ = build(1, policy)
        trainer.compile(keras.optimizers.SGD(0.01))
        losses.append(float(trainer.train_step(batch)["loss"]))
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


@pytest.mark.long
def test_keras_own_callbacks(dataset, tmp_path):
    pytest.importorskip("tensorboard")
    trainer, *_ = build(3)
    trainer.compile()
    trainer.fit(
        dataset,
        steps_per_epoch=2,
        epochs=2,
        verbose=0,
        callbacks=[
            keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss"),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
            keras.callbacks.TensorBoard(tmp_path / "board", write_graph=False),
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
        ],
    )
    assert keras.models.load_model(tmp_path / "best.keras").compiled
    assert (tmp_path / "log.csv").read_text().startswith("epoch,adversarial_loss,alpha,")
    assert list((tmp_path / "board").rglob("events*"))


@pytest.mark.long
def test_backup_and_restore_keeps_both_optimisers(dataset, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    trainer, *_ = build(3)
    trainer.compile()
    options = {"steps_per_epoch": 2, "verbose": 0}
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(
            dataset,
            epochs=3,
            callbacks=[keras.callbacks.BackupAndRestore(tmp_path), Stop()],
            **options,
        )
    fresh, *_ = build(3)
    fresh.compile()
    fresh.fit(dataset, epochs=3, callbacks=[keras.callbacks.BackupAndRestore(tmp_path)], **options)
    assert int(fresh.optimizer.iterations) == int(fresh.discriminator_optimizer.iterations) == 6


def test_averages_go_into_the_completion_network_alone(dataset):
    trainer, completion, discriminator = build(3)
    trainer.compile(keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5))
    trainer.fit(dataset, steps_per_epoch=3, verbose=0)
    averages = trainer.optimizer._model_variables_moving_average
    for weight, average in zip(completion.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(np.array(weight), np.array(average))
    assert len(discriminator.trainable_variables) > 10


def test_wrong_arguments_are_named():
    networks = small_networks()
    with pytest.raises(ValueError, match="alpha must not be negative, got -1"):
        ki.JointTrainer(*networks, alpha=-1)
    with pytest.raises(ValueError, match="wgan"):
        ki.JointTrainer(*networks, adversarial="wgan")


def test_export_writes_the_completion_network(dataset, tmp_path):
    trainer, completion, _ = build(3)
    trainer.compile()
    trainer.fit(dataset, epochs=1, steps_per_epoch=1, verbose=0)
    trainer.export(str(tmp_path / "exported"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "exported"))
    inputs = {
        "image": tf.ones((1, SIZE, SIZE, 3)),
        "mask": tf.ones((1, SIZE, SIZE, 1)),
    }
    expected = completion(inputs, training=False)
    np.testing.assert_allclose(served.serve(inputs), expected, atol=1e-4)
