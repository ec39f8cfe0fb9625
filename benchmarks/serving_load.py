"""Load on the photo server: eight clients, good and bad requests mixed, every answer checked.

    python -m benchmarks.serving_load
    python -m benchmarks.serving_load --seconds 10 --workers 1
    python -m benchmarks.serving_load --seconds 120 --rounds 6 --against ../other-checkout

Another checkout's server gets the same load in turns with this one's, so that a machine that is
busy with something else disturbs both alike. Prints requests a second, the 50th and 99th
percentile of their times, and the servers' memory.
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
    """Start the servers, put load on them in turns, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="faces")
    parser.add_argument("--seconds", type=float, default=60.0, help="load on each server in all")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--against", metavar="FOLDER", help="checkout of another version")
    parser.add_argument("--against-options", default="", help="of its serve, e.g. =--no-grpc")
    arguments = parser.parse_args()
    model = arguments.model
    servers = [Server("this", Path.cwd(), [f"--model={model}", f"--workers={arguments.workers}"])]
    if arguments.against:
        options = [f"--model={model}", *arguments.against_options.split()]
        servers.append(Server("other", Path(arguments.against), options))
    cases = [*good_cases(model), *bad_cases()]
    print("under load", flush=True)
    for _ in range(arguments.rounds):
        for server in servers:
            server.load(cases, arguments.clients, arguments.seconds / arguments.rounds)
    for server in servers:
        server.report()


class Server:
    """A server of its own on a free port, and what was measured on it.

    Args:
        name: What the table calls it.
        folder: The checkout that it runs from. Only of the own one every pixel and status is
            compared; another one has to answer with a photo, or an error, of its own.
        options: Options of `serve`.
    """

    def __init__(self, name: str, folder: Path, options: list[str]) -> None:
        self.name, self.exact = name, folder == Path.cwd()
        command = [sys.executable, "-m", "keras_inpaint", "serve", "--port=0", *options]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
        )
        lines = map(json.loads, self.process.stdout)
        ready = next(line for line in lines if line["message"] == "ready")
        self.url = ready.get("url") or ready["http"]
        threading.Thread(target=lambda: [None for _ in self.process.stdout], daemon=True).start()
        self.times: dict[str, list[float]] = {"good": [], "bad": []}
        self.rates: list[float] = []
        self.memory: list[int] = []
        self.seconds = self.processor_seconds = 0.0

    def load(self, cases: list[tuple], clients: int, seconds: float) -> None:
        """Put load on the server for a time."""
        start, before = time.monotonic(), len(self.times["good"])
        computed = self._computed()
        end = start + seconds
        threads = [
            threading.Thread(target=self._client, args=(cases, len(self.rates) * clients + n, end))
            for n in range(clients)
        ]
        for thread in threads:
            thread.start()
        while time.monotonic() < end:
            time.sleep(min(2.0, seconds / 8))
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
            self.memory.append(pages * os.sysconf("SC_PAGE_SIZE") // 2**20)
        for thread in threads:
            thread.join()
        taken = time.monotonic() - start
        self.seconds += taken
        self.processor_seconds += self._computed() - computed
        self.rates.append((len(self.times["good"]) - before) / taken)

    def _computed(self) -> float:
        """Return the processor time in seconds that the server has taken so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _client(self, cases: list[tuple], seed: int, end: float) -> None:
        chance, session = random.Random(seed), requests.Session()
        while time.monotonic() < end:
            kind, files, fields, status, pixels = chance.choice(cases)
            start = time.monotonic()
            answer = session.post(f"{self.url}/complete", files=files, data=fields, timeout=120)
            self.times[kind].append(time.monotonic() - start)
            if self.exact:
                assert answer.status_code == status, answer.text
            else:
                assert (answer.status_code == 200) == (kind == "good"), answer.text
            if pixels is not None:
                with Image.open(io.BytesIO(answer.content)) as image:
                    found = np.asarray(image)
                assert found.shape == pixels.shape
                assert not self.exact or np.array_equal(found, pixels), "other pixels"

    def report(self) -> None:
        """Print what was measured, and stop the server."""
        rates = " ".join(f"{rate:.2f}" for rate in self.rates)
        print(f"{self.name}: good requests a second, round by round: {rates}")
        for kind, taken in self.times.items():
            cuts = statistics.quantiles(taken, n=100)
            print(
                f"  {kind}: {len(taken)} requests, {len(taken) / self.seconds:.1f} a second, "
                f"p50 {1000 * cuts[49]:.0f} ms, p99 {1000 * cuts[98]:.0f} ms"
            )
        good = 1000 * self.processor_seconds / len(self.times["good"])
        print(f"  processor time: {good:.0f} ms a good request, bad ones included")
        quarter, end = self.memory[len(self.memory) // 4], self.memory[-1]
        print(f"  memory: {quarter} MiB after a quarter, {end} MiB at the end")
        self.process.terminate()
        print(f"  ended with code {self.process.wait(60)}")


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
