"""The number of processors, their instruction sets, and oneDNN."""

import functools
import os
import platform
import sys
from pathlib import Path

#: TensorFlow enables oneDNN by default on processors with one of these flags.
_ONEDNN_FLAGS = frozenset(
    ("avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16")
)


def processors() -> int:
    """Return the number of processors that this process may use, at least 1.

    An affinity mask or a container's CPU set can make it smaller than the machine's, as in
    `os.process_cpu_count` of Python 3.13.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def processor_flags() -> frozenset[str]:
    """Return the CPU flags that Linux reports; an empty set on other systems."""
    if platform.system() != "Linux":
        return frozenset()
    try:
        lines = Path("/proc/cpuinfo").read_text("ascii", "ignore").splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            return frozenset(value.split())
    return frozenset()


def switch_onednn_on() -> str | None:
    """Enable oneDNN on processors where it is faster but TensorFlow leaves it off.

    These are processors with AVX2 that lack the neural network instructions of AVX-512 and AMX:
    there, oneDNN was measured to halve the time of a training step. Call it before TensorFlow is
    imported. It never overrides `TF_ENABLE_ONEDNN_OPTS`.

    Returns:
        A message for the user, or None if nothing was changed.
    """
    flags = processor_flags()
    if (
        "TF_ENABLE_ONEDNN_OPTS" in os.environ
        or "tensorflow" in sys.modules
        or "avx2" not in flags
        or flags & _ONEDNN_FLAGS
    ):
        return None
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    return "oneDNN is enabled: training is faster here (TF_ENABLE_ONEDNN_OPTS=0 disables it)."


def onednn_state() -> str:
    """Return `"on"` or `"off"`: whether TensorFlow computes with oneDNN in this process."""
    from tensorflow.python.util import _pywrap_util_port

    return "on" if _pywrap_util_port.IsMklEnabled() else "off"
