"""How many photos are in work, how many wait, and how work is stopped.

A place is given back by the thread that did the work, when it has ended: a request that timed out
or whose client has gone keeps its place until its thread has seen the flag and stopped.
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

_WORKING = Gauge("keras_inpaint_working_requests", "Photos that are being completed")
_WAITING = Gauge("keras_inpaint_waiting_requests", "Requests that wait for their turn")
_STOPPED = Counter("keras_inpaint_stopped_requests", "Work stopped before its end", ["reason"])


class Limiter:
    """Admits requests and runs their work in threads.

    Args:
        workers: Int, requests in work at a time.
        queue: Int, further requests that are let in.
        timeout: Float, longest time in seconds of a request, waiting included.
    """

    def __init__(self, workers: int, queue: int, timeout: float) -> None:
        self._workers, self._queue, self._timeout = workers, queue, timeout
        self._places = asyncio.Semaphore(workers)
        self._threads = ThreadPoolExecutor(workers, "worker")
        self._flags: set[threading.Event] = set()
        self._inside = 0
        self._mean_seconds = 1.0
        #: Set when the server stops: nobody is let in any more.
        self.draining = False

    def enter(self) -> None:
        """Let a request in, before its body is read; `leave` must follow.

        Raises:
            ServingError: 503 where the server stops, 429 where the queue is full.
        """
        if self.draining:
            raise ServingError(503, "the server is stopping", retry_after=5)
        if self._inside >= self._workers + self._queue:
            raise ServingError(
                429,
                f"{self._workers} photos are in work and {self._queue} wait, which is all that may",
                retry_after=self.wait_seconds(),
            )
        self._inside += 1

    def leave(self) -> None:
        """Count a request out that `enter` let in."""
        self._inside -= 1

    def wait_seconds(self) -> int:
        """Return about how many seconds a new request would wait, at least 1."""
        return max(1, math.ceil(self._inside * self._mean_seconds / self._workers))

    async def run(self, work: Callable[[], T], gone: Awaitable[None]) -> T:
        """Run work in a thread when its turn has come; stop it where nobody waits any more.

        Args:
            work: What to do; it looks at `cancelling.check_cancelled` now and then.
            gone: Ends when the client has gone.

        Returns:
            What `work` returns.

        Raises:
            ServingError: 504 where it took too long.
            ClientGone: If the client has gone.
            Exception: What `work` raises.
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
                if flag not in self._flags:  # it waits for its turn
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
        """Let nobody in, wait for what is in work, then stop it; return how much was stopped."""
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
    """Look at a result that nobody waits for, so that asyncio does not warn of it."""
    if not task.cancelled():
        task.exception()
