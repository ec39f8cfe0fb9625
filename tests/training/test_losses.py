"""The losses, against numbers worked out by hand."""

import keras
import numpy as np
import pytest

from keras_inpaint.training.losses import DiscriminatorLoss, GeneratorLoss, MaskedMeanSquaredError


def test_masked_squared_error_is_the_holes_mean_and_each_image_counts_alike():
    image = np.zeros((2, 2, 2, 3), "float32")
    generated = np.full((2, 2, 2, 3), 0.5, "float32")
    mask = np.array([[1, 0, 0, 1], [0, 0, 1, 0]], "float32").reshape(2, 2, 2, 1)
    generated[0, 0, 1] = 99  # known: does not count
    generated[1, 1, 0] = 0.1
    found = float(MaskedMeanSquaredError()(image, generated, mask))
    assert found == pytest.approx((0.25 + 0.01) / 2)
    with pytest.raises(ValueError, match="mask"):
        MaskedMeanSquaredError()(image, generated)


def test_binary_cross_entropy_on_logits():
    logits = np.array([[2.0], [-1.0]], "float32")
    real = float(DiscriminatorLoss()(np.ones((2, 1)), logits))
    assert real == pytest.approx((np.log1p(np.exp(-2.0)) + np.log1p(np.exp(1.0))) / 2, rel=1e-6)
    fake = float(DiscriminatorLoss()(np.zeros((2, 1)), logits))
    assert fake == pytest.approx((np.log1p(np.exp(2.0)) + np.log1p(np.exp(-1.0))) / 2, rel=1e-6)
    assert float(GeneratorLoss()(np.ones((2, 1)), logits)) == pytest.approx(real, rel=1e-6)


def test_huge_logits_stay_finite():
    logits = np.array([[1e4], [-1e4]], "float32")
    assert np.isfinite(float(DiscriminatorLoss()(np.ones((2, 1)), logits)))


def test_label_smoothing_touches_real_images_only():
    smooth = DiscriminatorLoss(label_smoothing=0.1)
    logits = np.array([[3.0]], "float32")
    expected = 0.9 * np.log1p(np.exp(-3.0)) + 0.1 * np.log1p(np.exp(3.0))
    assert float(smooth(np.ones((1, 1)), logits)) == pytest.approx(expected, rel=1e-5)
    plain = float(DiscriminatorLoss()(np.zeros((1, 1)), logits))
    assert float(smooth(np.zeros((1, 1)), logits)) == pytest.approx(plain)


def test_hinge():
    logits = np.array([[0.25], [3.0]], "float32")
    assert float(DiscriminatorLoss("hinge")(np.ones((2, 1)), logits)) == pytest.approx(0.375)
    assert float(DiscriminatorLoss("hinge")(np.zeros((2, 1)), logits)) == pytest.approx(2.625)
    assert float(GeneratorLoss("hinge")(np.ones((2, 1)), logits)) == pytest.approx(-1.625)


@pytest.mark.parametrize(
    "loss", [DiscriminatorLoss("hinge", 0.2), GeneratorLoss("hinge"), MaskedMeanSquaredError()]
)
def test_losses_survive_saving(loss):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config()


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="wgan"):
        DiscriminatorLoss("wgan")
    with pytest.raises(ValueError, match=r"0\.7"):
        DiscriminatorLoss(label_smoothing=0.7)
