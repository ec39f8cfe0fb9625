"""Reports on the photos of a folder, as objects and as JSON."""

import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from logging.handlers import BufferingHandler
from pathlib import Path

from keras_inpaint.batch.completing import Completion
from keras_inpaint.files import one_line, printable, write_atomically

COMPLETED, UNCHANGED, SKIPPED, FAILED = "completed", "unchanged", "skipped", "failed"
PENDING = "pending"


@dataclass(frozen=True)
class FileReport:
    """The result of one photo of many.

    Attributes:
        photo: The photo's file.
        output: The file to write.
        mask: The mask's file, `alpha`, or None if there is none.
        status: `completed`; `unchanged` (the mask has no hole, the photo was copied unchanged);
            `skipped` (completed before); `failed`; `pending` (not processed).
        size: Width and height as displayed, in pixels.
        mode: The photo's pixel mode.
        holes: Number of holes.
        hole_share: Their share of the photo, 0 to 1.
        seconds: Wall time for this photo.
        warnings: Possible problems with the result.
        notes: Other information for the user.
        error: The error in one line, if it failed.
    """

    photo: str
    output: str
    mask: str | None
    status: str = PENDING
    size: tuple[int, int] | None = None
    mode: str | None = None
    holes: int | None = None
    hole_share: float | None = None
    seconds: float | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str | None = None


@dataclass
class FolderReport:
    """The results of a folder.

    Attributes:
        files: A report for each photo, sorted by name.
        masks_without_photo: Mask files that match no photo.
        seconds: Total wall time.
    """

    files: list[FileReport]
    masks_without_photo: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def counts(self) -> dict[str, int]:
        """The number of photos with each status."""
        counts = Counter(file.status for file in self.files)
        return {**dict.fromkeys((COMPLETED, UNCHANGED, SKIPPED, FAILED), 0), **counts}

    @property
    def failed(self) -> list[FileReport]:
        """The reports of the photos that failed."""
        return [file for file in self.files if file.status == FAILED]


def write_report(report: FolderReport, path: str | Path, settings: dict | None = None) -> None:
    """Write a report as JSON, replacing an existing file.

    Args:
        report: The report.
        path: The file to write.
        settings: The settings of the run, written unchanged.
    """
    content = {
        "settings": settings or {},
        "counts": report.counts,
        "seconds": round(report.seconds, 3),
        "masks_without_photo": report.masks_without_photo,
        "files": [asdict(file) for file in report.files],
    }
    text = json.dumps(content, indent=2) + "\n"
    write_atomically(path, text.encode("utf-8"), overwrite=True)


def reported(file: FileReport, complete: Callable[[], Completion]) -> FileReport:
    """Complete a photo and return its report; errors are reported, not raised.

    Args:
        file: The pending report.
        complete: Completes the photo. The library's log messages during the call go into the
            report, so that a process must complete one photo at a time.
    """
    start = time.perf_counter()
    try:
        with _captured_logs() as records:
            done = complete()
    except Exception as error:  # no error of one file may stop the others
        return failed(file, error, time.perf_counter() - start)
    messages = [(record.levelno >= logging.WARNING, record.getMessage()) for record in records]
    return replace(
        file,
        status=COMPLETED if done.holes.pixels else UNCHANGED,
        size=done.size,
        mode=done.mode,
        holes=done.holes.count,
        hole_share=round(done.holes.share, 6),
        seconds=round(done.seconds, 3),
        warnings=done.warnings + tuple(text for is_warning, text in messages if is_warning),
        notes=done.notes + tuple(text for is_warning, text in messages if not is_warning),
    )


def failed(file: FileReport, error: Exception, seconds: float | None = None) -> FileReport:
    """Return the report of a photo that failed, with the error in one line."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        line = f"{printable(error.filename)}: {error.strerror}"
    else:
        line = printable(one_line(error))
    seconds = None if seconds is None else round(seconds, 3)
    return replace(file, status=FAILED, seconds=seconds, error=line)


@contextmanager
def _captured_logs() -> Iterator[list[logging.LogRecord]]:
    """Collect the library's log messages instead of propagating them."""
    source, handler = logging.getLogger("keras_inpaint"), BufferingHandler(sys.maxsize)
    handler.setLevel(logging.INFO)
    propagate, source.propagate = source.propagate, False
    source.addHandler(handler)
    try:
        yield handler.buffer
    finally:
        source.removeHandler(handler)
        source.propagate = propagate
