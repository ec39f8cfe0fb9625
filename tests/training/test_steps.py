"""Patches, composites, optimisers."""

import numpy as np
import pytest
import tensorflow as tf

from keras_inpaint.training import steps


def test_patches_are_cut_where_they_lie_and_pass_gradients_back():
    rng = np.random.default_rng(0)
    images = tf.constant(rng.random((3, 10, 12, 3), "float32"))
    origins = tf.constant([[0, 0], [6, 8], [2, 5]])
    with tf.GradientTape() as tape:
        tape.watch(images)
        patches = steps.cut_patches(images, origins, 4)
        loss = tf.reduce_sum(patches**2)
    gradient = tape.gradient(loss, images)
    gradient = tf.convert_to_tensor(gradient).numpy()
    for i, (top, left) in enumerate(origins.numpy()):
        cut = images[i, top : top + 4, left : left + 4].numpy()
        np.testing.assert_array_equal(patches[i], cut)
        expected = np.zeros((10, 12, 3), "float32")
        expected[top : top + 4, left : left + 4] = 2 * cut
        np.testing.assert_allclose(gradient[i], expected, rtol=1e-6)


def test_known_pixels_are_pasted_back():
    image, generated = tf.zeros((1, 2, 2, 3)), tf.ones((1, 2, 2, 3))
    mask = tf.constant([1.0, 0, 0, 0], shape=(1, 2, 2, 1))
    assert steps.composite(image, mask, generated).numpy().sum() == 3


def test_discriminator_metrics_count_both_kinds():
    scores = steps.discriminator_metrics(
        tf.constant([[2.0], [-1.0]]), tf.constant([[-3.0], [-4.0]])
    )
    assert float(scores["discriminator_accuracy"]) == 0.75
    assert float(scores["real_score"]) == pytest.approx((1 / (1 + np.exp(-2)) + 1 / (1 + np.e)) / 2)
