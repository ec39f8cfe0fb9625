"""The trainers take batches as Keras does, and refuse what they would train wrongly on."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_inpaint as ki
from keras_inpaint.training.callbacks import ContactSheet, StopOnNaN
from keras_inpaint.training.steps import as_batch

from .test_trainers import build, small_networks

SEED = (0, 0)


@pytest.fixture(scope="module")
def arrays(dataset):
    batch = next(iter(dataset))
    return {key: np.asarray(value) for key, value in batch.items()}


def forms(arrays):
    """Return one batch in all the forms that Keras' users give it."""
    pair = {key: arrays[key] for key in ("image", "mask")}
    image, mask = arrays["image"], arrays["mask"]
    return {
        "dict": arrays,
        "pair": pair,
        "x": (pair,),
        "x and y": (pair, image),
        "tuple": (image, mask),
        "tuple as x": ((image, mask),),
        "uint8": (np.rint(image * 255).astype("uint8"), (mask > 0).astype("uint8") * 255),
        "bool": (image, mask > 0),
    }


FORMS = ["dict", "pair", "x", "x and y", "tuple", "tuple as x", "uint8", "bool"]


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_a_batch(arrays, form):
    batch = as_batch(forms(arrays)[form], 8, SEED)
    np.testing.assert_allclose(np.asarray(batch["image"]), arrays["image"], atol=1 / 255)
    np.testing.assert_array_equal(np.asarray(batch["mask"]), arrays["mask"])
    np.testing.assert_array_equal(np.asarray(batch["patch"]), arrays["patch"])
    assert {key: value.dtype.name for key, value in batch.items()} == {
        "image": "float32",
        "mask": "float32",
        "patch": "int32",
        "real_patch": "int32",
    }


def test_missing_patches_are_drawn_inside_the_image_and_by_seed(arrays):
    pair = (np.repeat(arrays["image"], 16, 0), np.repeat(arrays["mask"], 16, 0))
    one, same, other = (
        np.asarray(as_batch(pair, 8, seed)["real_patch"]) for seed in ((1, 2), (1, 2), (1, 3))
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any() and one.min() == 0 and one.max() == 8


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (np.zeros((1, 8, 8, 3), "float32"), TypeError, "a pair of them, got one tensor"),
        ({"image": np.zeros((1, 8, 8, 3))}, ValueError, "lacks mask, got image"),
        ({"photo": np.zeros((1, 8, 8, 3))}, ValueError, "lacks image and mask, got photo"),
        ((np.zeros((1, 8, 8, 3)), np.zeros((1, 8, 8, 3))), ValueError, r"masks must be .* 1\)"),
        ((np.zeros((1, 8, 8, 1)), np.zeros((1, 8, 8, 1))), ValueError, r"images must be .* 3\)"),
        ((np.zeros((8, 8, 3)), np.zeros((8, 8, 1))), ValueError, "images must be"),
        ((np.zeros((1, 8, 8, 3)), np.zeros((1, 8, 12, 1))), ValueError, "differ in size"),
        ((np.zeros((1, 60, 61, 3)), np.zeros((1, 60, 61, 1))), ValueError, "multiples of 4"),
        ((np.zeros((1, 4, 4, 3)), np.zeros((1, 4, 4, 1))), ValueError, "a patch of 8"),
        ((np.zeros((1, 8, 8, 3), "int64"), np.zeros((1, 8, 8, 1))), TypeError, "got int64"),
        (("a", "b"), TypeError, "a pair of them"),
    ],
)
def test_what_is_no_batch_is_one_sentence(data, kind, message):
    with pytest.raises(kind, match=message):
        as_batch(data, 8, SEED)


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [(255.0, 1.0, "divide values of 0 to 255"), (0.5, 255.0, "masks must be float")],
)
def test_values_of_0_to_255_are_refused_while_training(arrays, image, mask, message):
    trainer, *_ = build(1)
    trainer.compile()
    pair = (arrays["image"] * image, arrays["mask"] * mask)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        trainer.train_on_batch(*pair)


@pytest.mark.parametrize("phase", [1, pytest.param(2, marks=pytest.mark.long), 3])
def test_a_generator_a_pydataset_and_single_batches(phase, arrays):
    class Photos(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return (arrays["image"], arrays["mask"])

    def generator():
        while True:
            yield {"image": arrays["image"], "mask": arrays["mask"]}, arrays["image"]

    trainer, *_ = build(phase)
    trainer.compile()
    trainer.fit(Photos(), verbose=0)
    trainer.fit(generator(), steps_per_epoch=2, verbose=0)
    logs = trainer.train_on_batch(arrays["image"], arrays["mask"], return_dict=True)
    assert np.isfinite(logs["loss"])
    logs = trainer.test_on_batch(arrays["image"], arrays["mask"], return_dict=True)
    assert np.isfinite(logs["loss"])
    assert int(trainer.optimizer.iterations) == 5


def test_drawn_patches_are_the_same_after_a_resume(arrays):
    results = []
    for interrupted in (False, True):
        trainer, *_ = build(3)
        trainer.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
        pair = (arrays["image"], arrays["mask"])
        for step in range(3):
            if interrupted and step == 2:
                weights, count = trainer.get_weights(), int(trainer.optimizer.iterations)
                trainer, *_ = build(3)
                trainer.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
                trainer.set_weights(weights)
                trainer.optimizer.iterations.assign(count)
            trainer.train_on_batch(*pair)
        results.append(trainer.discriminator.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_gradient_norms_are_logged_of_training_only(phase, dataset):
    trainer, *_ = build(phase)
    trainer.compile()
    options = {"steps_per_epoch": 1, "validation_data": dataset, "validation_steps": 1}
    history = trainer.fit(dataset, verbose=0, **options).history
    assert any(key.endswith("gradient_norm") for key in history)
    assert not any("norm" in key for key in history if key.startswith("val_"))
    assert np.isfinite(history["val_loss"]).all()


@pytest.mark.parametrize("policy", ["float16", "bfloat16", "float64", "mixed_float16"])
def test_every_policy_trains(policy, arrays):
    keras.config.set_dtype_policy(policy)
    try:
        trainer, *_ = build(3)
    finally:
        keras.config.set_dtype_policy("float32")
    trainer.compile("sgd", "sgd")
    logs = trainer.train_on_batch(arrays["image"], arrays["mask"], return_dict=True)
    assert np.isfinite(logs["completion_loss"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["mae"]}, "metrics=.*has no effect"),
        ({"loss_weights": [1.0]}, "loss_weights"),
        ({"weighted_metrics": ["mae"]}, "weighted_metrics"),
    ],
)
@pytest.mark.parametrize("phase", [1, 2, 3])
def test_what_would_be_ignored_is_refused(phase, options, message):
    trainer, *_ = build(phase)
    with pytest.raises(ValueError, match=message):
        trainer.compile(**options)


def test_a_loss_by_name_is_averaged_over_the_hole(arrays):
    trainer, *_ = build(1)
    trainer.compile(loss="mae")
    generated = np.asarray(trainer(arrays))
    error = np.abs(generated - arrays["image"]).mean(-1, keepdims=True) * arrays["mask"]
    expected = (error.sum((1, 2, 3)) / arrays["mask"].sum((1, 2, 3))).mean()
    logs = trainer.test_on_batch(arrays["image"], arrays["mask"], return_dict=True)
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="nonsense"):
        trainer.compile(loss="nonsense")
    other, *_ = build(2)
    with pytest.raises(ValueError, match="labels and logits, got 'binary_crossentropy'"):
        other.compile(loss="binary_crossentropy")


def test_swapped_networks_are_refused():
    completion, discriminator = small_networks()
    with pytest.raises(ValueError, match="are the networks swapped"):
        ki.JointTrainer(discriminator, completion)
    with pytest.raises(ValueError, match="are the networks swapped"):
        ki.CompletionTrainer(discriminator)


def test_steps_are_counted_where_keras_calls_back_once_an_execution(dataset, tmp_path):
    trainer, *_ = build(3)
    trainer.compile(steps_per_execution=4)
    examples = next(iter(dataset))
    sheet = ContactSheet(examples, tmp_path, every=8, label="s")
    guard = ki.CollapseGuard(window=8, loss=1e9, accuracy=-1.0)
    stop = StopOnNaN()
    trainer.fit(
        dataset, steps_per_epoch=8, epochs=2, verbose=0, callbacks=[sheet, guard, stop]
    )  # fmt: skip
    assert sheet.step == stop.step == guard.step == 16 and guard.fired == 2
    assert sorted(file.name for file in tmp_path.glob("*.png")) == [
        f"s-step{step:06d}.png" for step in (0, 8, 16)
    ]
