import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.inference.cancelling import Cancelled, cancellable, check_cancelled


@pytest.fixture
def large_hole():
    photo = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    hole = np.zeros((300, 300), bool)
    hole[20:280, 20:280] = True
    return photo, hole


@pytest.mark.parametrize("form", ["keras", "litert", "fixed"])
@pytest.mark.parametrize("texture", ["on", "off"])
def test_a_set_flag_stops_every_kind_of_work(model_forms, large_hole, form, texture):
    complete = ki.Inpainter(model_forms[form], texture=texture, scale=1)
    flag = threading.Event()
    flag.set()
    with cancellable(flag), pytest.raises(Cancelled):
        complete(*large_hole)


def test_only_the_thread_that_was_told_stops():
    flag, found = threading.Event(), []
    flag.set()

    def other():
        check_cancelled()
        found.append("goes on")

    with cancellable(flag):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        with pytest.raises(Cancelled):
            check_cancelled()
    check_cancelled()
    assert found == ["goes on"]


def test_a_flag_that_is_set_meanwhile_stops_texture(model_forms, large_hole):
    complete = ki.Inpainter(model_forms["litert"], texture="on", scale=1)
    flag = threading.Event()
    timer = threading.Timer(0.5, flag.set)
    timer.start()
    try:
        with cancellable(flag), pytest.raises(Cancelled):
            for _ in range(100):
                complete(*large_hole)
    finally:
        timer.cancel()


class CountingFlag(threading.Event):
    """Knows how many lines of the package ran at most between two looks at it."""

    def __init__(self):
        super().__init__()
        self.lines, self.most, self.where = 0, 0, ""

    def is_set(self):
        self.lines = 0
        return super().is_set()

    def trace(self, frame, event, argument):
        path = Path(frame.f_code.co_filename)
        # What works on numbers and boxes only costs nothing, whatever the photo's size.
        if "keras_inpaint" not in path.parts or path.name in UNTRACED:
            return None
        if event == "line":
            self.lines += 1
            if self.lines > self.most:
                self.most, self.where = self.lines, f"{path.name}:{frame.f_lineno}"
        return self.trace


UNTRACED = ("cancelling.py", "tiles.py", "runtime.py", "litert_runtime.py", "receptive_field.py")


@pytest.mark.parametrize("options", [{}, {"scale": 1, "texture": "on"}, {"scale": 4}])
def test_a_bounded_number_of_lines_runs_between_two_looks_at_the_flag(large_hole, options):
    complete = ki.Inpainter(["faces", "scenes"], **options)
    flag = CountingFlag()
    with cancellable(flag):
        sys.settrace(flag.trace)
        try:
            complete(*large_hole)
        finally:
            sys.settrace(None)
    assert 0 < flag.most <= 150, flag.where
