"""The completion network is the paper's: layers, parameters, what a pixel sees."""

import keras
import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.networks.completion import mean_pixel_of

#: Iizuka et al. 2017, table 1, and 3 input channels of colour with the mask as the fourth:
#: kernel, stride, dilation, transposed, output channels, output side at 64 px.
TABLE = [
    (5, 1, 1, False, 64, 64),
    (3, 2, 1, False, 128, 32),
    (3, 1, 1, False, 128, 32),
    (3, 2, 1, False, 256, 16),
    (3, 1, 1, False, 256, 16),
    (3, 1, 1, False, 256, 16),
    (3, 1, 2, False, 256, 16),
    (3, 1, 4, False, 256, 16),
    (3, 1, 8, False, 256, 16),
    (3, 1, 16, False, 256, 16),
    (3, 1, 1, False, 256, 16),
    (3, 1, 1, False, 256, 16),
    (4, 2, 1, True, 128, 32),
    (3, 1, 1, False, 128, 32),
    (4, 2, 1, True, 64, 64),
    (3, 1, 1, False, 32, 64),
    (3, 1, 1, False, 3, 64),
]


@pytest.fixture(scope="module")
def paper():
    return ki.build_completion_network(image_size=64)


def test_layer_by_layer(paper):
    found = []
    for number in range(1, 18):
        layer = paper.get_layer(f"conv_{number}")
        transposed = isinstance(layer, keras.layers.Conv2DTranspose)
        found.append(
            (
                layer.kernel_size[0],
                layer.strides[0],
                layer.dilation_rate[0],
                transposed,
                layer.filters,
                layer.output.shape[1],
            )
        )
    assert found == TABLE


def test_the_order_is_convolution_normalisation_relu(paper):
    for number in range(1, 17):
        norm, relu = paper.get_layer(f"norm_{number}"), paper.get_layer(f"relu_{number}")
        assert norm.input is paper.get_layer(f"conv_{number}").output
        assert relu.input is norm.output
    assert "norm_17" not in {layer.name for layer in paper.layers}
    assert paper.get_layer("generated").activation is keras.activations.sigmoid


def test_the_papers_number_of_parameters(paper):
    mean_pixel = 3
    assert paper.count_params() - mean_pixel == 6_078_083
    trainable = sum(int(np.prod(w.shape)) for w in paper.trainable_weights)
    assert trainable == 6_078_083 - 2 * sum(row[4] for row in TABLE[:16])
    assert paper.get_layer("conv_1").kernel.shape == (5, 5, 4, 64)


def test_the_form_with_three_input_channels():
    network = ki.build_completion_network(mask_channel=False)
    assert network.get_layer("conv_1").kernel.shape == (5, 5, 3, 64)
    assert network.count_params() - 3 == 6_078_083 - 5 * 5 * 64


def test_width_and_kernels_are_knobs():
    network = ki.build_completion_network(0.5, first_kernel=7, last_kernel=9)
    assert network.get_layer("conv_1").kernel.shape == (7, 7, 4, 32)
    assert network.get_layer("conv_10").filters == 128
    assert network.get_layer("conv_17").kernel.shape == (9, 9, 16, 3)


@pytest.mark.parametrize("size", [(4, 4), (36, 20), (64, 128)])
def test_any_size_that_is_a_multiple_of_four(tiny_network, size):
    image = np.random.default_rng(0).random((2, *size, 3), "float32")
    mask = np.zeros((2, *size, 1), "float32")
    generated = tiny_network({"image": image, "mask": mask})
    assert generated.shape == (2, *size, 3)
    assert keras.backend.standardize_dtype(generated.dtype) == "float32"
    assert np.min(generated) >= 0 and np.max(generated) <= 1


def test_pixels_in_the_hole_are_replaced_by_the_mean_pixel(tiny_network):
    rng = np.random.default_rng(1)
    image = rng.random((1, 32, 32, 3), "float32")
    mask = np.zeros((1, 32, 32, 1), "float32")
    mask[:, 8:20, 8:20] = 1
    other = image.copy()
    other[:, 8:20, 8:20] = rng.random((1, 12, 12, 3), "float32")
    filled = image.copy()
    filled[:, 8:20, 8:20] = mean_pixel_of(tiny_network)
    expected = np.asarray(tiny_network({"image": image, "mask": mask}))
    for variant in (other, filled):
        got = np.asarray(tiny_network({"image": variant, "mask": mask}))
        np.testing.assert_array_equal(got, expected)
    assert mean_pixel_of(tiny_network) == pytest.approx((0.5, 0.4, 0.3))


def test_the_mean_pixel_is_a_weight_that_is_saved_and_not_trained(tmp_path):
    network = ki.build_completion_network(0.0625, mean_pixel=(0.1, 0.2, 0.3))
    network.get_layer("mean_pixel_fill").mean_pixel.assign([0.6, 0.7, 0.8])
    network.save(tmp_path / "a.keras")
    loaded = keras.models.load_model(tmp_path / "a.keras")
    assert mean_pixel_of(loaded) == pytest.approx((0.6, 0.7, 0.8))
    assert all("mean_pixel" not in w.path for w in loaded.trainable_weights)


def test_one_pixel_reaches_at_most_303():
    """Every weight positive, so that nothing cancels: what changes is what can be seen."""
    network = ki.build_completion_network(0.0625, mean_pixel=(0, 0, 0))
    for layer in network.layers:
        if hasattr(layer, "kernel"):
            kernel = np.full(layer.kernel.shape, 1.0 / np.prod(layer.kernel.shape[:3]), "float32")
            layer.kernel.assign(kernel)
    size, place = 640, 320
    zero = np.zeros((1, size, size, 1), "float32")
    image = np.zeros((1, size, size, 3), "float32")
    probe = keras.Model(network.input, network.get_layer("conv_17").output)
    reach = [[], []]
    for phase in range(4):
        changed = image.copy()
        changed[:, place + phase, place + phase] = 1.0
        pair = [np.asarray(probe({"image": i, "mask": zero})) for i in (image, changed)]
        seen = np.abs(pair[1] - pair[0]).max(axis=(0, 3)) > 0
        rows = np.flatnonzero(seen.any(axis=1))
        # Output r sees input p: p - r from -before to +after.
        reach[0].append(rows[-1] - (place + phase))
        reach[1].append((place + phase) - rows[0])
    assert (max(reach[0]), max(reach[1])) == (150, 153)
    assert max(reach[0]) + max(reach[1]) <= 303


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"width": 0}, "width .* 0"),
        ({"width": 0.1, "mean_pixel": (0.1, 0.2)}, "mean_pixel"),
        ({"width": 0.1, "mean_pixel": (128, 0, 0)}, "mean_pixel"),
        ({"width": 0.1, "image_size": 130}, "multiples of 4, got 130"),
        ({"width": 0.1, "first_kernel": 4}, "first_kernel .* 4"),
        ({"width": 0.1, "last_kernel": -1}, "last_kernel .* -1"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        ki.build_completion_network(**arguments)
