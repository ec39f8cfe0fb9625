"""Several processes at work, none of which can stop the others by dying.

`concurrent.futures.ProcessPoolExecutor` gives up all its work when one process dies, and does
not say on what it died. Here the work of a process that dies (out of memory, say) fails, a new
process takes its place, and the rest goes on.
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
    task: Any = None  # none until it has started


def run_in_processes(
    tasks: Iterable[Any],
    start: Callable[[], Callable[[Any], Any]],
    processes: int,
    ended: Callable[[Any, int, str], Any],
) -> Iterator[Any]:
    """Answer tasks in several processes, in the order in which they are done.

    Args:
        tasks: What to do; each must be picklable.
        start: Called once in each process; returns what answers a task. Picklable, as is every
            answer. An exception in it ends the whole; the function that it returns should
            raise none.
        processes: How many processes, at least 1; no more than there are tasks are started.
        ended: Called here with a task, the process's id and the reason once a process has ended
            over the task, by dying or because the whole is interrupted; returns the answer.

    Yields:
        Answers.

    Raises:
        RuntimeError: If a process cannot start; the message is that of `start`.
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
                    answer = connection.recv()
                except (EOFError, OSError):
                    del workers[connection]
                    reason = _end(worker.process)
                    if task is None:
                        raise RuntimeError(f"A process could not start: {reason}") from None
                    yield ended(task, worker.process.pid, reason)
                    continue
                if task is None and answer is not None:
                    raise RuntimeError(answer)
                if waiting:
                    worker.task = waiting.popleft()
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        connection.send(worker.task)  # if it has died, the next read says so
                else:
                    ending.append(workers.pop(connection).process)
                    connection.close()
                if task is not None:
                    yield answer
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
    """Wait for a process, not for ever; return why it ended."""
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
    """Answer tasks until the other end of the connection is closed; runs in the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops us, and we tidy up
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        answer = start()
    except Exception as error:
        connection.send(str(error) or type(error).__name__)
        return
    connection.send(None)
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            connection.send(answer(connection.recv()))
