"""Metrics against their definitions, and the bootstrap against what it should cover."""

import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from keras_inpaint.evaluation.metrics import (
    METRICS,
    Interval,
    bootstrap,
    gradient_energy,
    measure,
    psnr,
    psnr_of,
)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (40, 48, 3)).astype(np.uint8)
    mask = np.zeros((40, 48), bool)
    mask[12:28, 10:30] = True
    completed = original.copy()
    completed[mask] = rng.integers(0, 256, (mask.sum(), 3))
    return original, completed, mask


def test_against_scikit_image(pair):
    original, completed, mask = pair
    found = measure(original, completed, mask)
    assert set(found) == set(METRICS)
    whole = mean_squared_error(original / 255, completed / 255)
    hole = mean_squared_error(original[mask] / 255, completed[mask] / 255)
    assert found["mse_whole"] == pytest.approx(whole, rel=1e-12)
    assert found["mse_hole"] == pytest.approx(hole, rel=1e-12)
    assert found["psnr_whole"] == pytest.approx(peak_signal_noise_ratio(original, completed))
    assert found["psnr_hole"] == pytest.approx(
        peak_signal_noise_ratio(original[mask], completed[mask])
    )
    ssim = structural_similarity(
        original,
        completed,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
    )
    assert found["ssim_whole"] == pytest.approx(ssim, rel=1e-12)
    assert found["ssim_hole"] < found["ssim_whole"] < 1


def test_by_hand():
    original = np.full((20, 20, 3), 100, np.uint8)
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    completed = original.copy()
    completed[mask] = (151, 100, 49)
    found = measure(original, completed, mask)
    assert found["mse_hole"] == pytest.approx(2 * 0.2**2 / 3)
    assert found["mse_whole"] == pytest.approx(2 * 0.2**2 / 3 / 4)
    assert found["l1_hole"] == pytest.approx(100 * 0.4 / 3)
    assert found["l1_whole"] == pytest.approx(100 * 0.4 / 3 / 4)
    assert found["psnr_whole"] - found["psnr_hole"] == pytest.approx(10 * np.log10(4))


def test_whole_photo_error_of_a_center_hole_as_db_in_the_hole():
    assert psnr(3.6e-4 * 160**2 / 40**2) == pytest.approx(22.4, abs=0.01)


def test_a_perfect_completion_is_a_hundred_db(pair):
    original, _, mask = pair
    found = measure(original, original.copy(), mask)
    assert found["psnr_hole"] == found["psnr_whole"] == 100
    assert found["mse_hole"] == found["l1_whole"] == 0
    assert found["ssim_hole"] == pytest.approx(1)


def test_changed_known_pixels_are_refused(pair):
    original, completed, mask = pair
    completed[0, 0, 1] ^= 1
    completed[39, 47] ^= 4
    with pytest.raises(ValueError, match="in 2 known pixels"):
        measure(original, completed, mask)


def test_wrong_arrays(pair):
    original, completed, mask = pair
    with pytest.raises(ValueError, match="float64"):
        measure(original, completed / 255, mask)
    with pytest.raises(ValueError, match="sizes differ"):
        measure(original, completed[:-1], mask)
    with pytest.raises(ValueError, match="mask must be bool"):
        measure(original, completed, mask.astype(np.uint8))
    with pytest.raises(ValueError, match="with a hole"):
        measure(original, completed, mask & False)
    with pytest.raises(ValueError, match="at least 11 px"):
        measure(original[:9, :9], completed[:9, :9], np.ones((9, 9), bool))


def interval(values, **options):
    """Return the interval of the mean of one column."""
    return bootstrap(np.array(values, float)[:, None], **options)[0]


def test_interval_is_the_normal_one_for_many_values():
    values = np.random.default_rng(1).normal(3, 2, 900)
    found = interval(values)
    assert found.mean == values.mean()
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 30, rel=0.05)
    assert found == interval(values)
    assert found != interval(values, seed=1)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        found = interval(rng.normal(0, 1, 60), times=400)
        hits += found.low <= 0 <= found.high
    assert 0.9 <= hits / 200 <= 0.99


def test_columns_share_their_resamples():
    values = np.random.default_rng(3).normal(0, 1, (50, 1))
    first, second = bootstrap(np.hstack([values, 2 * values + 1]))
    assert second.low == pytest.approx(2 * first.low + 1)
    assert second.high == pytest.approx(2 * first.high + 1)


def test_one_photo_has_an_interval_of_no_width():
    assert interval([4.0]) == (4, 4, 4)


def test_many_photos_are_resampled_block_by_block():
    values = np.random.default_rng(4).normal(0, 1, 60_000)
    found = interval(values, times=20)
    assert found.low < found.mean < found.high
    assert found.high - found.low < 4 / np.sqrt(60_000) * 1.2


def test_psnr_of_an_interval_turns_it_round():
    assert psnr_of(Interval(0.01, 0.001, 0.1)) == pytest.approx((20, 10, 30))


def test_gradient_energy():
    photo = np.zeros((12, 12, 3), np.uint8)
    photo[:, ::2] = 100
    mask = np.zeros((12, 12), bool)
    mask[2:10, 2:10] = True
    assert gradient_energy(photo, mask) == pytest.approx(100)
    assert gradient_energy(np.full_like(photo, 50), mask) == 0
