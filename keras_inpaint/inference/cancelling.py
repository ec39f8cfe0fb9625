"""Cancel a completion whose result is no longer needed.

The caller passes a flag to `cancellable`; the loops over tiles, rings and exemplars check it with
`check_cancelled`, so that the functions in between need no argument for it.
"""

import contextlib
import contextvars
import threading
from collections.abc import Iterator

_flag: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar(
    "cancelled", default=None
)


class Cancelled(Exception):
    """The work was cancelled."""


@contextlib.contextmanager
def cancellable(flag: threading.Event) -> Iterator[None]:
    """Let a flag, set from any thread, cancel what this thread computes inside the context.

    Args:
        flag: Once it is set, the next `check_cancelled` raises `Cancelled`.
    """
    token = _flag.set(flag)
    try:
        yield
    finally:
        _flag.reset(token)


def check_cancelled() -> None:
    """Raise `Cancelled` if this thread's work was cancelled."""
    flag = _flag.get()
    if flag is not None and flag.is_set():
        raise Cancelled
