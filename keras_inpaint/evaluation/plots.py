"""The plots of the report's page, as SVG in the page's colours and fonts."""

import io
import re
from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np

from keras_inpaint.evaluation.metrics import required
from keras_inpaint.evaluation.report import Report

#: Colours by method, readable on white and on near-black; networks get the first ones.
COLOURS = ("#d1495b", "#8e5ea2", "#3a7ca5", "#e0a030", "#4f9d69", "#8a8f98")
_INK = "#0a0b0c"  # becomes the page's text colour
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "keras-inpaint",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "grid.color": _INK,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.6,
}


def colours(report: Report) -> dict[str, str]:
    """Return a colour for each method."""
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(report.methods)}


def means(report: Report, metric: str, label: str) -> str:
    """Plot a metric's mean for each method, with its interval.

    Args:
        report: The report.
        metric: String, one of the metrics.
        label: String, the label of the axis.
    """

    def draw(axis: Any) -> None:
        for row, (name, colour) in enumerate(colours(report).items()):
            interval = report.summary(name)[metric]
            axis.barh(row, interval.mean, color=colour, height=0.62)
            axis.plot([interval.low, interval.high], [row, row], color=_INK, linewidth=1.4)
        axis.set_yticks(range(len(report.methods)), report.methods)
        axis.set_ylim(len(report.methods) - 0.5, -0.5)
        axis.grid(visible=False, axis="y")
        axis.set_axisbelow(True)
        axis.tick_params(axis="y", length=0)

    height = 0.8 + 0.38 * len(report.methods)
    return _svg(draw, f"{label}: mean of each method", label, height=height)


def distribution(report: Report) -> str:
    """Plot the cumulative distribution of the PSNR in the hole for each method."""

    def draw(axis: Any) -> None:
        parts = np.arange(1, len(report.photos) + 1) / len(report.photos) * 100
        for name, colour in colours(report).items():
            values = np.sort(report.values(name, "psnr_hole"))
            axis.step(values, parts, where="post", color=colour, label=name, linewidth=1.8)
        axis.set_ylim(0, 100)
        axis.legend(loc="lower right")

    return _svg(
        draw,
        "Distribution of the PSNR in the hole",
        "PSNR in the hole, dB",
        "photos at or below, %",
    )


def by_area(report: Report) -> str | None:
    """Plot the PSNR in the hole over the hole's area; None for fewer than three areas."""
    if len(np.unique(report.areas)) < 3:
        return None

    def draw(axis: Any) -> None:
        for name, colour in colours(report).items():
            points = report.values(name, "psnr_hole")
            axis.plot(100 * report.areas, points, ".", color=colour, alpha=0.25, markersize=3)
            bands = report.by_area(name)
            middles = [50 * (band["above"] + band["up_to"]) for band in bands]
            means = [band["psnr_hole"].mean for band in bands]
            axis.plot(middles, means, "o-", color=colour, label=name, markersize=4)
        axis.legend(loc="upper right")

    return _svg(
        draw,
        "PSNR in the hole by the area of the hole",
        "area of the hole, % of the photo",
        "PSNR in the hole, dB",
    )


def gains(report: Report) -> str | None:
    """Plot the first network's gain over the best baseline per photo; None without both."""
    best = report.best_baseline()
    if not report.models or best is None:
        return None
    first = next(iter(report.models))

    def draw(axis: Any) -> None:
        gain = np.sort(report.values(first, "psnr_hole") - report.values(best, "psnr_hole"))
        colour = colours(report)
        places = np.linspace(0, 100, len(gain)) if len(gain) > 1 else np.array([50.0])
        for side, name in ((gain >= 0, first), (gain < 0, best)):
            axis.fill_between(places, gain, where=side, color=colour[name], alpha=0.75, step="mid")
        axis.axhline(0, color=_INK, linewidth=0.8)

    title = f"Gain of {first} over {best}, photo by photo"
    return _svg(draw, title, "photos, ordered, %", f"dB over {best}")


def _svg(
    draw: Callable[[Any], None], title: str, x_label: str, y_label: str = "", height: float = 3.6
) -> str:
    """Return a plot, drawn by `draw`, as a scalable inline SVG in the page's colours."""
    figures, library = required("matplotlib.figure"), required("matplotlib")
    with library.rc_context(_STYLE):
        figure = figures.Figure(figsize=(5.2, height), layout="constrained")
        axis = figure.subplots()
        axis.grid()
        draw(axis)
        axis.set(xlabel=x_label, ylabel=y_label)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    return svg.replace(_INK, "currentColor")
