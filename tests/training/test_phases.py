"""A run may start from weights that are there already."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_inpaint.networks.completion import build_completion_network
from keras_inpaint.networks.layers import with_stock_layers
from keras_inpaint.training.config import TrainingConfig
from keras_inpaint.training.phases import start_from
from keras_inpaint.training.schedule import train


def test_the_weights_and_the_mean_pixel_are_taken_over(tiny_network, tmp_path):
    with_stock_layers(tiny_network).save(tmp_path / "completion.keras")
    network = build_completion_network(0.0625)
    start_from(network, str(tmp_path))
    for ours, theirs in zip(network.get_weights(), tiny_network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("form", "weight"),
    [({"width": 0.03125}, "conv_2/kernel"), ({"last_kernel": 5}, "conv_17/kernel")],
)
def test_another_form_is_refused_with_what_differs(form, weight, tiny_model_path):
    network = build_completion_network(**{"width": 0.0625, **form})
    with pytest.raises(
        ValueError, match=rf"completion\.keras .* different architecture: {weight} .* in the source"
    ):
        start_from(network, str(tiny_model_path))


def test_a_run_starts_from_it_and_leaves_nothing_where_it_cannot(images, tiny_model_path, tmp_path):
    config = TrainingConfig(
        init=str(tiny_model_path),
        size=16,
        width=0.0625,
        batch_size=4,
        steps=(1, 0, 0),
        learning_rate=1e-30,
        masks="rectangles:4-8",
        patch_size=8,
        scale=(1.0, 1.0),
        precision="float32",
    )
    path = train(config, tmp_path / "run", images=images)
    trained = keras.models.load_model(path)
    start = keras.models.load_model(tiny_model_path)
    for ours, theirs in zip(trained.trainable_weights, start.trainable_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-12)
    with pytest.raises(ValueError, match="different architecture"):
        train(dataclasses.replace(config, width=0.03125), tmp_path / "other", images=images)
    assert not (tmp_path / "other").exists()
