"""Benchmark the cost of training steps and photos by size, width, batch and threads.

python -m benchmarks.scaling                  # prints the tables of docs/scaling.md
python -m benchmarks.scaling --plot cost.svg  # also plots seconds per step by size and by batch

Costs are CPU seconds summed over all threads, which other programs on the machine change little.
The cases run in turn, and the minimum of the rounds is reported.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from benchmarks import training
from benchmarks.timing import Case, measure
from keras_inpaint.commands.train import set_threads

#: The paper's schedule on CelebA: batch, and steps of the three phases (its section 5).
PAPER_BATCH, PAPER_STEPS = 96, (90_000, 10_000, 400_000)
#: Size, width and batch of the base case; other cases differ from it in one setting.
USUAL = (128, 0.5, 8)
SIZES, BATCHES, WIDTHS = (64, 128, 256), (1, 8, 32), (0.25, 0.5, 1.0)
#: Crops per second of phase 1 at 128 px and the full width on an H100; see docs/training.md.
H100_CROPS, H100_SIZE = 4800, 128
HOLES = (64, 128)
#: CPU seconds of a day on two cores.
TWO_CORE_DAY = 2 * 24 * 3600
COSTS = ("core seconds", "core seconds per image")


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parts = ("completing", "training")
    parser.add_argument("--only", choices=parts, nargs="+", default=parts)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    set_threads(arguments.threads)
    if arguments.threads:
        rows = measure([_step(*USUAL)], arguments.rounds)
        print(json.dumps(rows[0]))
        return
    if "completing" in arguments.only:
        _photos(arguments.rounds)
    if "training" in arguments.only:
        steps = _steps(arguments.rounds)
        table("A step of phase 1", ("size, px", "width", "batch", *COSTS), _step_rows(steps))
        _threads(arguments.rounds)
        _celeba(_phases(arguments.rounds))
        if arguments.plot:
            _draw(steps, arguments.plot)


def table(title: str, heads: tuple[str, ...], rows: list[tuple]) -> None:
    """Print a Markdown table; numbers have three significant digits."""
    print(f"\n{title}\n\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for row in rows:
        print(f"| {' | '.join(_formatted(cell) for cell in row)} |", flush=True)


def _formatted(cell: object) -> str:
    if not isinstance(cell, float):
        return f"{cell:,}" if isinstance(cell, int) else str(cell)
    return f"{cell:.3g}" if cell < 1000 else f"{float(f'{cell:.3g}'):,.0f}"


def _step(size: int, width: float, batch: int, phase: int = 1) -> Case:
    sized = SimpleNamespace(size=size, batch=batch, width=width)
    name = f"phase {phase}: {size} px, width {width:g}, batch {batch}"
    return training._keras_case(sized, phase, name, "float32", False)


def _steps(rounds: int) -> dict[tuple[int, float, int], float]:
    """Return the CPU seconds per step of the base case and of those that differ in one setting."""
    size, width, batch = USUAL
    places = [(each, width, batch) for each in SIZES]
    places += [(size, each, batch) for each in WIDTHS if each != width]
    places += [(size, width, each) for each in BATCHES if each != batch]
    rows = measure([_step(*place) for place in places], rounds)
    return {place: row["processor"] for place, row in zip(places, rows, strict=True)}


def _step_rows(steps: dict[tuple[int, float, int], float]) -> list[tuple]:
    return [(*place, seconds, seconds / place[2]) for place, seconds in steps.items()]


def _threads(rounds: int) -> None:
    costs = []
    for threads in (1, 2):
        child = [sys.executable, "-m", "benchmarks.scaling", "--rounds", str(rounds)]
        child += ["--threads", str(threads)]
        run = subprocess.run(child, capture_output=True, text=True, check=True)
        costs.append(json.loads(run.stdout.splitlines()[-1])["processor"])
    size, width, batch = USUAL
    print(
        f"\nThe step of {size} px, width {width:g}, batch {batch} takes {costs[0]:.3g} core "
        f"seconds with one thread and {costs[1]:.3g} with two."
    )


def _phases(rounds: int) -> list[float]:
    """Return the CPU seconds per image of the three phases, with the paper's settings on CelebA."""
    rows = measure([_step(160, 1.0, 8, phase) for phase in (1, 2, 3)], rounds)
    return [row["processor"] / 8 for row in rows]


def _photos(rounds: int) -> None:
    """Print the cost of completing a photo file, and of a million of them."""
    from keras_inpaint.batch.files import complete_photo
    from keras_inpaint.inference.inpainter import Inpainter

    settings = {
        "network and scale chosen, texture": {},
        "`scenes` alone (half the width)": {"model": "scenes", "scale": 1, "texture": "off"},
        "`faces` alone (full width)": {"model": "faces", "scale": 1, "texture": "off"},
    }
    with tempfile.TemporaryDirectory() as folder:
        cases = []
        for (label, options), (enlarged, hole) in itertools.product(
            settings.items(), [*((1, hole) for hole in HOLES), (3, HOLES[0])]
        ):
            photo, mask = _files(Path(folder), enlarged, hole)
            out, complete = Path(folder, "out.jpg"), Inpainter(**options)
            with Image.open(photo) as image:
                name = f"{label} | {image.width}x{image.height} | {hole}"
            cases.append(
                Case(
                    name,
                    lambda p=photo, m=mask, o=out, c=complete: complete_photo(
                        p, m, o, model=c, overwrite=True
                    ),
                )
            )
        rows = [
            (row["name"], row["processor"], row["processor"] * 1e6 / TWO_CORE_DAY)
            for row in measure(cases, rounds)
        ]
    heads = ("pipeline", "photo, px", "hole, px", "core seconds", "days for a million, calculated")
    table("A photo, from file to file; a million on two cores", heads, rows)


def _files(folder: Path, enlarged: int, hole: int) -> tuple[Path, Path]:
    """Write scikit-image's coffee, enlarged by a factor, and a square hole in its middle."""
    from skimage import data

    image = Image.fromarray(data.coffee())
    image = image.resize((image.width * enlarged, image.height * enlarged))
    photo, mask = folder / f"photo{enlarged}.jpg", folder / f"mask{enlarged}-{hole}.png"
    image.save(photo, quality=90)
    pixels = np.zeros((image.height, image.width), "uint8")
    top, left = (image.height - hole) // 2, (image.width - hole) // 2
    pixels[top : top + hole, left : left + hole] = 255
    Image.fromarray(pixels).save(mask)
    return photo, mask


def _celeba(costs: list[float]) -> None:
    """Print the cost of the paper's schedule: measured on CPU cores, calculated for GPUs."""
    rows = []
    total = [0.0, 0.0, 0.0]
    h100 = H100_CROPS * (H100_SIZE / 160) ** 2  # crops of 160 px per second, by their pixels
    for phase, steps in enumerate(PAPER_STEPS):
        images = PAPER_BATCH * steps
        cores = images * costs[phase] / TWO_CORE_DAY
        card = images / h100 * costs[phase] / costs[0] / 3600
        for column, value in enumerate((cores, card, card / 8)):
            total[column] += value
        rows.append((phase + 1, costs[phase], images, cores, card, card / 8))
    rows.append(("all", "", PAPER_BATCH * sum(PAPER_STEPS), *total))
    heads = ("phase", COSTS[1], "images", "days on two cores", "hours on one H100", "on eight")
    table("The paper's schedule at 160 px and the full width; times are calculated", heads, rows)


def _draw(steps: dict[tuple[int, float, int], float], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    size, width, batch = USUAL
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    by_size = [steps[each, width, batch] for each in SIZES]
    axes[0].plot([s * s / 1e3 for s in SIZES], by_size, "o-", color="#2f6f9f")
    axes[0].set(
        xlabel=f"pixels of an image, thousands (batch {batch})", ylabel="core seconds per step"
    )
    per_image = [steps[size, width, each] / each for each in BATCHES]
    axes[1].plot(BATCHES, per_image, "o-", color="#b5532a")
    axes[1].set(xlabel=f"images per step ({size} px)", ylabel="core seconds per image")
    for axis in axes:
        axis.set_ylim(bottom=0)
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    figure.savefig(path)


if __name__ == "__main__":
    main()
