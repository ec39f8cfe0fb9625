"""Cases measured in turn, so that a machine whose speed drifts does not favour one."""

import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Case:
    """Something to time.

    Attributes:
        name: What the table calls it.
        run: Does it once and returns when it is done.
        gflop: Arithmetic of one run in 1e9 operations, a multiply and an add being two; 0 if
            it is not arithmetic.
        peak: Names of the peaks that it is held against.
        inner: Runs per timing; the time is divided by it.
        facts: Further figures for the JSON.
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
        A dict a case: seconds as median, min and max, the processor's seconds of all threads as
        min, GFLOP/s where there is arithmetic, and
        what the case's `facts` say.
    """
    alive: list[Case] = []
    for case in cases:
        if "bfloat16" in case.name and not _runs_bfloat16():
            print(f"{case.name}: does not run here")
            continue
        case.run()
        case.run()
        alive.append(case)
    times: dict[str, list[float]] = {case.name: [] for case in alive}
    processor: dict[str, list[float]] = {case.name: [] for case in alive}
    for _ in range(rounds):
        for case in alive:
            start, used = time.perf_counter(), time.process_time()
            for _ in range(case.inner):
                case.run()
            processor[case.name].append((time.process_time() - used) / case.inner)
            times[case.name].append((time.perf_counter() - start) / case.inner)
    rows = []
    for case in alive:
        taken = times[case.name]
        median = statistics.median(taken)
        row = {
            "name": case.name,
            "median": median,
            "min": min(taken),
            "max": max(taken),
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
    # Asked before a product of matrices would end the process.
    from keras_inpaint.training.devices import bfloat16_gain

    return bfloat16_gain() > 0


def peak_memory_mb() -> float:
    """Return the largest resident size of this process so far, in MB (Linux).

    Not `ru_maxrss`, which a new process takes over from the one that started it.
    """
    with open("/proc/self/status", encoding="ascii") as lines:
        found = next(line for line in lines if line.startswith("VmHWM:"))
    return int(found.split()[1]) / 1024
