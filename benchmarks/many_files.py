"""Benchmark many small files, some of them broken: python -m benchmarks.many_files --files 100000.

Writes JPEG files of 72 px into folders of 1,000: one percent of them truncated, empty or not an
image, one percent with a line break in their names, one percent with names that are not UTF-8. Then
trains one step on them and reads all of them once, each time in a separate process: for the first
time, once more, and with less memory for decoded images than they need. Reports wall and CPU
seconds until the images are listed, and the peak memory in MB before, after the step, and after
reading all images. Linux only.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 72
_IMAGES = 64  # distinct images; the files repeat them


def main() -> None:
    """Write the files, run the trainings and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_files", description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--cache-gb", type=float, default=0.2, help="of the third training")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _train(*arguments.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        broken = write_files(Path(folder, "photos"), arguments.files)
        seconds = time.perf_counter() - start
        print(f"{arguments.files} files written in {seconds:.0f} s, {broken} of them broken")
        columns = ("seconds", "core seconds", "before", "a step", "an epoch", "images", "broken")
        print(f"\n| | {' | '.join(columns)} |\n{'|---' * (len(columns) + 1)}|")
        limit = arguments.cache_gb
        runs = {"first time": None, "once more": None, f"{limit:g} GB for images": limit}
        for label, cache_gb in runs.items():
            child = [sys.executable, "-m", "benchmarks.many_files", "--child"]
            child += [str(Path(folder, "photos")), json.dumps(cache_gb)]
            environment = {**os.environ, "KERAS_HOME": str(Path(folder, "keras"))}
            run = subprocess.run(child, env=environment, capture_output=True, text=True)
            if run.returncode:
                raise SystemExit(run.stderr)
            row = json.loads(run.stdout.splitlines()[-1])
            cells = [label, *(f"{row[column]:,.0f}" for column in columns)]
            print(f"| {' | '.join(cells)} |", flush=True)


def write_files(root: Path, count: int) -> int:
    """Write the files and return the number of broken ones."""
    rng = np.random.default_rng(0)
    photos = []
    for _ in range(_IMAGES):
        small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), "uint8"))
        stream = io.BytesIO()
        small.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
        photos.append(stream.getvalue())
    broken = 0
    for number in range(count):
        folder = os.fsencode(root / f"{number // 1000:04}")
        if number % 1000 == 0:
            os.makedirs(folder)
        name, data = b"%07d" % number, photos[number % _IMAGES]
        if number % 100 == 1:
            name = b"line\nbreak " + name
        elif number % 100 == 2:
            name = b"caf\xe9 " + name
        if number % 100 < 3 and number % 3 == 0:  # also some with unusual names
            data = (data[: len(data) // 2], b"", b"no image")[number // 100 % 3]
            broken += 1
        with open(os.path.join(folder, name + b".jpg"), "wb") as file:
            file.write(data)
    return broken


def _train(photos: str, cache_gb: str) -> None:
    from benchmarks.timing import peak_memory_mb
    from keras_inpaint.commands.train import set_threads
    from keras_inpaint.data.pipeline import make_dataset
    from keras_inpaint.training.config import TrainingConfig
    from keras_inpaint.training.schedule import train

    set_threads(None)
    facts, loaded = {}, []

    def listen(event: str, details: dict) -> None:
        if event == "data":
            facts["seconds"] = time.perf_counter() - start
            facts["core seconds"] = time.process_time() - start_cpu
            loaded.append(details["images"])

    config = TrainingConfig(
        data=photos, size=64, width=0.0625, steps=(1, 0, 0), scale=(1, 1), precision="float32",
        batch_size=8, cache_gb=json.loads(cache_gb),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as run:
        before = peak_memory_mb()
        start, start_cpu = time.perf_counter(), time.process_time()
        train(config, run, listener=listen)
    (images,) = loaded
    trained = peak_memory_mb()
    for _ in make_dataset(images, size=64, batch_size=50, scale=(1, 1)).take(len(images) // 50):
        pass
    facts.update(images=len(images), broken=len(images.skipped), before=before)
    print(json.dumps({**facts, "a step": trained, "an epoch": peak_memory_mb()}))


if __name__ == "__main__":
    main()
