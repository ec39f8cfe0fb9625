"""An evaluation on the terminal."""

from rich import box
from rich.markup import escape
from rich.table import Table

from keras_inpaint.evaluation.metrics import METRICS, Interval
from keras_inpaint.evaluation.report import Report

#: Columns of the table: metric, heading, digits after the point.
COLUMNS = (
    ("psnr_hole", "PSNR hole", ".2f"),
    ("psnr_hole_of_mean_mse", "of mean MSE", ".2f"),
    ("ssim_hole", "SSIM hole", ".3f"),
    ("gradient_hole", "grad hole", ".2f"),
    ("ssim_whole", "SSIM whole", ".4f"),
    ("l1_hole", "L1% hole", ".2f"),
    ("mse_whole", "MSE whole", ".2e"),
)


def is_higher_better(metric: str) -> bool:
    """Return whether more of a metric is better."""
    return METRICS[metric][0] if metric in METRICS else True


def best_method(report: Report, metric: str) -> str:
    """Return the method with the best mean of a metric."""
    means = {name: report.summary(name)[metric].mean for name in report.methods}
    if metric == "gradient_hole":  # neither more nor less texture than there was
        return min(means, key=lambda name: abs(means[name] - 1))
    return (max if is_higher_better(metric) else min)(means, key=lambda name: means[name])


def summary_table(report: Report) -> Table:
    """Return a table of each method's means, each with half the width of its interval."""
    protocol = report.protocol
    table = Table(
        title=escape(
            f"{protocol['data']}: {len(report.photos)} photos, {protocol['masks']}, "
            f"{protocol['size']} px, seed {protocol['seed']}"
        ),
        caption="± is half of the 95 % interval; of mean MSE: PSNR of the holes' mean MSE",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("method", no_wrap=True)
    best = {}
    for metric, heading, _ in COLUMNS:
        table.add_column("\n".join(heading.rsplit(" ", 1)), justify="right", no_wrap=True)
        best[metric] = best_method(report, metric)
    for method in report.methods:
        found = report.summary(method)
        cells = []
        for metric, _, digits in COLUMNS:
            cell = f"{found[metric].mean:{digits}}"
            if metric == "psnr_hole":
                cell += f" ±{(found[metric].high - found[metric].low) / 2:{digits}}"
            is_best = best[metric] == method and len(report.methods) > 1
            cells.append(f"[bold]{cell}[/bold]" if is_best else cell)
        table.add_row(escape(method), *cells)
    return table


def area_table(report: Report) -> Table | None:
    """Return a table of the PSNR in the hole by hole area; None where there is one band."""
    bands = {method: report.by_area(method) for method in report.methods}
    first = next(iter(bands.values()))
    if len(first) < 2:
        return None
    table = Table(
        title="PSNR in the hole by its area, dB",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("method", no_wrap=True)
    for band in first:
        heading = f"{100 * band['above']:.0f}-{100 * band['up_to']:.0f} %\n({band['photos']})"
        table.add_column(heading, justify="right")
    for method, found in bands.items():
        table.add_row(escape(method), *(f"{band['psnr_hole'].mean:.2f}" for band in found))
    return table


def headline(report: Report) -> list[str]:
    """Return a sentence a network: its PSNR in the hole, and its gain over the best baseline."""
    lines = []
    best = report.best_baseline()
    for name in report.models:
        found = report.summary(name)["psnr_hole"]
        line = f"{name}: {found.mean:.2f} dB in the hole"
        if best is not None:
            gap = report.differences(name, best)
            gain: Interval = gap["psnr_hole"]
            line += (
                f", {gain.mean:+.2f} dB [{gain.low:+.2f}, {gain.high:+.2f}] against {best}, the "
                f"best baseline; better on {100 * gap['wins']:.0f} % of the photos"
            )
        lines.append(line)
    return lines


def feature_table(report: Report) -> Table | None:
    """Return a table of distances on features; None where no features network was given."""
    if report.features is None:
        return None
    table = Table(
        title=f"Distances on {report.features['features']} features of "
        f"{report.features['photos']} photos, less is better",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    table.add_column("method", no_wrap=True)
    headings = {"fid": "FID", "kid": "KID", "perceptual": "perceptual"}
    told = next(iter(report.features["methods"].values()))
    shown = {key: heading for key, heading in headings.items() if key in told}
    for heading in shown.values():
        table.add_column(heading, justify="right")
    for method, found in report.features["methods"].items():
        table.add_row(escape(method), *(f"{found[key]:.4g}" for key in shown))
    return table
