"""Under MirroredStrategy two devices train as one does on the same batches, in all three phases.

One strategy a process: several in one process get in each other's way.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_inpaint.training.devices import parse_service, require_service

PROGRAM = """
import dataclasses, sys
tests, out, resumed = sys.argv[1], sys.argv[2], len(sys.argv) > 6
sys.path.append(tests)
import tensorflow as tf

devices = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(devices[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from tiny_runs import SHARED, Killed, kill_at
from keras_inpaint.training.devices import make_strategy
from keras_inpaint.training.schedule import train

config = dataclasses.replace(SHARED, steps=tuple(map(int, sys.argv[3:6])))
train(config, out + "/one")
if resumed:  # begun on one device
    try:
        train(config, out + "/two", save_seconds=0, listener=kill_at(1, 3))
    except Killed:
        pass
train(config, out + "/two", strategy=make_strategy("mirrored", config.batch_size))
"""


def compare_runs(tmp_path, *arguments):
    """Train on one device and on two, and check that both end alike."""
    from tiny_runs import assert_same_run

    here = str(Path(__file__).parent)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, here, str(tmp_path), *arguments],
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert_same_run(tmp_path / "one", tmp_path / "two")


def test_two_devices_learn_as_one(tmp_path):
    compare_runs(tmp_path, "2", "0", "0")
    with np.load(tmp_path / "one" / "state" / "state.npz") as state:
        moving = [state[k] for k in state.files if k.startswith("completion_network/")]
    assert any(np.abs(m - 1).max() > 0.01 for m in moving if m.ndim == 1 and m.min() > 0)


@pytest.mark.long
@pytest.mark.parametrize("how", [[], ["resumed"]], ids=["begun on two", "begun on one"])
def test_two_devices_run_all_phases_as_one(tmp_path, how):
    compare_runs(tmp_path, "4", "3", "3", *how)


@pytest.mark.parametrize("address", ["host:5000", "grpc://host", "http://host:5000", "grpc://:1"])
def test_an_address_that_is_no_data_services_is_named(address):
    with pytest.raises(ValueError, match=f"must be grpc://HOST:PORT, got {address!r}"):
        parse_service(address)


def test_a_data_service_that_is_not_there_is_named():
    with pytest.raises(ConnectionError, match=r"no tf.data service responds at grpc://127.0.0.1:1"):
        require_service("grpc://127.0.0.1:1")
