import numpy as np
import pytest

from keras_inpaint.networks.receptive_field import (
    REACH_AFTER,
    REACH_BEFORE,
    Convolution,
    ReceptiveField,
    network_receptive_field,
    receptive_field_of,
    round_up,
)


def _chain(first=5, last=3):
    middle = [(3, 2), (3,), (3, 2), (3,), (3,), (3, 1, 2), (3, 1, 4), (3, 1, 8), (3, 1, 16)]
    end = [(3,), (3,), (4, 2, 1, True), (3,), (4, 2, 1, True), (3,)]
    return [Convolution(*spec) for spec in [(first,), *middle, *end, (last,)]]


def test_the_papers_network_sees_what_is_written_everywhere():
    reach = receptive_field_of(_chain())
    assert (reach.before, reach.after, reach.halo) == (REACH_BEFORE, REACH_AFTER, 152)
    assert reach == ReceptiveField()
    assert reach.width == 303


def test_the_reach_read_off_a_network(tiny_network):
    assert network_receptive_field(tiny_network) == ReceptiveField()


@pytest.mark.parametrize("first", [1, 5, 9])
@pytest.mark.parametrize("last", [1, 3, 7])
def test_the_two_distances_alone_give_a_halo_that_is_enough(first, last):
    reach = receptive_field_of(_chain(first, last))
    told = ReceptiveField.of_pixels(reach.before, reach.after)
    assert told.halo >= reach.halo
    assert told.halo - reach.halo <= 4


def test_larger_kernels_see_farther():
    import keras_inpaint as ki

    reach = network_receptive_field(
        ki.build_completion_network(0.0625, first_kernel=11, last_kernel=9)
    )
    assert (reach.before, reach.after) == (REACH_BEFORE + 6, REACH_AFTER + 6)
    assert reach.halo == 160


def test_one_changed_pixel_changes_no_more_than_the_reach(tiny_network):
    """The reach, measured: which outputs get anything of one input, whatever the weights."""
    import keras
    import tensorflow as tf

    side, at = 404, 200
    seen = np.zeros((1, side, side, 1), "float32")
    seen[0, at, at] = 1
    for layer in tiny_network.layers:
        if not hasattr(layer, "kernel_size"):
            continue
        ones = tf.ones((*layer.kernel_size, 1, 1))
        if isinstance(layer, keras.layers.Conv2DTranspose):
            size = [1, 2 * seen.shape[1], 2 * seen.shape[2], 1]
            seen = tf.nn.conv2d_transpose(seen, ones, size, layer.strides, "SAME")
        else:
            seen = tf.nn.conv2d(seen, ones, layer.strides, "SAME", dilations=layer.dilation_rate)
        seen = tf.cast(seen > 0, tf.float32)
    seen = seen[0, ..., 0].numpy()
    for touched in (np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))):
        # An output that comes after the input has it before it.
        assert at - touched[0] <= REACH_AFTER
        assert touched[-1] - at <= REACH_BEFORE
        assert touched[-1] - touched[0] >= REACH_BEFORE + REACH_AFTER - 6


def test_a_layer_of_unknown_reach_is_refused():
    import keras

    inputs = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D(keepdims=True, name="look_everywhere")(inputs)
    with pytest.raises(ValueError, match="look_everywhere"):
        network_receptive_field(keras.Model(inputs, pooled))


def test_negative_distances_are_refused():
    with pytest.raises(ValueError, match="-1"):
        ReceptiveField.of_pixels(-1, 3)


def test_round_up():
    assert [round_up(n) for n in (0, 1, 4, 5)] == [0, 4, 4, 8]
