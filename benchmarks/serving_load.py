"""Load test of the server: mixed good and bad requests, then batched against unbatched.

python -m benchmarks.serving_load --model models/faces          # a minute of load, and ratios
python -m benchmarks.serving_load --width 0.25 --seconds 10     # an untrained network
python -m benchmarks.serving_load --model models/faces --json load.json

Every good answer is compared with the network's own, every bad request must get its error. The
ratio of batched to unbatched throughput is measured in turns, so that a machine that is busy with
something else disturbs both alike.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import requests

from benchmarks.serving_clients import Client, Job, Tally, ask_grpc, make_jobs

START_SECONDS = 600


class Server:
    """A `keras-inpaint serve` of its own on free loopback ports.

    Args:
        model: Path of the model.
        *options: Further options of the command.
    """

    def __init__(self, model: Path, *options: str) -> None:
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment.pop("KERAS_INPAINT_API_KEY", None)
        command = [sys.executable, "-m", "keras_inpaint", "serve", "--model", str(model)]
        self.process = subprocess.Popen(
            [*command, "--name", "load", "--port", "0", "--grpc-port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self._ready: dict[str, str] = {}
        self._event = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self._event.wait(START_SECONDS)
        except BaseException:
            self.process.terminate()
            raise
        if not self._ready:
            self.process.terminate()
            raise RuntimeError("the server did not start; run keras-inpaint serve to see why")
        self.http = self._ready["http"]
        self.rpc = self._ready["grpc"]

    def _read(self) -> None:
        for line in self.process.stdout or ():
            if b'"message": "ready"' in line:
                self._ready = json.loads(line)
                self._event.set()
        self._event.set()

    def metric(self, name: str) -> float:
        """Return a figure of `/metrics`."""
        text = requests.get(f"{self.http}/metrics", timeout=60).text
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
        if found is None:
            raise RuntimeError(f"no {name} in /metrics")
        return float(found[1])

    def stop(self) -> int:
        """Stop the server and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def run(
    server: Server,
    jobs: list[Job],
    *,
    clients: int,
    seconds: float,
    kinds: tuple[str, ...],
    bad_share: float,
    memory: list[float] | None = None,
) -> tuple[Tally, float]:
    """Let clients ask for a while; return what they saw and how long it took.

    Args:
        server: The server.
        jobs: What to ask for.
        clients: Int, how many at a time.
        seconds: Float, how long.
        kinds: Good requests to choose from.
        bad_share: Float, share of bad requests.
        memory: List that the server's memory in MiB is appended to, once a second.
    """
    threads = [
        Client(server.http, server.rpc, "load", jobs, kinds, bad_share, seed)
        for seed in range(clients)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    while (left := began + seconds - time.perf_counter()) > 0:
        time.sleep(min(1.0, left))
        if memory is not None:
            memory.append(server.metric("process_resident_memory_bytes") / 2**20)
    for thread in threads:
        thread.end.set()
    for thread in threads:
        thread.join(180)
    took = time.perf_counter() - began
    tally = Tally()
    for thread in threads:
        tally.good += thread.tally.good
        tally.bad += thread.tally.bad
        tally.wrong += thread.tally.wrong
    return tally, took


def know_the_answers(server: Server, jobs: list[Job]) -> None:
    """Ask for each photo alone, once, so that the answers under load can be compared."""
    client = Client(server.http, server.rpc, "load", jobs, ("grpc",), 0.0, 0)
    for job in jobs:
        if not ask_grpc(client, job):
            raise RuntimeError("the server changes known pixels")
    client.session.close()
    client.rpc.close()


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def mixed_load(model: Path, options: argparse.Namespace) -> dict:
    """Run the mixed load and return its figures."""
    server = Server(model)
    try:
        jobs = make_jobs(options.size, 12)
        know_the_answers(server, jobs)
        kinds = ("grpc", "rest", "upload")
        run(server, jobs, clients=options.clients, seconds=3, kinds=kinds, bad_share=0.3)
        memory: list[float] = []
        tally, took = run(
            server,
            jobs,
            clients=options.clients,
            seconds=options.seconds,
            kinds=kinds,
            bad_share=options.bad_share,
            memory=memory,
        )
    finally:
        code = server.stop()
    quarter = max(1, len(memory) // 4)
    rows = []
    for name, entries in (("good", tally.good), ("bad", tally.bad)):
        for kind in ["all", *sorted({kind for kind, _ in entries})]:
            times = [seconds for one, seconds in entries if kind in ("all", one)]
            if times:
                rows.append(
                    {
                        "requests": f"{name}: {kind}",
                        "count": len(times),
                        "per_second": len(times) / took,
                        "p50_ms": 1000 * percentile(times, 0.50),
                        "p99_ms": 1000 * percentile(times, 0.99),
                        "max_ms": 1000 * max(times),
                    }
                )
    return {
        "rows": rows,
        "wrong": Counter(tally.wrong).most_common(10),
        "seconds": took,
        "memory_mib": {
            "second_quarter": statistics.mean(memory[quarter : 2 * quarter] or memory),
            "last_quarter": statistics.mean(memory[-quarter:]),
            "largest": max(memory),
        },
        "exit_code": code,
    }


def batching(model: Path, options: argparse.Namespace) -> list[dict]:
    """Measure configurations of the server in turns, arrays over gRPC, one size at a time."""
    one_call = ("--inference-threads", "1")
    any_size = ("--max-batch-pixels", str(2**22))
    configurations = {
        "unbatched, one call": ("--max-batch-size", "1", *one_call),
        "unbatched": ("--max-batch-size", "1"),
        "batched, one call": one_call,
        "batched": (),
        "batched at any size": any_size,
        "batched at any size, calls of 1 thread": (*any_size, "--processor-threads", "1"),
    }
    servers: dict[str, Server] = {}
    rows = []
    try:
        for name, extra in configurations.items():
            servers[name] = Server(model, *extra)
        for size in options.batch_sizes:
            jobs = make_jobs(size, 8)
            know_the_answers(next(iter(servers.values())), jobs)
            rates: dict[str, list[float]] = {name: [] for name in servers}
            wrong: list[str] = []
            before = {
                name: [
                    server.metric(f"keras_inpaint_batch_rows_{what}") for what in ("count", "sum")
                ]
                for name, server in servers.items()
            }
            for turn in range(options.turns + 1):
                for name, server in servers.items():
                    tally, took = run(
                        server,
                        jobs,
                        clients=options.clients,
                        seconds=options.turn_seconds,
                        kinds=("grpc",),
                        bad_share=0.0,
                    )
                    wrong += tally.wrong
                    if turn:  # the first turn warms up
                        rates[name].append(len(tally.good) / took)
            first = statistics.median(rates["unbatched, one call"])
            for name, server in servers.items():
                median = statistics.median(rates[name])
                calls = server.metric("keras_inpaint_batch_rows_count") - before[name][0]
                photos = server.metric("keras_inpaint_batch_rows_sum") - before[name][1]
                rows.append(
                    {
                        "size": size,
                        "server": name,
                        "per_second": median,
                        "least": min(rates[name]),
                        "most": max(rates[name]),
                        "ratio": median / first if first else float("nan"),
                        "photos_per_call": photos / calls,
                        "wrong": len(wrong),
                    }
                )
    finally:
        codes = [server.stop() for server in servers.values()]
    if any(codes):
        raise RuntimeError(f"a server ended with {codes}")
    return rows


def untrained(width: float, folder: Path) -> Path:
    """Export an untrained network; its time is that of a trained one."""
    import keras_inpaint as ki

    network = ki.build_completion_network(width=width)
    return ki.export_saved_model(network, folder / "load").parent


def table(rows: list[dict]) -> str:
    """Return rows as a Markdown table."""
    heads = list(rows[0])
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for row in rows:
        cells = [f"{row[h]:.2f}" if isinstance(row[h], float) else str(row[h]) for h in heads]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Run the load test; exit code 1 if an answer was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a SavedModel folder; else untrained")
    parser.add_argument("--width", type=float, default=1.0, help="width of the untrained network")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0, help="of mixed load")
    parser.add_argument("--size", type=int, default=256, help="side of the photos in pixels")
    parser.add_argument("--bad-share", type=float, default=0.3)
    parser.add_argument("--batch-sizes", type=int, nargs="*", default=[256, 128, 64])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--turn-seconds", type=float, default=4.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    # So that servers and temporary files go when this program is told to.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="keras-inpaint-load-") as folder:
        model = options.model or untrained(options.width, Path(folder))
        report: dict = {"options": {key: str(value) for key, value in vars(options).items()}}
        if options.seconds > 0:
            report["mixed"] = mixed = mixed_load(model, options)
            print(f"\n{options.clients} clients, {mixed['seconds']:.0f} s, {options.size} px\n")
            print(table(mixed["rows"]))
            memory = mixed["memory_mib"]
            print(
                f"\nmemory: {memory['second_quarter']:.0f} MiB in the second quarter, "
                f"{memory['last_quarter']:.0f} in the last, {memory['largest']:.0f} at most; "
                f"wrong answers: {sum(count for _, count in mixed['wrong'])}; "
                f"exit code {mixed['exit_code']}"
            )
            for what, count in mixed["wrong"]:
                print(f"  {count} x {what}")
        if options.batch_sizes:
            report["batching"] = batching(model, options)
            print(f"\n{options.clients} clients, arrays over gRPC, in turns\n")
            print(table(report["batching"]))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    wrong = bool(report.get("mixed", {}).get("wrong")) or any(
        row["wrong"] for row in report.get("batching", [])
    )
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
