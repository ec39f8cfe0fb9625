"""Files from the network: resumed where a transfer broke off, checked, whole or not at all."""

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import keras_inpaint

#: Seconds without a byte after which a transfer counts as broken off.
TIMEOUT = 30
#: How often a transfer that broke off is taken up again.
ATTEMPTS = 4
_BLOCK = 1 << 18

Progress = Callable[[int, int | None], None]


def cache_folder() -> Path:
    """Return where fetched files are kept: `keras_inpaint` in Keras' own folder."""
    home = os.environ.get("KERAS_HOME") or Path("~", ".keras").expanduser()
    return Path(home, "keras_inpaint")


def fetch(
    url: str,
    name: str,
    *,
    sha256: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Return a file of an address, fetched once and kept.

    What was received of a transfer that broke off stays in `NAME.part`, and the next one goes on
    from there where the server can.

    Args:
        url: String, an `http`, `https` or `file` address.
        name: String, what to call the file.
        sha256: String, the digest in hexadecimal digits or the first of them; None checks none.
        folder: Path to keep it in; None is `cache_folder()`.
        progress: Called with the bytes received and the bytes in all, None where unknown.

    Returns:
        The path of the file.

    Raises:
        OSError: If the address does not answer, or the file cannot be written.
        ValueError: If what came has another digest; nothing of it is kept.
    """
    root = cache_folder() if folder is None else Path(folder)
    target, part = root / name, root / f"{name}.part"
    if target.is_file():
        try:
            _check(target, sha256, url)
            return target
        except ValueError:
            target.unlink()  # another file of the same name, or one that was damaged
    root.mkdir(parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        before = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part, progress)
            break
        except urllib.error.HTTPError as error:
            raise OSError(f"{url}: the server answers {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            received = part.stat().st_size if part.exists() else 0
            # Where nothing came, a host is not reached at all: no use in asking again.
            if attempt + 1 == ATTEMPTS or received <= before:
                reason = getattr(error, "reason", None) or error
                raise OSError(f"{url} cannot be fetched: {reason}") from error
            time.sleep(min(2**attempt, 5) * 0.2)
    try:
        _check(part, sha256, url)
    except ValueError:
        part.unlink()
        raise
    os.replace(part, target)
    return target


def _receive(url: str, part: Path, progress: Progress | None) -> None:
    """Receive what a part lacks; raise where less came than the server said."""
    start = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": f"keras-inpaint/{keras_inpaint.__version__}"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # nothing behind what is there: it is whole, or of another file
            raise
        total = error.headers.get("Content-Range", "").rpartition("/")[2]
        error.close()
        if total == str(start):
            return
        part.unlink()
        return _receive(url, part, progress)
    with answer:
        if answer.status != 206:
            start = 0
        length = answer.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            done = start
            while block := answer.read(_BLOCK):
                file.write(block)
                done += len(block)
                if progress is not None:
                    progress(done, total)
    if total is not None and done < total:
        raise OSError(f"it broke off after {done} of {total} bytes")


def _check(file: Path, sha256: str | None, url: str) -> None:
    if sha256 is None:
        return
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if not found.startswith(sha256.lower()):
        raise ValueError(
            f"{url}: its SHA-256 should begin with {sha256[:16]} and is {found[:16]}...: it is "
            "another file than was published, or was damaged on the way"
        )
