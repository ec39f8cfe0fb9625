"""Benchmark the peak memory of training steps, each in a separate process."""

import argparse
import json
import subprocess
import sys

PROGRAM = """
import json, sys
from types import SimpleNamespace
import tensorflow as tf
tf.config.threading.set_inter_op_parallelism_threads(1)
from benchmarks import training
from benchmarks.timing import peak_memory_mb
facts = json.loads(sys.argv[1])
arguments = SimpleNamespace(size=facts["size"], batch=facts["batch"], width=facts["width"])
before = peak_memory_mb()
case = training._keras_case(arguments, facts["phase"], "", facts["policy"], facts["stock"])
for _ in range(3):
    case.run()
print(json.dumps({"before": before, "peak": peak_memory_mb()}))
"""


def rows(arguments: argparse.Namespace) -> list[dict]:
    """Return the peak resident size in MB of phases 1 and 3, with stock and with fast layers."""
    result = []
    for phase in (1, 3):
        for label, policy, stock in (
            ("Keras layers, float32", "float32", True),
            ("Keras layers, mixed_bfloat16", "mixed_bfloat16", True),
            ("keras-inpaint, float32", "float32", False),
            ("keras-inpaint, mixed_bfloat16", "mixed_bfloat16", False),
        ):
            facts = {
                "phase": phase,
                "policy": policy,
                "stock": stock,
                "size": arguments.size,
                "batch": arguments.batch,
                "width": arguments.width,
            }
            run = subprocess.run(
                [sys.executable, "-c", PROGRAM, json.dumps(facts)],
                capture_output=True,
                text=True,
                check=True,
            )
            result.append(
                {"name": f"phase {phase}, {label}", **json.loads(run.stdout.splitlines()[-1])}
            )
    return result


def print_rows(table: list[dict]) -> None:
    """Print the table."""
    print(f"\nmemory\n{'':44}{'before':>10}{'peak':>10}  MB")
    for row in table:
        print(f"{row['name']:44}{row['before']:10.0f}{row['peak']:10.0f}")
