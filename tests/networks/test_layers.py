"""The fast layers are the stock layers, but for the time they take."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_inpaint as ki
from keras_inpaint.networks import layers
from keras_inpaint.networks.layers import (
    BatchNormalization,
    Conv2D,
    with_dtype_policy,
    with_fast_layers,
    with_stock_layers,
)


def run(layer, x, training=True):
    """Return the output, the gradients of input and weights, and the weights after the call."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training) if hasattr(layer, "gamma") else layer(x)
        loss = tf.reduce_sum(tf.cast(y, tf.float32) * tf.cos(tf.range(y.shape[-1] * 1.0)))
        loss += tf.reduce_sum(tf.square(tf.cast(y, tf.float32)))
    weights = [w.value for w in layer.trainable_weights]
    gradients = tape.gradient(loss, [x, *weights])
    return [np.asarray(tf.cast(v, tf.float32)) for v in (y, *gradients, *layer.weights)]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-4), ("mixed_bfloat16", 0.06)])
@pytest.mark.parametrize("training", [True, False])
def test_fused_batch_normalisation_is_the_stock_layer(dtype, tolerance, training):
    rng = np.random.default_rng(0)
    x = rng.normal(0.3, 2.0, (4, 6, 5, 3)).astype("float32")
    pair = []
    for cls in (BatchNormalization, keras.layers.BatchNormalization):
        layer = cls(momentum=0.9, epsilon=1.001e-5, dtype=dtype)
        layer.build(x.shape)
        weights = [[1.5, 0.5, 2.0], [0.1, -0.2, 0.3], [0.2, 0.1, 0.0], [3.0, 4.0, 5.0]]
        layer.set_weights(np.array(weights))
        pair.append(run(layer, x, training))
    for ours, stock in zip(*pair, strict=True):
        np.testing.assert_allclose(ours, stock, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "options",
    [{"scale": False}, {"center": False}, {"axis": 1}, {"synchronized": True}, {"renorm": True}],
)
def test_unusual_settings_fall_back_to_the_stock_layer(options):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 3, 5, 3)).astype("float32")
    ours, stock = (
        run(cls(**options), x, True)
        for cls in (BatchNormalization, keras.layers.BatchNormalization)
    )
    for a, b in zip(ours, stock, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("dilation", [2, 4, (6, 7), 16])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("mixed_bfloat16", 0.1)])
def test_dilated_convolution_is_the_stock_layer(monkeypatch, native, dilation, dtype, tolerance):
    if not native:
        monkeypatch.setattr(layers, "dilation_has_gradient", lambda *_: False)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 12, 20, 4)).astype("float32")
    pair = []
    for cls in (Conv2D, keras.layers.Conv2D):
        keras.utils.set_random_seed(1)
        layer = cls(5, 3, padding="same", dilation_rate=dilation, dtype=dtype)
        pair.append(run(layer, x, True))
    for ours, stock in zip(*pair, strict=True):
        scale = max(np.abs(stock).max(), 1e-6)
        np.testing.assert_allclose(ours / scale, stock / scale, atol=tolerance)


@pytest.mark.parametrize(
    ("size", "stock_paths"), [(16, 2), (40, 4), (None, 4)], ids=["small", "large", "any size"]
)
def test_without_a_native_gradient_small_maps_are_a_matrix_product(monkeypatch, size, stock_paths):
    monkeypatch.setattr(layers, "dilation_has_gradient", lambda *_: False)
    called = []
    stock = keras.layers.Conv2D.convolution_op
    monkeypatch.setattr(
        keras.layers.Conv2D,
        "convolution_op",
        lambda self, x, k: called.append(1) or stock(self, x, k),
    )

    chain = [Conv2D(1, 3, padding="same", dilation_rate=d) for d in (2, 4, 8, 12)]
    for layer in chain:
        layer.build((1, size, size, 1))

    @tf.function(input_signature=[tf.TensorSpec((1, size, size, 1))])
    def run(x):
        for layer in chain:
            x = layer.convolution_op(x, layer.kernel)
        return x

    run.get_concrete_function()
    assert len(called) == stock_paths


def test_the_probe_of_the_dilated_gradient_can_say_no():
    def refuse(**_):
        raise tf.errors.InvalidArgumentError(None, None, "dilation rates larger than 1")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "_TRAINS_DILATION", {})
        patch.setattr(tf.raw_ops, "Conv2DBackpropFilter", refuse)
        assert not layers.dilation_has_gradient("float32")


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(5)
    mask = np.zeros((2, 32, 32, 1), "float32")
    mask[:, 8:20, 4:16] = 1
    return {"image": rng.random((2, 32, 32, 3), "float32"), "mask": mask}


@pytest.mark.parametrize("mask_channel", [True, False])
def test_a_network_goes_into_stock_layers_and_back(mask_channel, pair):
    keras.utils.set_random_seed(3)
    network = ki.build_completion_network(0.0625, (0.1, 0.5, 0.9), mask_channel=mask_channel)
    stock = with_stock_layers(network)
    kinds = {type(layer).__module__ for layer in stock._flatten_layers()}
    assert all(kind.startswith("keras.") for kind in kinds)
    assert len(stock.trainable_weights) == len(network.trainable_weights)
    back = with_fast_layers(stock)
    assert [type(layer) for layer in back.layers] == [type(layer) for layer in network.layers]
    expected = np.asarray(network(pair))
    np.testing.assert_allclose(np.asarray(stock(pair)), expected, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(back(pair)), expected)
    assert with_fast_layers(network) is network


@pytest.mark.bfloat16
def test_the_dtype_policy_of_a_copy(tiny_network, pair):
    low = with_dtype_policy(tiny_network, "mixed_bfloat16")
    assert low.get_layer("conv_5").compute_dtype == "bfloat16"
    for name in layers.FLOAT32_LAYERS - {"logit"}:
        assert low.get_layer(name).compute_dtype == "float32"
    back = with_dtype_policy(low, "float32")
    np.testing.assert_array_equal(np.asarray(back(pair)), np.asarray(tiny_network(pair)))
    np.testing.assert_allclose(np.asarray(low(pair)), np.asarray(tiny_network(pair)), atol=0.05)
