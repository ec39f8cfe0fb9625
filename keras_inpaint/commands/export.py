"""``keras-inpaint export``: a completion network as SavedModel, TFLite or ONNX."""

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

#: Each format's public function, and what it writes.
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
    "--format", "format_", type=click.Choice(list(_FORMATS)), required=True, help="What to write."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The file to write; for a SavedModel the folder that holds its versions.",
)
@click.option("--name", help="What the model is called; by default as OUT.")
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
    help="TFLite: a size that the file takes, multiples of 4; may be given again.  [256 256]",
)
@click.option("--dynamic", is_flag=True, help="TFLite: a file for any multiples of 4.")
@click.option(
    "--calibrate",
    type=_PHOTOS,
    metavar="FOLDER",
    help="TFLite, int8: photos like those that the network will see.",
)
@click.option(
    "--float-layer",
    "float_layers",
    multiple=True,
    metavar="NAME",
    help="TFLite, int8: a convolution that stays float32, or none; may be given again.  [conv_17]",
)
@click.option("--version", type=click.IntRange(1), default=1, help="SavedModel: its version.")
@click.option(
    "--warmup/--no-warmup",
    default=True,
    help="SavedModel: requests that a server replays before it is ready.",
)
@click.option(
    "--card",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="JSON of what is known about the network, for its model card or metadata.",
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
    help="How many photos to compare on, at each size.",
)
@click.option(
    "--min-psnr", type=float, metavar="DB", help="Fail below this PSNR to Keras in the hole."
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the report here too.",
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
    **given: Any,
) -> None:
    """Write a completion network as SavedModel, TFLite or ONNX.

    MODEL is a run's folder, a .keras file or a preset's name. What was written is read back and
    compared with Keras on photos before it gets its name; if it is not as good as it has to be,
    nothing is left behind.
    """
    options = _checked_options(format_, out, **given)
    import_tensorflow()
    from keras_inpaint.exporting.calibration import read_photos, sample_photos
    from keras_inpaint.exporting.network import card_of, load_network
    from keras_inpaint.exporting.parity import Report, check_parity, verify
    from keras_inpaint.files import read_json_object

    folder = photos or given["calibrate"]
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
    """Return what the format's function takes, after a check of what goes together."""
    tflite_only = {
        "--quantize": quantize != "none",
        "--size": bool(sizes),
        "--dynamic": dynamic,
        "--calibrate": calibrate is not None,
        "--float-layer": bool(float_layers),
    }
    if format_ != "tflite":
        for option, given in tflite_only.items():
            if given:
                raise click.UsageError(f"{option} belongs to --format tflite")
        if format_ == "onnx" and out.is_dir():
            raise click.UsageError(f"--out {out} is a folder; an ONNX file goes to a file")
        return {} if format_ == "onnx" else {"version": version, "warmup": warmup}
    if dynamic and sizes:
        raise click.UsageError("give either --size or --dynamic")
    if dynamic and quantize in ("dynamic", "int8"):
        raise click.UsageError(
            f"--dynamic takes --quantize none or float16, not {quantize}: give --size"
        )
    if calibrate is not None and quantize != "int8":
        raise click.UsageError("--calibrate belongs to --quantize int8")
    if float_layers and quantize != "int8":
        raise click.UsageError("--float-layer belongs to --quantize int8")
    if out.is_dir():
        raise click.UsageError(f"--out {out} is a folder; a TFLite file goes to a file")
    for size in sizes:
        if min(size) < 4 or any(side % 4 for side in size):
            raise click.BadParameter(
                f"sides are multiples of 4, got {size[0]} {size[1]}", param_hint="--size"
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

    # Plain lines of any length where the output is no terminal.
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
    for found in report.comparisons:
        table.add_row(
            found.signature,
            f"{found.height}x{found.width}",
            str(found.photos),
            "identical" if math.isinf(found.psnr) else f"{found.psnr:.1f} dB",
            f"{found.largest_error * 255:.3f}/255",
            "kept" if found.known_pixels_kept else "CHANGED",
            f"{found.milliseconds:.1f}",
            f"{found.keras_milliseconds:.1f}",
        )
    return table


def _op_lines(report: "Report") -> list[str]:
    """Return the ops of each different graph, a line each."""
    graphs: dict[str, list[str]] = {}
    for name, ops in report.ops.items():
        shown = {op: count for op, count in ops.items() if _is_shown(report.format, op)}
        listed = [f"{op} {count}" for op, count in sorted(shown.items())]
        if others := sum(ops.values()) - sum(shown.values()):
            listed.append(f"{others} others")
        graphs.setdefault(", ".join(listed), []).append(name)
    return [f"Ops of {', '.join(names)}: {listed}" for listed, names in graphs.items()]


def _is_shown(format_: str, op: str) -> bool:
    # A SavedModel's graph is full of small ops; its convolutions and codecs tell what it does.
    return format_ != "saved-model" or op.startswith(("Conv2D", "Decode", "Encode"))
