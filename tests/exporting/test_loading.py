import keras
import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.exporting.loading import (
    load_network,
    network_size,
    resolve_network_path,
)
from keras_inpaint.networks.inference_graph import NativeConv2D
from keras_inpaint.networks.layers import with_dtype_policy, with_stock_layers


def test_the_copy_has_the_same_weights_and_computes_in_float32(tiny_network, tiny_model_path):
    for source in (
        tiny_network,
        tiny_model_path,
        tiny_model_path.parent,
        with_dtype_policy(tiny_network, "mixed_bfloat16"),
    ):
        network = load_network(source)
        assert network is not tiny_network
        assert {layer.compute_dtype for layer in network.layers} == {"float32"}
        for mine, theirs in zip(network.get_weights(), tiny_network.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_dilated_convolutions_are_native_everywhere(tiny_network, monkeypatch):
    monkeypatch.setattr("keras_inpaint.networks.layers.dilation_has_gradient", lambda *_: False)
    network = load_network(tiny_network)
    dilated = [layer for layer in network.layers if isinstance(layer, NativeConv2D)]
    assert len(dilated) == 4 and all(layer._is_native("float32") for layer in dilated)


def test_stock_layers_are_accepted(tiny_network):
    assert len(load_network(with_stock_layers(tiny_network)).layers) == len(tiny_network.layers)


def test_a_file_that_is_no_keras_model(tmp_path):
    path = tmp_path / "completion.keras"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"completion\.keras is not a Keras model"):
        load_network(path)


def test_what_cannot_be_exported(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"....TFL3")
    with pytest.raises(ValueError, match=r"only a \.keras file can be exported, got .*tflite"):
        resolve_network_path(path)
    with pytest.raises(ValueError, match="nowhere"):
        resolve_network_path(tmp_path / "nowhere")


def test_a_model_that_completes_nothing():
    pixels = keras.Input((8, 8, 3), name="image")
    model = keras.Model(pixels, keras.layers.Conv2D(3, 1)(pixels), name="other")
    with pytest.raises(ValueError, match="other is not a completion network: it takes"):
        load_network(model)


def test_the_size_that_a_network_takes(tiny_network):
    assert network_size(tiny_network) == (None, None)
    network = ki.build_completion_network(width=0.0625, image_size=(16, 24))
    assert network_size(network) == (16, 24)
