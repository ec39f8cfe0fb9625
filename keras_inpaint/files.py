"""Atomic file writing, JSON files, and printable paths and errors."""

import contextlib
import itertools
import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_COUNTER = itertools.count()
PREFIX = ".keras-inpaint"
"""The prefix of temporary files' names."""


def printable(path: str | os.PathLike) -> str:
    """Return a path as one printable line, with control and undecodable characters escaped."""
    text = os.fsdecode(path)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type if there is no message."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def one_line(error: Exception) -> str:
    """Return an error's message in one line, or its type if there is no message."""
    return " ".join(str(error).split()) or type(error).__name__


def read_json_object(file: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a JSON file that contains an object.

    Raises:
        ValueError: If it contains anything else.
        FileNotFoundError: If the file does not exist.
    """
    try:
        content = json.loads(Path(file).read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} does not hold a JSON object")
    return content


def check_name(path: str | os.PathLike) -> Path:
    """Return `path` as a `Path`.

    Raises:
        ValueError: If the name is empty or contains a NUL byte, which no file system can store.
    """
    if not os.fsdecode(path):
        raise ValueError("A file name is empty.")
    if "\0" in os.fsdecode(path):
        raise ValueError(f"{printable(path)}: the name contains a NUL byte")
    return Path(path)


def check_regular_file(path: str | os.PathLike) -> Path:
    """Return `path` as a `Path` if it is a regular file that is not empty.

    Pipes and devices are rejected before they are opened, since reading them may never end.

    Raises:
        OSError: If the file cannot be reached (missing, a loop of links, no permission).
        ValueError: If it is a folder, a device, a pipe or an empty file.
    """
    path = check_name(path)
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ValueError(f"{printable(path)}: is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{printable(path)}: is not a regular file")
    if status.st_size == 0:
        raise ValueError(f"{printable(path)}: is empty (0 bytes)")
    return path


def check_target(
    path: str | os.PathLike, *, overwrite: bool = False, inputs: Iterable[Path] = ()
) -> Path:
    """Return the path to write to, after all checks that are possible before the work starts.

    Args:
        path: The file to write. A symbolic link is followed, so that the link itself is kept.
        overwrite: Whether an existing file may be replaced.
        inputs: Files that are read for this output; the message says if one is the target.

    Raises:
        FileNotFoundError: If the folder to write to does not exist.
        FileExistsError: If the file exists and `overwrite` is not set.
        ValueError: If the target is not a regular file.
    """
    target = check_name(path)
    if target.is_symlink():
        target = Path(os.path.realpath(target))
        if target.is_symlink():
            raise ValueError(f"{printable(path)}: is a loop of links")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"The folder to write to does not exist: {printable(target.parent)}"
        )
    if not target.exists():
        return target
    if target.is_dir():
        raise ValueError(f"{printable(path)}: is a folder; name a file to write")
    if not target.is_file():
        raise ValueError(f"{printable(path)}: is not a regular file")
    if not overwrite:
        same = any(other.exists() and target.samefile(other) for other in inputs)
        what = "is the input itself" if same else "exists"
        raise FileExistsError(f"{printable(path)}: {what}, and overwrite is not set")
    return target


def write_atomically(
    path: str | os.PathLike, data: bytes | memoryview, *, overwrite: bool = False
) -> Path:
    """Write `data` to a temporary file beside `path`, then rename it.

    Readers of `path` see either the old file or the complete new one; a failure (a full disk,
    an interruption) leaves neither a partial nor a temporary file.

    Args:
        path: The file to write; its folder must exist.
        data: The whole content.
        overwrite: Whether an existing file may be replaced.

    Returns:
        The path that was written, with links resolved.

    Raises:
        OSError: If it cannot be written; the message names the file.
    """
    target = check_target(path, overwrite=overwrite)
    try:
        with replacing(target) as temporary:
            with open(temporary, "xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            if target.exists():
                os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), printable(path)) from error
    return target


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` on success.

    Readers of `path` see either the old file or the complete new one. The temporary file has
    the suffix of `path`, since libraries choose formats by it; it is removed on failure.
    """
    name = f"{PREFIX}-{os.getpid()}-{next(_COUNTER)}.part{path.suffix}"
    temporary = path.with_name(name)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is None and error.errno is not None:  # a full disk: name the file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, pid: int) -> None:
    """Remove the temporary files of a process that was killed while writing to `folder`."""
    for part in folder.glob(f"{PREFIX}-{pid}-*.part*"):
        part.unlink(missing_ok=True)
