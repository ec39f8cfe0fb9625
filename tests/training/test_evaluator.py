"""Batch normalisation's statistics are those of the population."""

import keras
import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.training.evaluator import BatchNormEstimator


def batches(count):
    rng = np.random.default_rng(0)
    return [
        {
            "image": rng.random((4, 16, 16, 3), "float32") * (i + 1) / count,
            "mask": np.zeros((4, 16, 16, 1), "float32"),
            "patch": np.zeros((4, 2), "int32"),
        }
        for i in range(count)
    ]


def test_statistics_are_those_of_all_batches_together():
    network = ki.build_completion_network(0.0625)
    before = [np.array(w) for w in network.trainable_weights]
    data = batches(5)
    BatchNormEstimator(network)(data)
    first = keras.Model(network.input, network.get_layer("norm_1").input)
    seen = np.concatenate(
        [np.asarray(first({"image": b["image"], "mask": b["mask"]})) for b in data]
    )
    norm = network.get_layer("norm_1")
    np.testing.assert_allclose(norm.moving_mean, seen.mean((0, 1, 2)), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, seen.var((0, 1, 2)), rtol=1e-3, atol=1e-6)
    for a, b in zip(before, network.trainable_weights, strict=True):
        np.testing.assert_array_equal(a, np.array(b))


def test_inference_then_answers_as_training_does():
    network = ki.build_completion_network(0.0625)
    (batch,) = batches(1)
    pair = {"image": batch["image"], "mask": batch["mask"]}
    stale = np.asarray(network(pair))
    BatchNormEstimator(network)([batch])
    fresh = np.asarray(network(pair, training=False))
    wanted = np.asarray(network(pair, training=True))
    assert np.abs(fresh - wanted).max() < 1e-3 < np.abs(stale - wanted).max()


def test_no_batch_is_an_error():
    with pytest.raises(ValueError, match="at least one batch"):
        BatchNormEstimator(ki.build_completion_network(0.0625))([])
