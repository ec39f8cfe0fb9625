"""Benchmark the bundled networks as TFLite files of every precision: size, time and PSNR.

python -m benchmarks.quantization faces=FACES:0.04 scenes=SCENES:0.025

PHOTOS:PART is a folder and the share that the network's training held out; some of these photos are
measured, and int8 is calibrated on others of the folder. LiteRT on one thread, the files in turn,
the minimum CPU time per photo; PSNR in the hole without blending, mean over the photos.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.timing import Case, measure
from keras_inpaint.commands.train import set_threads
from keras_inpaint.data.files import split_names
from keras_inpaint.evaluation.photo_set import PhotoSet, open_photos
from keras_inpaint.exporting.calibration import masked_photos
from keras_inpaint.psnr import psnr

PRECISIONS = ("none", "float16", "dynamic", "int8")


def main() -> None:
    """Export, measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quantization", description=__doc__)
    parser.add_argument("sets", nargs="+", metavar="PRESET=PHOTOS:PART")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--count", type=int, default=40, help="number of photos to measure")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    set_threads(1)
    print(
        "| network | `--quantize` | MB | time | dB to Keras | dB to the photo |\n"
        + "|---" * 6
        + "|"
    )
    for each in arguments.sets:
        preset, _, place = each.partition("=")
        folder, _, part = place.rpartition(":")
        photos = open_photos(folder)
        kept, held_out = split_names(photos.names, float(part))
        for row in _rows(preset, photos, kept, held_out, arguments):
            print(f"| {preset} | " + " | ".join(row) + " |", flush=True)


def _rows(
    preset: str,
    photos: PhotoSet,
    kept: list[int],
    held_out: list[int],
    arguments: argparse.Namespace,
) -> list[list[str]]:
    import keras_inpaint as ki
    from keras_inpaint.inference.runtime import load_runtime
    from keras_inpaint.presets import PRESETS

    def some(numbers: list[int], count: int) -> list[np.ndarray]:
        count = min(count, len(numbers))
        return [photos.pixels(numbers[i * len(numbers) // count], size) for i in range(count)]

    size, path = arguments.size, PRESETS[preset].keras_file
    measured = some(held_out, arguments.count)
    pairs = list(masked_photos(measured, (size, size), len(measured)))
    keras = load_runtime(path, "keras")
    expected = [keras.generate(image[None], hole[None])[0] for image, hole in pairs]
    rows, cases = [], []
    with tempfile.TemporaryDirectory() as folder:
        for precision in PRECISIONS:
            file = Path(folder, f"{precision}.tflite")
            ki.export_tflite(
                path, file, quantize=precision, sizes=((size, size),), calibration=some(kept, 64),
                calibration_count=64,
            )  # fmt: skip
            runtime = load_runtime(file, "litert", threads=1)
            image, hole = pairs[0][0][None], pairs[0][1][None]
            cases.append(Case(precision, lambda r=runtime, i=image, h=hole: r.generate(i, h)))
            generated = [runtime.generate(image[None], hole[None])[0] for image, hole in pairs]
            holes = [hole for _, hole in pairs]
            to_photo = _psnr(generated, [image / np.float32(255) for image, _ in pairs], holes)
            rows.append(
                [
                    precision,
                    f"{file.stat().st_size / 1e6:.1f}",
                    _psnr(generated, expected, holes),
                    to_photo,
                ]
            )
        times = [row["processor"] for row in measure(cases, arguments.rounds)]
    return [
        [f"`{name}`", size_mb, f"{seconds / times[0]:.2f}", f"{to_keras:.1f}", f"{to_photo:.2f}"]
        for (name, size_mb, to_keras, to_photo), seconds in zip(rows, times, strict=True)
    ]


def _psnr(
    generated: list[np.ndarray], expected: list[np.ndarray], holes: list[np.ndarray]
) -> float:
    """Return the mean over the photos of the PSNR in the hole, in dB."""
    errors = [
        np.square(one[hole] - other[hole]).mean()
        for one, other, hole in zip(generated, expected, holes, strict=True)
    ]
    return float(np.mean([psnr(error) for error in errors]))


if __name__ == "__main__":
    main()
