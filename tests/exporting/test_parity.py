import math

import numpy as np
import pytest

from keras_inpaint.exporting.network import load_network
from keras_inpaint.exporting.parity import (
    ParityError,
    Report,
    check_parity,
    compare_outputs,
    verify,
)


@pytest.fixture(scope="module")
def network(tiny_network):
    return load_network(tiny_network)


def run_of(network, change=lambda completed, image, hole: completed):
    def run(image, mask):
        generated = network.predict_on_batch({"image": image, "mask": mask})
        return change(np.where(mask == 1, generated, image), image, mask[..., 0] == 1)

    return run


def report_on(network, photos, change, quantization="none"):
    runs = {"complete": (run_of(network, change), "float32")}
    comparisons = compare_outputs(network, runs, photos, (64, 64))
    return Report("x", "tflite", quantization, 1, tuple(comparisons), {})


def test_what_is_the_same_is_identical(network, photos):
    report = report_on(network, photos, lambda completed, *_: completed)
    (found,) = report.comparisons
    assert math.isinf(found.psnr) and found.largest_error == 0 and found.known_pixels_kept
    assert (found.height, found.width, found.photos) == (64, 64, 4)
    assert found.milliseconds > 0 and found.keras_milliseconds > 0
    assert report.as_dict()["comparisons"][0]["psnr"] is None
    check_parity(report, 99.0)


def test_psnr_and_largest_error_count_the_hole(network, photos):
    def change(completed, image, hole):
        completed = completed.copy()
        completed[hole] += np.float32(0.1)
        return completed

    report = report_on(network, photos, change, "int8")
    assert report.comparisons[0].psnr == pytest.approx(20, abs=1e-4)
    assert report.comparisons[0].largest_error == pytest.approx(0.1, abs=1e-6)
    check_parity(report, 19.9)
    with pytest.raises(ParityError, match=r"complete at 64x64 has a PSNR .* 20\.00 dB, below 21"):
        check_parity(report, 21)


def test_a_float32_export_may_be_one_level_off(network, photos):
    def off_by(levels):
        def change(completed, image, hole):
            completed = completed.copy()
            completed[0][tuple(np.argwhere(hole[0])[0])] += np.float32(levels / 255)
            return completed

        return change

    check_parity(report_on(network, photos, off_by(0.99)))
    with pytest.raises(ParityError, match=r"differs from Keras by 2\.00 levels"):
        check_parity(report_on(network, photos, off_by(2)))


def test_a_changed_known_pixel_is_never_accepted(network, photos):
    def change(completed, image, hole):
        completed = completed.copy()
        completed[0][tuple(np.argwhere(~hole[0])[-1])] += np.float32(1e-6)
        return completed

    report = report_on(network, photos, change, "int8")
    assert not report.comparisons[0].known_pixels_kept
    with pytest.raises(ParityError, match="changes pixels outside the hole"):
        check_parity(report)


def test_values_that_are_no_numbers_are_never_accepted(network, photos):
    def change(completed, image, hole):
        return np.where(hole[..., None], np.float32(np.nan), completed)

    with pytest.raises(ParityError, match="not finite"):
        check_parity(report_on(network, photos, change, "int8"))


def test_every_signature_of_a_saved_model_is_compared(saved_model_path, tiny_network, photos):
    report = verify(saved_model_path, tiny_network, photos[:2], sizes=((45, 62),))
    names = {found.signature for found in report.comparisons}
    assert names == {"serving_default", "complete", "complete_float", "complete_bytes"}
    assert all(found.known_pixels_kept for found in report.comparisons)
    check_parity(report, min_psnr=60)
    assert report.ops["complete"]["Conv2D"] == 17
    assert "DecodeJpeg" in report.ops["complete_bytes"]
    assert "DecodeJpeg" not in report.ops["complete"]
    assert report.size_on_disk > (saved_model_path / "saved_model.pb").stat().st_size


@pytest.mark.slow
def test_a_saved_model_on_twenty_real_photos(saved_model_path, tiny_network, real_photos):
    report = verify(saved_model_path, tiny_network, real_photos[:20])
    assert len(report.comparisons) == 12
    check_parity(report, min_psnr=60)
