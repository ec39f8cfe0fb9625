"""Progress of commands: a bar on a terminal, plain lines otherwise."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from keras_inpaint.files import printable

if TYPE_CHECKING:
    from keras_inpaint.batch.folders import FileReport

_SECONDS_BETWEEN_LINES = 2.0


def _bar(console: Console, *columns: ProgressColumn, **options: Any) -> Progress:
    return Progress(*columns, console=console, disable=not console.is_terminal, **options)


@contextlib.contextmanager
def counted(description: str, *columns: ProgressColumn) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar during the block, on a terminal only.

    Args:
        description: String, the text before the bar.
        *columns: The columns after the bar.

    Yields:
        A function to call with the completed and the total number.
    """
    console = Console(stderr=True)
    with _bar(console, TextColumn(description), BarColumn(), *columns, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class FolderProgress:
    """A listener of `batch.folders.complete_folder`: a bar, or a line every few seconds.

    Args:
        console: Rich console of the standard error.
    """

    def __init__(self, console: Console) -> None:
        self._progress = _bar(
            console,
            TextColumn("Completing"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]} failed"),
            TimeRemainingColumn(),
        )
        self._task = self._progress.add_task("", total=None, failed=0)
        self._start = self._last_line = time.monotonic()
        self._skipped = self._failed = 0

    def __enter__(self) -> "FolderProgress":
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def file(self, file: "FileReport", done: int, total: int) -> None:
        """Show a completed photo, given the completed and the total number of photos."""
        self._failed += file.error is not None
        self._skipped += file.seconds is None
        for line in self._problems(file):
            self._say(line)
        self._progress.update(self._task, completed=done, total=total, failed=self._failed)
        now, processed = time.monotonic(), done - self._skipped
        due = now - self._last_line >= _SECONDS_BETWEEN_LINES and processed
        if self._progress.disable and due:
            self._last_line = now
            remaining = (now - self._start) / processed * (total - done)
            self._say(
                f"{done} of {total} photos, {self._failed} failed, about {remaining:.0f} s left"
            )

    def _say(self, line: str) -> None:
        if self._progress.disable:
            click.echo(line, err=True)
        else:
            self._progress.console.print(line, markup=False, highlight=False)

    def _problems(self, file: "FileReport") -> list[str]:
        """Return the lines to print after a photo: its error or its warnings."""
        if file.error:
            return [f"Failed: {file.error}"]
        name = printable(file.photo)
        return [f"Warning: {text if name in text else f'{name}: {text}'}" for text in file.warnings]


class TrainingProgress:
    """A listener of `training.schedule.train`.

    Args:
        config: `TrainingConfig` of the run.
    """

    def __init__(self, config: Any) -> None:
        self._config = config
        self._console = Console(highlight=False)
        self._live = self._console.is_terminal
        self._progress = _bar(
            self._console,
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._task: Any = None
        self._rate: tuple[float, int] | None = None

    def __enter__(self) -> "TrainingProgress":
        self._progress.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._progress.stop()

    def tell(self, event: str, facts: dict[str, Any]) -> None:
        """Show an event of the training."""
        handler = getattr(self, f"_on_{event}", None)
        if handler is not None:
            handler(facts)

    def _say(self, text: str) -> None:
        if self._live:
            self._progress.console.print(text)
        else:
            click.echo(text)

    def _on_loading(self, facts: dict[str, Any]) -> None:
        if self._live and facts["done"] == 1:
            self._begin("reading images", facts["total"], 0)
        if self._live:
            self._progress.update(self._task, completed=facts["done"])

    def _on_data(self, facts: dict[str, Any]) -> None:
        images = facts["images"]
        pixel = ", ".join(f"{v:.3f}" for v in images.mean_pixel)
        self._say(
            f"{len(images)} images of {images.source}: {facts['training']} to train on, "
            f"{facts['held_out']} held out; mean pixel {pixel}"
            + ("" if images.cached else "; decoded on the fly")
        )

    def _on_precision(self, facts: dict[str, Any]) -> None:
        self._say(f"Precision: {facts['precision']} ({facts['reason']})")

    def _on_baselines(self, facts: dict[str, Any]) -> None:
        self._say(
            f"On the same {facts['photos']} holes: mean pixel {facts['mean_pixel_psnr']:.2f} dB, "
            f"OpenCV's Telea {facts['telea_psnr']:.2f} dB"
        )

    def _on_resume(self, facts: dict[str, Any]) -> None:
        self._say(f"Resuming at phase {facts['phase']}, step {facts['step']}")

    def _on_phase(self, facts: dict[str, Any]) -> None:
        label = f"phase {facts['phase']}, {facts['name']}"
        self._say(f"{label}: {facts['steps'] - facts['step']} steps")
        self._begin(label, facts["steps"], facts["step"])
        self._rate = None

    def _on_step(self, facts: dict[str, Any]) -> None:
        if self._rate is None:
            self._rate = (time.monotonic(), facts["step"])
        self._progress.update(self._task, completed=facts["step"])

    def _on_evaluated(self, facts: dict[str, Any]) -> None:
        self._say(
            f"phase {facts['phase']} step {facts['step']}: {facts['held_out_psnr']:.2f} dB in the "
            f"holes of held-out photos"
        )

    def _on_row(self, row: dict[str, Any]) -> None:
        if self._live:
            return
        names = (
            ("completion_loss", "masked MSE"),
            ("discriminator_loss", "D loss"),
            ("real_score", "D(real)"),
            ("fake_score", "D(fake)"),
        )
        figures = ", ".join(f"{label} {row[key]:.4g}" for key, label in names if key in row)
        total = self._config.steps[row["phase"] - 1]
        remaining = self._time_left(row["step"], total)
        click.echo(f"phase {row['phase']} step {row['step']}/{total}: {figures}{remaining}")

    def _begin(self, label: str, total: int, done: int) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(label, total=total, completed=done)

    def _time_left(self, step: int, total: int) -> str:
        if self._rate is None or step <= self._rate[1]:
            return ""
        seconds = (time.monotonic() - self._rate[0]) / (step - self._rate[1]) * (total - step)
        minutes, rest = divmod(round(seconds), 60)
        return f", {minutes}:{rest:02d} left in this phase" if seconds else ""
