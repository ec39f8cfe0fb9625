"""An evaluation on the terminal."""

import dataclasses
import io

import pytest
from rich.console import Console

from keras_inpaint.evaluation.evaluate import evaluate
from keras_inpaint.evaluation.table import (
    best_method,
    by_area,
    distances,
    headline,
    summary,
    tables,
    terminal_table,
)


def text_of(table, width=80):
    stream = io.StringIO()
    Console(file=stream, width=width).print(terminal_table(table))
    return stream.getvalue()


@pytest.fixture
def report(photos, network):
    return evaluate(photos, network, masks="strokes", size=48, baselines=True, cases=0)


def test_summary_fits_into_eighty_columns(report):
    text = text_of(summary(report))
    assert "…" not in text
    for method in report.methods:
        found = report.summary(method)
        line = next(line for line in text.splitlines() if line.strip().startswith(method))
        assert f"{found['psnr_hole'].mean:.2f} ±" in line
        assert f"{found['l1_hole'].mean:.2f}" in line


def test_best_of_a_column(report):
    assert best_method(report, "psnr_hole") == "blurred" == best_method(report, "l1_hole")
    assert best_method(report, "psnr_hole_of_mean_mse") == "blurred"


def test_areas(report, photos, network):
    text = text_of(by_area(report))
    bands = report.by_area("navier-stokes")
    assert len(bands) > 1
    for band in bands:
        assert f"{100 * band['above']:.0f}-{100 * band['up_to']:.0f} %" in text
        assert f"{band['psnr_hole'].mean:.2f}" in text
    assert by_area(evaluate(photos, network, masks="box", size=48, cases=0)) is None


def test_headline(report, photos, network):
    (line,) = headline(report)
    assert line.startswith("blurred: ") and " over " in line and "the best baseline" in line
    alone = evaluate(photos, network, masks="box", size=48, cases=0)
    assert headline(alone)[0].endswith("dB in the hole")
    assert distances(alone) is None and len(tables(alone)) == 1


def test_distances(report):
    found = {"fid": 1.5, "kid": 0.25, "perceptual": 0.125}
    features = {"photos": 9, "features": 4, "methods": dict.fromkeys(report.methods, found)}
    *_, table = tables(dataclasses.replace(report, features=features))
    assert table.columns == ("FID", "KID", "perceptual")
    for text in (text_of(table), dataclasses.replace(report, features=features).to_html()):
        assert "Distances on 4 features of 9 photos" in text
        assert "perceptual" in text and "0.125" in text
