"""Benchmark a training step of each phase with fast layers, stock Keras layers and PyTorch."""

import argparse
from typing import Any

import numpy as np

from benchmarks.timing import Case

BF16_PEAK = ("convolution bfloat16", "matrix product bfloat16")
F32_PEAK = ("convolution float32", "matrix product float32")


def batch_of(arguments: argparse.Namespace) -> dict[str, np.ndarray]:
    """Return one fixed batch in the format of the input pipeline."""
    from keras_inpaint.data.mask_specs import default_patch_size

    rng = np.random.default_rng(0)
    size, count = arguments.size, arguments.batch
    patch = default_patch_size(size)
    mask = np.zeros((count, size, size, 1), "float32")
    start, side = size // 4, int(size * 0.4)
    mask[:, start : start + side, start : start + side] = 1
    corner = np.full((count, 2), (2 * start + side - patch) // 2, "int32").clip(0)
    return {
        "image": rng.random((count, size, size, 3), "float32"),
        "mask": mask,
        "patch": corner,
        "real_patch": np.zeros((count, 2), "int32"),
    }


def gflop_of(network: Any, size: int) -> float:
    """Return the operations of a completion network's forward pass on one image, in 1e9."""
    total = 0.0
    for layer in network.layers:
        if not hasattr(layer, "kernel"):
            continue
        number = int(layer.name.rpartition("_")[2])
        down = {1: 1, 2: 2, 3: 2, 14: 2, 15: 1, 16: 1, 17: 1}.get(number, 4)
        down = 2 if number == 13 else down
        kernel = np.prod(layer.kernel.shape)
        pixels = (size / down) ** 2
        if "Transpose" in type(layer).__name__:
            pixels /= 4  # the kernel is applied once per input pixel
        total += 2 * kernel * pixels
    return total / 1e9


def phase_one(arguments: argparse.Namespace) -> list[Case]:
    """Return the cases of phase 1: stock layers, fast layers and PyTorch in both precisions."""
    cases = []
    for label, policy, stock in (
        ("Keras layers, float32", "float32", True),
        ("Keras layers, mixed_bfloat16", "mixed_bfloat16", True),
        ("keras-inpaint, float32", "float32", False),
        ("keras-inpaint, mixed_bfloat16", "mixed_bfloat16", False),
    ):
        cases.append(_keras_case(arguments, 1, label, policy, stock))
    cases += _torch_cases(arguments)
    return cases


def phase_two(arguments: argparse.Namespace) -> list[Case]:
    """Return the cases of phase 2: stock layers in float32, fast layers in both precisions."""
    return _adversarial_cases(arguments, 2)


def phase_three(arguments: argparse.Namespace) -> list[Case]:
    """Return the cases of phase 3: stock layers in float32, fast layers in both precisions."""
    return _adversarial_cases(arguments, 3)


def _adversarial_cases(arguments: argparse.Namespace, phase: int) -> list[Case]:
    return [
        _keras_case(arguments, phase, "Keras layers, float32", "float32", True),
        _keras_case(arguments, phase, "keras-inpaint, float32", "float32", False),
        _keras_case(arguments, phase, "keras-inpaint, mixed_bfloat16", "mixed_bfloat16", False),
    ]


def _keras_case(
    arguments: argparse.Namespace, phase: int, label: str, policy: str, stock: bool
) -> Case:
    import keras
    import tensorflow as tf

    import keras_inpaint as ki
    from keras_inpaint.data.mask_specs import default_patch_size
    from keras_inpaint.networks.layers import with_dtype_policy, with_stock_layers

    keras.utils.set_random_seed(0)

    def ready(network: Any) -> Any:
        network = with_stock_layers(network) if stock else network
        return with_dtype_policy(network, policy)

    completion = ki.build_completion_network(arguments.width)
    gflop = 3 * gflop_of(completion, arguments.size) * arguments.batch if phase == 1 else 0.0
    completion = ready(completion)
    if phase == 1:
        trainer = ki.CompletionTrainer(completion)
    else:
        patch = default_patch_size(arguments.size)
        discriminator = ki.build_context_discriminator(arguments.size, patch, arguments.width)
        kind = ki.DiscriminatorTrainer if phase == 2 else ki.JointTrainer
        trainer = kind(completion, ready(discriminator))
    trainer.compile()
    batch = {key: tf.constant(value) for key, value in batch_of(arguments).items()}

    @tf.function
    def step() -> Any:
        return trainer.train_step(batch)["loss"]

    peak = F32_PEAK if policy == "float32" else BF16_PEAK
    return Case(label, lambda: step().numpy(), gflop, peak)


def _torch_cases(arguments: argparse.Namespace) -> list[Case]:
    try:
        import torch  # noqa: F401
    except ImportError:
        print("torch is not installed: skipping PyTorch")
        return []
    from benchmarks.torch_network import training_step

    batch = batch_of(arguments)
    return [
        Case(
            "PyTorch, channels_last, float32",
            training_step(batch, arguments.width, bfloat16=False),
            0.0,
            F32_PEAK,
        ),
        Case(
            "PyTorch, channels_last, bfloat16 autocast",
            training_step(batch, arguments.width, bfloat16=True),
            0.0,
            BF16_PEAK,
        ),
    ]
