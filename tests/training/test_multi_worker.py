"""Two processes on this machine train as one with the same global batch."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.long

PROGRAM = """
import contextlib, json, os, sys
import tensorflow as tf
workers, phase, out, plain = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], len(sys.argv) > 4
strategy = tf.distribute.MultiWorkerMirroredStrategy() if workers > 1 else None
scope = strategy.scope() if strategy else contextlib.nullcontext()
import keras, numpy as np
import keras_inpaint as ki
from keras_inpaint.data import sources
from keras_inpaint.training.multi_worker import MultiWorkerMixin

if plain:  # as Keras is
    for name in ("_maybe_symbolic_build", "make_train_function", "make_test_function"):
        delattr(MultiWorkerMixin, name)
rng = np.random.default_rng(0)
images = sources._from_arrays(["a", "b"], [rng.integers(0, 256, (20, 20, 3), "uint8")] * 2, "t")
half = ki.make_dataset(images, size=16, batch_size=2, patch_size=8, masks="rectangles:4-8").take(2)
# Both workers see the same half, so that batch normalisation sees what one process would.
data = half.map(lambda row: {k: tf.concat([v, v], 0) for k, v in row.items()})
if strategy:
    data = strategy.distribute_datasets_from_function(lambda context: half)
with scope:
    keras.utils.set_random_seed(3)
    C = ki.build_completion_network(0.0625)
    D = ki.build_context_discriminator(16, 8, 0.0625)
    one, two = keras.optimizers.SGD(0.02), keras.optimizers.SGD(0.01)
    if phase == 1:
        trainer = ki.CompletionTrainer(C)
        trainer.compile(one)
    elif phase == 2:
        trainer = ki.DiscriminatorTrainer(C, D)
        trainer.compile(one)
    else:
        trainer = ki.JointTrainer(C, D, alpha=0.1)
        trainer.compile(one, two)
history = trainer.fit(data, validation_data=data, epochs=2, verbose=0).history
measured = trainer.evaluate(data, verbose=0, return_dict=True)
weights = np.concatenate([np.ravel(w) for w in C.trainable_weights + D.trainable_weights])
np.savez(out, weights=weights, loss=history["loss"], val_loss=history["val_loss"],
         measured=measured["loss"])
"""


def train(tmp_path, workers, phase, *extra):
    ports = []
    for _ in range(workers):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(f"127.0.0.1:{free.getsockname()[1]}")
    processes = []
    for index in range(workers):
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        if workers > 1:
            task = {"type": "worker", "index": index}
            environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": ports}, "task": task})
        out = tmp_path / f"{workers}-{index}.npz"
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(workers), str(phase), out, *extra],
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    errors = []
    try:
        for process in processes:
            errors.append(process.communicate(timeout=300)[1])
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [process.returncode for process in processes], errors


@pytest.mark.parametrize(
    "phase", [pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), 3]
)
def test_two_workers_train_and_measure_as_one(tmp_path, phase):
    for workers in (1, 2):
        codes, errors = train(tmp_path, workers, phase)
        assert codes == [0] * workers, errors[0][-3000:]
    one, first, second = (np.load(tmp_path / f"{name}.npz") for name in ("1-0", "2-0", "2-1"))
    for name in ("weights", "loss", "val_loss", "measured"):
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_allclose(first[name], one[name], rtol=2e-3, atol=3e-5)
    assert not np.array_equal(one["loss"][:1], one["loss"][1:])


@pytest.mark.slow
def test_keras_itself_still_cannot(tmp_path):
    """Fails when it can: then `training/multi_worker.py` is no longer needed."""
    codes, errors = train(tmp_path, 2, 1, "plain")
    assert any(codes), "Keras trains on several workers by itself: remove the mixin"
    assert any("Error" in text for text in errors)
