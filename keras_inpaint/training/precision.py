"""Which precision suits the machine."""

import os
import time

from keras_inpaint.processors import onednn_state, processor_flags

#: Convolutions have to gain this much before the rounding is worth it.
WORTHWHILE = 1.2


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

    0 where it does not run at all, as where oneDNN is limited below what the processor has.
    """
    import tensorflow as tf

    def seconds(dtype: tf.DType) -> float:
        image = tf.zeros((4, 32, 32, 128), dtype)
        kernel = tf.zeros((3, 3, 128, 128), dtype)

        @tf.function
        def run() -> tf.Tensor:
            return tf.nn.conv2d(image, kernel, 1, "SAME")

        taken = []
        for _ in range(7):
            start = time.perf_counter()
            run().numpy()
            taken.append(time.perf_counter() - start)
        return min(taken[1:])

    try:
        return seconds(tf.float32) / seconds(tf.bfloat16)
    except tf.errors.OpError:
        return 0.0
