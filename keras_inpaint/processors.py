"""How many processors there are to compute with."""

import os


def processors() -> int:
    """Return the number of processors that this process may use, at least 1.

    Less than the machine has where an affinity mask or a container's set of processors says so;
    `os.process_cpu_count` of Python 3.13.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
