import threading

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
