"""Presets as a Keras user knows them: from_preset, save_to_preset, networks with weights."""

import json

import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.networks.completion import width_of


def test_a_preset_is_saved_and_opened_again(tmp_path, photo):
    hole = np.zeros(photo.shape[:2], bool)
    hole[20:40, 30:60] = True
    first = ki.Inpainter.from_preset("scenes", runtime="keras", texture="off", scale=1)
    folder = first.save_to_preset(tmp_path / "mine")
    card = json.loads((folder / "model_card.json").read_text())
    assert card["licence"] == first.runtime.card["licence"] and "files" not in card
    again = ki.Inpainter.from_preset(folder, texture="off", scale=1)
    difference = again(photo, hole).astype(int) - first(photo, hole)
    assert np.abs(difference).max() <= 1
    assert again.candidates[0].trained_on == first.candidates[0].trained_on


def test_a_network_in_memory_is_saved(tiny_network, tmp_path):
    folder = ki.Inpainter(tiny_network).save_to_preset(tmp_path / "tiny")
    loaded = ki.load_model(folder)
    for ours, theirs in zip(loaded.get_weights(), tiny_network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_several_networks_are_no_preset(tmp_path):
    with pytest.raises(ValueError, match="only one network can be saved"):
        ki.Inpainter().save_to_preset(tmp_path / "both")
    assert list(tmp_path.iterdir()) == []


def test_networks_with_weights_and_without(tiny_model_path, tiny_network):
    same = ki.completion_network(weights=tiny_model_path)
    wider = ki.completion_network(width=0.125, weights=tiny_model_path)
    assert (width_of(same), width_of(wider)) == (0.0625, 0.125)
    pair = {"image": np.random.default_rng(0).random((1, 32, 32, 3), "float32")}
    pair["mask"] = (pair["image"][..., :1] > 0.7).astype("float32")
    expected = np.asarray(tiny_network(pair))
    for network in (same, wider):
        np.testing.assert_allclose(np.asarray(network(pair)), expected, atol=1e-5)
    assert width_of(ki.completion_network(width=0.25)) == 0.25
    assert width_of(ki.completion_network(width=0.25, last_kernel=5)) == 0.25
    with pytest.raises(ValueError, match="differ in more than their width"):
        ki.completion_network(width=0.03125, weights=tiny_model_path)
