"""Resolve a reference to a model (a preset, path or address) to a file or folder."""

import contextlib
import csv
import hashlib
import importlib.util
import json
import logging
import os
from pathlib import Path

from keras_inpaint.fetching import fetch
from keras_inpaint.presets.registry import (
    DEFAULT_PRESET,
    KERAS_FILE,
    PRESETS,
    TFLITE_FILE,
    Preset,
)

logger = logging.getLogger(__name__)

SAVED_MODEL_FILE = "saved_model.pb"
MODEL_SUFFIXES = (".keras", ".tflite")
#: The prefixes of addresses.
ADDRESSES = ("https://", "http://", "hf://")


def resolve(reference: str | os.PathLike[str] | None = None, *, prefer: str = ".keras") -> Path:
    """Return the path of the model that a reference names.

    A preset's name always refers to the preset, so that a command does not depend on the working
    folder; write `./faces` or `Path("faces")` for a file or folder of that name.
    `https://HOST/PATH#sha256=DIGEST` and `hf://OWNER/REPOSITORY/PATH[#sha256=DIGEST]` are
    downloaded once and cached. Anything else is a path: a `.keras` or `.tflite` file, a
    SavedModel folder, a folder of numbered SavedModel versions (the highest is used), or a folder
    that contains `completion.keras` or `completion.tflite`, such as that of a training run.

    Args:
        reference: A preset's name, a path, an address, or None for the default preset.
        prefer: String, `".keras"` or `".tflite"`, the format to use if both exist.

    Returns:
        An existing path: a `.keras` file, a `.tflite` file or a folder with `saved_model.pb`.

    Raises:
        OSError: If a download fails.
        ValueError: If there is no such model; the message lists what was tried and what exists.
            Also if `prefer` is not one of the two.
        TypeError: If `reference` is not a string, path or None.
    """
    if prefer not in MODEL_SUFFIXES:
        raise ValueError(f"prefer must be one of {MODEL_SUFFIXES}, got {prefer!r}")
    if reference is None:
        reference = DEFAULT_PRESET
    if not isinstance(reference, str | os.PathLike):
        raise TypeError(f"a model must be a preset's name, a path or an address, got {reference!r}")
    if isinstance(reference, str) and reference in PRESETS:
        return _preset_file(PRESETS[reference], prefer)
    if isinstance(reference, str) and reference.startswith(ADDRESSES):
        return _checked_file(_fetched(reference))
    path = Path(reference)
    if not os.fspath(reference) or not path.exists():
        raise ValueError(
            f"no model {os.fspath(reference)!r}: no such file or folder, and no preset of that "
            f"name (presets: {', '.join(PRESETS)})"
        )
    return _in_folder(path, prefer) if path.is_dir() else _checked_file(path)


def _fetched(address: str) -> Path:
    """Return the model file of an address, downloaded unless it is in the cache."""
    where, _, fragment = address.partition("#")
    digest = fragment.removeprefix("sha256=")
    if fragment and (not fragment.startswith("sha256=") or not _is_digest(digest)):
        raise ValueError(f"{address}: # must be followed by sha256= and 64 hexadecimal digits")
    if where.startswith("hf://"):
        parts = where.removeprefix("hf://").split("/", 2)
        if len(parts) < 3 or not all(parts):
            raise ValueError(f"{address}: expected hf://OWNER/REPOSITORY/PATH")
        if importlib.util.find_spec("huggingface_hub") is not None and not digest:
            import huggingface_hub

            return Path(huggingface_hub.hf_hub_download("/".join(parts[:2]), parts[2]))
        where = f"https://huggingface.co/{parts[0]}/{parts[1]}/resolve/main/{parts[2]}"
    elif not digest:
        raise ValueError(
            f"{address}: an address needs the file's digest, ADDRESS#sha256=DIGEST, to verify the "
            "download (sha256sum FILE prints it)"
        )
    name = f"{hashlib.sha256(where.encode()).hexdigest()[:12]}-{where.rsplit('/', 1)[-1]}"
    return fetch(where, name, sha256=digest or None)


def _is_digest(text: str) -> bool:
    return len(text) == 64 and not set(text.lower()) - set("0123456789abcdef")


def _preset_file(preset: Preset, prefer: str) -> Path:
    files = _preferred(preset.folder, prefer)
    for file in files:
        if file.is_file():
            return file
    bundled = [name for name, other in PRESETS.items() if other.has_weights]
    others = f"presets with weights: {', '.join(bundled)}" if bundled else "no preset has weights"
    local = f"; for the local {preset.name!r} write ./{preset.name}"
    raise ValueError(
        f"the weights of preset {preset.name!r} are not in this installation: tried "
        f"{' and '.join(file.name for file in files)} in {preset.folder} ({others}); train it with "
        f"`{preset.command}`{local if Path(preset.name).exists() else ''}"
    )


def _in_folder(folder: Path, prefer: str) -> Path:
    if (folder / SAVED_MODEL_FILE).is_file():
        return folder
    _check_run(folder)
    for file in _preferred(folder, prefer):
        if file.is_file():
            return file
    versions = [
        child
        for child in folder.iterdir()
        if child.name.isdecimal() and (child / SAVED_MODEL_FILE).is_file()
    ]
    if versions:
        return max(versions, key=lambda child: int(child.name))
    models = sorted(child.name for child in folder.iterdir() if child.suffix in MODEL_SUFFIXES)
    others = f"; it contains {', '.join(models)}: name one of them" if models else ""
    raise ValueError(
        f"no model in folder {folder}: tried {KERAS_FILE}, {TFLITE_FILE}, {SAVED_MODEL_FILE} and "
        f"numbered SavedModel versions{others}"
    )


def _check_run(folder: Path) -> None:
    """Warn if a training run has not finished phase 1.

    Raises:
        ValueError: If it has not finished a single step.
    """
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))["config"]
        planned = config["steps"][0]
    except (OSError, ValueError, LookupError, TypeError):
        return  # not a training run
    if not planned or (folder / "completion-phase1.keras").exists():
        return
    done = 0
    with contextlib.suppress(OSError), (folder / "metrics.csv").open(newline="") as file:
        done = max((int(row["step"]) for row in csv.DictReader(file)), default=0)
    if done < planned:
        what = (
            f"the training run in {folder} has not finished phase 1: step {done:,} of {planned:,}"
        )
        if not done:
            raise ValueError(f"{what}, so that there is no network yet; resume the run first")
        logger.warning("%s; its network is not fully trained", what)


def _checked_file(path: Path) -> Path:
    if path.suffix.lower() not in MODEL_SUFFIXES:
        raise ValueError(
            f"{path} is not a model: expected a .keras or .tflite file, a SavedModel folder or "
            "the folder of a run"
        )
    return path


def _preferred(folder: Path, prefer: str) -> list[Path]:
    files = [folder / KERAS_FILE, folder / TFLITE_FILE]
    return files if prefer == ".keras" else files[::-1]
