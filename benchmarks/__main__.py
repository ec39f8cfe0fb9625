"""Benchmark training, completing, start-up and the machine's peak, interleaved in one run.

python -m benchmarks                    # everything, about twenty minutes on two cores
python -m benchmarks --only phase1 peak
python -m benchmarks --json out.json --rounds 5
"""

import argparse
import contextlib
import json
import os
import platform
import sys
from pathlib import Path

from benchmarks import completing, memory, peak, pipeline, startup, training
from benchmarks.timing import Case, measure
from keras_inpaint.commands.train import set_threads
from keras_inpaint.processors import onednn_state, processor_flags, processors

GROUPS = {
    "peak": peak.cases,
    "phase1": training.phase_one,
    "phase2": training.phase_two,
    "phase3": training.phase_three,
    "pipeline": pipeline.cases,
    "completing": completing.cases,
    "startup": startup.cases,
}


def main() -> None:
    """Parse the command line, measure, print tables and write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [*GROUPS, "memory"]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of each case")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--size", type=int, default=160, help="side of training images in px")
    parser.add_argument("--batch", type=int, default=8, help="images of a training step")
    parser.add_argument("--width", type=float, default=1.0, help="width of the networks")
    arguments = parser.parse_args()

    # PyTorch first: importing its lazy parts after TensorFlow crashes the process.
    with contextlib.suppress(ImportError):
        import torch._dynamo  # noqa: F401
    set_threads(None)
    report = {"machine": describe_machine(), "groups": {}}
    print(json.dumps(report["machine"], indent=2))
    ceiling = None
    for name in arguments.only:
        if name == "memory":
            report["groups"][name] = memory.rows(arguments)
            memory.print_rows(report["groups"][name])
            continue
        cases: list[Case] = GROUPS[name](arguments)
        rows = measure(cases, arguments.rounds)
        if name == "peak":
            ceiling = {row["name"]: row["gflops"] for row in rows}
        report["groups"][name] = rows
        print_table(name, rows, ceiling)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


def describe_machine() -> dict[str, object]:
    """Return a description of the machine and the software."""
    import keras
    import tensorflow as tf

    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        )
        if Path("/proc/cpuinfo").exists()
        else iter([]),
        platform.processor(),
    )
    relevant = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
    return {
        "processor": model,
        "instruction_sets": [flag for flag in relevant if flag in processor_flags()],
        "oneDNN": onednn_state(),
        "oneDNN limited to": os.environ.get("ONEDNN_MAX_CPU_ISA"),
        "threads": processors(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def print_table(name: str, rows: list[dict], ceiling: dict[str, float] | None) -> None:
    """Print a group's rows: median, range, speed relative to the first row, share of the peak."""
    print(f"\n{name}")
    print(f"{'':44}{'median':>10}{'min':>9}{'max':>9}{'x first':>9}{'of peak':>9}")
    first = rows[0]["median"] if rows else 0.0
    for row in rows:
        share = ""
        peaks = [ceiling[k] for k in row.get("peak", []) if ceiling and k in ceiling]
        if row.get("gflop") and peaks:
            share = f"{row['gflop'] / row['median'] / max(peaks):.0%}"
        print(
            f"{row['name']:44}{row['median'] * 1e3:8.1f}ms{row['min'] * 1e3:9.1f}"
            f"{row['max'] * 1e3:9.1f}{first / row['median']:9.2f}{share:>9}"
            + (f"   {row['gflops']:.0f} GFLOP/s" if row.get("gflops") else "")
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
