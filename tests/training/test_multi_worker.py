"""Several processes on this machine train as one with the same global batch."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import SHARED, assert_same_run

from keras_inpaint.training.schedule import train as train_run

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
from keras_inpaint.training.trainer import MultiWorkerMixin

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


#: A run of `SHARED` whose state is saved with every row.
RUN = """
import sys
sys.path.append(sys.argv[1])
import tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
from tiny_runs import SHARED
from keras_inpaint.training.schedule import train
def tell(event, facts):
    if event in ("resume", "step"):
        print(event, facts["phase"], facts["step"], flush=True)
train(SHARED, sys.argv[2], strategy=strategy, save_seconds=0, listener=tell)
"""


@contextlib.contextmanager
def started(workers, program, *arguments):
    """Start a program in so many processes, `INDEX` in its arguments standing for their numbers."""
    ports = []
    for _ in range(workers):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(f"127.0.0.1:{free.getsockname()[1]}")
    processes = []
    arguments = [str(argument) for argument in arguments]
    for index in range(workers):
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        if workers > 1:
            task = {"type": "worker", "index": index}
            environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": ports}, "task": task})
        own = [argument.replace("INDEX", str(index)) for argument in arguments]
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", program, *own],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def ended(processes):
    """Wait for processes and return their exit codes and what they said."""
    said = [process.communicate(timeout=400) for process in processes]
    return [process.returncode for process in processes], said


def train(tmp_path, workers, phase, *extra):
    out = tmp_path / f"{workers}-INDEX.npz"
    with started(workers, PROGRAM, workers, phase, out, *extra) as processes:
        codes, said = ended(processes)
    return codes, [errors for _, errors in said]


def run_workers(workers, *out):
    """Train `SHARED` in processes, and return their exit codes and what they said."""
    with started(workers, RUN, Path(__file__).parent, *out) as processes:
        return ended(processes)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The run that one process makes."""
    run = tmp_path_factory.mktemp("runs") / "alone"
    train_run(SHARED, run)
    return run


@pytest.mark.parametrize("workers", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_workers_make_the_run_that_one_process_makes(workers, alone, tmp_path):
    codes, said = run_workers(workers, tmp_path / "run")
    assert codes == [0] * workers, said[0][1][-3000:]
    assert_same_run(tmp_path / "run", alone)
    pair = [{p.relative_to(run) for p in run.rglob("*.png")} for run in (tmp_path / "run", alone)]
    assert pair[0] == pair[1]


def test_a_killed_worker_ends_all_and_all_go_on(alone, tmp_path):
    run = tmp_path / "run"
    with started(2, RUN, Path(__file__).parent, run) as processes:
        for line in processes[1].stdout:
            if line == "step 2 3\n":
                break
        processes[1].send_signal(signal.SIGKILL)
        codes, said = ended(processes)
    assert codes[0] != 0 and codes[1] == -signal.SIGKILL
    codes, said = run_workers(2, run)
    assert codes == [0, 0], said[0][1][-3000:]
    begun = [re.findall("^resume .*$", output, re.MULTILINE) for output, _ in said]
    assert begun == [["resume 2 2"]] * 2
    assert_same_run(run, alone)


def test_workers_without_a_folder_in_common_refuse(alone, tmp_path):
    (tmp_path / "0").symlink_to(alone)
    codes, said = run_workers(2, tmp_path / "INDEX")
    assert 0 not in codes
    assert any("the workers differ in configuration" in errors for _, errors in said)


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
    """Fails when it can: then `MultiWorkerMixin` is no longer needed."""
    codes, errors = train(tmp_path, 2, 1, "plain")
    assert any(codes), "Keras trains on several workers by itself: remove the mixin"
    assert any("Error" in text for text in errors)
