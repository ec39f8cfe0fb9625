"""The stream of integers, which must never change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_inpaint.evaluation.draws import Draws

GOLDEN = [889, 557, 800, 956, 58, 236]


def test_golden_stream():
    draws = Draws(0, 1)
    assert [draws.below(1000) for _ in range(6)] == GOLDEN
    assert Draws(0, 1).indices(6, 1000).tolist() == GOLDEN


def test_keys_give_other_streams():
    assert Draws(0, 1).indices(20, 99).tolist() != Draws(1, 0).indices(20, 99).tolist()


@given(st.integers(0, 2**32), st.integers(-50, 50), st.integers(0, 100))
def test_between_stays_inside(seed, low, span):
    draws = Draws(seed)
    assert all(low <= draws.between(low, low + span) <= low + span for _ in range(20))


def test_all_values_come_about_as_often():
    counts = np.bincount(Draws(5).indices(60_000, 6), minlength=6)
    assert (abs(counts - 10_000) < 500).all()


def test_negative_seed():
    with pytest.raises(ValueError, match="got -1"):
        Draws(-1)
