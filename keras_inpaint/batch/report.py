"""What became of each photo of a folder, as objects and as JSON."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from keras_inpaint.files import write_atomically

COMPLETED, UNCHANGED, SKIPPED, FAILED, PENDING = (
    "completed",
    "unchanged",
    "skipped",
    "failed",
    "pending",
)


@dataclass(frozen=True)
class FileReport:
    """What became of one photo of a folder.

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
        found = Counter(file.status for file in self.files)
        return {status: found[status] for status in (COMPLETED, UNCHANGED, SKIPPED, FAILED)} | (
            {PENDING: found[PENDING]} if found[PENDING] else {}
        )

    @property
    def failed(self) -> list[FileReport]:
        """The reports of the photos that failed."""
        return [file for file in self.files if file.status == FAILED]

    def as_dict(self) -> dict:
        """Return all of it in plain types, for JSON."""
        return {
            "counts": self.counts,
            "seconds": round(self.seconds, 3),
            "masks_without_photo": self.masks_without_photo,
            "files": [asdict(file) for file in self.files],
        }


def write_report(report: FolderReport, path: str | Path, settings: dict | None = None) -> None:
    """Write a report as JSON, replacing one that is there.

    Args:
        report: What became of each photo.
        path: The file to write.
        settings: What the run was asked to do; put in as it is.
    """
    content = {"settings": settings or {}, **report.as_dict()}
    text = json.dumps(content, indent=2) + "\n"
    write_atomically(path, text.encode("utf-8"), overwrite=True)
