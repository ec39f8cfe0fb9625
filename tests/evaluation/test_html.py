"""The page: self-contained, well-formed, complete."""

import base64
import io
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from keras_inpaint.evaluation.evaluate import evaluate
from keras_inpaint.evaluation.plots import by_area, distribution, gains, means

_VOID = {"meta", "img", "link", "br", "input", "path", "use"}


class Reader(HTMLParser):
    """Checks that elements are closed in order, and collects attributes and text."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.text, self.images = [], [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in _VOID:
            self.open.append(tag)
        attributes = dict(attrs)
        self.links += [v for k, v in attrs if k in ("src", "href", "xlink:href")]
        if tag == "img":
            assert attributes["alt"]
            self.images.append(attributes["src"])

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def report(photos):
    def network(image, mask):
        completed = image.copy()
        completed[mask] = np.clip(image[mask].astype(int) + 9, 0, 255)
        return completed

    return evaluate(photos, network, masks="strokes", size=48, baselines=True, cases=1)


def test_page_needs_nothing_else(report):
    page = report.to_html()
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert all(link.startswith(("data:", "#")) for link in reader.links)
    assert not re.search(r"url\((?!#)", page)
    assert "<script" not in page
    text = " ".join(reader.text)
    for method in report.methods:
        assert method in text
    for name in ("Worst photos", "Median photos", "Best photos", "How it was measured"):
        assert name in text
    assert report.to_dict()["protocol"]["masks_sha256"] in text


def test_page_shows_the_cases_pixel_by_pixel(report):
    reader = Reader()
    reader.feed(report.to_html())
    assert len(reader.images) == 3 * (2 + 5)
    pictures = []
    for source in reader.images:
        data = base64.b64decode(source.removeprefix("data:image/png;base64,"))
        pictures.append(np.asarray(Image.open(io.BytesIO(data))))
    case = report.cases[0]
    assert np.array_equal(pictures[0], case.original)
    assert not np.array_equal(pictures[1][case.mask], case.original[case.mask])
    assert np.array_equal(pictures[1][~case.mask], case.original[~case.mask])
    assert np.array_equal(pictures[2], case.completed["network"])


def test_the_same_report_gives_the_same_page(report):
    assert report.to_html() == report.to_html()


def test_names_are_escaped(photos, tmp_path):
    folder = tmp_path / "<b>photos & co"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(photos[number]).save(folder / f"<i>{number}.png")
    report = evaluate(folder, "none", size=48, masks="box", baselines=["mean-pixel"], cases=1)
    page = report.to_html()
    assert "<i>" not in page and "<b>photos" not in page
    assert "&lt;i&gt;1.png" in page and "&lt;b&gt;photos &amp; co" in page


def test_plots_take_the_pages_colour_and_width(report):
    bars = means(report, "psnr_hole", "PSNR")
    for plot in (bars, distribution(report), by_area(report), gains(report)):
        assert plot.startswith('<svg role="img" aria-label="')
        head = plot[: plot.index(">")]
        assert "viewBox" in head and not re.search(r'\b(width|height)="', head)
        assert "currentColor" in plot and "#0a0b0c" not in plot
    for method in report.methods:
        assert method in bars


def test_plots_that_would_say_nothing_are_left_out(photos):
    report = evaluate(photos, "none", size=48, masks="box", baselines=["telea"], cases=0)
    assert by_area(report) is None and gains(report) is None
    assert "Worst photos" not in report.to_html()


def test_missing_matplotlib_names_the_extra(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(RuntimeError, match=r"pip install 'keras-inpaint\[evaluate\]'"):
        report.to_html()


def test_missing_scikit_image_names_the_extra(photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(RuntimeError, match="evaluation needs scikit-image"):
        evaluate(photos, "none", size=48, masks="box", baselines=["telea"])
