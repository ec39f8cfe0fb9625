import json

import keras
import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.exporting.network import (
    build_card,
    card_of,
    load_network,
    network_size,
    resolve_network_path,
    weights_sha256,
)
from keras_inpaint.networks.inference_graph import NativeConv2D
from keras_inpaint.networks.layers import with_dtype_policy, with_stock_layers
from keras_inpaint.presets.cards import card_beside


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
    with pytest.raises(ValueError, match="other is not a completion network: its inputs"):
        load_network(model)


def test_the_size_that_a_network_takes(tiny_network):
    assert network_size(tiny_network) == (None, None)
    network = ki.build_completion_network(width=0.0625, image_size=(16, 24))
    assert network_size(network) == (16, 24)


def test_the_hash_is_that_of_the_weights(tiny_network, tiny_model_path):
    digest = weights_sha256(tiny_network)
    assert len(digest) == 64 and int(digest, 16)
    assert weights_sha256(load_network(tiny_model_path)) == digest
    assert weights_sha256(with_dtype_policy(tiny_network, "mixed_bfloat16")) == digest
    other = load_network(tiny_network)
    other.get_layer("conv_9").bias.assign_add([1e-6] * other.get_layer("conv_9").filters)
    assert weights_sha256(other) != digest


def test_a_card_shows_what_is_not_known(tiny_network):
    card = build_card(tiny_network, "tiny")
    assert card["name"] == "tiny"
    assert card["licence"] is None and card["training_data"] is None and card["figures"] is None
    assert card["mean_pixel"] == pytest.approx([0.5, 0.4, 0.3])
    assert card["reach"] == {"before": 150, "after": 153}
    assert card["parameters"] == tiny_network.count_params()
    assert card["versions"].keys() == {"keras_inpaint", "keras", "tensorflow"}
    assert json.loads(json.dumps(card)) == card


def test_what_is_known_is_kept_and_does_not_override_the_network(tiny_network):
    card = build_card(tiny_network, "tiny", {"licence": "CC0", "weights_sha256": "a lie", "x": 1})
    assert card["licence"] == "CC0" and card["x"] == 1
    assert card["weights_sha256"] == weights_sha256(tiny_network)


def test_the_files_beside_a_network_tell(tiny_network, tmp_path):
    tiny_network.save(tmp_path / "completion.keras")
    assert card_of(tiny_network) == {} == card_of(tmp_path)
    (tmp_path / "config.json").write_text('{"preset": "faces"}')
    assert card_of(tmp_path) == {"training": {"preset": "faces"}}
    (tmp_path / "model_card.json").write_text('{"licence": "CC-BY-4.0"}')
    assert card_of(tmp_path / "completion.keras") == {"licence": "CC-BY-4.0"}


@pytest.mark.parametrize(
    ("text", "message"), (("{", "is not valid JSON:"), ("[]", "does not hold a JSON object"))
)
def test_a_card_that_cannot_be_read(tmp_path, tiny_network, text, message):
    tiny_network.save(tmp_path / "completion.keras")
    (tmp_path / "model_card.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        card_of(tmp_path)
    assert card_beside(tmp_path / "completion.keras") == {}
