"""What there is to compute with: how many processors, what they can, and oneDNN."""

import functools
import os
import platform
import sys
from pathlib import Path

#: TensorFlow turns oneDNN on by itself where a processor has one of these.
_ONEDNN_FLAGS = frozenset(
    ("avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16")
)


def processors() -> int:
    """Return the number of processors that this process may use, at least 1.

    Less than the machine has where an affinity mask or a container's set of processors says so;
    `os.process_cpu_count` of Python 3.13.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def processor_flags() -> frozenset[str]:
    """Return the instruction sets that Linux reports; none elsewhere."""
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
    """Switch oneDNN on for TensorFlow where it is faster and TensorFlow would leave it off.

    That is on processors with AVX2 and without AVX-512's or AMX's instructions for networks,
    where a training step was measured to take half of the time with it. It must be called
    before TensorFlow is imported, and never overrules `TF_ENABLE_ONEDNN_OPTS`.

    Returns:
        A sentence for the user, or None where nothing was changed.
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
    return "oneDNN is switched on: it trains faster here (TF_ENABLE_ONEDNN_OPTS=0 leaves it off)."


def onednn_state() -> str:
    """Return `"on"` or `"off"`: whether TensorFlow computes with oneDNN in this process."""
    from tensorflow.python.util import _pywrap_util_port

    return "on" if _pywrap_util_port.IsMklEnabled() else "off"
