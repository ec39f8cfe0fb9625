"""The fused optimisers are the stock ones, but for the time they take."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_inpaint.training.optimizers import Adadelta, Adam, Muon, resolve_optimizer

PAIRS = [
    (Adadelta(0.7, rho=0.8), keras.optimizers.Adadelta(0.7, rho=0.8, epsilon=1e-6)),
    (Adam(0.01, beta_1=0.5), keras.optimizers.Adam(0.01, beta_1=0.5)),
    (Adam(0.01, amsgrad=True), keras.optimizers.Adam(0.01, amsgrad=True)),
    (
        Adadelta(1.0, global_clipnorm=0.1, use_ema=True),
        keras.optimizers.Adadelta(1.0, rho=0.9, epsilon=1e-6, global_clipnorm=0.1, use_ema=True),
    ),
]


def compiled(optimizer, variable):
    @tf.function
    def step(gradient):
        optimizer.apply([gradient], [variable])

    return step


@pytest.mark.parametrize("pair", PAIRS, ids=["adadelta", "adam", "amsgrad", "clipped"])
def test_five_steps_are_the_stock_optimisers(pair):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(6, 5)).astype("float32")
    gradients = rng.normal(size=(5, 6, 5)).astype("float32")
    results = []
    for optimizer in pair:
        variable = keras.Variable(start)
        optimizer.build([variable])

        step = compiled(optimizer, variable)
        for gradient in gradients:
            step(tf.constant(gradient))
        results.append([np.array(variable), *(np.array(v) for v in optimizer.variables)])
    assert len(results[0]) == len(results[1]) > 3
    for ours, stock in zip(*results, strict=True):
        np.testing.assert_allclose(ours, stock, rtol=1e-4, atol=1e-6)


def after_five_steps(optimizer, start, gradients):
    variable = keras.Variable(start)
    optimizer.build([variable])
    step = compiled(optimizer, variable)
    for gradient in gradients:
        step(tf.constant(gradient))
    return np.array(variable)


@pytest.mark.parametrize("shape", [(3, 3, 4, 6), (3, 3, 2, 24), (5,)])
def test_muon_takes_a_kernel_as_the_matrix_of_what_each_channel_sees(shape):
    rng = np.random.default_rng(1)
    start = rng.normal(size=shape).astype("float32")
    gradients = rng.normal(size=(5, *shape)).astype("float32")
    ours = after_five_steps(Muon(0.01), start, gradients)
    flat = (-1, shape[-1]) if len(shape) == 4 else shape
    stock = keras.optimizers.Muon(0.01, weight_decay=None, adam_weight_decay=None)
    expected = after_five_steps(stock, start.reshape(flat), [g.reshape(flat) for g in gradients])
    np.testing.assert_allclose(ours.reshape(flat), expected, rtol=1e-4, atol=1e-6)


def test_muon_moves_every_direction_of_a_kernel_alike():
    gradient = np.random.default_rng(2).normal(size=(3, 3, 4, 6)).astype("float32")
    gradient[..., 0] *= 100
    step = -after_five_steps(Muon(1.0, rms_rate=None), np.zeros_like(gradient), [gradient])
    sizes = np.linalg.svd(step.reshape(-1, 6), compute_uv=False)
    assert sizes.min() > 0.6 and sizes.max() < 1.3
    left_out = Muon(1.0, exclude_layers=["variable"])
    assert left_out._should_use_adamw(keras.Variable(gradient))


def test_names():
    assert isinstance(resolve_optimizer("adadelta"), Adadelta)
    assert float(resolve_optimizer("adadelta").learning_rate) == 1.0
    adam = resolve_optimizer("Adam", learning_rate=0.5)
    assert isinstance(adam, Adam) and float(adam.learning_rate) == 0.5
    assert isinstance(resolve_optimizer("muon"), Muon)
    assert isinstance(resolve_optimizer("rmsprop"), keras.optimizers.RMSprop)
    own = keras.optimizers.SGD(0.3)
    assert resolve_optimizer(own) is own
    with pytest.raises(ValueError, match="nothing"):
        resolve_optimizer("nothing")


def test_they_survive_saving():
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(Adadelta(0.3, clipnorm=1.0))
    )
    assert type(again) is Adadelta and again.clipnorm == 1.0
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(Muon(0.3, exclude_layers=["conv_17"]))
    )
    assert type(again) is Muon and again.exclude_layers == ["conv_17"]
    assert again.weight_decay is None and again.adam_weight_decay is None


def test_defaults_of_adadelta_that_differ_from_keras_are_told():
    ours, stock = Adadelta().get_config(), keras.optimizers.Adadelta().get_config()
    for name in ("learning_rate", "rho", "epsilon"):
        for value in (ours[name], stock[name]):
            assert f"{value:.6g}".replace("1e-06", "1e-6").replace("1e-07", "1e-7") in (
                Adadelta.__doc__
            )
