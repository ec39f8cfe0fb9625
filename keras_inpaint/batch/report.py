"""What became of each photo of many, as objects and as JSON."""

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
    """What became of one photo of many.

    Attributes:
        photo: The photo's file.
        output: The file to write.
        mask: The mask's file, `alpha`, or None where there is none.
        status: `completed`; `unchanged` (the mask has no hole, the photo was written as it is);
            `skipped` (done before); `failed`; `pending` (the run ended before its turn).
        size: Width and height as shown, in pixels.
        mode: How its pixels are stored.
        holes: Number of holes.
        hole_share: Their share of the photo, 0 to 1.
        seconds: Wall time for this photo.
        warnings: What may be wrong with the result.
        notes: What else is worth knowing.
        error: Why it failed, in one line.
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
    """What became of a folder.

    Attributes:
        files: A report for each photo, in the order of their names.
        masks_without_photo: Mask files that no photo's name matches.
        seconds: Wall time of the whole.
    """

    files: list[FileReport]
    masks_without_photo: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def counts(self) -> dict[str, int]:
        """How many photos have each status."""
        counts = Counter(file.status for file in self.files)
        return {**dict.fromkeys((COMPLETED, UNCHANGED, SKIPPED, FAILED), 0), **counts}

    @property
    def failed(self) -> list[FileReport]:
        """The reports of the photos that failed."""
        return [file for file in self.files if file.status == FAILED]


def write_report(report: FolderReport, path: str | Path, settings: dict | None = None) -> None:
    """Write a report as JSON, replacing one that is there.

    Args:
        report: What became of each photo.
        path: The file to write.
        settings: What the run was asked to do; put in as it is.
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
    """Complete a photo and return its report, of which every failure becomes part.

    Args:
        file: The report so far.
        complete: Completes the photo. What the library logs meanwhile goes into the report, so
            that one photo at a time is completed in a process.
    """
    start = time.perf_counter()
    try:
        with _captured_logs() as records:
            done = complete()
    except Exception as error:  # one bad file never stops the rest, whatever it raises
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
    """Collect what the library logs meanwhile instead of passing it on."""
    source, handler = logging.getLogger("keras_inpaint"), BufferingHandler(sys.maxsize)
    handler.setLevel(logging.INFO)
    propagate, source.propagate = source.propagate, False
    source.addHandler(handler)
    try:
        yield handler.buffer
    finally:
        source.removeHandler(handler)
        source.propagate = propagate
