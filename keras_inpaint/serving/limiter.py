"""Limit the number of photos that are completed and that wait, and cancel work.

A place is released by the worker thread at its end: a request that timed out or whose client has
disconnected occupies its place until its thread has seen the flag and stopped.
"""

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from prometheus_client import Counter, Gauge

from keras_inpaint.inference.cancelling import Cancelled, cancellable
from keras_inpaint.serving.errors import ClientGone, ServingError

T = TypeVar("T")

_WORKING = Gauge("keras_inpaint_working_requests", "Photos being completed")
_WAITING = Gauge("keras_inpaint_waiting_requests", "Requests waiting to be processed")
_STOPPED = Counter("keras_inpaint_stopped_requests", "Requests cancelled", ["reason"])


class Limiter:
    """Admits requests and runs their work in threads.

    Args:
        workers: Int, the number of requests processed at a time.
        queue: Int, the number of further requests that may wait.
        timeout: Float, the longest time of a request in seconds, including waiting.
    """

    def __init__(self, workers: int, queue: int, timeout: float) -> None:
        self._workers, self._queue, self._timeout = workers, queue, timeout
        self._places = asyncio.Semaphore(workers)
        self._threads = ThreadPoolExecutor(workers, "worker")
        self._flags: set[threading.Event] = set()
        self._inside = 0
        self._mean_seconds = 1.0
        #: Set when the server stops: no more requests are admitted.
        self.draining = False

    def enter(self) -> None:
        """Admit a request, before its body is read; `leave` must follow.

        Raises:
            ServingError: 503 if the server is stopping, 429 if the queue is full.
        """
        if self.draining:
            raise ServingError(503, "the server is stopping", retry_after=5)
        if self._inside >= self._workers + self._queue:
            raise ServingError(
                429,
                f"too many requests: {self._workers} are processed and {self._queue} waiting",
                retry_after=self.wait_seconds(),
            )
        self._inside += 1

    def leave(self) -> None:
        """Release a request that `enter` admitted."""
        self._inside -= 1

    def wait_seconds(self) -> int:
        """Return an estimate of the seconds that a new request would wait, at least 1."""
        return max(1, math.ceil(self._inside * self._mean_seconds / self._workers))

    async def run(self, work: Callable[[], T], gone: Awaitable[None]) -> T:
        """Run work in a thread once a place is free; cancel it when its result is not needed.

        Args:
            work: The work; it regularly calls `cancelling.check_cancelled`.
            gone: Completes when the client has disconnected.

        Returns:
            The result of `work`.

        Raises:
            ServingError: 504 after the timeout, 503 if the server is stopping.
            ClientGone: If the client has disconnected.
            Exception: Any error of `work`.
        """
        flag = threading.Event()
        leaving = asyncio.ensure_future(gone)
        task = asyncio.ensure_future(self._in_turn(work, flag))
        try:
            await asyncio.wait(
                [task, leaving], timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if task.done():
                return task.result()
        except Cancelled:
            raise ServingError(503, "the server is stopping", retry_after=5) from None
        finally:
            leaving.cancel()
            if not task.done():
                flag.set()
                task.add_done_callback(_forget)
                if flag not in self._flags:  # still waiting for a place
                    task.cancel()
        if leaving.done() and not leaving.cancelled():
            _STOPPED.labels("client").inc()
            raise ClientGone
        _STOPPED.labels("timeout").inc()
        raise ServingError(504, f"not done within {self._timeout:g} seconds")

    async def _in_turn(self, work: Callable[[], T], flag: threading.Event) -> T:
        with _WAITING.track_inprogress():
            await self._places.acquire()
        loop = asyncio.get_running_loop()
        self._flags.add(flag)
        _WORKING.inc()
        start = time.monotonic()

        def worked() -> T:
            try:
                with cancellable(flag):
                    return work()
            finally:
                loop.call_soon_threadsafe(self._ended, flag, time.monotonic() - start)

        return await asyncio.shield(loop.run_in_executor(self._threads, worked))

    def _ended(self, flag: threading.Event, seconds: float) -> None:
        self._flags.discard(flag)
        self._places.release()
        _WORKING.dec()
        self._mean_seconds += 0.1 * (seconds - self._mean_seconds)

    async def close(self, grace: float) -> int:
        """Admit no more requests, wait for running ones, then cancel them; return their number."""
        self.draining = True
        deadline = time.monotonic() + grace
        while self._inside and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        stopped = len(self._flags)
        for flag in self._flags:
            flag.set()
            _STOPPED.labels("shutdown").inc()
        while self._flags:
            await asyncio.sleep(0.02)
        self._threads.shutdown(wait=False)
        return stopped


def _forget(task: "asyncio.Task") -> None:
    """Retrieve an unused result, so that asyncio does not warn about it."""
    if not task.cancelled():
        task.exception()
