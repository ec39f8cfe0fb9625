"""`keras-inpaint evaluate`: reproducible figures of networks and baselines."""

import sys
from pathlib import Path
from typing import Any

import click

from keras_inpaint.commands.choosing_options import network_options
from keras_inpaint.commands.quiet import import_tensorflow
from keras_inpaint.data.mask_specs import GRAMMAR
from keras_inpaint.presets import DEFAULT_PRESET, PRESETS

_BASELINES = ("mean-pixel", "telea", "navier-stokes", "biharmonic")
_CONTRIB = ("fsr", "shift-map")


@click.command(
    epilog="Example: keras-inpaint evaluate photos/ --model faces --masks center:40 --baselines "
    "--json figures.json --html report.html"
)
@click.argument("photos", metavar="DATA")
@click.option(
    "--model",
    multiple=True,
    metavar="NAME|PATH",
    help=f"A preset ({', '.join(PRESETS)}), auto to choose among them, a run's folder, or a "
    ".keras, .tflite or SavedModel; may be repeated; `none` for baselines only.  "
    f"[default: {DEFAULT_PRESET}]",
)
@click.option(
    "--masks",
    default="center:40",
    metavar="SPEC",
    help=f"The holes: {GRAMMAR} (white is the hole). With several kinds, each photo gets one.",
)
@click.option(
    "--size",
    type=click.IntRange(16),
    default=160,
    help="Side in px of the square cropped from each photo.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    help="Seed of the holes and of the confidence intervals.",
)
@click.option(
    "--enlarge",
    type=click.IntRange(1, 8),
    default=1,
    help="Factor by which to enlarge each cropped photo and its hole: the same photo at another "
    "scale.",
)
@click.option(
    "--network-alone",
    is_flag=True,
    help="Also evaluate each network without blending, reduced scale and texture.",
)
@click.option("--baselines", is_flag=True, help=f"Also evaluate {', '.join(_BASELINES)}.")
@click.option(
    "--baseline",
    "chosen",
    multiple=True,
    type=click.Choice(_BASELINES + _CONTRIB),
    help="Also evaluate this baseline; may be repeated. fsr and shift-map need OpenCV's contrib "
    "modules.",
)
@click.option("--limit", type=click.IntRange(1), help="Largest number of photos, spread evenly.")
@click.option(
    "--only",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A text file with the names of the photos to evaluate, one per line.",
)
@click.option(
    "--held-out",
    metavar="RUN|PART",
    callback=lambda ctx, param, value: _run_or_part(value),
    help="Evaluate only the photos that a training run held out: the folder of the run, or its "
    "--held-out, with its --seed as --split-seed.",
)
@click.option("--split-seed", type=int, default=0, help="The seed of the training run.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the TFDS data.")
@network_options
@click.option(
    "--features",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A .keras network from photos in [0, 1] to features, for FID and KID, and for the "
    "perceptual distance in the hole if its outputs are feature maps.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write a JSON report.")
@click.option("--html", "html_file", type=click.Path(path_type=Path), help="Write an HTML report.")
def command(
    model: tuple[str, ...],
    baselines: bool,
    chosen: tuple[str, ...],
    only: Path | None,
    json_file: Path | None,
    html_file: Path | None,
    **options: Any,
) -> None:
    """Evaluate completion networks and classical baselines on the photos of DATA.

    DATA is a folder, `tfds:NAME` or `tfds:NAME@SPLIT`, or `sample` or `sample:COUNT`: 25 bundled
    portraits that are not used for training. The same photos, holes and network give the same
    figures.
    """
    from keras_inpaint.evaluation.metrics import required
    from keras_inpaint.files import check_target

    required("skimage.metrics")
    if html_file:
        required("matplotlib.figure")
    for file in filter(None, (json_file, html_file)):
        check_target(file, overwrite=True)

    import_tensorflow()
    from rich.progress import MofNCompleteColumn, TimeRemainingColumn

    from keras_inpaint.commands.progress import counted
    from keras_inpaint.evaluation.evaluate import evaluate

    with counted("measuring", MofNCompleteColumn(), TimeRemainingColumn()) as show:

        def progress(done: int, total: int) -> None:
            show(done, total)
            if not sys.stderr.isatty() and done * 10 // total > (done - 1) * 10 // total:
                click.echo(f"measured {done} of {total} photos", err=True)

        report = evaluate(
            model=list(model) or None,
            baselines=tuple(dict.fromkeys((_BASELINES if baselines else ()) + chosen)),
            only=_names(only),
            cases=3 if html_file else 0,
            progress=progress,
            **options,
        )
    _show(report)
    if json_file:
        report.write_json(json_file)
        click.echo(f"figures: {json_file}")
    if html_file:
        report.write_html(html_file)
        click.echo(f"page: {html_file}")


def _run_or_part(value: str | None) -> float | Path | None:
    try:
        part = float(value) if value is not None else None
    except ValueError:
        return Path(value)
    if part is not None and not 0 < part < 1:
        raise click.BadParameter(f"the part must be above 0 and below 1, got {value}")
    return part


def _show(report: Any) -> None:
    from rich.console import Console

    from keras_inpaint.evaluation.table import headline, tables, terminal_table

    console = Console(width=None if sys.stdout.isatty() else 100)
    for table in tables(report):
        console.print(terminal_table(table))
    for line in headline(report):
        click.echo(line)
    if report.skipped:
        click.echo(f"skipped, unreadable: {', '.join(report.skipped)}")


def _names(file: Path | None) -> list[str] | None:
    if file is None:
        return None
    names = [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    if not names:
        raise ValueError(f"no names in {file}")
    return names
