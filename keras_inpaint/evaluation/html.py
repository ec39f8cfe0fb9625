"""An evaluation as one self-contained page: figures, plots, pictures."""

import base64
import io
import os
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

import numpy as np
from PIL import Image

from keras_inpaint.evaluation import plots
from keras_inpaint.evaluation.metrics import METRICS, Interval
from keras_inpaint.evaluation.report import Case, Report
from keras_inpaint.evaluation.table import COLUMNS, best_method
from keras_inpaint.files import write_atomically

_PSNR, _SSIM = "PSNR in the hole, dB", "SSIM in the hole"
_HOLE_COLOUR = (128, 128, 132)

_KINDS = {
    "worst": "Worst photos",
    "median": "Photos in the middle",
    "best": "Best photos",
}


class PageReport(Report):
    """A report that is shown as a page, too."""

    def to_html(self) -> str:
        """Return the report as one self-contained page with pictures and plots.

        Raises:
            RuntimeError: If matplotlib, of the extra `evaluate`, is missing.
        """
        return page(self)

    def write_html(self, file: str | os.PathLike[str]) -> None:
        """Write `to_html()` to a file, at once or not at all."""
        write_atomically(file, self.to_html().encode(), overwrite=True)


def page(report: Report) -> str:
    """Return a report as HTML that needs no other file and no network.

    Args:
        report: The report; its `cases` become pictures.

    Returns:
        The page. The same report gives the same page.

    Raises:
        RuntimeError: If matplotlib, of the extra `evaluate`, is missing.
    """
    protocol = report.protocol
    template = Template(files("keras_inpaint.evaluation").joinpath("page.html").read_text("utf-8"))
    names = ", ".join(report.models) or "Baselines"
    return template.substitute(
        title=escape(f"{names} on {protocol['data']}"),
        lede=escape(
            f"{len(report.photos)} photos of {protocol['size']} x {protocol['size']} px, holes "
            f"{protocol['masks']}, seed {protocol['seed']}."
        ),
        facts=_facts(report),
        table=_summary(report),
        areas=_areas(report),
        features=_features(report),
        plots=_plots(report),
        cases=_cases(report),
        method=_method(report),
    )


def _facts(report: Report) -> str:
    facts = []
    best = report.best_baseline()
    for name in report.models:
        found = report.summary(name)["psnr_hole"]
        facts.append((f"{found.mean:.2f} dB", f"{name}: PSNR in the hole, {_range(found, '.2f')}"))
        if best is not None:
            gap = report.differences(name, best)
            gain: Interval = gap["psnr_hole"]
            facts.append(
                (
                    f"{gain.mean:+.2f} dB",
                    f"against {best}, the best baseline, {_range(gain, '.2f')}",
                )
            )
            facts.append((f"{100 * gap['wins']:.0f} %", f"of the photos better than {best}"))
    items = (f"<li><b>{escape(value)}</b><span>{escape(text)}</span></li>" for value, text in facts)
    return f'<ul class="facts">{"".join(items)}</ul>' if facts else ""


def _summary(report: Report) -> str:
    best = {metric: best_method(report, metric) for metric, _, _ in COLUMNS}
    rows = []
    for name, colour in plots.colours(report).items():
        found = report.summary(name)
        cells = []
        for metric, _, digits in COLUMNS:
            kind = ' class="best"' if best[metric] == name and len(report.methods) > 1 else ""
            value = found[metric]
            cells.append(
                f"<td{kind}>{value.mean:{digits}}<small>{_range(value, digits)}</small></td>"
            )
        rows.append((_method_heading(name, colour), cells))
    return _table(("method", *(heading for _, heading, _ in COLUMNS)), rows)


def _areas(report: Report) -> str:
    bands = {name: report.by_area(name) for name in report.methods}
    first = next(iter(bands.values()))
    if len(first) < 2:
        return ""
    chosen = plots.colours(report)
    rows = [
        (
            _method_heading(name, chosen[name]),
            [
                f"<td>{band['psnr_hole'].mean:.2f}"
                f"<small>{_range(band['psnr_hole'], '.2f')}</small></td>"
                for band in found
            ],
        )
        for name, found in bands.items()
    ]
    headings = [
        f"{100 * band['above']:.0f} to {100 * band['up_to']:.0f} %, {band['photos']} photos"
        for band in first
    ]
    return "<h3>PSNR in the hole by the hole's area, dB</h3>" + _table(("method", *headings), rows)


def _features(report: Report) -> str:
    if report.features is None:
        return ""
    chosen = plots.colours(report)
    rows = [
        (
            _method_heading(name, chosen[name]),
            [f"<td>{found['fid']:.4g}</td>", f"<td>{found['kid']:.4g}</td>"],
        )
        for name, found in report.features["methods"].items()
    ]
    note = (
        f"<p class='note'>On {report.features['features']} features of {report.features['photos']} "
        f"photos; less is better.</p>"
    )
    return (
        "<h3>Distances in a features network</h3>" + _table(("method", "FID", "KID"), rows) + note
    )


def _plots(report: Report) -> str:
    drawn = (
        ("Means with their 95 % intervals.", plots.means(report, "psnr_hole", _PSNR)),
        ("Means with their 95 % intervals.", plots.means(report, "ssim_hole", _SSIM)),
        ("Photos at or below a PSNR.", plots.distribution(report)),
        ("Each dot is a photo, each line the mean of a band.", plots.by_area(report)),
        ("Gain over the best baseline, photo by photo.", plots.gains(report)),
    )
    return "\n".join(
        f"<figure>{svg}<figcaption>{caption}</figcaption></figure>" for caption, svg in drawn if svg
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
        parts.append(f'<p class="note">By the PSNR of {first} in the hole.</p>')
    return "\n".join(parts)


def _case(report: Report, case: Case) -> str:
    photo = report.photos[case.number]
    holed = case.original.copy()
    holed[case.mask] = _HOLE_COLOUR
    pictures = [
        ("original", "", case.original),
        ("with its hole", f"{100 * photo.area:.1f} % of the photo", holed),
    ]
    for name, completed in case.completed.items():
        found = photo.figures[name]
        text = f"{found['psnr_hole']:.2f} dB\nSSIM {found['ssim_hole']:.3f}"
        pictures.append((name, text, completed))
    figures = (
        f'<figure><img src="{_png(pixels)}" alt="{escape(f"{photo.name}: {name}")}" '
        f'width="{pixels.shape[1]}" height="{pixels.shape[0]}">'
        f"<figcaption>{escape(name)}{_lines(text)}</figcaption></figure>"
        for name, text, pixels in pictures
    )
    header = f"<header>{escape(photo.name)} · mask <code>{photo.mask}</code></header>"
    return f'<article class="case">{header}{"".join(figures)}</article>'


def _lines(text: str) -> str:
    return "".join(f"<span>{escape(line)}</span>" for line in text.splitlines())


def _method(report: Report) -> str:
    found = report.to_dict()
    rows = [(key.replace("_", " "), value) for key, value in found["protocol"].items()]
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


def _table(headings: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = "".join(f"<tr>{first}{''.join(cells)}</tr>" for first, cells in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _method_heading(name: str, colour: str) -> str:
    dot = f'<span class="dot" style="background:{colour}"></span>'
    return f'<th scope="row">{dot}{escape(name)}</th>'


def _range(found: Interval, digits: str) -> str:
    return f"{found.low:{digits}} to {found.high:{digits}}"


def _png(pixels: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
