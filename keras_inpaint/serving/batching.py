"""Dynamic batching: requests of one size that come together are completed together."""

import asyncio
import collections
import dataclasses
import logging
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from typing import Any

import numpy as np

logger = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass
class _Waiting:
    """One request in a queue."""

    arrays: Arrays
    rows: int
    due: float
    answer: "asyncio.Future[Arrays]"


@dataclasses.dataclass
class _Group:
    """Requests that may share a call: one model, one signature, one size."""

    run: Callable[[Arrays], Arrays]
    most_rows: int
    waiting: collections.deque[_Waiting] = dataclasses.field(default_factory=collections.deque)
    timer: asyncio.TimerHandle | None = None

    @property
    def rows(self) -> int:
        return sum(request.rows for request in self.waiting)


class Batcher:
    """Joins requests to batches and runs them in an executor.

    The first request of a group waits `window_seconds` for others of its kind. While all
    threads are at work, requests gather without further waiting; the group whose first request
    has waited longest goes next. A call that fails is repeated for each of its requests alone, so
    that no request fails because of another.

    Args:
        executor: Where calls run.
        slots: Int, calls at a time.
        max_batch_size: Int, most rows in a call; 1 turns joining off. A single request of more
            rows is run as it is.
        window_seconds: Float, how long the first of a batch waits.
        observe: Called after each call with its number of rows and of requests.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        slots: int = 1,
        max_batch_size: int = 8,
        window_seconds: float = 0.005,
        observe: Callable[[int, int], None] | None = None,
    ) -> None:
        self._executor = executor
        self._free = slots
        self._max_batch_size = max_batch_size
        self._window = window_seconds if max_batch_size > 1 else 0.0
        self._observe = observe or (lambda rows, requests: None)
        self._groups: dict[Hashable, _Group] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Number of requests that wait for a call."""
        return sum(len(group.waiting) for group in self._groups.values())

    async def submit(
        self,
        key: Hashable,
        arrays: Arrays,
        run: Callable[[Arrays], Arrays],
        *,
        max_rows: int | None = None,
    ) -> Arrays:
        """Run a request, together with others of the same key.

        Args:
            key: What calls may share: model, version, signature and the shapes of a row.
            arrays: From input name to array; the first axis of all is the batch.
            run: From stacked arrays to stacked results; called in the executor. Of all requests
                of a group the first one's is taken.
            max_rows: Int, a tighter limit than `max_batch_size` for this group.

        Returns:
            From output name to array, the rows of this request.

        Raises:
            Exception: What `run` raised for this request.
        """
        loop = asyncio.get_running_loop()
        group = self._groups.get(key)
        if group is None:
            limit = (
                self._max_batch_size if max_rows is None else min(self._max_batch_size, max_rows)
            )
            group = self._groups[key] = _Group(run, max(1, limit))
        rows = len(next(iter(arrays.values())))
        request = _Waiting(arrays, rows, loop.time() + self._window, loop.create_future())
        group.waiting.append(request)
        self._arm(group)
        self._pump()
        return await request.answer

    def _arm(self, group: _Group) -> None:
        """See to it that the first of a group does not wait longer than the window."""
        loop = asyncio.get_running_loop()
        if group.timer is None and group.waiting and group.waiting[0].due > loop.time():
            group.timer = loop.call_at(group.waiting[0].due, self._on_timer, group)

    def _on_timer(self, group: _Group) -> None:
        group.timer = None
        self._pump()
        self._arm(group)

    def _pump(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._free:
            ready = [
                (group.waiting[0].due, order, key)
                for order, (key, group) in enumerate(self._groups.items())
                if group.waiting[0].due <= now + 1e-4 or group.rows >= group.most_rows
            ]
            if not ready:
                return
            key = min(ready)[2]
            run = self._groups[key].run
            batch = self._take(key)
            if batch:
                self._free -= 1
                task = asyncio.get_running_loop().create_task(self._run(run, batch))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _take(self, key: Hashable) -> list[_Waiting]:
        """Remove from a group what goes into the next call."""
        group = self._groups[key]
        batch: list[_Waiting] = []
        rows = 0
        while group.waiting:
            request = group.waiting[0]
            if batch and rows + request.rows > group.most_rows:
                break
            group.waiting.popleft()
            if not request.answer.done():  # else whoever asked has gone
                batch.append(request)
                rows += request.rows
        if group.waiting:
            self._arm(group)
        else:
            if group.timer is not None:
                group.timer.cancel()
            del self._groups[key]
        return batch

    async def _run(self, run: Callable[[Arrays], Arrays], batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._executor, _run_batch, run, batch)
        except BaseException as error:  # the executor is shut down, or this task is cancelled
            for request in batch:
                _fail(request, error)
            if not isinstance(error, Exception):
                raise
        else:
            self._observe(sum(request.rows for request in batch), len(batch))
            for request, result in zip(batch, results, strict=True):
                if isinstance(result, BaseException):
                    _fail(request, result)
                elif not request.answer.done():
                    request.answer.set_result(result)
        finally:
            self._free += 1
            self._pump()


def _fail(request: _Waiting, error: BaseException) -> None:
    if not request.answer.done():
        request.answer.set_exception(
            error if isinstance(error, Exception) else RuntimeError("the server is stopping")
        )


def _run_batch(run: Callable[[Arrays], Arrays], batch: list[_Waiting]) -> list[Any]:
    """Run a batch and return each request's rows, or the exception that is its answer."""
    if len(batch) == 1:
        return [_run_alone(run, batch[0])]
    names = batch[0].arrays
    try:
        joined = run({name: np.concatenate([r.arrays[name] for r in batch]) for name in names})
    except Exception as error:
        logger.warning("a batch of %d requests failed, each is run alone: %s", len(batch), error)
        return [_run_alone(run, request) for request in batch]
    ends = np.cumsum([request.rows for request in batch])
    return [
        # A copy, so that a request that is read slowly does not keep the whole batch.
        {name: values[end - request.rows : end].copy() for name, values in joined.items()}
        for request, end in zip(batch, ends, strict=True)
    ]


def _run_alone(run: Callable[[Arrays], Arrays], request: _Waiting) -> Any:
    try:
        return run(request.arrays)
    except Exception as error:
        return error
