"""One server for all tests, with small limits, an API key and three models."""

import importlib.util
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

KEY = "correct-horse-battery-staple"
ORIGIN = "https://pages.example"
MAX_BODY = 4 * 2**20
MAX_PIXELS = 600 * 600
MAX_HOLE = 90_000

_START_SECONDS = 600
_STOP_SECONDS = 60


# Imported by the server's Python at its start: notes every file that Python opens to write.
_WATCHER = """
import os, sys

_log = os.open(os.environ["WATCHER_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def _watch(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and not isinstance(path, int):
            os.write(_log, os.fsencode(os.path.abspath(path)) + b"\\n")
    elif event in ("os.rename", "os.link", "os.symlink", "os.mkdir"):
        target = arguments[0] if event == "os.mkdir" else arguments[1]
        os.write(_log, os.fsencode(os.path.abspath(target)) + b"\\n")

sys.addaudithook(_watch)
"""


class ServerProcess:
    """A `keras-inpaint serve` on free loopback ports.

    Args:
        *arguments: Further arguments of the command.
        log: File that its log goes to.
        key: API key, or None.
        scratch: The only folder that it may write to, or None for the machine's own.
    """

    def __init__(self, *arguments, log, key=None, scratch=None):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}
        self.scratch, self._watched = scratch, Path(log).with_suffix(".writes")
        if scratch is not None:
            watcher = Path(log).parent / "watcher"
            watcher.mkdir()
            (watcher / "sitecustomize.py").write_text(_WATCHER)
            path = os.pathsep.join(filter(None, [str(watcher), environment.get("PYTHONPATH")]))
            environment.update(
                TMPDIR=str(scratch),
                PYTHONPATH=path,
                PYTHONDONTWRITEBYTECODE="1",
                WATCHER_LOG=str(self._watched),
            )
        environment.pop("KERAS_INPAINT_API_KEY", None)
        if key:
            environment["KERAS_INPAINT_API_KEY"] = key
        self.key = key
        self.log_path = Path(log)
        self._events = queue.Queue()
        self._errors = self.log_path.with_suffix(".err").open("wb")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "keras_inpaint", "serve"),
                *("--port", "0"),
                *map(str, arguments),
            ],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            ready = self._await("ready")
        except BaseException:
            self.kill()
            raise
        self.url = ready["url"]
        # What libraries write for themselves when they are imported is not a request's doing.
        self._imported = len(self._writes()) if scratch is not None else 0
        self.address = self.url.removeprefix("http://")

    def _read(self):
        with self.log_path.open("wb") as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                if b'"message": "ready"' in line:
                    self._events.put(json.loads(line))
        self._events.put(None)

    def _await(self, message):
        try:
            event = self._events.get(timeout=_START_SECONDS)
        except queue.Empty:
            raise TimeoutError(f"no {message!r} in the log: {self.tail()}") from None
        if event is None:
            raise RuntimeError(f"the server ended: {self.tail()}")
        return event

    def tail(self):
        """Return the end of the log and of standard error."""
        self._errors.flush()
        errors = self.log_path.with_suffix(".err").read_text("utf-8", "replace")
        log = self.log_path.read_text("utf-8", "replace") if self.log_path.exists() else ""
        return f"{log[-3000:]}\n{errors[-3000:]}"

    def lines(self):
        """Return the log so far, a dict a line."""
        return [json.loads(line) for line in self.log_path.read_text("utf-8").splitlines()]

    @property
    def is_alive(self):
        return self.process.poll() is None

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def _writes(self):
        written = self._watched.read_text("utf-8", "replace").splitlines()
        assert written  # the watcher is at work
        return written

    def writes_outside(self):
        """Return the files that requests had the process write outside its own folder."""
        allowed = (str(self.scratch), "/dev/", "/proc/")
        since = self._writes()[self._imported :]
        return sorted({path for path in since if not path.startswith(allowed)})

    def resident_bytes(self):
        """Return the memory that the process holds."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def stop(self, tell=True):
        """Tell the server to stop, unless it knows, and return its exit code."""
        if self.is_alive and tell:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._close()
        return code

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        self._close()

    def _close(self):
        self._reader.join(10)
        self.process.stdout.close()
        self._errors.close()


def need(*modules):
    """Skip where packages of the extra `test` are missing; imports none of them.

    KServe and tritonclient each register the protocol's messages, so that one process can
    import only one of them; here it is the client.
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"no {module}: pip install 'keras-inpaint[test]'")


@pytest.fixture(scope="session")
def model_folders(tiny_network, tmp_path_factory):
    """A folder of models as TensorFlow Serving wants it: tiny/1, tiny/2 and other/7.

    Version 2 of tiny has another mean pixel, so that its answers differ; other is tiny/1
    without its warm-up requests.
    """
    import keras

    import keras_inpaint as ki

    root = tmp_path_factory.mktemp("models")
    ki.export_saved_model(tiny_network, root / "tiny")
    changed = keras.models.clone_model(tiny_network)
    changed.set_weights([1.25 * weight for weight in tiny_network.get_weights()])
    ki.export_saved_model(changed, root / "tiny", version=2)
    without_warmup = shutil.ignore_patterns("assets.extra")
    shutil.copytree(root / "tiny" / "1", root / "other" / "7", ignore=without_warmup)
    return root


@pytest.fixture(scope="session")
def server(model_folders, tmp_path_factory):
    """The server that tests share; it must end with code 0 and leave nothing behind."""
    need("multipart", "fastapi_offline", "requests")
    scratch = tmp_path_factory.mktemp("scratch")
    process = ServerProcess(
        *("--model", model_folders / "tiny" / "1", "--model", model_folders / "other" / "7"),
        *("--max-body", MAX_BODY / 2**20, "--max-pixels", MAX_PIXELS, "--max-hole", MAX_HOLE),
        *("--workers", 2, "--queue", 8, "--timeout", 60, "--allow-origin", ORIGIN),
        log=tmp_path_factory.mktemp("log") / "server.jsonl",
        key=KEY,
        scratch=scratch,
    )
    process.origin = ORIGIN
    try:
        yield process
    finally:
        code = process.stop()
    assert code == 0, process.tail()
    assert process.lines()[-1]["message"] == "stopped"
    assert process.lines()[-1]["unanswered"] == 0
    assert list(scratch.iterdir()) == []


@pytest.fixture
def start_server():
    """What starts a server of one's own; see `ServerProcess`."""
    need("multipart", "fastapi_offline", "requests")
    return ServerProcess


@pytest.fixture(scope="session")
def http(server):
    """A requests session that carries the API key."""
    import requests

    with requests.Session() as session:
        session.headers.update(server.headers)
        yield session


@pytest.fixture(scope="session")
def pair():
    """A batch of two photos and masks: uint8 `(2, 50, 68, 3)` and `(2, 50, 68, 1)`."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:50, 0:68]
    base = np.stack([3 * x, 4 * y, 255 - 2 * x], axis=-1)
    noise = rng.normal(0, 10, (2, 50, 68, 3))
    image = np.clip(base + noise, 0, 255).astype(np.uint8)
    mask = np.zeros((2, 50, 68, 1), np.uint8)
    mask[0, 10:30, 20:45] = 255
    mask[1, 25:50, 0:18] = 255
    return image, mask


@pytest.fixture(scope="session")
def completed(pair, model_folders):
    """What `Inpainter` makes of `pair`, by version of the model tiny."""
    import keras_inpaint as ki

    image, mask = pair
    answers = {}
    for version in (1, 2):
        inpainter = ki.Inpainter(
            model_folders / "tiny" / str(version), runtime="saved-model", blend="none"
        )
        answers[version] = np.stack(
            [inpainter(one, hole[..., 0]) for one, hole in zip(image, mask, strict=True)]
        )
    assert (answers[1] != answers[2]).any()
    return answers


@pytest.fixture
def eventually():
    """A function that waits until a condition holds."""

    def wait(condition, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.1)
        raise AssertionError(f"not within {seconds} s")

    return wait
