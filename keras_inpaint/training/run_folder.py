"""The folder of a run: its configuration, its metrics, and the state to resume from."""

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
except ImportError:  # Windows: the folder is not locked
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
    """The files of a training run, written atomically except for appended rows of metrics.

    Args:
        path: Path of the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.state_file = self.path / "state" / "state.npz"
        #: The state before that one, in case the file is damaged.
        self.previous_state_file = self.path / "state" / "previous.npz"
        self.metrics_file = self.path / "metrics.csv"
        self.completion_file = self.path / "completion.keras"
        #: The converted network that a run started from; its architecture differs.
        self.initial_file = self.path / "initial.keras"
        self.first_phase_file = self.path / "completion-phase1.keras"
        self.samples = self.path / "samples"
        self.animation = self.path / "progress.gif"
        self.logs = self.path / "logs"
        self.lock_file = self.path / "running.pid"
        self._newest: Path | None = None  # the newest valid state, once known
        self.failure_file = self.path / "failure.json"

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Lock this folder against training by other processes; a dead process holds no lock.

        Raises:
            RuntimeError: If another process is training here; the message gives its id.
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
                    with contextlib.suppress(OSError):  # not empty if it now contains a run
                        self.path.rmdir()

    def _locked(self) -> TextIO:
        """Open and lock the lock file.

        Releasing the lock removes the file. If that happens between opening and locking it, the
        locked file is no longer the one that other processes see, and it is opened again.
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
        """Return the record of the folder's run, or None if the folder is free for a new run.

        Args:
            fresh: Bool, whether to delete an existing run.

        Returns:
            The content of `config.json` of the run to resume, or None for a new one.

        Raises:
            FileExistsError: If the folder contains something else.
            ValueError: If the configuration cannot be read.
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
                raise FileExistsError(
                    17, "This folder is not empty and is not a run", str(self.path)
                )
            return None
        try:
            record = json.loads(self.config_file.read_text("utf-8"))
        except ValueError as error:
            raise ValueError(f"{self.config_file} cannot be read: {error}") from error
        return {**record, "config": with_new_names(record["config"])}

    def create(self, config: dict[str, Any]) -> None:
        """Create the folder and write the configuration."""
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        self.write_json(self.config_file, config)

    def keep_first_phase(self) -> None:
        """Keep a copy of phase 1's completion network, which phase 3 continues to train."""
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
        """Remove the rows of steps that will be repeated."""
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
        """Write all variables that are needed to resume the run, and keep the previous state.

        Args:
            phase: Int, the current phase.
            step: Int, its number of completed steps.
            parts: Dict from names to Keras variables.
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
            # A damaged state must not replace the valid one before it.
            if self.state_file.exists() and newest != self.previous_state_file:
                os.replace(self.state_file, self.previous_state_file)
        self._newest = self.state_file

    def find_state(self) -> Path | None:
        """Return the newest state that is not damaged, or None if there is no state.

        Each state is read once to verify it.

        Raises:
            ValueError: If all states are damaged; the message names them.
        """
        if self._newest is not None:
            return self._newest
        damaged = []
        for path in (self.state_file, self.previous_state_file):
            if not path.exists():
                continue
            try:
                _check_state(path)
            except Exception as error:  # NumPy and zipfile can raise anything for a damaged archive
                damaged.append(f"{path} is damaged ({str(error) or type(error).__name__})")
                continue
            for message in damaged:
                logger.warning("%s: resuming from the previous state, %s", message, path)
            self._newest = path
            return path
        if damaged:
            raise ValueError(f"{'; '.join(damaged)}: start over with fresh")
        return None

    def copy_to(self, path: Path, *files: Path) -> "RunFolder":
        """Copy the newest valid state, and those of `files` that exist, to another folder."""
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
        """Return the phase and the step of the state; phase 1, step 0 if there is none.

        Raises:
            ValueError: If every state is damaged.
        """
        path = self.find_state()
        if path is None:
            return 1, 0
        with path.open("rb") as file, np.load(file) as state:
            return int(state["phase"]), int(state["step"])

    def load_state(self, parts: dict[str, Iterable[Any]]) -> None:
        """Assign the state to variables; parts that the state lacks are unchanged.

        Raises:
            FileNotFoundError: If there is no state.
            ValueError: If a part has another number of variables than the state, or all states
                are damaged.
        """
        path = self.find_state()
        if path is None:
            raise FileNotFoundError(2, "There is no state to resume from", str(self.state_file))
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
    """Read a whole state, one array at a time; raise an exception if it is damaged."""
    with path.open("rb") as file, np.load(file) as state:
        digest = _digest(state)  # for states of earlier versions, reading verifies the CRC
        if "sha256" in state and not np.array_equal(state["sha256"], digest):
            raise ValueError("its hash does not match")
        int(state["phase"]), int(state["step"])


def _digest(arrays: Mapping[str, Any]) -> np.ndarray:
    """Return the SHA-256 of arrays with their names, dtypes and shapes, uint8 `(32,)`."""
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
