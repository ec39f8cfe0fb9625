"""The built-in portraits: real people, in the public domain, split for good."""

import csv
import hashlib
import subprocess
import sys

import numpy as np
import pytest

from keras_inpaint.data import sample
from keras_inpaint.data.files import group_of


def test_portraits_are_of_one_size_and_in_colour():
    for part, count in (("train", 400), ("test", 25)):
        assert len(sample.names(part)) == len(sample.encoded(part)) == count
    pixels = np.stack([sample.portrait(number) for number in range(25)])
    assert pixels.shape == (25, *sample.SIZE, 3) and pixels.dtype == np.uint8
    assert pixels.min() < 20 and pixels.max() > 235
    # The middle of a face is of skin: more red than blue, in everybody.
    skin = pixels[:, 70:95, 50:78].reshape(25, -1, 3).mean(1)
    assert (skin[:, 0] > skin[:, 2] + 15).all()


def test_nobody_is_in_both_parts_or_twice():
    groups = [group_of(name) for part in sample.PARTS for name in sample.names(part)]
    assert len(set(groups)) == len(groups)
    digests = {hashlib.sha256(data).digest() for data in sample.encoded("train")}
    assert len(digests) == 400


def test_each_has_its_source_and_terms():
    with sample.SOURCES.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 425
    assert {row["source"] for row in rows} == {"Hainish/congress-images-225x275"}
    assert all(row["terms"].startswith("Public domain (US Government Printing") for row in rows)
    assert all(len(row["sha256_of_source"]) == 64 for row in rows)


def test_it_stays_small():
    assert 2e6 < sample.ARCHIVE.stat().st_size + sample.SOURCES.stat().st_size < 4e6


@pytest.mark.parametrize("index", range(8))
def test_holes_lie_in_the_face(index):
    hole = sample.example_hole(index)
    assert hole.shape == sample.SIZE and hole.dtype == bool
    rows, columns = np.nonzero(hole)
    assert 300 < len(rows) < 2000
    assert rows.min() >= 50 and rows.max() < 125 and columns.min() >= 25 and columns.max() < 105


def test_wrong_questions():
    with pytest.raises(ValueError, match="part must be one of"):
        sample.names("all")
    with pytest.raises(ValueError, match="1 to 25 portraits to test on, got 0"):
        sample.encoded("test", 0)
    with pytest.raises(IndexError):
        sample.portrait(25)


def test_no_framework_is_imported():
    code = (
        "import sys; from keras_inpaint.data import sample; sample.portrait(1);"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
