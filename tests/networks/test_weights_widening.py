"""A wider network starts as the narrower one that it grew from, and then uses its new channels."""

import keras
import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.networks.weights import check_compatible, widen_from

BATCH = {
    "image": np.random.default_rng(3).random((2, 32, 32, 3), dtype=np.float32),
    "mask": np.pad(np.ones((2, 16, 16, 1), np.float32), ((0, 0), (8, 8), (8, 8), (0, 0))),
}


@pytest.fixture(scope="module")
def wide(tiny_network):
    network = ki.build_completion_network(0.15, name="wide")
    widen_from(network, tiny_network)
    return network


@pytest.mark.parametrize("training", [False, True])
def test_it_computes_the_same(tiny_network, wide, training):
    ours, theirs = (keras.models.clone_model(network) for network in (wide, tiny_network))
    ours.set_weights(wide.get_weights())
    theirs.set_weights(tiny_network.get_weights())
    expected = np.asarray(theirs(BATCH, training=training))
    np.testing.assert_allclose(ours(BATCH, training=training), expected, rtol=0, atol=3e-5)
    assert expected.std() > 0.01


def test_new_channels_differ_from_each_other_and_learn(wide):
    import tensorflow as tf

    variables = [wide.get_layer(name).kernel for name in ("conv_9", "conv_13")]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(wide(BATCH, training=True) - BATCH["image"]))
    plain, transposed = tape.gradient(loss, [variable.value for variable in variables])
    # Known channels: 16 of conv_8 to conv_12, 8 of conv_13. A transposed kernel ends in (out, in).
    transposed, stored = np.swapaxes(transposed, -1, -2), np.swapaxes(variables[1], -1, -2)
    for learned, weights, known in ((plain, variables[0].numpy(), 16), (transposed, stored, 8)):
        assert not weights[..., 16:, :known].any()
        by_channel = np.moveaxis(np.asarray(learned)[..., 16:, :known], -2, 0)
        rows = by_channel.reshape(len(by_channel), -1)
        assert (np.abs(rows).sum(axis=1) > 0).mean() > 0.9
        assert len(np.unique(rows.round(12), axis=0)) > 0.9 * len(rows)


@pytest.mark.parametrize(
    ("form", "named"),
    [
        ({"width": 0.03}, "conv_2/kernel"),
        ({"last_kernel": 5}, "conv_17/kernel"),
        ({"mask_channel": False}, "conv_1/kernel"),
    ],
)
def test_what_cannot_be_taken_over_is_named(form, named, tiny_network):
    network = ki.build_completion_network(**{"width": 0.1, **form})
    with pytest.raises(ValueError, match=named):
        check_compatible(tiny_network, network)
    before = network.get_weights()
    with pytest.raises(ValueError, match=f"more than their width: {named}"):
        widen_from(network, tiny_network)
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_network_of_other_layers_is_refused(tiny_network):
    shorter = keras.Model(tiny_network.inputs, tiny_network.get_layer("conv_16").output)
    with pytest.raises(ValueError, match=r"^nothing in the source"):
        check_compatible(shorter, tiny_network)
    with pytest.raises(ValueError, match=r"nothing in the target$"):
        check_compatible(tiny_network, shorter)
