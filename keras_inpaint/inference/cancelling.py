"""Stopping a completion that nobody waits for any more.

Who starts the work sets a flag with `cancellable`; the loops over tiles, rings and exemplars look
at it with `check_cancelled`, so that no call in between has to hand it on.
"""

import contextlib
import contextvars
import threading
from collections.abc import Iterator

_flag: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar(
    "cancelled", default=None
)


class Cancelled(Exception):
    """The work was told to stop."""


@contextlib.contextmanager
def cancellable(flag: threading.Event) -> Iterator[None]:
    """Let a flag, set from any thread, stop what this thread computes meanwhile.

    Args:
        flag: Once it is set, the next `check_cancelled` raises `Cancelled`.
    """
    token = _flag.set(flag)
    try:
        yield
    finally:
        _flag.reset(token)


def check_cancelled() -> None:
    """Raise `Cancelled` where this thread's work was told to stop."""
    flag = _flag.get()
    if flag is not None and flag.is_set():
        raise Cancelled
