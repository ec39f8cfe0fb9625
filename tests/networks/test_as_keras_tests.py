"""Our layers and optimisers through the checks that Keras has for its own, with Keras' own tools.

`run_layer_test` is what Keras' test of every layer calls: building, serialisation, symbolic and
eager calls, shapes and dtypes, masking, training under `fit`, mixed precision.
"""

import keras
import numpy as np
import pytest
from keras.src.testing import TestCase

from keras_inpaint.networks import layers as ours
from keras_inpaint.training import optimizers

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

CONVOLUTIONS = [
    {"filters": 5, "kernel_size": 2, "dilation_rate": 2},
    {"filters": 6, "kernel_size": 3, "padding": "same", "dilation_rate": (2, 3)},
    {"filters": 6, "kernel_size": 3, "padding": "same", "dilation_rate": 4, "use_bias": False},
    {"filters": 6, "kernel_size": (4, 3), "padding": "valid", "dilation_rate": (2, 1)},
    {"filters": 4, "kernel_size": 3, "padding": "same", "strides": 2},
    {"filters": 6, "kernel_size": 2, "groups": 2, "activation": "relu"},
    {
        "filters": 6,
        "kernel_size": 3,
        "dilation_rate": 2,
        "kernel_regularizer": "l2",
        "bias_regularizer": "l2",
        "kernel_constraint": "unit_norm",
        "activity_regularizer": "l2",
    },
]
NORMS = [
    {},
    {"center": False, "scale": False},
    {"center": True, "scale": True, "momentum": 0.8, "epsilon": 1e-3},
    {"gamma_regularizer": "l2", "beta_regularizer": "l2"},
]


@pytest.mark.parametrize("settings", CONVOLUTIONS)
@pytest.mark.parametrize("kind", [keras.layers.Conv2D, ours.Conv2D])
def test_convolutions(kind, settings):
    shape = (2, 12, 10, 4)
    stock = keras.layers.Conv2D(**settings)
    regularized = sum(name.endswith("regularizer") for name in settings)
    TestCase().run_layer_test(
        kind,
        init_kwargs=settings,
        input_shape=shape,
        expected_output_shape=stock.compute_output_shape(shape),
        expected_num_trainable_weights=2 if settings.get("use_bias", True) else 1,
        expected_num_non_trainable_weights=0,
        expected_num_losses=regularized,
        supports_masking=False,
    )


@pytest.mark.parametrize("settings", NORMS)
@pytest.mark.parametrize("kind", [keras.layers.BatchNormalization, ours.BatchNormalization])
@pytest.mark.parametrize("shape", [(5, 8, 6, 3), (5, 7)])
def test_batch_normalisations(kind, settings, shape):
    TestCase().run_layer_test(
        kind,
        init_kwargs=settings,
        call_kwargs={"training": True},
        input_shape=shape,
        expected_output_shape=shape,
        expected_num_trainable_weights=settings.get("center", True) + settings.get("scale", True),
        expected_num_non_trainable_weights=2,
        expected_num_losses=2 if "gamma_regularizer" in settings else 0,
        supports_masking=True,
    )


@pytest.mark.parametrize("kind", [keras.layers.BatchNormalization, ours.BatchNormalization])
def test_normalised_values(kind):
    rng = np.random.default_rng(0)
    x = rng.normal(5.0, 10.0, (40, 6, 5, 3)).astype("float32")
    layer = kind(momentum=0.5)
    for _ in range(12):
        out = np.asarray(layer(x, training=True))
    np.testing.assert_allclose(out.mean((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(out.std((0, 1, 2)), 1, atol=1e-3)
    np.testing.assert_allclose(np.asarray(layer(x, training=False)), out, atol=0.02)
    frozen = kind(trainable=False)
    frozen(x, training=True)
    np.testing.assert_array_equal(np.asarray(frozen.moving_mean), np.zeros(3))


@pytest.mark.parametrize("append_mask", [True, False])
def test_mean_pixel(append_mask):
    layer = ours.MeanPixelFill((0.1, 0.2, 0.3), append_mask)
    again = ours.MeanPixelFill.from_config(layer.get_config())
    image, hole = np.ones((2, 8, 4, 3), "float32"), np.ones((2, 8, 4, 1), "float32")
    expected = np.concatenate([0 * image + [0.1, 0.2, 0.3], hole], -1)[..., : 3 + append_mask]
    for one in (layer, again):
        found = np.asarray(one(image, hole))
        assert found.shape == one.compute_output_shape(image.shape, hole.shape)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert (len(one.trainable_weights), len(one.non_trainable_weights)) == (0, 1)


OPTIMIZERS = [
    ("Adadelta", {"learning_rate": 0.5, "rho": 0.9, "epsilon": 1e-6}),
    ("Adam", {"learning_rate": 0.01}),
    ("Adam", {"learning_rate": 0.01, "amsgrad": True}),
]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_decay": 0.01},
        {"clipnorm": 0.5},
        {"clipvalue": 0.1},
        {"global_clipnorm": 0.5},
        {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2},
        {"gradient_accumulation_steps": 2},
        {"loss_scale_factor": 8.0},
    ],
)
@pytest.mark.parametrize(("name", "settings"), OPTIMIZERS)
def test_optimizers(name, settings, options):
    rng = np.random.default_rng(1)
    start = [rng.normal(size=shape).astype("float32") for shape in ((3, 3, 2, 4), (4,))]
    gradients = [[rng.normal(size=v.shape).astype("float32") for v in start] for _ in range(6)]
    results = []
    for module in (keras.optimizers, optimizers):
        optimizer = getattr(module, name)(**settings, **options)
        variables = [keras.Variable(value) for value in start]
        for step in gradients[:4]:
            optimizer.apply_gradients(zip(map(keras.ops.array, step), variables, strict=True))
        state = [np.asarray(value) for value in optimizer.variables]
        again = type(optimizer).from_config(optimizer.get_config())
        again.build(variables)
        for variable, value in zip(again.variables, state, strict=True):
            variable.assign(value)
        for step in gradients[4:]:
            again.apply_gradients(zip(map(keras.ops.array, step), variables, strict=True))
        again.finalize_variable_values(variables)
        results.append([np.asarray(variable) for variable in variables])
    for stock, own in zip(*results, strict=True):
        np.testing.assert_allclose(own, stock, rtol=1e-5, atol=1e-6)
        assert np.isfinite(own).all()


@pytest.mark.parametrize("name", ["Adadelta", "Adam", "Muon"])
def test_optimizers_under_a_schedule_and_frozen_variables(name):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    optimizer = getattr(optimizers, name)(schedule)
    kept, trained = (keras.Variable(np.ones((3, 3, 2, 2), "float32")) for _ in range(2))
    kept.trainable = False
    gradient = keras.ops.ones((3, 3, 2, 2))
    for _ in range(3):
        optimizer.apply_gradients([(gradient, trained)])
    assert int(optimizer.iterations) == 3
    np.testing.assert_allclose(float(optimizer.learning_rate), 0.1 * 0.5**1.5, rtol=1e-5)
    assert (np.asarray(trained) < 1).all() and (np.asarray(kept) == 1).all()
    serialized = keras.optimizers.serialize(optimizer)
    assert type(keras.optimizers.deserialize(serialized)) is type(optimizer)
