"""Several processes at work, none of which can stop the others by dying.

`concurrent.futures.ProcessPoolExecutor` gives up all its work when one process dies, and does
not say on what it died. Here the work of a process that dies (out of memory, say) fails, a new
process takes its place, and the rest goes on.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

READY, BROKEN, DONE = "ready", "broken", "done"
_JOIN_SECONDS = 5.0
_WATCH_SECONDS = 5.0


@dataclass(frozen=True)
class Died:
    """Stands for the answer of a process that ended before it gave one.

    Attributes:
        pid: The process.
        exit_code: Its exit status; the negative number of the signal that ended it.
    """

    pid: int
    exit_code: int | None

    def __str__(self) -> str:
        if self.exit_code == -signal.SIGKILL:
            return "its process was killed (out of memory?)"
        if self.exit_code is not None and self.exit_code < 0:
            return f"its process was ended by signal {-self.exit_code}"
        return f"its process ended with exit code {self.exit_code}"


@dataclass
class _Worker:
    process: Any
    connection: Connection
    task: Any = None
    ready: bool = False


def run_in_processes(
    tasks: Iterable[Any],
    start: Callable[[], Callable[[Any], Any]],
    processes: int,
    tidy: Callable[[Any, int], None] = lambda task, pid: None,
) -> Iterator[tuple[Any, Any]]:
    """Answer tasks in several processes, in the order in which they are done.

    Args:
        tasks: What to do; each must be picklable.
        start: Called once in each process; returns what answers a task. Picklable, as is every
            answer. An exception in it ends the whole; the function that it returns should
            raise none.
        processes: How many processes, at least 1; no more than there are tasks are started.
        tidy: Called here with the task and the process's id once a process has ended over a
            task, by dying or because the whole is interrupted.

    Yields:
        A task and its answer, or `Died` if its process ended over it.

    Raises:
        RuntimeError: If a process cannot start; the message is that of `start`.
    """
    context = multiprocessing.get_context("spawn")
    waiting = deque(tasks)
    workers: list[_Worker] = []

    def hire() -> None:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, start), daemon=True)
        process.start()
        theirs.close()
        workers.append(_Worker(process, ours))

    try:
        for _ in range(min(processes, len(waiting))):
            hire()
        while workers:
            heard = wait([worker.connection for worker in workers])
            for worker in [worker for worker in workers if worker.connection in heard]:
                connection, task = worker.connection, worker.task
                try:
                    kind, answer = connection.recv()
                except (EOFError, OSError):
                    workers.remove(worker)
                    _end(worker.process)
                    died = Died(worker.process.pid, worker.process.exitcode)
                    connection.close()
                    if not worker.ready:
                        raise RuntimeError(f"A process could not start: {died}") from None
                    if task is not None:
                        tidy(task, died.pid)
                        yield task, died
                    if worker.task is not None and len(waiting) > sum(
                        other.task is None for other in workers
                    ):
                        hire()
                    continue
                if kind == BROKEN:
                    raise RuntimeError(answer)
                worker.ready = True
                worker.task = waiting.popleft() if waiting else None
                _send(connection, worker.task)
                if kind == DONE:
                    yield task, answer
    finally:
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            _end(worker.process)
            worker.connection.close()
            if worker.task is not None:
                tidy(worker.task, worker.process.pid)


def _end(process: Any) -> None:
    process.join(_JOIN_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()


def _send(connection: Connection, task: Any) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the next read says so
        connection.send(task)


def _work(connection: Connection, start: Callable[[], Callable[[Any], Any]]) -> None:
    """Answer tasks until None comes; runs in the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops us, and we tidy up
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        answer = start()
    except Exception as error:
        connection.send((BROKEN, str(error) or type(error).__name__))
        return
    connection.send((READY, None))
    parent = os.getppid()
    while True:
        while not connection.poll(_WATCH_SECONDS):
            if os.getppid() != parent:
                return
        try:
            task = connection.recv()
        except EOFError:
            task = None
        if task is None:
            connection.close()
            return
        connection.send((DONE, answer(task)))
