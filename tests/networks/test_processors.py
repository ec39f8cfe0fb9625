"""The network trains on every processor: what oneDNN offers is limited as on older ones."""

import os
import subprocess
import sys

import pytest

SETTINGS = {
    "off": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "on": {"TF_ENABLE_ONEDNN_OPTS": "1"},
    "SSE4.1": {"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "AVX2": {"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "AVX-512": {"TF_ENABLE_ONEDNN_OPTS": "1", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
}

#: One step of each policy through our layers and through the stock ones, from the same weights.
PROGRAM = """
import keras, numpy as np, tensorflow as tf
from keras_inpaint.networks.layers import Conv2D, dilation_has_gradient

x = tf.constant(np.random.default_rng(0).normal(size=(2, 24, 24, 8)).astype("float32"))
for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
    try:  # limited below what the processor has, oneDNN may refuse a type altogether
        keras.layers.Conv2D(8, 3, dtype=policy)(x)
    except tf.errors.AbortedError:
        assert policy != "float32"
        continue
    results = []
    for kind in (Conv2D, keras.layers.Conv2D):
        keras.utils.set_random_seed(0)
        net = [kind(8, 3, padding="same", dilation_rate=d, dtype=policy) for d in (2, 16)]
        def step():
            with tf.GradientTape() as tape:
                y = x
                for layer in net:
                    y = layer(y)
                loss = tf.reduce_mean(tf.square(tf.cast(y, tf.float32)))
            return [loss, *tape.gradient(loss, [w.value for l in net for w in l.weights])]
        net[1](net[0](x))
        results.append(tf.function(step)())
        if kind is Conv2D:
            results.append(tf.function(step, jit_compile=True)())
    for ours, compiled, stock in zip(*results):
        scale, tolerance = np.abs(stock).max(), 1e-4 if policy == "float32" else 0.06
        np.testing.assert_allclose(ours / scale, stock / scale, atol=tolerance)
        np.testing.assert_allclose(compiled / scale, stock / scale, atol=tolerance)
print("native:", {p: dilation_has_gradient(p) for p in ("float32", "bfloat16", "float16")})
"""


@pytest.mark.parametrize(
    "name",
    [
        "off",
        "on",
        pytest.param("SSE4.1", marks=pytest.mark.long),
        pytest.param("AVX2", marks=pytest.mark.long),
        pytest.param("AVX-512", marks=pytest.mark.long),
    ],
)
def test_a_step_works_and_agrees_with_stock_layers(name):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **SETTINGS[name]}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    if name == "off":
        assert "'float32': False" in done.stdout
