"""Admission: how many requests are in work, how many wait, and when none are taken."""

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Iterator

from keras_inpaint.serving.errors import Busy, NotReady, TimedOut


class Gate:
    """Counts requests in and out.

    A request takes a `ticket` before its body is read, so that bodies in memory are bounded,
    and is in `work` from when it is understood to when it is answered.

    Args:
        max_concurrency: Int, requests in work at a time.
        max_queue: Int, further requests that may wait.
        seconds: Float, longest time that a request may wait and work.
    """

    def __init__(self, max_concurrency: int, max_queue: int, seconds: float = 120.0) -> None:
        self.max_concurrency = max_concurrency
        self.max_queue = max_queue
        self.seconds = seconds
        #: Set while the server stops: it still answers, and says that it is not ready.
        self.draining = False
        #: Set when nothing more is taken.
        self.closed = False
        self.admitted = 0
        self.in_work = 0
        self._slots = asyncio.Semaphore(max_concurrency)

    @contextlib.contextmanager
    def ticket(self) -> Iterator[None]:
        """Hold a place in the server.

        Raises:
            NotReady: If the server is stopping.
            Busy: If work and queue are full.
        """
        if self.closed:
            raise NotReady("the server is stopping", retry_after=5)
        if self.admitted >= self.max_concurrency + self.max_queue:
            raise Busy(
                f"{self.max_concurrency} requests are in work and {self.max_queue} wait; try "
                "again later",
                retry_after=1,
            )
        self.admitted += 1
        try:
            yield
        finally:
            self.admitted -= 1

    @contextlib.asynccontextmanager
    async def work(self) -> AsyncIterator[None]:
        """Hold a place at work; waits for one."""
        async with self._slots:
            self.in_work += 1
            try:
                yield
            finally:
                self.in_work -= 1

    async def run(self, work):  # type: ignore[no-untyped-def]
        """Await a coroutine at work, no longer than allowed.

        Args:
            work: Coroutine.

        Raises:
            TimedOut: If waiting and working took too long.
        """

        async def at_work():  # type: ignore[no-untyped-def]
            async with self.work():
                return await work

        try:
            return await asyncio.wait_for(at_work(), self.seconds)
        except TimeoutError:
            raise TimedOut(f"not done within {self.seconds:g} seconds") from None
        finally:
            work.close()


class PixelBudget:
    """Bounds the pixels of the photos that are decoded at a time; first come, first served.

    Args:
        pixels: Int, how many there may be. One larger photo is let in alone.
    """

    def __init__(self, pixels: int) -> None:
        self._free = self._all = pixels
        self._waiting: collections.deque[tuple[int, asyncio.Future[None]]] = collections.deque()

    @contextlib.asynccontextmanager
    async def spend(self, pixels: int) -> AsyncIterator[None]:
        """Hold a number of pixels; waits until they are free.

        Args:
            pixels: Int.
        """
        wanted = min(pixels, self._all)
        if self._waiting or wanted > self._free:
            turn = asyncio.get_running_loop().create_future()
            entry = (wanted, turn)
            self._waiting.append(entry)
            try:
                await turn
            except asyncio.CancelledError:
                if entry in self._waiting:
                    self._waiting.remove(entry)
                elif turn.done() and not turn.cancelled():
                    self._free += wanted
                self._wake()
                raise
        else:
            self._free -= wanted
        try:
            yield
        finally:
            self._free += wanted
            self._wake()

    def _wake(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._free:
            wanted, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= wanted
                turn.set_result(None)
