"""A pool of processes that survives the death of its workers.

`concurrent.futures.ProcessPoolExecutor` abandons all tasks if one process dies, does not report
the exit code, and its processes outlive a parent that was killed. Here only the task of a process
that dies (for example, out of memory) fails, and a new process continues with the others.
"""

import contextlib
import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

_JOIN_SECONDS = 5.0


@dataclass
class _Worker:
    process: Any
    task: Any = None  # None until it has started


def run_in_processes(
    tasks: Iterable[Any],
    start: Callable[[], Callable[[Any], Any]],
    processes: int,
    ended: Callable[[Any, int, str], Any],
) -> Iterator[Any]:
    """Run tasks in several processes; yield results as they are completed.

    Args:
        tasks: The tasks; each must be picklable.
        start: Called once in each process; returns the function that runs a task. It and every
            result must be picklable. An exception in it ends the whole run; the function that
            it returns should not raise.
        processes: Int, the number of processes, at least 1; at most one per task is started.
        ended: Called in this process with a task, the process's id and the reason if a process
            ended during the task, because it died or the run was interrupted; returns the
            result.

    Yields:
        Results.

    Raises:
        RuntimeError: If a process cannot start, with the message of `start`.
    """
    context = multiprocessing.get_context("spawn")
    waiting = deque(tasks)
    workers: dict[Connection, _Worker] = {}
    ending = []
    try:
        while waiting or workers:
            starting = sum(worker.task is None for worker in workers.values())
            for _ in range(min(processes - len(workers), len(waiting) - starting)):
                connection, other_end = context.Pipe()
                process = context.Process(target=_work, args=(other_end, start), daemon=True)
                process.start()
                other_end.close()
                workers[connection] = _Worker(process)
            for connection in wait(list(workers)):
                worker = workers[connection]
                task = worker.task
                try:
                    result = connection.recv()
                except (EOFError, OSError):
                    del workers[connection]
                    reason = _end(worker.process)
                    if task is None:
                        raise RuntimeError(f"A process could not start: {reason}") from None
                    yield ended(task, worker.process.pid, reason)
                    continue
                if task is None and result is not None:
                    raise RuntimeError(result)
                if waiting:
                    worker.task = waiting.popleft()
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        connection.send(worker.task)  # if it has died, the next read fails
                else:
                    ending.append(workers.pop(connection).process)
                    connection.close()
                if task is not None:
                    yield result
    finally:
        for worker in workers.values():
            worker.process.terminate()
        for process in ending:
            _end(process)
        for worker in workers.values():
            reason = _end(worker.process)
            if worker.task is not None:
                ended(worker.task, worker.process.pid, reason)


def _end(process: Any) -> str:
    """Wait for a process with a time limit; return why it ended."""
    process.join(_JOIN_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
    if process.exitcode == -signal.SIGKILL:
        return "its process was killed (out of memory?)"
    if process.exitcode < 0:
        return f"its process was ended by signal {-process.exitcode}"
    return f"its process ended with exit code {process.exitcode}"


def _work(connection: Connection, start: Callable[[], Callable[[Any], Any]]) -> None:
    """Run tasks until the other end of the connection is closed; runs in the worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers, which clean up
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        run = start()
    except Exception as error:
        connection.send(str(error) or type(error).__name__)
        return
    connection.send(None)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            connection.send(run(connection.recv()))
