"""Folders of photos: match photos and masks, complete them all, report the result of each."""

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from keras_inpaint.batch.completing import Completer, Completion, MaskOptions, complete_file
from keras_inpaint.batch.report import (
    FAILED,
    SKIPPED,
    FileReport,
    FolderReport,
    reported,
    write_report,
)
from keras_inpaint.batch.workers import run_in_processes
from keras_inpaint.data.files import find_photos
from keras_inpaint.files import check_name, printable, remove_leftovers
from keras_inpaint.photos.formats import SUFFIXES

__all__ = ["FileReport", "FolderReport", "complete_folder", "is_done", "write_report"]


def complete_folder(
    photos: str | Path | Sequence[str | Path],
    masks: str | Path,
    output: str | Path,
    load: Callable[[], Completer],
    *,
    options: MaskOptions | None = None,
    jobs: int = 1,
    recursive: bool = True,
    resume: bool = False,
    overwrite: bool = False,
    report: FolderReport | None = None,
    on_file: Callable[[FileReport, int, int], None] | None = None,
) -> FolderReport:
    """Complete every photo of a folder; a bad file does not stop the others.

    A photo `photos/a/b.jpg` uses the mask `masks/a/b.*` of any format, and is written to
    `output/a/b.jpg` in its own format. Hidden files and folders are ignored.

    Args:
        photos, masks, output, options, recursive, resume, overwrite: As for
            `keras_inpaint.complete_folder`.
        load: Returns the function that fills holes. With processes it is called once in each and
            must be picklable, e.g. `functools.partial(Inpainter, "faces")`.
        jobs: Int, the number of processes; 0 uses this one.
        report: A report to fill in, which is then available even if the run is interrupted.
        on_file: Called after each photo with its report, the number of photos done and the total
            number.

    Returns:
        The report of all photos.

    Raises:
        OSError: If a folder cannot be read or created.
        ValueError: If there are no photos, or the folders are not distinct.
        RuntimeError: If `load` fails in a process.
    """
    if jobs < 0:
        raise ValueError(f"Expected 0 or more jobs. Received: jobs={jobs}")
    start = time.perf_counter()
    report = report if report is not None else FolderReport([])
    options = replace(options or MaskOptions(), without_hole="keep")
    output = check_name(output)
    if isinstance(photos, str | Path):
        photos = check_name(photos)
    _check_folders(photos, masks, output, overwrite=overwrite, resume=resume)
    report.files[:], report.masks_without_photo = _matched(photos, masks, output, recursive)
    output.mkdir(exist_ok=True)
    places = {file.photo: index for index, file in enumerate(report.files)}
    done = 0

    def finish(file: FileReport) -> None:
        nonlocal done
        done += 1
        report.files[places[file.photo]] = file
        report.seconds = time.perf_counter() - start
        if on_file is not None:
            on_file(file, done, len(places))

    todo = []
    for file in report.files:
        if file.status == FAILED:
            finish(file)
        elif resume and is_done(file.photo, str(file.mask), file.output):
            finish(replace(file, status=SKIPPED))
        else:
            todo.append(file)
    work = partial(_worker, load, options=options, overwrite=overwrite)
    if todo and jobs:
        for file in run_in_processes(todo, work, jobs, _process_ended):
            finish(file)
    elif todo:
        for file in map(work(), todo):
            finish(file)
    report.seconds = time.perf_counter() - start
    return report


def _worker(load: Callable[[], Completer], **settings: Any) -> Callable[[FileReport], FileReport]:
    """Load the model and return a function that completes a photo with it."""
    completer = load()

    def complete(file: FileReport) -> Completion:
        Path(file.output).parent.mkdir(parents=True, exist_ok=True)
        return complete_file(
            file.photo,
            str(file.mask),
            file.output,
            lambda: completer,
            keep_format=True,
            **settings,
        )

    return lambda file: reported(file, partial(complete, file))


def _process_ended(file: FileReport, pid: int, reason: str) -> FileReport:
    remove_leftovers(Path(file.output).parent, pid)
    return replace(file, status=FAILED, error=f"{printable(file.photo)}: {reason}")


def _check_folders(
    photos: str | Path | Sequence[str | Path],
    masks: str | Path,
    output: Path,
    *,
    overwrite: bool,
    resume: bool,
) -> None:
    """Reject folders that are missing or not distinct."""
    mask_folder = None
    if str(masks) != "alpha":
        masks = check_name(masks)
        mask_folder = masks if masks.is_dir() else None
    if isinstance(photos, Path):
        if not photos.is_dir():
            raise NotADirectoryError(f"{printable(photos)}: is not a folder of photos")
        if mask_folder and mask_folder.samefile(photos):
            raise ValueError(f"{printable(masks)}: photos and masks lie in one folder")
        if output.exists() and output.samefile(photos):
            if resume:
                raise ValueError(
                    f"{printable(output)}: resume cannot tell photos from outputs in one folder"
                )
            if not overwrite:
                raise FileExistsError(
                    f"{printable(output)}: is the input itself, and overwrite is not set"
                )
    if isinstance(masks, Path) and not masks.exists():
        raise FileNotFoundError(f"{printable(masks)}: no such mask file or folder")
    if mask_folder and output.exists() and mask_folder.samefile(output):
        raise ValueError(f"{printable(output)}: the output is the folder of masks")
    if output.exists() and not output.is_dir():
        raise NotADirectoryError(f"{printable(output)}: is a file; name a folder to write to")
    if not output.exists() and not output.parent.is_dir():
        raise FileNotFoundError(
            f"The folder to write to does not exist: {printable(output.parent)}"
        )


def _matched(
    photos: Path | Sequence[str | Path], masks: str | Path, output: Path, recursive: bool
) -> tuple[list[FileReport], list[str]]:
    """Return a report per photo, with its mask or an error, and the masks without a photo."""
    folder = None if str(masks) == "alpha" or Path(masks).is_file() else Path(masks)
    masks_by_stem: dict[Path, list[str]] = {}
    if folder is not None:
        for mask in find_photos(folder, recursive=recursive, suffixes=SUFFIXES, what="mask"):
            stem = mask.relative_to(folder).with_suffix("")
            masks_by_stem.setdefault(stem, []).append(str(mask))
    if isinstance(photos, Path):
        apart = [other for other in (output, folder) if other is not None and other != photos]
        found = find_photos(photos, recursive=recursive, apart=apart, suffixes=SUFFIXES)
        places = {photo: photo.relative_to(photos) for photo in found}
    else:
        places = _named(photos)
    files = [FileReport(str(photo), str(output / place), None) for photo, place in places.items()]
    if folder is None:
        return [replace(file, mask=str(masks)) for file in files], []
    stems = [place.with_suffix("") for place in places.values()]
    files = [
        with_mask(file, masks_by_stem.get(stem, []), str(folder / stem))
        for file, stem in zip(files, stems, strict=True)
    ]
    if not isinstance(photos, Path):
        return files, []  # the other masks may belong to other photos
    for stem in stems:
        masks_by_stem.pop(stem, None)
    return files, [mask for masks in masks_by_stem.values() for mask in masks]


def with_mask(file: FileReport, masks: Sequence[str], stem: str) -> FileReport:
    """Return a photo's report with its only mask, or with an error; `stem` is the mask's name."""
    if len(masks) == 1:
        return replace(file, mask=masks[0])
    names = ", ".join(printable(os.path.basename(mask)) for mask in masks)
    why = f"has several masks: {names}" if masks else f"has no mask {printable(stem)}.*"
    return replace(file, status=FAILED, error=f"{printable(file.photo)}: {why}")


def _named(photos: Sequence[str | Path]) -> dict[Path, Path]:
    """Return photo files with their names; rejects two that would write to one file."""
    places = {check_name(photo): Path(Path(photo).name) for photo in photos}
    for photo in places:
        if photo.is_dir():
            raise ValueError(
                f"{printable(photo)}: is a folder; name one folder, or photo files only"
            )
    name, count = Counter(places.values()).most_common(1)[0]
    if count > 1:
        twice = " and ".join(printable(photo) for photo, place in places.items() if place == name)
        raise ValueError(f"{twice} would be written to one file, {printable(name)}")
    return places


def is_done(photo: str | Path, mask: str | Path, output: str | Path) -> bool:
    """Return whether an output exists and is newer than its photo and its mask, if a file."""
    inputs = [photo] if str(mask) == "alpha" else [photo, mask]
    try:
        made = os.stat(output).st_mtime_ns
        return all(os.stat(path).st_mtime_ns <= made for path in inputs)
    except (OSError, ValueError):
        return False
