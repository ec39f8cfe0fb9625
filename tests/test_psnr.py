"""One answer to what the peak signal-to-noise ratio is."""

import math

import pytest

from keras_inpaint.psnr import psnr


def test_decibels():
    assert psnr(0.01) == pytest.approx(20.0)
    assert psnr(0.0) == psnr(1e-20) == 100.0
    assert psnr(0.0, limit=math.inf) == math.inf
