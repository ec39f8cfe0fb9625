import keras
import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.networks.inference_graph import (
    SubPixelConv2D,
    for_inference,
    sub_pixel_kernel,
)
from keras_inpaint.networks.layers import with_dtype_policy


def _inputs(height, width, batch=1, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.random((batch, height, width, 3), dtype=np.float32)
    mask = (rng.random((batch, height, width, 1)) < 0.3).astype(np.float32)
    return {"image": image, "mask": mask}


def test_the_sub_pixel_convolution_is_the_transposed_one():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 5, 7, 6)).astype("float32")
    transposed = keras.layers.Conv2DTranspose(3, 4, 2, "same")
    expected = transposed(x).numpy()
    kernel, bias = transposed.get_weights()
    layer = SubPixelConv2D(12, 3, padding="same")
    layer.build(x.shape)
    layer.set_weights([sub_pixel_kernel(kernel), np.tile(bias, 4)])
    np.testing.assert_allclose(layer(x).numpy(), expected, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == expected.shape


@pytest.mark.parametrize("size", [(64, 64), (40, 92)])
def test_it_answers_what_the_network_does(tiny_network, size):
    inputs = _inputs(*size)
    expected = tiny_network(inputs, training=False).numpy()
    answered = for_inference(tiny_network)(inputs, training=False).numpy()
    assert answered.std() > 0.1
    np.testing.assert_allclose(answered, expected, atol=1e-4)


def test_mixed_precision_is_left_behind(tiny_network):
    mixed = with_dtype_policy(tiny_network, "mixed_bfloat16")
    exact = for_inference(mixed)
    assert {layer.compute_dtype for layer in exact.layers[2:]} == {"float32"}
    inputs = _inputs(32, 32)
    np.testing.assert_allclose(
        exact(inputs).numpy(), for_inference(tiny_network)(inputs).numpy(), atol=1e-6
    )


def test_the_network_itself_is_not_touched():
    network = ki.build_completion_network(0.0625)
    before = [weight.copy() for weight in network.get_weights()]
    for_inference(network)
    assert network.trainable
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
