import json

import pytest

from keras_inpaint.exporting.loading import load_network
from keras_inpaint.exporting.model_card import build_card, card_of, read_card, weights_sha256
from keras_inpaint.networks.layers import with_dtype_policy


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


@pytest.mark.parametrize(("text", "message"), (("{", "holds no JSON:"), ("[]", "no JSON object")))
def test_a_card_that_cannot_be_read(tmp_path, text, message):
    path = tmp_path / "card.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_card(path)
