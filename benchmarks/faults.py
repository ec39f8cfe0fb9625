"""Inject faults into training runs and check that their results are bit-identical without faults.

    python -m benchmarks.faults --faults 30

A tiny run in a separate process is killed (SIGKILL) at random times, also while it writes its
state, as it does after every row of the metrics; runs out of disk space; has its state truncated or
one bit of it flipped; and has a file added to its folder of photos during training. It is restarted
after each fault. The final network is compared with that of a run without faults, in float32 on the
CPU.
"""

import argparse
import itertools
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from keras_inpaint.training.run_folder import RunFolder

FAULTS = ("kill", "flipped bit", "cut off", "full disk", "changing folder")
_PHOTOS = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=30, help="Number of faults to inject.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of their kinds and times.")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        photos, run, limit = arguments.child
        _train(photos, run, int(limit))
        return
    with tempfile.TemporaryDirectory() as folder:
        _inject(Path(folder), arguments.faults, random.Random(arguments.seed))


def _inject(folder: Path, count: int, draw: random.Random) -> None:
    photos = folder / "photos"
    _write_photos(photos)
    if _start(photos, folder / "whole").wait() != 0:
        raise SystemExit("the run without faults failed")
    expected = _weights(folder / "whole")
    injected: Counter[str] = Counter()
    restarts = finished = different = 0
    while sum(injected.values()) < count:
        run = folder / f"run{finished}"
        # Without a state, only "kill" is possible.
        fault = draw.choice(FAULTS) if RunFolder(run).state_file.exists() else "kill"
        child = _start(photos, run, fault)
        _disturb(child, fault, photos, draw)
        restarts += 1
        if child.returncode == 0:
            finished += 1
            different += _differs(expected, _weights(run))
            continue
        if child.returncode != (1 if fault == "full disk" else -signal.SIGKILL):
            raise SystemExit(f"after {dict(injected)} the run failed: code {child.returncode}")
        injected[fault] += 1
        if fault in ("flipped bit", "cut off"):
            _damage(RunFolder(run).state_file, fault, draw)
        print(f"{sum(injected.values())}/{count}: {fault}", file=sys.stderr)
    run = folder / f"run{finished}"
    if run.exists():
        if _start(photos, run).wait() != 0:
            raise SystemExit(f"after {dict(injected)} the run did not resume")
        finished += 1
        different += _differs(expected, _weights(run))
    print("| fault | injected |\n|---|---|")
    for fault in FAULTS:
        print(f"| {fault} | {injected[fault]} |")
    print(f"\n{finished} runs finished, {restarts} starts; {different} networks differ.")
    if different:
        raise SystemExit(1)


def _disturb(child: subprocess.Popen, fault: str, photos: Path, draw: random.Random) -> None:
    """Let a child write some rows and states, then kill it unless the fault ends it."""
    if fault == "changing folder":
        _wait_for_rows(child, 1)
        shutil.copyfile(next(photos.glob("*.png")), photos / "later.png")
    _wait_for_rows(child, draw.randint(1, 8))
    time.sleep(draw.uniform(0, 0.1))
    if fault != "full disk":
        child.kill()
    child.wait()
    (photos / "later.png").unlink(missing_ok=True)


def _wait_for_rows(child: subprocess.Popen, count: int) -> None:
    """Wait until a child has written `count` rows of its metrics, or has ended."""
    for _ in itertools.islice(child.stdout, count):
        pass


def _damage(state: Path, fault: str, draw: random.Random) -> None:
    data = bytearray(state.read_bytes())
    place = draw.randrange(len(data))
    if fault == "cut off":
        del data[place:]
    else:
        data[place] ^= 1 << draw.randrange(8)
    state.write_bytes(data)


def _start(photos: Path, run: Path, fault: str = "") -> subprocess.Popen:
    limit = RunFolder(run).state_file.stat().st_size // 2 if fault == "full disk" else 0
    command = [sys.executable, "-m", "benchmarks.faults", "--child", photos, run, str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _train(photos: str, run: str, limit: int) -> None:
    """Train in this child process, whose files must not grow beyond `limit` bytes."""
    from keras_inpaint.training.config import TrainingConfig
    from keras_inpaint.training.schedule import train

    config = TrainingConfig(
        data=photos,
        size=16,
        width=0.0625,
        batch_size=4,
        steps=(200, 60, 100),
        masks="rectangles:4-8",
        patch_size=8,
        scale=(1.0, 1.2),
        held_out=0.2,
        precision="float32",
        ema=0.9,
        log_every=5,
        evaluate_every=50,
    )
    if limit:  # writing a larger file fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def print_rows(event: str, facts: dict) -> None:
        if event == "row":
            print("row", flush=True)

    train(config, run, save_seconds=0, listener=print_rows)


def _write_photos(folder: Path) -> None:
    from PIL import Image

    from keras_inpaint.data import sample

    folder.mkdir()
    for number in range(_PHOTOS):
        photo = Image.fromarray(sample.portrait(number)).resize((24, 24))
        photo.save(folder / f"p{number}.png")


def _weights(run: Path) -> list:
    from keras_inpaint.networks.weights import read_network

    return read_network(run / "completion.keras").get_weights()


def _differs(expected: list, weights: list) -> bool:
    import numpy as np

    return not all(np.array_equal(a, b) for a, b in zip(expected, weights, strict=True))


if __name__ == "__main__":
    main()
