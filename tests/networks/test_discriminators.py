"""The discriminators are the paper's, by size."""

import keras
import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.networks.discriminators import convolutions_for


def channels(model, prefix):
    return [layer.filters for layer in model.layers if layer.name.startswith(f"{prefix}_conv_")]


def test_the_papers_form_at_256():
    model = ki.build_context_discriminator(256, 128)
    assert channels(model, "global") == [64, 128, 256, 512, 512, 512]
    assert channels(model, "local") == [64, 128, 256, 512, 512]
    assert model.get_layer("global_dense").units == model.get_layer("local_dense").units == 1024
    assert model.get_layer("logit").kernel.shape == (2048, 1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert layer.kernel_size == (5, 5) and layer.strides == (2, 2)
    assert model.get_layer("global_relu_6").output.shape[1:3] == (4, 4)
    assert 45.0e6 < model.count_params() < 45.2e6


def test_the_faces_form_at_160():
    model = ki.build_context_discriminator(160, 96)
    assert channels(model, "global") == channels(model, "local") == [64, 128, 256, 512, 512]


@pytest.mark.parametrize(("size", "count"), [(256, 6), (160, 5), (128, 5), (96, 5), (64, 4)])
def test_depth_follows_the_size(size, count):
    assert convolutions_for(size) == count


def test_the_logit_is_float32_and_unbounded(tmp_path):
    model = ki.build_context_discriminator((32, 48), 16, width=0.125)
    rng = np.random.default_rng(0)
    pair = {
        "image": rng.random((3, 32, 48, 3), "float32"),
        "patch": rng.random((3, 16, 16, 3), "float32"),
    }
    logit = model(pair)
    assert logit.shape == (3, 1)
    assert model.layers[-1].activation is keras.activations.linear
    model.save(tmp_path / "d.keras")
    again = keras.models.load_model(tmp_path / "d.keras")(pair)
    np.testing.assert_array_equal(np.asarray(logit), np.asarray(again))


def test_global_and_local_stand_alone():
    whole = ki.build_global_discriminator(64, 0.125)
    part = ki.build_local_discriminator(32, 0.125)
    assert whole.output.shape == part.output.shape == (None, 128)


def test_a_patch_larger_than_the_image_is_an_error():
    with pytest.raises(ValueError, match="patch_size 64 is larger"):
        ki.build_context_discriminator(32, 64)
