"""Precision and devices of a run, and agreement among workers.

The terms are those of `tf.distribute`: a worker is a process, a replica is a device that computes
a part of each batch, and the chief is the worker that writes files.
"""

import contextlib
import hashlib
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_inpaint.networks.layers import with_dtype_policy
from keras_inpaint.processors import onednn_state, processor_flags
from keras_inpaint.training.run_folder import RunFolder

#: The smallest speed-up of convolutions for which bfloat16's rounding is accepted.
WORTHWHILE = 1.2


def choose_precision(precision: str = "auto") -> tuple[str, str]:
    """Return the dtype policy to train under, and why.

    Args:
        precision: `"auto"`, or the name of a policy, which is returned unchanged.

    Returns:
        The policy's name and a sentence for the user.
    """
    if precision != "auto":
        return precision, "as requested"
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        name = details.get("device_name", "the GPU")
        capability = details.get("compute_capability") or (0, 0)
        if capability >= (8, 0):
            return "mixed_bfloat16", f"{name} computes in bfloat16"
        if capability >= (7, 0):
            return "mixed_float16", f"{name} computes in float16, not in bfloat16"
        return "float32", f"{name} is not faster in 16 bits"
    flags = processor_flags()
    if onednn_state() == "off":
        return "float32", "oneDNN is off, and bfloat16 is several times slower without it"
    limited = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL") not in ("ALL", "DEFAULT")
    if "amx_bf16" in flags and not limited:
        return "mixed_bfloat16", "the processor has AMX"
    if "avx512_bf16" not in flags:
        return "float32", "the processor has neither AMX nor AVX-512 BF16"
    # The instruction runs at twice the speed on some processors and at half of it on others.
    gain = bfloat16_gain()
    if gain >= WORTHWHILE:
        return "mixed_bfloat16", f"its AVX-512 BF16 convolutions are {gain:.1f} times as fast"
    return "float32", f"AVX-512 BF16 convolutions run at {gain:.1f} times float32's speed here"


def bfloat16_gain() -> float:
    """Return how many times faster a convolution runs in bfloat16 than in float32, measured.

    0 if it does not run, for example because oneDNN is limited to fewer instructions than the
    processor has.
    """

    def seconds(dtype: tf.DType) -> float:
        image = tf.zeros((4, 32, 32, 128), dtype)
        kernel = tf.zeros((3, 3, 128, 128), dtype)

        @tf.function
        def run() -> tf.Tensor:
            return tf.nn.conv2d(image, kernel, 1, "SAME")

        times = []
        for _ in range(7):
            start = time.perf_counter()
            run().numpy()
            times.append(time.perf_counter() - start)
        return min(times[1:])

    try:
        return seconds(tf.float32) / seconds(tf.bfloat16)
    except tf.errors.OpError:
        return 0.0


#: Seconds to wait for a tf.data service to respond.
_TIMEOUT = 5.0


def make_strategy(name: str, batch_size: int) -> tf.distribute.Strategy:
    """Return a strategy; with several workers, call this before TensorFlow computes anything.

    Args:
        name: `"none"`, one device; `"mirrored"`, all GPUs of this machine; `"multi-worker"`, all
            workers in `TF_CONFIG`; waits for them.
        batch_size: Int, images per step over all replicas.

    Raises:
        ValueError: If `TF_CONFIG` is missing or wrong, or the replicas cannot share a batch.
    """
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        # Without names it would use the devices of TF_CONFIG.
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
        require_shares(batch_size, strategy.num_replicas_in_sync)
        return strategy
    gpus = len(tf.config.list_physical_devices("GPU"))
    require_shares(batch_size, _count_workers() * max(1, gpus))
    return tf.distribute.MultiWorkerMirroredStrategy()


def _count_workers() -> int:
    """Return the number of workers in `TF_CONFIG`, after checking it."""
    expected = (
        'TF_CONFIG must be like \'{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": '
        '{"type": "worker", "index": 0}}\', with the index of each worker'
    )
    value = os.environ.get("TF_CONFIG")
    if not value:
        raise ValueError(f"{expected}; it is not set")
    try:
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        cluster = resolver.cluster_spec()
        jobs = set(cluster.jobs)
        cluster.task_address(resolver.task_type, resolver.task_id)  # raises without this task
        valid = jobs <= {"chief", "worker"} and "worker" in jobs
    except (ValueError, TypeError, KeyError, AttributeError):
        valid = False
    if not valid:
        raise ValueError(f"{expected}, got {value!r}")
    return sum(cluster.num_tasks(job) for job in jobs)


def require_shares(batch_size: int, replicas: int) -> None:
    """Raise a ValueError if the replicas cannot share a batch evenly."""
    if batch_size % replicas:
        raise ValueError(
            f"batch_size must be a multiple of the {replicas} replicas, got {batch_size!r}"
        )


def parse_service(address: str) -> tuple[str, int]:
    """Return the host and the port of a tf.data service.

    Raises:
        ValueError: If the address is not `grpc://HOST:PORT`.
    """
    match = re.fullmatch(r"grpc://([^/\s]+):(\d{1,5})", address)
    if match is None:
        raise ValueError(f"data_service must be grpc://HOST:PORT, got {address!r}")
    return match[1], int(match[2])


def require_service(address: str) -> None:
    """Raise an error unless a tf.data service responds at `address`.

    Raises:
        ValueError: If the address is not `grpc://HOST:PORT`.
        ConnectionError: If nothing responds.
    """
    place = parse_service(address)
    try:
        socket.create_connection(place, _TIMEOUT).close()
    except OSError as error:
        raise ConnectionError(f"no tf.data service responds at {address}: {error}") from error


def distributed_copy(
    network: keras.Model, policy: str, strategy: tf.distribute.Strategy
) -> keras.Model:
    """Return a copy of a network to train under a strategy.

    Batch normalisation is synchronised over the replicas, so that it covers the whole batch.

    Args:
        network: A functional network of this package.
        policy: Name of a dtype policy.
        strategy: The strategy under which the copy's variables are created.
    """
    with strategy.scope():
        copy = with_dtype_policy(network, policy)
    if strategy.num_replicas_in_sync > 1:
        _synchronize(copy)
    return copy


def _synchronize(network: keras.Model) -> None:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            _synchronize(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


@contextlib.contextmanager
def open_folder(
    folder: RunFolder, fresh: bool, strategy: tf.distribute.Strategy
) -> Iterator[tuple[RunFolder, dict[str, Any] | None]]:
    """Yield the folder to train in and the result of `RunFolder.begin`.

    For the chief it is the run's own folder, locked. Every other worker gets a temporary copy to
    resume from, so that all do the same and only the chief writes to the run.
    """
    if _is_chief(strategy):
        with folder.claimed():
            found = folder.begin(fresh)
            require_agreement(strategy, "the folder is open")
            yield folder, found
    else:
        require_agreement(strategy, "the folder is open")
        with tempfile.TemporaryDirectory() as path:
            kept = (folder.config_file, folder.initial_file, folder.completion_file)
            copy = folder.copy_to(Path(path), *kept)
            yield copy, copy.begin(fresh=False)


def _is_chief(strategy: tf.distribute.Strategy) -> bool:
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return True
    resolver = strategy.cluster_resolver
    first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (first, 0)


def require_agreement(strategy: tf.distribute.Strategy, facts: str) -> None:
    """Wait for all workers, and check that they have the same facts.

    Raises:
        RuntimeError: If they did not.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return
    own = int.from_bytes(hashlib.sha256(facts.encode()).digest()[:4])

    @tf.function
    def add_up() -> tf.Tensor:
        values = strategy.run(lambda: tf.constant(own, tf.int64))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)

    total = int(add_up())  # all are equal if and only if each equals the mean
    if total != own * strategy.num_replicas_in_sync:
        raise RuntimeError(
            "the workers differ in configuration, precision, images or state: give all of them "
            "the same command, the same photos and the same folder OUT on a shared file system"
        )
