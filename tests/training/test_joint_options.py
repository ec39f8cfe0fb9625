"""Augmentation, feature matching, perceptual loss and the R1 penalty of phase 3."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_inpaint as ki
from keras_inpaint.evaluation.features import perceptual_distance
from keras_inpaint.networks.layers import with_dtype_policy
from keras_inpaint.training.pretraining import compare
from keras_inpaint.training.regularization import (
    KINDS,
    PerceptualLoss,
    augment_images,
    gradient_penalty,
    parse_augment,
)
from keras_inpaint.training.steps import apply_gradients, composite, discriminate, watch_variables

SIZE, PATCH = 16, 8
ALL = {"augment": "color,translation,cutout", "feature_matching": 0.1, "r1": 1.0, "r1_every": 2}


def build(policy="float32", rates=(0.05, 0.05), **options):
    keras.utils.set_random_seed(1)
    completion = with_dtype_policy(ki.build_completion_network(0.0625), policy)
    discriminator = with_dtype_policy(ki.build_context_discriminator(SIZE, PATCH, 0.0625), policy)
    trainer = ki.JointTrainer(completion, discriminator, **options)
    trainer.compile(*map(keras.optimizers.SGD, rates))
    return trainer


def features_network(size=None, stride=3, maps=True):
    """Return a network with maps of two scales, of which 3 is no whole part of the image's."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input((size, size, 3))
    first = keras.layers.Conv2D(4, 3, 2, "same", activation="relu")(inputs)
    second = keras.layers.Conv2D(6, 3, stride, "same", activation="relu")(first)
    pooled = keras.layers.GlobalAveragePooling2D()(second)
    return keras.Model(inputs, [first, second, pooled] if maps else pooled)


def weights(network):
    return [np.array(w) for w in network.trainable_weights]


def same(one, two):
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.fixture(scope="module")
def pictures():
    return tf.constant(np.random.default_rng(0).random((6, 16, 24, 3), "float32"))


def test_a_seed_draws_the_same_and_each_image_its_own(pictures):
    alike = tf.repeat(pictures[:1], 6, axis=0)
    for kind in KINDS:
        drawn = augment_images(alike, (kind,), [1, 2]).numpy()
        np.testing.assert_array_equal(drawn, augment_images(alike, (kind,), [1, 2]))
        assert not np.array_equal(drawn, augment_images(alike, (kind,), [1, 3])), kind
        assert len({one.tobytes() for one in drawn}) > 3, kind
        assert drawn.shape == alike.shape and not np.array_equal(drawn, alike)


def test_translation_shifts_by_an_eighth_at_most_and_fills_with_grey(pictures):
    shifts = set()
    for seed in range(20):
        drawn = augment_images(pictures, ("translation",), [0, seed]).numpy()
        for before, after in zip(pictures.numpy(), drawn, strict=True):
            padded = np.pad(before, ((2, 2), (3, 3), (0, 0)), constant_values=0.5)
            found = [
                (y - 2, x - 3)
                for y in range(5)
                for x in range(7)
                if np.array_equal(padded[y : y + 16, x : x + 24], after)
            ]
            assert len(found) == 1
            shifts.add(found[0])
    assert {y for y, _ in shifts} == set(range(-2, 3))
    assert {x for _, x in shifts} == set(range(-3, 4))


def test_cutout_covers_a_rectangle_of_half_of_each_side(pictures):
    drawn = augment_images(pictures, ("cutout",), [0, 5]).numpy()
    changed = (drawn != pictures.numpy()).all(-1)
    assert (drawn[changed] == 0.5).all()
    for image in changed:
        rows, columns = image.any(1), image.any(0)
        assert image.sum() == rows.sum() * columns.sum(), "a rectangle"
        assert 0 < rows.sum() <= 8 and 0 < columns.sum() <= 12


def test_every_pixel_that_is_left_passes_its_gradient_on(pictures):
    direction = tf.constant(np.random.default_rng(1).normal(size=pictures.shape), tf.float32)
    for kind in KINDS:

        def value(x, kind=kind):
            return tf.reduce_sum(augment_images(x, (kind,), [3, 4]) * direction)

        with tf.GradientTape() as tape:
            tape.watch(pictures)
            loss = value(pictures)
        gradient = tf.convert_to_tensor(tape.gradient(loss, pictures))
        # All three are affine in the image, so that a difference tells the slope.
        slope = float(value(pictures + 0.25 * direction) - value(pictures)) / 0.25
        assert slope == pytest.approx(float(tf.reduce_sum(gradient * direction)), rel=1e-3), kind
        assert np.mean(np.abs(gradient) > 0) > 0.6, kind


def test_image_and_patch_are_augmented_as_one(batch):
    trainer = build(augment="color,translation,cutout")
    seen, call = [], trainer.discriminator.call

    def spy(inputs, **kwargs):
        seen.append({name: value.numpy() for name, value in inputs.items()})
        return call(inputs, **kwargs)

    trainer.discriminator.call = spy
    trainer.train_step(batch)
    assert len(seen) == 3
    for shown, place in zip(seen, ("real_patch", "patch", "patch"), strict=True):
        for i, (top, left) in enumerate(batch[place].numpy()):
            cut = shown["image"][i, top : top + PATCH, left : left + PATCH]
            np.testing.assert_array_equal(shown["patch"][i], cut)
        assert not np.array_equal(shown["image"], batch["image"])
    assert len({shown["image"].tobytes() for shown in seen}) == 3
    # In evaluation nothing is augmented.
    seen.clear()
    trainer.test_step(batch)
    np.testing.assert_array_equal(seen[0]["image"], batch["image"])


def test_fooling_gradients_pass_through_the_augmentation(batch):
    trainer = build(rates=(1.0, 0.0), alpha=1.0, augment="color,translation")
    trainer.completion_loss = lambda image, generated, mask: 0.0 * tf.reduce_sum(generated)
    network = trainer.completion_network
    before = weights(network)
    trainer.train_step(batch)
    for weight, old in zip(network.trainable_weights, before, strict=True):
        assert not weight.path.endswith("kernel") or not np.array_equal(weight, old), weight.path


def test_feature_matching_teaches_the_completion_network_alone(batch):
    results = {}
    for weight in (0.0, 1.0):
        trainer = build(alpha=0.0, feature_matching=weight)
        trainer.completion_loss = lambda image, generated, mask: 0.0 * tf.reduce_sum(generated)
        before = weights(trainer.completion_network)
        logs = trainer.train_step(batch)
        after = weights(trainer.completion_network)
        results[weight] = weights(trainer.discriminator)
        assert same(before, after) == (weight == 0)
        assert ("feature_loss" in logs) == (weight > 0)
    assert float(logs["loss"]) == pytest.approx(float(logs["feature_loss"])) and logs["loss"] > 0
    assert same(results[0.0], results[1.0])


def test_feature_matching_brings_completed_images_near_real_ones(batch):
    trainer = build(rates=(0.0, 0.0), alpha=0.0, feature_matching=1.0)
    trainer.compile(keras.optimizers.Adam(3e-3), keras.optimizers.SGD(0.0))
    trainer.completion_loss = lambda image, generated, mask: 0.0 * tf.reduce_sum(generated)
    batches = tf.data.Dataset.from_tensors(batch).repeat()
    history = trainer.fit(batches, steps_per_epoch=10, epochs=3, verbose=0).history
    assert history["feature_loss"][-1] < 0.9 * history["feature_loss"][0]


def test_the_perceptual_loss_is_the_distance_that_evaluate_measures(batch):
    network = features_network(stride=2)
    image, mask = batch["image"], batch["mask"]
    other = composite(image, mask, 0.5 * tf.reverse(image, [2]))
    expected = []
    for i in range(len(image)):
        maps = [[m.numpy()[0] for m in network(x[i : i + 1])[:2]] for x in (image, other)]
        expected.append(perceptual_distance(*maps, mask[i, :, :, 0].numpy() > 0))
    loss = PerceptualLoss(network)(image, other, mask)
    assert float(loss) == pytest.approx(np.mean(expected), rel=1e-4)
    assert float(PerceptualLoss(network)(image, image, mask)) == 0


def test_the_perceptual_loss_teaches_the_completion_network_alone(batch):
    network = features_network()
    before = weights(network)
    trainer = build(rates=(0.0, 0.0), alpha=0.0, perceptual=1.0, perceptual_network=network)
    trainer.compile(keras.optimizers.Adam(3e-3), keras.optimizers.SGD(0.0))
    trainer.completion_loss = lambda image, generated, mask: 0.0 * tf.reduce_sum(generated)
    judge = weights(trainer.discriminator)
    batches = tf.data.Dataset.from_tensors(batch).repeat()
    history = trainer.fit(batches, steps_per_epoch=10, epochs=3, verbose=0).history
    assert history["perceptual_loss"][-1] < 0.9 * history["perceptual_loss"][0]
    assert history["loss"] == pytest.approx(history["perceptual_loss"])
    assert same(before, weights(network)) and same(judge, weights(trainer.discriminator))


def test_a_trainer_is_saved_with_its_perceptual_network(batch, tmp_path):
    network = features_network()
    network.save(tmp_path / "features.keras")
    trainer = build(alpha=0.1, perceptual=0.5, perceptual_network=tmp_path / "features.keras")
    trainer.train_step(batch)
    trainer.save(tmp_path / "trainer.keras")
    (tmp_path / "features.keras").unlink()
    loaded = keras.models.load_model(tmp_path / "trainer.keras")
    logs = [each.train_step(batch)["perceptual_loss"] for each in (trainer, loaded)]
    assert float(loaded._trackers.means["perceptual_loss"].result()) == float(logs[1]) > 0
    assert same(weights(trainer.completion_network), weights(loaded.completion_network))


def test_r1_teaches_the_discriminator_alone_and_every_so_often(batch):
    trainer = build(rates=(0.0, 0.05), r1=10.0, r1_every=3)
    trainer.discriminator_loss = lambda labels, logits: 0.0 * tf.reduce_sum(logits)
    completion, moved = weights(trainer.completion_network), []
    for _ in range(5):
        before = weights(trainer.discriminator)
        logs = trainer.train_step(batch)
        moved.append(not same(before, weights(trainer.discriminator)))
    assert moved == [True, False, False, True, False]
    assert same(completion, weights(trainer.completion_network))
    assert float(logs["discriminator_loss"]) == 0 and float(logs["r1_penalty"]) > 0


@pytest.mark.long
def test_options_train_under_jit_compile(batch):
    logs = []
    for jit in (False, True):
        options = {**ALL, "augment": "", "perceptual": 0.5}
        trainer = build(**options, perceptual_network=features_network())
        trainer.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), jit_compile=jit)
        batches = tf.data.Dataset.from_tensors(batch).repeat()
        logs.append(trainer.fit(batches, steps_per_epoch=3, verbose=0).history)
    for key in ("loss", "feature_loss", "perceptual_loss", "r1_penalty"):
        assert logs[0][key] == pytest.approx(logs[1][key], rel=1e-2), key


def test_r1_is_added_with_half_its_weight_times_the_steps_between(batch):
    """The update is the one of gamma / 2 times `r1_every` times the penalty."""
    trainer = build(rates=(0.0, 0.1), r1=3.0, r1_every=4)
    trainer.discriminator_loss = lambda labels, logits: 0.0 * tf.reduce_sum(logits)
    twin = build().discriminator
    twin.set_weights(trainer.discriminator.get_weights())
    # The penalty follows the loss, whose passes move the averages of batch normalisation.
    inputs = {"image": batch["image"], "mask": batch["mask"]}
    generated = build().completion_network(inputs, training=True)
    completed = composite(batch["image"], batch["mask"], generated)
    compare(twin, trainer.discriminator_loss, batch, completed, training=True)
    with tf.GradientTape() as tape:
        penalty = gradient_penalty(twin, batch["image"], batch["real_patch"])
        loss = 3.0 / 2 * 4 * penalty
    variables = twin.trainable_variables
    gradients = tape.gradient(loss, [v.value for v in variables])
    expected = [
        np.array(v) - (0 if g is None else 0.1 * np.array(g))
        for v, g in zip(variables, gradients, strict=True)
    ]
    logs = trainer.train_step(batch)
    assert float(logs["r1_penalty"]) == pytest.approx(float(penalty), rel=1e-4)
    for ours, other in zip(trainer.discriminator.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(np.array(ours), other, rtol=1e-4, atol=1e-6)


def test_the_penalty_counts_a_pixel_in_image_and_patch_with_both_gradients(batch):
    inputs = {
        "image": keras.Input((SIZE, SIZE, 3), name="image"),
        "patch": keras.Input((PATCH, PATCH, 3), name="patch"),
    }
    sums = [keras.layers.Dense(1)(keras.layers.Flatten()(x)) for x in inputs.values()]
    linear = keras.Model(inputs, keras.layers.add(sums))
    one, two = (np.array(w) for w in linear.trainable_weights if w.path.endswith("kernel"))
    expected = []
    for top, left in batch["patch"].numpy():
        gradient = one.reshape(SIZE, SIZE, 3).copy()
        gradient[top : top + PATCH, left : left + PATCH] += two.reshape(PATCH, PATCH, 3)
        expected.append((gradient**2).sum())
    penalty = gradient_penalty(linear, batch["image"], batch["patch"])
    assert float(penalty) == pytest.approx(np.mean(expected), rel=1e-4)


class Before(ki.JointTrainer):
    """The training step as it is without any option, written out."""

    def train_step(self, data):
        data = self.batch(data)
        image, mask = data["image"], data["mask"]
        learned = self.completion_network.trainable_variables
        discriminator_variables = self.discriminator.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            watch_variables(tape, learned)
            generated = self(data, training=True)
            completed = composite(image, mask, generated)
            fixed = tf.stop_gradient(completed)
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                watch_variables(inner, discriminator_variables)
                d_loss, _ = compare(
                    self.discriminator, self.discriminator_loss, data, fixed, training=True
                )
            with tape.stop_recording():
                apply_gradients(
                    self.discriminator_optimizer, inner, d_loss, discriminator_variables
                )
            logits = discriminate(self.discriminator, completed, data["patch"], True)
            fooled = self.generator_loss(tf.ones_like(logits), logits)
            loss = self.completion_loss(image, generated, mask) + self.alpha * fooled
        apply_gradients(self.optimizer, tape, loss, learned)
        return {"loss": loss}


def test_without_options_training_is_bit_for_bit_the_plain_step(batch):
    results = []
    for kind in (ki.JointTrainer, Before):
        made = build()
        trainer = kind(made.completion_network, made.discriminator, alpha=0.1)
        trainer.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05))
        for _ in range(3):
            logs = trainer.train_step(batch)
        results.append([np.array(w) for w in trainer.weights if "metric" not in w.path])
        assert {"feature_loss", "r1_penalty"}.isdisjoint(logs)
        assert len(results[0]) == len(results[-1])
    networks = len(made.completion_network.weights) + len(made.discriminator.weights)
    assert same(results[0][:networks], results[1][:networks])


@pytest.mark.parametrize("option", ["augment", "feature_matching", "r1"])
def test_each_option_changes_what_is_learned(option, batch):
    extra = {"r1_every": 1} if option == "r1" else {}
    runs = []
    for options in ({}, {option: ALL[option], **extra}):
        trainer = build(alpha=0.1, **options)
        logs = [{k: float(v) for k, v in trainer.train_step(batch).items()} for _ in range(2)]
        runs.append((logs[-1]["loss"], logs[-1]["discriminator_gradient_norm"]))
    assert runs[0][0] != runs[1][0] and runs[0][1] != runs[1][1]


@pytest.mark.long
def test_a_fit_taken_up_again_is_exactly_the_one_that_never_stopped(dataset, tmp_path):
    batches = list(dataset.take(6))

    def feed(some):
        rows = {key: tf.stack([one[key] for one in some]) for key in some[0]}
        return tf.data.Dataset.from_tensor_slices(rows)

    whole, first = build(alpha=0.1, **ALL), build(alpha=0.1, **ALL)
    whole.fit(feed(batches), verbose=0)
    first.fit(feed(batches[:3]), verbose=0)
    first.save(tmp_path / "trainer.keras")
    rest = keras.models.load_model(tmp_path / "trainer.keras")
    assert {k: rest.get_config()[k] for k in ALL} == ALL
    rest.fit(feed(batches[3:]), verbose=0)
    assert same(weights(whole.completion_network), weights(rest.completion_network))
    assert same(weights(whole.discriminator), weights(rest.discriminator))


def test_a_trainer_saved_without_the_options_still_loads():
    config = build().get_config()
    for name in ("augment", "augment_seed", *ALL, "perceptual", "perceptual_network"):
        config.pop(name, None)
    trainer = ki.JointTrainer.from_config(config)
    assert trainer.get_config()["r1"] == 0 and trainer.get_config()["augment"] == ""


def test_the_features_are_no_second_discriminator(dataset):
    plain, matching = build(), build(feature_matching=1.0)
    assert len(plain.trainable_weights) == len(matching.trainable_weights)
    assert len(plain.layers) == len(matching.layers)
    logs = matching.evaluate(dataset, steps=1, verbose=0, return_dict=True)
    assert logs["feature_loss"] > 0


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_sixteen_bits_follow_float32(policy, batch):
    values = []
    for chosen in ("float32", policy):
        trainer = build(chosen, **ALL)
        logs = trainer.train_step(batch)
        values.append([float(logs[k]) for k in ("feature_loss", "r1_penalty", "loss")])
        values[-1].append(float(logs["discriminator_gradient_norm"]))
        trainer.train_step(batch)
        assert all(np.isfinite(w).all() for w in weights(trainer.discriminator))
    assert values[0] == pytest.approx(values[1], rel=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augment": "colour"}, "got 'colour'"),
        ({"augment": 1}, "got 1"),
        ({"feature_matching": -1}, "feature_matching must not be negative, got -1"),
        ({"perceptual": -1}, "perceptual must not be negative, got -1"),
        ({"perceptual": 0.1}, "perceptual=0.1 needs a perceptual_network"),
        (
            {"perceptual": 0.1, "perceptual_network": features_network(32)},
            "must take images of any size",
        ),
        (
            {"perceptual": 0.1, "perceptual_network": features_network(maps=False)},
            r"must return maps \(batch, height, width, features\)",
        ),
        ({"perceptual": 0.1, "perceptual_network": "none.keras"}, "'none.keras': no such file"),
        ({"r1": -0.5}, "r1 must not be negative, got -0.5"),
        ({"r1_every": 0}, "r1_every must be a positive integer, got 0"),
        ({"r1_every": 1.5}, "r1_every must be a positive integer, got 1.5"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_kinds_are_applied_in_one_order():
    assert parse_augment(" cutout, color") == ("color", "cutout")
    assert parse_augment(None) == parse_augment("") == ()


PROGRAM = """
import keras, numpy as np, tensorflow as tf

devices = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(devices[0], [tf.config.LogicalDeviceConfiguration()] * 2)
import keras_inpaint as ki
from keras_inpaint.data import sources

rng = np.random.default_rng(0)
images = sources._from_arrays(["a", "b"], [rng.integers(0, 256, (20, 20, 3), "uint8")] * 2, "t")
half = ki.make_dataset(images, size=16, batch_size=2, patch_size=8, masks="rectangles:4-8").take(3)
data = half.map(lambda row: {k: tf.concat([v, v], 0) for k, v in row.items()})

def trained(scope, augment=""):
    with scope:
        keras.utils.set_random_seed(3)
        C = ki.build_completion_network(0.0625)
        D = ki.build_context_discriminator(16, 8, 0.0625)
        trainer = ki.JointTrainer(
            C, D, alpha=0.1, augment=augment, feature_matching=0.1, r1=1.0, r1_every=2
        )
        trainer.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.05))
    logs = trainer.fit(data, verbose=0).history
    return [np.array(w) for w in C.trainable_weights + D.trainable_weights], logs

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
both, both_logs = trained(strategy.scope())
single, single_logs = trained(tf.device("CPU:0"))
drawn, _ = trained(strategy.scope(), "color,translation,cutout")
assert all(np.isfinite(w).all() for w in drawn)
assert any(not np.array_equal(a, b) for a, b in zip(both, drawn))
print("RESULT", max(np.abs(a - b).max() for a, b in zip(both, single)))
for key in ("loss", "feature_loss", "r1_penalty"):
    print("RESULT", abs(both_logs[key][0] / single_logs[key][0] - 1))
"""


@pytest.mark.long
@pytest.mark.parametrize("onednn", ["0", "1"])
def test_two_devices_train_as_one_with_and_without_onednn(onednn):
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn},
    )
    lines = [x for x in run.stdout.splitlines() if x.startswith("RESULT")]
    assert len(lines) == 4, run.stderr[-3000:]
    worst, *logs = (float(line.split()[1]) for line in lines)
    assert worst < 2e-5
    assert max(logs) < 1e-3
