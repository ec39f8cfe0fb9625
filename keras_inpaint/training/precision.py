"""Which precision suits the machine."""

import functools
import platform
from pathlib import Path


def choose_precision(wanted: str = "auto") -> tuple[str, str]:
    """Return the dtype policy to train under, and why.

    Args:
        wanted: `"auto"`, or the name of a policy, which is returned as it is.

    Returns:
        The policy's name and a sentence for the user.
    """
    if wanted != "auto":
        return wanted, "as asked"
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        name = details.get("device_name", "the GPU")
        capability = details.get("compute_capability") or (0, 0)
        if capability >= (8, 0):
            return "mixed_bfloat16", f"{name} computes in bfloat16"
        if capability >= (7, 0):
            return "mixed_float16", f"{name} computes in float16, not in bfloat16"
        return "float32", f"{name} is no faster in less"
    flags = processor_flags()
    if "amx_bf16" in flags:
        return "mixed_bfloat16", "the processor has AMX"
    if "avx512_bf16" in flags:
        return "mixed_bfloat16", "the processor has AVX-512 BF16"
    return "float32", "the processor has neither AMX nor AVX-512 BF16"


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
