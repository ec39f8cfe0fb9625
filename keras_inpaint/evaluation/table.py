"""Tables of an evaluation, for the terminal and the page."""

from dataclasses import dataclass

from rich import box
from rich.markup import escape
from rich.table import Table as TerminalTable

from keras_inpaint.evaluation.metrics import METRICS, Interval
from keras_inpaint.evaluation.report import Report

#: Columns of the summary: metric, heading, digits after the point.
COLUMNS = (
    ("psnr_hole", "PSNR hole", ".2f"),
    ("psnr_hole_of_mean_mse", "of mean MSE", ".2f"),
    ("ssim_hole", "SSIM hole", ".3f"),
    ("gradient_hole", "grad hole", ".2f"),
    ("ssim_whole", "SSIM whole", ".4f"),
    ("l1_hole", "L1% hole", ".2f"),
    ("mse_whole", "MSE whole", ".2e"),
)
_DISTANCES = {"fid": "FID", "kid": "KID", "perceptual": "perceptual"}


@dataclass(frozen=True)
class Cell:
    """A figure as text.

    Attributes:
        mean: The mean over the photos.
        interval: The ends of its 95 % interval, or empty.
        half: Half of the interval's width if the terminal has room for it, or empty.
        is_best: Whether it is the best of its column.
    """

    mean: str
    interval: str = ""
    half: str = ""
    is_best: bool = False


@dataclass(frozen=True)
class Table:
    """Figures of each method.

    Attributes:
        title: String, the table's title.
        columns: The headings.
        rows: Each method's cells, one per column.
        note: The note below the table in the terminal.
    """

    title: str
    columns: tuple[str, ...]
    rows: dict[str, list[Cell]]
    note: str = ""


def tables(report: Report) -> list[Table]:
    """Return the tables of a report, the summary first."""
    candidates = (summary(report), by_area(report), distances(report))
    return [table for table in candidates if table is not None]


def summary(report: Report) -> Table:
    """Return each method's means."""
    rows: dict[str, list[Cell]] = {name: [] for name in report.methods}
    for metric, _, digits in COLUMNS:
        best = best_method(report, metric)
        for name, cells in rows.items():
            interval = report.summary(name)[metric]
            half = f"{(interval.high - interval.low) / 2:{digits}}" if metric == "psnr_hole" else ""
            text = range_text(interval, digits)
            is_best = name == best and len(rows) > 1
            cells.append(Cell(f"{interval.mean:{digits}}", text, half, is_best))
    protocol = report.protocol
    return Table(
        f"{protocol['data']}: {len(report.photos)} photos, {protocol['masks']}, "
        f"{protocol['size']} px, seed {protocol['seed']}",
        tuple(heading for _, heading, _ in COLUMNS),
        rows,
        "± is half of the 95 % interval; of mean MSE: PSNR of the holes' mean MSE",
    )


def by_area(report: Report) -> Table | None:
    """Return the PSNR in the hole by hole area; None if there is only one band."""
    bands = {name: report.by_area(name) for name in report.methods}
    first = next(iter(bands.values()))
    if len(first) < 2:
        return None
    return Table(
        "PSNR in the hole by its area, dB (photos)",
        tuple(
            f"{100 * band['above']:.0f}-{100 * band['up_to']:.0f} % ({band['photos']})"
            for band in first
        ),
        {
            name: [
                Cell(f"{band['psnr_hole'].mean:.2f}", range_text(band["psnr_hole"], ".2f"))
                for band in of_method
            ]
            for name, of_method in bands.items()
        },
    )


def distances(report: Report) -> Table | None:
    """Return the distances on features; None without a features network."""
    features = report.features
    if features is None:
        return None
    first = next(iter(features["methods"].values()))
    shown = {key: heading for key, heading in _DISTANCES.items() if key in first}
    return Table(
        f"Distances on {features['features']} features of {features['photos']} photos, "
        "lower is better",
        tuple(shown.values()),
        {
            name: [Cell(f"{values[key]:.4g}") for key in shown]
            for name, values in features["methods"].items()
        },
    )


def best_method(report: Report, metric: str) -> str:
    """Return the method with the best mean of a metric."""
    means = {name: report.summary(name)[metric].mean for name in report.methods}
    if metric == "gradient_hole":  # 1 is the original's amount of texture
        return min(means, key=lambda name: abs(means[name] - 1))
    is_higher_better = METRICS[metric][0] if metric in METRICS else True
    return (max if is_higher_better else min)(means, key=lambda name: means[name])


def terminal_table(table: Table) -> TerminalTable:
    """Return a table for Rich's console: means, and half of an interval if there is room."""
    result = TerminalTable(
        title=escape(table.title),
        caption=table.note or None,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    result.add_column("method", no_wrap=True)
    for heading in table.columns:
        result.add_column("\n".join(heading.rsplit(" ", 1)), justify="right", no_wrap=True)
    for name, cells in table.rows.items():
        texts = []
        for cell in cells:
            text = f"{cell.mean} ±{cell.half}" if cell.half else cell.mean
            texts.append(f"[bold]{text}[/bold]" if cell.is_best else text)
        result.add_row(escape(name), *texts)
    return result


def headline(report: Report) -> list[str]:
    """Return one line per network: its PSNR in the hole, and its gain over the best baseline."""
    lines = []
    best = report.best_baseline()
    for name in report.models:
        line = f"{name}: {report.summary(name)['psnr_hole'].mean:.2f} dB in the hole"
        if best is not None:
            difference = report.differences(name, best)
            gain: Interval = difference["psnr_hole"]
            line += (
                f", {gain.mean:+.2f} dB [{gain.low:+.2f}, {gain.high:+.2f}] over {best}, the "
                f"best baseline; better on {100 * difference['wins']:.0f} % of the photos"
            )
        lines.append(line)
    return lines


def range_text(interval: Interval, digits: str) -> str:
    """Return the two ends of an interval, as `18.20 to 19.31`."""
    return f"{interval.low:{digits}} to {interval.high:{digits}}"
