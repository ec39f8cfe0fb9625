"""``keras-inpaint complete``: fill the holes of a photo, or of a folder of photos."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_inpaint.commands.choosing_options import scale_and_texture
from keras_inpaint.commands.quiet import greetings_held
from keras_inpaint.inference import blend_methods
from keras_inpaint.processors import processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from keras_inpaint.inference.completing import Completer, Completion, MaskOptions
    from keras_inpaint.inference.folders import FolderReport

_PATH = click.Path(path_type=Path)


@click.command(
    epilog="Examples: keras-inpaint complete photo.jpg --mask mask.png -o out.jpg; "
    "keras-inpaint complete photos/ --mask masks/ -o out/ --jobs 2 --report report.json"
)
@click.argument("photo", type=_PATH, metavar="PHOTO|FOLDER")
@click.option(
    "--mask",
    required=True,
    metavar="FILE|FOLDER|alpha",
    help="The mask, white in the hole; for a folder of photos also a folder of masks of the same "
    "names; or the word alpha for the photo's own transparency.",
)
@click.option(
    "-o", "--out", type=_PATH, required=True, help="The file to write, or the folder to write to."
)
@click.option(
    "--model",
    metavar="NAME|PATH",
    default=blend_methods.AUTO,
    show_default=True,
    help="A preset, a .keras or .tflite file, a SavedModel or a run's folder; auto chooses among "
    "the presets, hole by hole, by what is known around it.",
)
@click.option(
    "--runtime",
    type=click.Choice(["auto", "keras", "saved-model", "litert"]),
    default="auto",
    show_default=True,
    help="What computes it; auto is litert where the model has a TFLite file for any size.",
)
@click.option(
    "--blend",
    type=click.Choice(blend_methods.METHODS),
    default=blend_methods.USUAL,
    show_default=True,
    help="How the hole's rim is matched to the photo; none leaves what the network gives.",
)
@click.option(
    "--coarse",
    type=click.Choice(["auto", "off"]),
    default="auto",
    show_default=True,
    help="Holes wider than the network can see: complete a reduced photo first, or refuse.",
)
@scale_and_texture
@click.option(
    "--mask-polarity",
    type=click.Choice(["white", "black"]),
    default="white",
    show_default=True,
    help="What marks the hole in a mask file.",
)
@click.option(
    "--grow",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="PIXELS",
    help="Widen the hole all around.",
)
@click.option("--resize-mask", is_flag=True, help="Resize a mask of another size to the photo's.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Folder: processes; each loads the model and takes its share of the processor.",
)
@click.option(
    "--recursive/--no-recursive", default=True, show_default=True, help="Folder: look inside too."
)
@click.option("--resume", is_flag=True, help="Skip outputs that are newer than photo and mask.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist, the photo included.")
@click.option("--report", type=_PATH, metavar="FILE", help="Folder: write a JSON report.")
@click.pass_context
def command(
    ctx: click.Context,
    photo: Path,
    mask: str,
    out: Path,
    model: str,
    runtime: str,
    blend: str,
    coarse: str,
    scale: int | str,
    texture: str,
    mask_polarity: str,
    grow: int,
    resize_mask: bool,
    jobs: int,
    recursive: bool,
    resume: bool,
    overwrite: bool,
    report: Path | None,
) -> None:
    """Fill the holes of a photo, or of every photo in a folder.

    JPEG, PNG, WebP, TIFF, BMP and GIF, in the photo's own mode and size; outside the hole its
    pixels stay as they are, unless a JPEG is written. Masks are white in the hole, as large as
    the photo is shown, and cut at half.
    """
    from keras_inpaint.inference.completing import MaskOptions

    options = MaskOptions(mask_polarity, grow, resize_mask)
    network = {"runtime": runtime, "blend": blend, "coarse": coarse}
    network |= {"scale": scale, "texture": texture}
    if not photo.is_dir():
        if report is not None:
            raise click.UsageError(f"--report is for a folder of photos, and {photo} is none.")
        if mask != "alpha" and Path(mask).is_dir():
            raise click.BadParameter(
                f"{mask} is a folder, and {photo} is one photo.", param_hint="--mask"
            )
        load = _loader(model, None, network)
        _one(photo, mask, out, load, options, resume=resume, overwrite=overwrite)
        return
    _check_report(report)
    settings = {
        "photos": str(photo),
        "mask": mask,
        "output": str(out),
        "model": model,
        **network,
        "mask_polarity": mask_polarity,
        "grow": grow,
        "resize_mask": resize_mask,
    }
    found = _many(
        photo,
        mask,
        out,
        _loader(model, jobs, network),
        settings,
        report,
        options=options,
        jobs=jobs,
        recursive=recursive,
        resume=resume,
        overwrite=overwrite,
    )
    ctx.exit(1 if found.failed else 0)


def _loader(model: str, jobs: int | None, network: dict) -> "Callable[[], Completer]":
    """Return what loads the model; raise at once if there is no such model."""
    from keras_inpaint import presets
    from keras_inpaint.inference.inpainter import Inpainter

    names = None if model == blend_methods.AUTO else model
    presets.resolve(names, prefer=".tflite" if network["runtime"] == "litert" else ".keras")
    threads = None if jobs in (None, 1) else max(1, processors() // jobs)
    return partial(_quietly, partial(Inpainter, model, threads=threads, **network))


def _quietly(load: "Callable[[], Completer]") -> "Completer":
    with greetings_held():
        return load()


def _check_report(report: Path | None) -> None:
    from keras_inpaint.inference.atomic import check_target

    if report is not None:
        check_target(report, overwrite=True)


def _one(
    photo: Path,
    mask: str,
    out: Path,
    load: "Callable[[], Completer]",
    options: "MaskOptions",
    *,
    resume: bool,
    overwrite: bool,
) -> None:
    from rich.console import Console

    from keras_inpaint.inference.atomic import shown
    from keras_inpaint.inference.completing import complete_file
    from keras_inpaint.inference.folders import is_done

    if resume and is_done(photo, mask, out):
        click.echo(f"{shown(out)}: done before, skipped")
        return
    console = Console(stderr=True)
    with console.status(f"Completing {shown(photo)} ..."):
        done = complete_file(photo, mask, out, load, options=options, overwrite=overwrite)
    click.echo(_told(done))
    _say("Note", done.notes)
    _say("Warning", done.warnings)


def _told(done: "Completion") -> str:
    from keras_inpaint.inference.atomic import shown

    width, height = done.size
    holes = f"{done.holes.count} hole{'' if done.holes.count == 1 else 's'}"
    return (
        f"{shown(done.output)}: {holes} filled, {done.holes.pixels} px of {width}x{height}, "
        f"{done.format} {done.mode}, {done.seconds:.1f} s"
    )


def _say(kind: str, sentences: "Iterable[str]") -> None:
    for sentence in sentences:
        click.echo(f"{kind}: {sentence}", err=True)


def _many(
    photos: Path,
    masks: str,
    out: Path,
    load: "Callable[[], Completer]",
    settings: dict,
    report_path: Path | None,
    **how: Any,
) -> "FolderReport":
    from rich.console import Console

    from keras_inpaint.commands.complete_progress import Bar, Lines
    from keras_inpaint.inference.atomic import shown
    from keras_inpaint.inference.folders import FolderReport, complete_folder, write_report

    report = FolderReport([])
    console = Console(stderr=True)
    follow = Bar(console) if console.is_terminal else Lines()
    try:
        with follow:
            complete_folder(photos, masks, out, load, report=report, on_file=follow.file, **how)
    finally:
        if report_path is not None and report.files:
            write_report(report, report_path, settings)
    _say(
        "Warning", (f"{shown(mask)}: no photo has this name" for mask in report.masks_without_photo)
    )
    counts = ", ".join(f"{number} {status}" for status, number in report.counts.items())
    where = f"; report: {shown(report_path)}" if report_path is not None else ""
    click.echo(f"{len(report.files)} photos in {report.seconds:.1f} s: {counts}{where}")
    return report
