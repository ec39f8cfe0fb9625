"""The precision follows from what the machine reports."""

import pytest

from keras_inpaint.training import devices


def test_a_wish_is_a_wish():
    assert devices.choose_precision("mixed_float16")[0] == "mixed_float16"


@pytest.mark.parametrize(
    ("flags", "gain", "policy"),
    [
        ({"amx_bf16", "avx512_bf16"}, 0.0, "mixed_bfloat16"),
        ({"avx512_bf16"}, 1.8, "mixed_bfloat16"),
        ({"avx512_bf16"}, 0.6, "float32"),
        ({"avx2", "avx512f"}, 9.0, "float32"),
        (set(), 9.0, "float32"),
    ],
)
def test_processors(flags, gain, policy, monkeypatch):
    monkeypatch.setattr(devices, "bfloat16_gain", lambda: gain)
    monkeypatch.setattr(devices, "processor_flags", lambda: frozenset(flags))
    monkeypatch.setattr(devices, "onednn_state", lambda: "on")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    assert devices.choose_precision()[0] == policy
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")  # which leaves it to what is measured
    limited = "mixed_bfloat16" if "avx512_bf16" in flags and gain > 1.2 else "float32"
    assert devices.choose_precision()[0] == limited
    monkeypatch.setattr(devices, "onednn_state", lambda: "off")
    chosen, reason = devices.choose_precision()
    assert chosen == "float32" and "oneDNN is off" in reason


@pytest.mark.parametrize(
    ("capability", "policy"),
    [((9, 0), "mixed_bfloat16"), ((8, 0), "mixed_bfloat16"), ((7, 5), "mixed_float16"),
     ((6, 1), "float32"), (None, "float32")],
)  # fmt: skip
def test_gpus(capability, policy, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    details = {"device_name": "Card", "compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    chosen, reason = devices.choose_precision()
    assert chosen == policy and "Card" in reason


@pytest.mark.bfloat16
def test_the_gain_is_measured():
    assert 0.05 < devices.bfloat16_gain() < 50


def test_a_type_that_does_not_run_gains_nothing(monkeypatch):
    import tensorflow as tf

    def conv2d(image, *rest):
        if image.dtype == tf.bfloat16:
            raise tf.errors.AbortedError(None, None, "could not create a primitive descriptor")
        return image

    monkeypatch.setattr(tf.nn, "conv2d", conv2d)
    assert devices.bfloat16_gain() == 0
