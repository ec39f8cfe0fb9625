"""Benchmark the machine's peak: one large convolution and one matrix product, both precisions."""

import argparse
from typing import Any

from benchmarks.timing import Case


def cases(arguments: argparse.Namespace) -> list[Case]:
    """Return a convolution as in the middle of the network and a square matrix product."""
    import tensorflow as tf

    result = []
    for dtype in ("float32", "bfloat16"):
        result.append(_convolution(tf, dtype))
        result.append(_matrix(tf, dtype))
    return result


def _convolution(tf: Any, dtype: str) -> Case:
    image = tf.cast(tf.random.normal((8, 80, 80, 128)), dtype)
    kernel = tf.cast(tf.random.normal((3, 3, 128, 128)), dtype)

    @tf.function
    def run() -> Any:
        return tf.nn.conv2d(image, kernel, 1, "SAME")

    gflop = 2 * 8 * 80 * 80 * 128 * 128 * 9 / 1e9
    return Case(f"convolution {dtype}", lambda: run().numpy(), gflop, inner=4)


def _matrix(tf: Any, dtype: str) -> Case:
    matrix = tf.cast(tf.random.normal((2048, 2048)), dtype)

    @tf.function
    def run() -> Any:
        return tf.reduce_sum(tf.matmul(matrix, matrix))

    return Case(f"matrix product {dtype}", lambda: run().numpy(), 2 * 2048**3 / 1e9, inner=4)
