"""How cost grows with size and batch: ``python -m benchmarks.scaling --plot FILE --json FILE``."""

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

from benchmarks import training
from benchmarks.timing import measure
from keras_inpaint.commands.train import set_threads

SIZES, BATCHES = (64, 96, 128, 160, 192, 256), (1, 2, 4, 8, 16)


def main() -> None:
    """Measure phase 1's step over sizes and batches, and draw it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    set_threads(None)
    by_size = [_seconds(arguments, size, 8) for size in SIZES]
    by_batch = [_seconds(arguments, 128, batch) for batch in BATCHES]
    for label, keys, values in (("px", SIZES, by_size), ("images", BATCHES, by_batch)):
        for key, seconds in zip(keys, values, strict=True):
            print(f"{key:5} {label}: {seconds * 1e3:8.1f} ms a step")
    if arguments.json:
        report = {"size": dict(zip(SIZES, by_size, strict=True))}
        report["batch"] = dict(zip(BATCHES, by_batch, strict=True))
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    if arguments.plot:
        _draw(by_size, by_batch, arguments.plot)


def _seconds(arguments: argparse.Namespace, size: int, batch: int) -> float:
    sized = SimpleNamespace(size=size, batch=batch, width=arguments.width)
    case = training._keras_case(sized, 1, f"{size} px, {batch}", arguments.precision, False)
    return measure([case], arguments.rounds)[0]["median"]


def _draw(by_size: list[float], by_batch: list[float], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    axes[0].plot([s * s / 1e3 for s in SIZES], by_size, "o-", color="#2f6f9f")
    axes[0].set(xlabel="pixels of an image, thousands (batch 8)", ylabel="seconds a step")
    per_image = [seconds / batch for seconds, batch in zip(by_batch, BATCHES, strict=True)]
    axes[1].plot(BATCHES, per_image, "o-", color="#b5532a")
    axes[1].set(xlabel="images a step (128 px)", ylabel="seconds an image")
    for axis in axes:
        axis.set_ylim(bottom=0)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    figure.savefig(path)


if __name__ == "__main__":
    main()
