"""Load on the photo server: eight clients, good and bad requests mixed, every answer checked.

    python -m benchmarks.serving_load
    python -m benchmarks.serving_load --seconds 10 --workers 1

Prints requests a second, the 50th and 99th percentile of their times, and the server's memory.
"""

import argparse
import io
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import requests
from PIL import Image

from keras_inpaint.data import sample
from keras_inpaint.inference.inpainter import Inpainter

SIDE = 256


def main() -> None:
    """Start a server, put load on it, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="faces")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    cases = [*good_cases(arguments.model), *bad_cases()]
    command = [sys.executable, "-m", "keras_inpaint", "serve", "--model", arguments.model]
    process = subprocess.Popen(
        [*command, "--port", "0", "--workers", str(arguments.workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    ready = next(line for line in map(json.loads, process.stdout) if line["message"] == "ready")
    threading.Thread(target=lambda: [None for _ in process.stdout], daemon=True).start()
    times: dict[str, list[float]] = {"good": [], "bad": []}
    memory: list[int] = []
    end = time.monotonic() + arguments.seconds

    def client(seed: int) -> None:
        chance, session = random.Random(seed), requests.Session()
        while time.monotonic() < end:
            kind, files, fields, status, pixels = chance.choice(cases)
            start = time.monotonic()
            answer = session.post(f"{ready['url']}/complete", files=files, data=fields, timeout=120)
            times[kind].append(time.monotonic() - start)
            assert answer.status_code == status, answer.text
            if pixels is not None:
                with Image.open(io.BytesIO(answer.content)) as image:
                    assert np.array_equal(np.asarray(image), pixels), "other pixels"

    threads = [threading.Thread(target=client, args=(n,)) for n in range(arguments.clients)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        time.sleep(min(5.0, arguments.seconds / 8))
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        memory.append(pages * os.sysconf("SC_PAGE_SIZE") // 2**20)
    for thread in threads:
        thread.join()
    process.terminate()
    for kind, taken in times.items():
        cuts = statistics.quantiles(taken, n=100)
        rate = len(taken) / arguments.seconds
        print(
            f"{kind}: {len(taken)} requests, {rate:.1f} a second, p50 {1000 * cuts[49]:.0f} ms, "
            f"p99 {1000 * cuts[98]:.0f} ms"
        )
    print(f"memory: {memory[len(memory) // 4]} MiB after a quarter, {memory[-1]} MiB at the end")
    print(f"ended with code {process.wait(60)}")


def good_cases(model: str) -> list[tuple]:
    """Return photos of 256 px with holes, and what the network makes of each."""
    complete = Inpainter(model, scale=1, texture="off")
    found = []
    for number in range(6):
        picture = Image.fromarray(sample.portrait(number)[10:138]).resize((SIDE, SIDE))
        hole = np.asarray(
            Image.fromarray(sample.example_hole(number)[10:138]).resize((SIDE, SIDE), 0)
        )
        photo = np.asarray(picture)
        files = {"photo": png(photo), "mask": png(hole)}
        fields = {"scale": "1", "texture": "off"}
        found.append(("good", files, fields, 200, complete(photo, hole)))
    return found


def bad_cases() -> list[tuple]:
    """Return requests that are refused, and with which status."""
    photo, hole = png(sample.portrait(0)), png(sample.example_hole(0))
    good = {"photo": photo, "mask": hole}
    return [
        ("bad", {**good, "photo": b"no photo"}, {}, 422, None),
        ("bad", {**good, "mask": png(np.zeros((9, 9), np.uint8))}, {}, 422, None),
        ("bad", good, {"grow": "much"}, 422, None),
        ("bad", good, {"model": "moon"}, 404, None),
    ]


def png(pixels: np.ndarray) -> bytes:
    """Return an array as the bytes of a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


if __name__ == "__main__":
    main()
