"""``keras-inpaint export``: export a completion network to SavedModel, TFLite or ONNX."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import keras_inpaint
from keras_inpaint.commands.quiet import import_tensorflow
from keras_inpaint.files import write_atomically

if TYPE_CHECKING:
    from rich.table import Table

    from keras_inpaint.exporting.parity import Report

#: The public function of each format, and the name of its output.
_FORMATS = {
    "saved-model": ("export_saved_model", "the SavedModel"),
    "tflite": ("export_tflite", "the TFLite file"),
    "onnx": ("export_onnx", "the ONNX file"),
}
_QUANTIZATIONS = ("none", "float16", "dynamic", "int8")
_PHOTOS = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command(
    epilog="Example: keras-inpaint export runs/faces --format tflite --quantize int8 "
    "--calibrate photos/ --size 256 256 --size 512 512 --out faces.tflite"
)
@click.argument("model")
@click.option(
    "--format", "format_", type=click.Choice(list(_FORMATS)), required=True, help="The format."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The file to write; for a SavedModel the folder of its versions.",
)
@click.option("--name", help="The model's name; by default that of OUT.")
@click.option(
    "--quantize",
    type=click.Choice(_QUANTIZATIONS),
    default="none",
    help="TFLite: 16-bit weights, 8-bit weights, or 8-bit weights and arithmetic.",
)
@click.option(
    "--size",
    "sizes",
    nargs=2,
    type=int,
    multiple=True,
    metavar="H W",
    help="TFLite: a size that the file takes, multiples of 4; may be repeated.  [256 256]",
)
@click.option("--dynamic", is_flag=True, help="TFLite: a file for any multiples of 4.")
@click.option(
    "--calibrate",
    type=_PHOTOS,
    metavar="FOLDER",
    help="TFLite, int8: photos like those that the network will complete.",
)
@click.option(
    "--float-layer",
    "float_layers",
    multiple=True,
    metavar="NAME",
    help="TFLite, int8: a convolution that stays float32, or none; may be repeated.  [conv_17]",
)
@click.option("--version", type=click.IntRange(1), default=1, help="SavedModel: its version.")
@click.option(
    "--warmup/--no-warmup",
    default=True,
    help="SavedModel: include requests that a server replays before it is ready.",
)
@click.option(
    "--card",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="JSON file with entries for the model card or metadata.",
)
@click.option(
    "--photos",
    type=_PHOTOS,
    metavar="FOLDER",
    help="Photos to compare with Keras on; by default those of --calibrate, or built-in portraits.",
)
@click.option(
    "--photo-count",
    type=click.IntRange(1),
    default=8,
    help="Number of photos to compare on, at each size.",
)
@click.option(
    "--min-psnr", type=float, metavar="DB", help="Fail below this PSNR to Keras in the hole."
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the report to this file.",
)
def command(
    model: str,
    format_: str,
    out: Path,
    name: str | None,
    card: Path | None,
    photos: Path | None,
    photo_count: int,
    min_psnr: float | None,
    json_path: Path | None,
    **format_options: Any,
) -> None:
    """Export a completion network to SavedModel, TFLite or ONNX.

    MODEL is a run's folder, a .keras file or a preset's name. The export is read back and compared
    with Keras on photos before it gets its final name; if they differ too much, no file is left.
    """
    options = _checked_options(format_, out, **format_options)
    import_tensorflow()
    from keras_inpaint.exporting.calibration import read_photos, sample_photos
    from keras_inpaint.exporting.network import card_of, load_network
    from keras_inpaint.exporting.parity import Report, check_parity, verify
    from keras_inpaint.files import read_json_object

    folder = photos or format_options["calibrate"]
    compared = read_photos(folder, photo_count) if folder else sample_photos(photo_count)
    known = read_json_object(card) if card else card_of(model)
    network = load_network(model)
    reports: list[Report] = []

    def check(path: Path) -> None:
        click.echo(f"Comparing with Keras on {len(compared)} photos at each size...")
        reports.append(verify(path, network, compared))
        try:
            check_parity(reports[0], min_psnr)
        except RuntimeError:
            _print(reports[0])
            raise

    function, what = _FORMATS[format_]
    click.echo(f"Writing {what}...")
    export = getattr(keras_inpaint, function)
    written = export(network, out, name=name, card=known, check=check, **options)
    _print(reports[0])
    if json_path is not None:
        report = {**reports[0].as_dict(), "path": str(written)}
        text = json.dumps(report, indent=2) + "\n"
        write_atomically(json_path, text.encode(), overwrite=True)
    click.echo(f"Wrote {written}")


def _checked_options(
    format_: str,
    out: Path,
    quantize: str,
    sizes: tuple[tuple[int, int], ...],
    dynamic: bool,
    calibrate: Path | None,
    float_layers: tuple[str, ...],
    version: int,
    warmup: bool,
) -> dict[str, Any]:
    """Return the arguments of the format's function; raise an error for invalid combinations."""
    tflite_only = {
        "--quantize": quantize != "none",
        "--size": bool(sizes),
        "--dynamic": dynamic,
        "--calibrate": calibrate is not None,
        "--float-layer": bool(float_layers),
    }
    if format_ != "tflite":
        for option, is_set in tflite_only.items():
            if is_set:
                raise click.UsageError(f"{option} requires --format tflite")
        if format_ == "onnx" and out.is_dir():
            raise click.UsageError(f"--out must be a file, got the folder {out}")
        return {} if format_ == "onnx" else {"version": version, "warmup": warmup}
    if dynamic and sizes:
        raise click.UsageError("give either --size or --dynamic")
    if dynamic and quantize in ("dynamic", "int8"):
        raise click.UsageError(
            f"--dynamic takes --quantize none or float16, not {quantize}: give --size"
        )
    if calibrate is not None and quantize != "int8":
        raise click.UsageError("--calibrate requires --quantize int8")
    if float_layers and quantize != "int8":
        raise click.UsageError("--float-layer requires --quantize int8")
    if out.is_dir():
        raise click.UsageError(f"--out must be a file, got the folder {out}")
    for size in sizes:
        if min(size) < 4 or any(side % 4 for side in size):
            raise click.BadParameter(
                f"sides must be multiples of 4, got {size[0]} {size[1]}", param_hint="--size"
            )
    options = {
        "quantize": quantize,
        "sizes": None if dynamic else sizes or ((256, 256),),
        "calibration": calibrate,
    }
    if float_layers:
        options["float_layers"] = [name for name in float_layers if name != "none"]
    return options


def _print(report: "Report") -> None:
    from rich.console import Console

    # Wide enough not to wrap if the output is not a terminal.
    console = Console(width=None if Console().is_terminal else 120)
    console.print(_table(report))
    for line in _op_lines(report):
        click.echo(line)


def _table(report: "Report") -> "Table":
    from rich import box
    from rich.table import Table

    kind = f"tflite, {report.quantization}" if report.format == "tflite" else report.format
    table = Table(
        title=f"{kind}: {report.size_on_disk / 1e6:.2f} MB on disk",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("signature", no_wrap=True)
    for heading in ("size", "photos", "PSNR in\nthe hole", "largest\nerror", "known\npixels"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("Keras\nms", justify="right", no_wrap=True)
    for comparison in report.comparisons:
        psnr = comparison.psnr
        table.add_row(
            comparison.signature,
            f"{comparison.height}x{comparison.width}",
            str(comparison.photos),
            "identical" if math.isinf(psnr) else f"{psnr:.1f} dB",
            f"{comparison.largest_error * 255:.3f}/255",
            "kept" if comparison.known_pixels_kept else "CHANGED",
            f"{comparison.milliseconds:.1f}",
            f"{comparison.keras_milliseconds:.1f}",
        )
    return table


def _op_lines(report: "Report") -> list[str]:
    """Return the ops of each distinct graph, one line per graph."""
    graphs: dict[str, list[str]] = {}
    for name, ops in report.ops.items():
        shown = {op: count for op, count in ops.items() if _is_shown(report.format, op)}
        listed = [f"{op} {count}" for op, count in sorted(shown.items())]
        if others := sum(ops.values()) - sum(shown.values()):
            listed.append(f"{others} others")
        graphs.setdefault(", ".join(listed), []).append(name)
    return [f"Ops of {', '.join(names)}: {listed}" for listed, names in graphs.items()]


def _is_shown(format_: str, op: str) -> bool:
    # A SavedModel's graph has many small ops; only its convolutions and codecs are of interest.
    return format_ != "saved-model" or op.startswith(("Conv2D", "Decode", "Encode"))
