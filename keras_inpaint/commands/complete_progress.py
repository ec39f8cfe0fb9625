"""How ``keras-inpaint complete`` shows the progress of a folder."""

import time
from typing import TYPE_CHECKING

import click

from keras_inpaint.files import printable

if TYPE_CHECKING:
    from rich.console import Console

    from keras_inpaint.batch.folders import FileReport

_SECONDS_BETWEEN_LINES = 2.0


def _after(file: "FileReport") -> list[str]:
    """Return the lines to print after a photo: what failed, and what may be wrong."""
    if file.error:
        return [f"Failed: {file.error}"]
    name = printable(file.photo)
    return [f"Warning: {text if name in text else f'{name}: {text}'}" for text in file.warnings]


class Bar:
    """Progress on a terminal: a bar with the time left."""

    def __init__(self, console: "Console") -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("Completing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]} failed"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._progress.add_task("", total=None, failed=0)
        self._failed = 0

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def file(self, file: "FileReport", done: int, total: int) -> None:
        self._failed += file.error is not None
        for line in _after(file):
            self._progress.console.print(line, markup=False, highlight=False)
        self._progress.update(self._task, completed=done, total=total, failed=self._failed)


class Lines:
    """Progress elsewhere: a plain line every few seconds."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()
        self._skipped = self._failed = 0

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def file(self, file: "FileReport", done: int, total: int) -> None:
        self._failed += file.status == "failed"
        self._skipped += file.seconds is None
        for line in _after(file):
            click.echo(line, err=True)
        now = time.monotonic()
        worked = done - self._skipped
        if now - self._last >= _SECONDS_BETWEEN_LINES and worked:
            self._last = now
            left = (now - self._start) / worked * (total - done)
            click.echo(
                f"{done} of {total} photos, {self._failed} failed, about {left:.0f} s left",
                err=True,
            )
