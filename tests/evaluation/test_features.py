"""FID and KID against closed forms, and features from a network."""

import numpy as np
import pytest

from keras_inpaint.evaluation.features import (
    Features,
    frechet_distance,
    kernel_distance,
    perceptual_distance,
)


def test_frechet_distance_of_equal_sets_is_nothing():
    rows = np.random.default_rng(0).normal(size=(50, 8))
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_of_shifted_and_stretched_sets():
    rows = np.random.default_rng(1).normal(size=(200, 6))
    assert frechet_distance(rows, rows + 2) == pytest.approx(6 * 4)
    stretched = rows.mean(0) + 3 * (rows - rows.mean(0))
    assert frechet_distance(rows, stretched) == pytest.approx(4 * np.trace(np.cov(rows.T)))


def test_frechet_distance_against_scipy():
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(60, 5)), rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5))
    cov1, cov2 = np.cov(first.T), np.cov(second.T)
    gap = first.mean(0) - second.mean(0)
    expected = gap @ gap + np.trace(cov1 + cov2 - 2 * np.real(sqrtm(cov1 @ cov2)))
    assert frechet_distance(first, second) == pytest.approx(expected)


def test_frechet_distance_with_fewer_photos_than_features():
    rows = np.random.default_rng(3).normal(size=(5, 40))
    assert frechet_distance(rows, rows) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(rows, rows[:, ::-1]) > 0.1


def test_kernel_distance_against_a_loop():
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(7, 3)), rng.normal(1, 1, size=(5, 3))

    def kernel(x, y):
        return (x @ y / 3 + 1) ** 3

    def within(rows):
        pairs = [(i, j) for i in range(len(rows)) for j in range(len(rows)) if i != j]
        return np.mean([kernel(rows[i], rows[j]) for i, j in pairs])

    between = np.mean([kernel(x, y) for x in first for y in second])
    expected = within(first) + within(second) - 2 * between
    assert kernel_distance(first, second) == pytest.approx(expected)


def test_kernel_distance_has_no_bias():
    rng = np.random.default_rng(5)
    found = [
        kernel_distance(rng.normal(size=(30, 4)), rng.normal(size=(30, 4))) for _ in range(300)
    ]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(300)
    assert kernel_distance(rng.normal(size=(30, 4)), rng.normal(1, 1, size=(30, 4))) > 1


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_sets_that_cannot_be_compared(distance):
    with pytest.raises(ValueError, match="two photos or more, got 1 and 3"):
        distance(np.zeros((1, 4)), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="the same number of features"):
        distance(np.zeros((3, 4)), np.zeros((3, 5)))


def test_features_of_a_network(tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3))
    network = keras.Model(image, keras.layers.Conv2D(6, 3, name="seen")(image))
    network.save(tmp_path / "features.keras")
    photo = np.random.default_rng(6).integers(0, 256, (20, 24, 3)).astype(np.uint8)
    expected = network(photo[None] / np.float32(255)).numpy()[0].mean((0, 1))
    for model in (network, tmp_path / "features.keras"):
        found, (places,) = Features(model)(photo)
        assert places.shape == (18, 22, 6)
        assert found.shape == (6,) and found.dtype == np.float64
        np.testing.assert_allclose(found, expected, atol=1e-6)

    small = keras.Input((8, 8, 3))
    fixed = keras.Model(small, keras.layers.Flatten()(small))
    found, maps = Features(fixed)(photo)
    assert found.shape == (192,) and found.max() <= 1 and maps == []

    layers = keras.Model(image, [keras.layers.Conv2D(4, 3, strides=2)(image), network(image)])
    found, maps = Features(layers)(photo)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert [one.shape[-1] for one in maps] == [4, 6]


def test_networks_that_give_no_features(tmp_path):
    import keras

    with pytest.raises(ValueError, match="no such file"):
        Features(tmp_path / "none.keras")
    grey = keras.Input((8, 8, 1))
    with pytest.raises(ValueError, match=r"input must be \(batch, height, width, 3\)"):
        Features(keras.Model(grey, keras.layers.Flatten()(grey)))
    image = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match="output must be"):
        Features(keras.Model(image, keras.layers.Reshape((64, 3))(image)))


def test_perceptual_distance():
    rng = np.random.default_rng(2)
    maps = [rng.normal(size=(16, 16, 5)), rng.normal(size=(4, 4, 7))]
    mask = np.zeros((32, 32), bool)
    mask[:16] = True
    assert perceptual_distance(maps, maps, mask) == 0
    brighter = [3 * array for array in maps]
    assert perceptual_distance(maps, brighter, mask) == pytest.approx(0, abs=1e-6)
    opposite = [-array for array in maps]
    assert perceptual_distance(maps, opposite, mask) == pytest.approx(4, abs=1e-4)
    below = [array.copy() for array in maps]
    for array in below:
        array[len(array) // 2 :] *= -1
    assert perceptual_distance(maps, below, mask) == 0
    assert perceptual_distance(maps, below, ~mask) == pytest.approx(4, abs=1e-4)
