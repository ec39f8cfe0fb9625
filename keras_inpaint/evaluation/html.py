"""Show an evaluation as one self-contained page: figures, plots, images."""

import base64
import io
import os
from html import escape
from importlib.resources import files
from string import Template

import numpy as np
from PIL import Image

from keras_inpaint.evaluation import plots
from keras_inpaint.evaluation.metrics import METRICS
from keras_inpaint.evaluation.report import Case, Report
from keras_inpaint.evaluation.table import Table, by_area, distances, range_text, summary
from keras_inpaint.files import write_atomically

_PSNR, _SSIM = "PSNR in the hole, dB", "SSIM in the hole"
_HOLE_COLOUR = (128, 128, 132)

_KINDS = {
    "worst": "Worst photos",
    "median": "Median photos",
    "best": "Best photos",
}


class PageReport(Report):
    """A report that can be written as a page."""

    def to_html(self) -> str:
        """Return the report as a page that needs no other files and no internet connection.

        Its `cases` are shown as images. The same report gives the same page.

        Raises:
            RuntimeError: If matplotlib, of the extra `evaluate`, is missing.
        """
        return _page(self)

    def write_html(self, file: str | os.PathLike[str]) -> None:
        """Write `to_html()` to a file atomically."""
        write_atomically(file, self.to_html().encode(), overwrite=True)


def _page(report: Report) -> str:
    protocol = report.protocol
    template = Template(files("keras_inpaint.evaluation").joinpath("page.html").read_text("utf-8"))
    names = ", ".join(report.models) or "Baselines"
    others = [table for table in (by_area(report), distances(report)) if table is not None]
    colours = plots.colours(report)
    return template.substitute(
        title=escape(f"{names} on {protocol['data']}"),
        lede=escape(
            f"{len(report.photos)} photos of {protocol['size']} x {protocol['size']} px, holes "
            f"{protocol['masks']}, seed {protocol['seed']}."
        ),
        facts=_facts(report),
        table=_table(summary(report), colours),
        tables="\n".join(
            f"<h3>{escape(table.title)}</h3>{_table(table, colours)}" for table in others
        ),
        plots=_plots(report),
        cases=_cases(report),
        method=_method(report),
    )


def _facts(report: Report) -> str:
    facts = []
    best = report.best_baseline()
    for name in report.models:
        mean = report.summary(name)["psnr_hole"]
        text = f"{name}: PSNR in the hole, {range_text(mean, '.2f')}"
        facts.append((f"{mean.mean:.2f} dB", text))
        if best is not None:
            difference = report.differences(name, best)
            gain = difference["psnr_hole"]
            text = f"against {best}, the best baseline, {range_text(gain, '.2f')}"
            facts.append((f"{gain.mean:+.2f} dB", text))
            facts.append((f"{100 * difference['wins']:.0f} %", f"of the photos better than {best}"))
    items = (f"<li><b>{escape(value)}</b><span>{escape(text)}</span></li>" for value, text in facts)
    return f'<ul class="facts">{"".join(items)}</ul>' if facts else ""


def _table(table: Table, colours: dict[str, str]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in ("method", *table.columns))
    rows = []
    for name, cells in table.rows.items():
        dot = f'<span class="dot" style="background:{colours[name]}"></span>'
        row = [f'<th scope="row">{dot}{escape(name)}</th>']
        for cell in cells:
            kind = ' class="best"' if cell.is_best else ""
            interval = f"<small>{cell.interval}</small>" if cell.interval else ""
            row.append(f"<td{kind}>{cell.mean}{interval}</td>")
        rows.append(f"<tr>{''.join(row)}</tr>")
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _plots(report: Report) -> str:
    figures = (
        ("Means with their 95 % intervals.", plots.means(report, "psnr_hole", _PSNR)),
        ("Means with their 95 % intervals.", plots.means(report, "ssim_hole", _SSIM)),
        ("Photos at or below a PSNR.", plots.distribution(report)),
        ("Each dot is a photo, each line the mean of a band.", plots.by_area(report)),
        ("Gain over the best baseline, photo by photo.", plots.gains(report)),
    )
    return "\n".join(
        f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"
        for caption, svg in figures
        if svg
    )


def _cases(report: Report) -> str:
    parts = []
    for kind, heading in _KINDS.items():
        chosen = [case for case in report.cases if case.kind == kind]
        if chosen:
            parts.append(f"<h2>{heading}</h2>")
            parts.extend(_case(report, case) for case in chosen)
    if parts:
        first = escape(report.methods[0])
        parts.append(f'<p class="note">Ranked by the PSNR of {first} in the hole.</p>')
    return "\n".join(parts)


def _case(report: Report, case: Case) -> str:
    photo = report.photos[case.number]
    holed = case.original.copy()
    holed[case.mask] = _HOLE_COLOUR
    images = [
        ("original", "", case.original),
        ("with its hole", f"{100 * photo.area:.1f} % of the photo", holed),
    ]
    for name, completed in case.completed.items():
        metrics = photo.figures[name]
        text = f"{metrics['psnr_hole']:.2f} dB\nSSIM {metrics['ssim_hole']:.3f}"
        images.append((name, text, completed))
    figures = (
        f'<figure><img src="{_png(pixels)}" alt="{escape(f"{photo.name}: {name}")}" '
        f'width="{pixels.shape[1]}" height="{pixels.shape[0]}">'
        f"<figcaption>{escape(name)}"
        f"{''.join(f'<span>{line}</span>' for line in text.splitlines())}</figcaption></figure>"
        for name, text, pixels in images
    )
    header = f"<header>{escape(photo.name)} · mask <code>{photo.mask}</code></header>"
    return f'<article class="case">{header}{"".join(figures)}</article>'


def _method(report: Report) -> str:
    protocol = report.to_dict()["protocol"]
    rows = [(key.replace("_", " "), value) for key, value in protocol.items()]
    for name, about in report.models.items():
        rows.append((name, ", ".join(f"{k} {v}" for k, v in about.items() if v)))
    rows.extend((name, METRICS[name][2]) for name in METRICS)
    rows.append(("software", ", ".join(f"{k} {v}" for k, v in report.software.items())))
    items = (
        f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>"
        for key, value in rows
        if value not in (None, "", {})
    )
    return f"<dl>{''.join(items)}</dl>"


def _png(pixels: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
