"""``keras-inpaint complete``: fill the holes of a photo, or of a folder of photos."""

import os
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from keras_inpaint.commands.choosing_options import completing_options, loader
from keras_inpaint.files import check_target, printable
from keras_inpaint.processors import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from keras_inpaint.batch.completing import Completer, Completion, MaskOptions
    from keras_inpaint.batch.folders import FolderReport

_PATH = click.Path(path_type=Path)
_STANDARD_OUTPUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


@click.command(
    epilog="Examples: keras-inpaint complete photo.jpg --mask mask.png -o out.jpg; "
    "keras-inpaint complete photos/ --mask masks/ -o out/ --jobs 2 --report report.json"
)
@click.argument("photos", type=_PATH, metavar="PHOTO...|FOLDER", nargs=-1, required=True)
@click.option(
    "--mask",
    required=True,
    metavar="FILE|FOLDER|alpha",
    help="The mask, white in the hole; for several photos also a folder of masks with the same "
    "names; or alpha for the photo's own transparency.",
)
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="FILE|FOLDER|-",
    help="The file to write; a folder (created if its name ends in /, or for several photos); or "
    "- for the standard output.",
)
@completing_options
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    help="Several photos: number of processes; each loads the model, and they share the "
    "processors.",
)
@click.option("--recursive/--no-recursive", default=True, help="Folder: search subfolders.")
@click.option("--resume", is_flag=True, help="Skip outputs that are newer than photo and mask.")
@click.option("--overwrite", is_flag=True, help="Replace existing files, including the photo.")
@click.option("--report", type=_PATH, metavar="FILE", help="Several photos: write a JSON report.")
@click.pass_context
def command(
    ctx: click.Context,
    photos: tuple[Path, ...],
    mask: str,
    out: str,
    model: str,
    mask_polarity: str,
    grow: int,
    resize_mask: bool,
    jobs: int,
    recursive: bool,
    resume: bool,
    overwrite: bool,
    report: Path | None,
    **network: Any,
) -> None:
    """Fill the holes of a photo, of several photos, or of every photo in a folder.

    Reads and writes JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF and HEIC (extra heic), in the photo's
    own mode and size; pixels outside the hole do not change unless a JPEG, AVIF or HEIC is written.
    Masks have the size of the displayed photo; pixels of at least half white are the hole.
    """
    from keras_inpaint.batch.completing import MaskOptions

    options = MaskOptions(mask_polarity, grow, resize_mask)
    masks_by_name = mask != "alpha" and Path(mask).is_dir()
    if len(photos) == 1 and not photos[0].is_dir() and not (masks_by_name and _is_folder(out)):
        [photo] = photos
        if report is not None:
            raise click.UsageError(f"--report requires several photos, got {photo}.")
        if masks_by_name:
            raise click.BadParameter(
                f"{mask} is a folder, but {photo} is a single photo; give --out FOLDER/ to use the "
                "mask with its name.",
                param_hint="--mask",
            )
        load = loader(model, network)
        _one(photo, mask, out, load, options, resume=resume, overwrite=overwrite)
        return
    if out in _STANDARD_OUTPUT:
        raise click.BadParameter(
            "several photos cannot be written to the standard output.", param_hint="--out"
        )
    if report is not None:
        check_target(report, overwrite=True)
    settings = {
        "photos": str(photos[0]) if len(photos) == 1 else [str(photo) for photo in photos],
        "mask": mask,
        "output": out,
        "model": model,
        **network,
        "mask_polarity": mask_polarity,
        "grow": grow,
        "resize_mask": resize_mask,
    }
    result = _many(
        photos[0] if photos[0].is_dir() and len(photos) == 1 else photos,
        mask,
        Path(out),
        loader(model, network, None if jobs == 1 else max(1, processors() // jobs)),
        settings,
        report,
        options=options,
        jobs=jobs,
        recursive=recursive,
        resume=resume,
        overwrite=overwrite,
    )
    ctx.exit(1 if result.failed else 0)


def _one(
    photo: Path,
    mask: str,
    out: str,
    load: "Callable[[], Completer]",
    options: "MaskOptions",
    *,
    resume: bool,
    overwrite: bool,
) -> None:
    from rich.console import Console

    from keras_inpaint.batch.completing import complete_file
    from keras_inpaint.batch.folders import is_done

    with ExitStack() as stack:
        piped = out in _STANDARD_OUTPUT
        if piped:
            if sys.stdout.isatty():
                raise click.BadParameter(
                    "the standard output is a terminal; give a file, or redirect it.",
                    param_hint="--out",
                )
            target = Path(stack.enter_context(TemporaryDirectory())) / photo.name
        else:
            target = Path(out, photo.name) if _is_folder(out) else Path(out)
            if not target.parent.exists() and target.parent.parent.is_dir() and _is_folder(out):
                target.parent.mkdir()
                stack.callback(_remove_empty, target.parent)
        if resume and not piped and is_done(photo, mask, target):
            click.echo(f"{printable(target)}: up to date, skipped")
            return
        console = Console(stderr=True)
        with console.status(f"Completing {printable(photo)} ..."):
            done = complete_file(
                photo, mask, target, load, options=options, overwrite=overwrite, keep_format=piped
            )
        if piped:
            stream = click.get_binary_stream("stdout")
            stream.write(target.read_bytes())
            stream.flush()
        click.echo(_summary(done, "-" if piped else printable(target)), err=piped)
    _print("Note", done.notes)
    _print("Warning", done.warnings)


def _is_folder(out: str) -> bool:
    return out.endswith(("/", os.sep)) or os.path.isdir(out)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _summary(done: "Completion", output: str) -> str:
    width, height = done.size
    holes = f"{done.holes.count} hole{'' if done.holes.count == 1 else 's'}"
    return (
        f"{output}: {holes} filled, {done.holes.pixels} px of {width}x{height}, "
        f"{done.format} {done.mode}, {done.seconds:.1f} s"
    )


def _print(kind: str, sentences: "Iterable[str]") -> None:
    for sentence in sentences:
        click.echo(f"{kind}: {sentence}", err=True)


def _many(
    photos: "Path | tuple[Path, ...]",
    masks: str,
    out: Path,
    load: "Callable[[], Completer]",
    settings: dict,
    report_path: Path | None,
    **how: Any,
) -> "FolderReport":
    from rich.console import Console

    from keras_inpaint.batch.folders import FolderReport, complete_folder, write_report
    from keras_inpaint.commands.progress import FolderProgress

    report = FolderReport([])
    progress = FolderProgress(Console(stderr=True))
    try:
        with progress:
            complete_folder(photos, masks, out, load, report=report, on_file=progress.file, **how)
    finally:
        if report_path is not None and report.files:
            write_report(report, report_path, settings)
    _print(
        "Warning",
        (f"{printable(mask)}: no photo has this name" for mask in report.masks_without_photo),
    )
    counts = ", ".join(f"{number} {status}" for status, number in report.counts.items())
    where = f"; report: {printable(report_path)}" if report_path is not None else ""
    click.echo(f"{len(report.files)} photos in {report.seconds:.1f} s: {counts}{where}")
    return report
