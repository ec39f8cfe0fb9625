"""Benchmark the photo server: eight clients, valid and invalid requests, every response checked.

    python -m benchmarks.serving_load
    python -m benchmarks.serving_load --seconds 10 --workers 1
    python -m benchmarks.serving_load --seconds 120 --rounds 6 --against ../other-checkout

The server of another checkout gets the same load in turn with this one's, so that other programs
on the machine affect both equally. Prints requests per second, the 50th and 99th percentile of
their times, and the servers' memory.
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
    """Start the servers, load them in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="faces")
    parser.add_argument("--seconds", type=float, default=60.0, help="total time on each server")
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
    """A server process on a free port, and its measurements.

    Args:
        name: Its name in the table.
        folder: The checkout that it runs from. Every pixel and status is compared only for the
            current checkout; another one must return any photo, or any error.
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
        """Load the server for a number of seconds."""
        start, before = time.monotonic(), len(self.times["good"])
        cpu_start = self._cpu_seconds()
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
        elapsed = time.monotonic() - start
        self.seconds += elapsed
        self.processor_seconds += self._cpu_seconds() - cpu_start
        self.rates.append((len(self.times["good"]) - before) / elapsed)

    def _cpu_seconds(self) -> float:
        """Return the CPU time in seconds that the server has used so far."""
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
                    completed = np.asarray(image)
                assert completed.shape == pixels.shape
                assert not self.exact or np.array_equal(completed, pixels), "pixels differ"

    def report(self) -> None:
        """Print the measurements, and stop the server."""
        rates = " ".join(f"{rate:.2f}" for rate in self.rates)
        print(f"{self.name}: good requests per second in each round: {rates}")
        for kind, seconds in self.times.items():
            cuts = statistics.quantiles(seconds, n=100)
            print(
                f"  {kind}: {len(seconds)} requests, {len(seconds) / self.seconds:.1f} per second, "
                f"p50 {1000 * cuts[49]:.0f} ms, p99 {1000 * cuts[98]:.0f} ms"
            )
        good = 1000 * self.processor_seconds / len(self.times["good"])
        print(f"  CPU time: {good:.0f} ms per good request, including bad ones")
        quarter, end = self.memory[len(self.memory) // 4], self.memory[-1]
        print(f"  memory: {quarter} MiB after a quarter, {end} MiB at the end")
        self.process.terminate()
        print(f"  ended with code {self.process.wait(60)}")


def good_cases(model: str) -> list[tuple]:
    """Return requests with photos of 256 px and their expected results."""
    complete = Inpainter(model, scale=1, texture="off")
    cases = []
    for number in range(6):
        portrait = Image.fromarray(sample.portrait(number)[10:138]).resize((SIDE, SIDE))
        hole = np.asarray(
            Image.fromarray(sample.example_hole(number)[10:138]).resize((SIDE, SIDE), 0)
        )
        photo = np.asarray(portrait)
        files = {"photo": png(photo), "mask": png(hole)}
        fields = {"scale": "1", "texture": "off"}
        cases.append(("good", files, fields, 200, complete(photo, hole)))
    return cases


def bad_cases() -> list[tuple]:
    """Return invalid requests and the status of their responses."""
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
