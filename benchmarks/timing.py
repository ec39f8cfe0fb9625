"""Time cases in turn, so that a drift of the machine's speed affects all alike."""

import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Case:
    """A function to time.

    Attributes:
        name: Its name in the table.
        run: Runs it once and returns when it is done.
        gflop: Arithmetic of one run in 1e9 operations, where a multiply-add counts as two; 0 if
            unknown.
        peak: Names of the peaks to compare it with.
        inner: Runs per timing; the time is divided by it.
        facts: Additional figures for the JSON.
    """

    name: str
    run: Callable[[], Any]
    gflop: float = 0.0
    peak: tuple[str, ...] = ()
    inner: int = 1
    facts: dict[str, Any] = field(default_factory=dict)


def measure(cases: list[Case], rounds: int) -> list[dict[str, Any]]:
    """Warm every case up, then time them in turn: A B C, A B C, ...

    Returns:
        A dict for each case: median, min and max of the seconds, min of the CPU seconds of all
        threads, GFLOP/s if `gflop` is known, and the case's `facts`.
    """
    supported: list[Case] = []
    for case in cases:
        if "bfloat16" in case.name and not _runs_bfloat16():
            print(f"{case.name}: not supported on this machine")
            continue
        case.run()
        case.run()
        supported.append(case)
    times: dict[str, list[float]] = {case.name: [] for case in supported}
    processor: dict[str, list[float]] = {case.name: [] for case in supported}
    for _ in range(rounds):
        for case in supported:
            start, start_cpu = time.perf_counter(), time.process_time()
            for _ in range(case.inner):
                case.run()
            processor[case.name].append((time.process_time() - start_cpu) / case.inner)
            times[case.name].append((time.perf_counter() - start) / case.inner)
    rows = []
    for case in supported:
        seconds = times[case.name]
        median = statistics.median(seconds)
        row = {
            "name": case.name,
            "median": median,
            "min": min(seconds),
            "max": max(seconds),
            "processor": min(processor[case.name]),
            "gflop": case.gflop,
            "peak": list(case.peak),
            **case.facts,
        }
        if case.gflop:
            row["gflops"] = case.gflop / median
        rows.append(row)
    return rows


@functools.cache
def _runs_bfloat16() -> bool:
    # Checked in advance, since an unsupported matrix product would end the process.
    from keras_inpaint.training.devices import bfloat16_gain

    return bfloat16_gain() > 0


def peak_memory_mb() -> float:
    """Return the largest resident size of this process so far, in MB (Linux).

    Not `ru_maxrss`, which a new process inherits from its parent.
    """
    with open("/proc/self/status", encoding="ascii") as lines:
        peak = next(line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024
