"""A run's folder: its configuration, its metrics, and the state to go on from."""

import contextlib
import csv
import hashlib
import io
import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from keras_inpaint.files import replacing
from keras_inpaint.training.config import with_new_names

try:
    import fcntl
except ImportError:  # Windows: nobody is kept out
    fcntl = None

logger = logging.getLogger(__name__)

COLUMNS = (
    "phase",
    "step",
    "loss",
    "completion_loss",
    "adversarial_loss",
    "discriminator_loss",
    "feature_loss",
    "perceptual_loss",
    "r1_penalty",
    "real_score",
    "fake_score",
    "discriminator_accuracy",
    "completion_gradient_norm",
    "discriminator_gradient_norm",
    "alpha",
    "held_out_hole_mse",
    "held_out_psnr",
)


class RunFolder:
    """The files of one training run; every file is written whole or not at all.

    Args:
        path: Path of the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.state_file = self.path / "state" / "state.npz"
        #: The state before that one, for the day when the file is damaged.
        self.previous_state_file = self.path / "state" / "previous.npz"
        self.metrics_file = self.path / "metrics.csv"
        self.completion_file = self.path / "completion.keras"
        #: The network of another project that a run began with; its form is not the usual one.
        self.initial_file = self.path / "initial.keras"
        self.first_phase_file = self.path / "completion-phase1.keras"
        self.samples = self.path / "samples"
        self.animation = self.path / "progress.gif"
        self.logs = self.path / "logs"
        self.lock_file = self.path / "running.pid"
        self._newest: Path | None = None  # the newest whole state, once it was looked for
        self.failure_file = self.path / "failure.json"

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep other processes from training in this folder; a process that died lets it go.

        Raises:
            RuntimeError: If another process trains here; the message names it.
        """
        existed = self.path.is_dir()
        self.path.mkdir(parents=True, exist_ok=True)
        with self._locked() as file:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            try:
                yield
            finally:
                self.lock_file.unlink(missing_ok=True)
                if not existed:
                    with contextlib.suppress(OSError):  # it holds a run by now
                        self.path.rmdir()

    def _locked(self) -> TextIO:
        """Return the lock's file, opened and locked.

        Who lets go removes the file, so a file locked a moment later may no longer be the one
        that others see: then it is opened anew.
        """
        while True:
            file = self.lock_file.open("a+")
            if fcntl is None:
                return file
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with file:
                    file.seek(0)
                    owner = file.read().strip() or "?"
                raise RuntimeError(
                    f"{self.path} is being trained by process {owner}: wait for it, stop it, or "
                    "train in another folder"
                ) from None
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), self.lock_file.stat()):
                    return file
            file.close()

    def begin(self, fresh: bool) -> dict[str, Any] | None:
        """Find a run in the folder, or that it is free for a new one.

        Args:
            fresh: Bool, whether to throw away a run that is there.

        Returns:
            The configuration of the run to go on with, or None for a new one.

        Raises:
            FileExistsError: If the folder holds something else.
            ValueError: If its configuration cannot be read.
        """
        if fresh and self.config_file.exists():
            self._newest = None
            for entry in (self.state_file.parent, self.samples, self.logs):
                shutil.rmtree(entry, ignore_errors=True)
            for entry in (
                self.config_file,
                self.metrics_file,
                self.completion_file,
                self.first_phase_file,
                self.initial_file,
                self.animation,
                self.failure_file,
                self.path / "held_out.json",
            ):
                entry.unlink(missing_ok=True)
            return None
        if not self.config_file.exists():
            if self.path.is_dir() and any(e != self.lock_file for e in self.path.iterdir()):
                raise FileExistsError(17, "This folder is not a run, and not empty", str(self.path))
            return None
        try:
            found = json.loads(self.config_file.read_text("utf-8"))
        except ValueError as error:
            raise ValueError(f"{self.config_file} cannot be read: {error}") from error
        return {**found, "config": with_new_names(found["config"])}

    def create(self, config: dict[str, Any]) -> None:
        """Make the folder and write the configuration."""
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        self.write_json(self.config_file, config)

    def keep_first_phase(self) -> None:
        """Keep the completion network of phase 1 beside the one that phase 3 goes on with."""
        with replacing(self.first_phase_file) as temporary:
            shutil.copyfile(self.completion_file, temporary)

    def write_json(self, path: Path, value: dict[str, Any]) -> None:
        """Write a JSON file."""
        _replace(path, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())

    def append_row(self, row: dict[str, Any]) -> None:
        """Add a row to the metrics."""
        new = not self.metrics_file.exists()
        with self.metrics_file.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", restval="")
            if new:
                writer.writeheader()
            writer.writerow({k: _figure(v) for k, v in row.items()})

    def drop_rows_after(self, phase: int, step: int) -> None:
        """Forget the rows of steps that will be taken again."""
        if not self.metrics_file.exists():
            return
        with self.metrics_file.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        kept = [r for r in rows if _place(r) is not None and _place(r) <= (phase, step)]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(kept)
        _replace(self.metrics_file, text.getvalue().encode())

    def save_state(self, phase: int, step: int, parts: dict[str, Iterable[Any]]) -> None:
        """Write all variables that the run goes on from, and keep the state before.

        Args:
            phase: Int, the phase under way.
            step: Int, its steps done.
            parts: Name to Keras variables.
        """
        arrays = {"phase": np.int64(phase), "step": np.int64(step)}
        for part, variables in parts.items():
            for number, variable in enumerate(variables):
                arrays[f"{part}/{number:04d}"] = np.asarray(variable)
        arrays["sha256"] = _digest(arrays)
        newest, self._newest = self._newest, None
        with replacing(self.state_file) as temporary:
            with temporary.open("wb") as file:
                np.savez(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            # A damaged state must not take the place of the whole one before it.
            if self.state_file.exists() and newest != self.previous_state_file:
                os.replace(self.state_file, self.previous_state_file)
        self._newest = self.state_file

    def find_state(self) -> Path | None:
        """Return the newest state that is whole, read once to see that; None without one.

        Raises:
            ValueError: If there are states and all are damaged; the message names them.
        """
        if self._newest is not None:
            return self._newest
        damaged = []
        for path in (self.state_file, self.previous_state_file):
            if not path.exists():
                continue
            try:
                _check_state(path)
            except Exception as error:  # whatever a damaged archive makes NumPy and zipfile raise
                damaged.append(f"{path} is damaged ({str(error) or type(error).__name__})")
                continue
            for words in damaged:
                logger.warning("%s: going on from the state before it, %s", words, path)
            self._newest = path
            return path
        if damaged:
            raise ValueError(f"{'; '.join(damaged)}: start over with fresh")
        return None

    def copy_to(self, path: Path, *files: Path) -> "RunFolder":
        """Copy the newest whole state, and those of the files that exist, to another folder."""
        copy = RunFolder(path)
        state = self.find_state()
        if state is not None:
            copy.state_file.parent.mkdir(parents=True)
            shutil.copyfile(state, copy.state_file)
        for file in files:
            if file.exists():
                shutil.copyfile(file, copy.path / file.name)
        return copy

    def load_place(self) -> tuple[int, int]:
        """Return the phase and the step of the state; phase 1, step 0 without one.

        Raises:
            ValueError: If every state is damaged.
        """
        path = self.find_state()
        if path is None:
            return 1, 0
        with path.open("rb") as file, np.load(file) as state:
            return int(state["phase"]), int(state["step"])

    def load_state(self, parts: dict[str, Iterable[Any]]) -> None:
        """Put the state into variables; parts that the state lacks stay as they are.

        Raises:
            FileNotFoundError: If there is no state.
            ValueError: If a part has other variables than the state, or it is damaged.
        """
        path = self.find_state()
        if path is None:
            raise FileNotFoundError(2, "There is no state to go on from", str(self.state_file))
        with path.open("rb") as file, np.load(file) as state:
            for part, variables in parts.items():
                keys = sorted(k for k in state.files if k.startswith(f"{part}/"))
                variables = list(variables)
                if not keys:
                    continue
                if len(keys) != len(variables):
                    raise ValueError(
                        f"{path} has {len(keys)} variables of {part}, expected {len(variables)}"
                    )
                for key, variable in zip(keys, variables, strict=True):
                    variable.assign(state[key])


def _check_state(path: Path) -> None:
    """Read a state through, one array at a time; whatever is wrong with it raises something."""
    with path.open("rb") as file, np.load(file) as state:
        digest = _digest(state)  # of earlier versions' states, too: reading checks their CRC
        if "sha256" in state and not np.array_equal(state["sha256"], digest):
            raise ValueError("its hash is another one")
        int(state["phase"]), int(state["step"])


def _digest(arrays: Mapping[str, Any]) -> np.ndarray:
    """Return the SHA-256 of arrays with their names, types and shapes, uint8 `(32,)`."""
    digest = hashlib.sha256()
    for name in sorted(set(arrays) - {"sha256"}):
        array = np.asarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return np.frombuffer(digest.digest(), np.uint8)


def _figure(value: Any) -> Any:
    return f"{value:.7g}" if isinstance(value, float | np.floating) else value


def _place(row: dict[str, str]) -> tuple[int, int] | None:
    try:
        return int(row["phase"]), int(row["step"])
    except (KeyError, TypeError, ValueError):
        return None


def _replace(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)
