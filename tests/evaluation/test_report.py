"""What the figures come to, and how they are written."""

import dataclasses
import json

import numpy as np
import pytest

from keras_inpaint.evaluation.html import PageReport
from keras_inpaint.evaluation.metrics import METRICS
from keras_inpaint.evaluation.report import Measured
from keras_inpaint.psnr import psnr


def figures(level):
    return dict.fromkeys(METRICS, level) | {"mse_hole": 10 ** (-level / 10)}


def report_of(rows, **fields):
    """A report of `(area, {method: level})` rows; the methods after the first are baselines."""
    photos = tuple(
        Measured(f"{i}.jpg", f"{i:016x}", area, {name: figures(v) for name, v in levels.items()})
        for i, (area, levels) in enumerate(rows)
    )
    first, *rest = rows[0][1]
    protocol = {"data": "d", "masks": "box", "size": 64, "seed": 0}
    return PageReport(protocol, {first: {"file": "f"}}, tuple(rest), photos, **fields)


@pytest.fixture
def report():
    rng = np.random.default_rng(0)
    rows = [(0.05 + 0.01 * (i % 60), {"net": v + 3, "telea": v, "mean": v - 2})
            for i, v in enumerate(rng.normal(18, 3, 120))]  # fmt: skip
    return report_of(rows)


def test_summary(report):
    found = report.summary("net")
    values = report.values("net", "psnr_hole")
    assert found["psnr_hole"].mean == pytest.approx(values.mean())
    assert found["psnr_hole"].low < values.mean() < found["psnr_hole"].high
    pooled = found["psnr_hole_of_mean_mse"]
    assert pooled.mean == pytest.approx(psnr(report.values("net", "mse_hole").mean()))
    assert pooled.low < pooled.mean < pooled.high
    assert pooled.mean < found["psnr_hole"].mean


def test_bands_of_area(report):
    bands = report.by_area("net")
    assert sum(band["photos"] for band in bands) == 120
    assert [band["up_to"] for band in bands] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0]
    inside = (report.areas > 0.1) & (report.areas <= 0.2)
    assert bands[1]["psnr_hole"].mean == pytest.approx(
        report.values("net", "psnr_hole")[inside].mean()
    )


def test_a_band_includes_its_upper_edge():
    report = report_of([(0.25, {"net": 20.0}), (0.3, {"net": 30.0}), (0.31, {"net": 40.0})])
    assert [(band["above"], band["photos"]) for band in report.by_area("net")] == [
        (0.2, 2),
        (0.3, 1),
    ]


def test_differences_are_taken_photo_by_photo(report):
    gap = report.differences("net", "telea")
    assert gap["psnr_hole"] == pytest.approx((3, 3, 3))
    assert gap["wins"] == 1
    assert report.differences("mean", "telea")["wins"] == 0


def test_best_baseline(report):
    assert report.best_baseline() == "telea"
    assert report.best_baseline("l1_hole") == "mean"
    assert report_of([(0.1, {"net": 1.0})]).best_baseline() is None


def test_json(report, tmp_path):
    found = json.loads(report.to_json())
    assert found["format"] == "keras-inpaint-evaluation/1"
    assert found["methods"]["telea"]["summary"]["psnr_hole"]["mean"] == pytest.approx(
        report.values("telea", "psnr_hole").mean(), abs=1e-4
    )
    assert found["differences"]["net"]["mean"]["psnr_hole"]["mean"] == 5
    assert len(found["photos"]) == 120
    file = tmp_path / "figures.json"
    file.write_text("old")
    report.write_json(file)
    assert file.read_text() == report.to_json()
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]
    with pytest.raises(OSError, match="does not exist"):
        report.write_json(tmp_path / "nowhere" / "figures.json")


def test_floats_have_six_digits():
    report = report_of([(1 / 3, {"net": 20 / 3})])
    assert report.to_dict()["photos"][0]["area"] == 0.333333
    assert report.to_dict()["photos"][0]["figures"]["net"]["psnr_hole"] == 6.66667


def test_infinity_is_no_json(report):
    features = {"photos": 2, "features": 1, "methods": {"net": {"fid": float("inf"), "kid": 0.0}}}
    with pytest.raises(ValueError, match="JSON"):
        dataclasses.replace(report, features=features).to_json()
