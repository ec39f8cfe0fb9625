"""Download files atomically: interrupted transfers are resumed and digests are verified."""

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import keras_inpaint

#: Seconds without data after which a transfer counts as interrupted.
TIMEOUT = 30
#: Maximum number of attempts per file; each resumes the previous one.
ATTEMPTS = 4
_BLOCK = 1 << 18

Progress = Callable[[int, int | None], None]


def cache_folder() -> Path:
    """Return the folder of downloaded files: `keras_inpaint` in Keras' own folder."""
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
    """Download a file, unless it is in the cache already.

    The data of an interrupted transfer stays in `NAME.part`, and the next call resumes there if
    the server supports it.

    Args:
        url: String, an `http`, `https` or `file` URL.
        name: String, the file's name in the cache.
        sha256: String, the digest in hexadecimal digits, or its first digits; None skips the
            check.
        folder: Path of the cache folder; None is `cache_folder()`.
        progress: Called with the number of bytes received and the total, None if unknown.

    Returns:
        The path of the file.

    Raises:
        OSError: If the server cannot be reached, or the file cannot be written.
        ValueError: If the digest of the received file differs; the file is removed.
    """
    root = cache_folder() if folder is None else Path(folder)
    target, part = root / name, root / f"{name}.part"
    if target.is_file():
        try:
            _check(target, sha256, url)
            return target
        except ValueError:
            target.unlink()  # a different file of the same name, or a damaged one
    root.mkdir(parents=True, exist_ok=True)
    for attempt in range(ATTEMPTS):
        before = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part, progress)
            break
        except urllib.error.HTTPError as error:
            raise OSError(f"{url}: the server returned {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            received = part.stat().st_size if part.exists() else 0
            # An attempt without any data means that the host is unreachable: do not retry.
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
    """Download the rest of a partial file.

    Raises:
        OSError: If the server sent fewer bytes than it announced.
    """
    start = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": f"keras-inpaint/{keras_inpaint.__version__}"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: no data after `start`; complete, or a part of another file
            raise
        total = error.headers.get("Content-Range", "").rpartition("/")[2]
        error.close()
        if total == str(start):
            return
        part.unlink()
        return _receive(url, part, progress)
    with response:
        if response.status != 206:
            start = 0
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        with part.open("r+b" if start else "wb") as file:
            file.seek(start)
            done = start
            while block := response.read(_BLOCK):
                file.write(block)
                done += len(block)
                if progress is not None:
                    progress(done, total)
    if total is not None and done < total:
        raise OSError(f"the transfer was interrupted after {done} of {total} bytes")


def _check(file: Path, sha256: str | None, url: str) -> None:
    if sha256 is None:
        return
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if not digest.startswith(sha256.lower()):
        raise ValueError(
            f"{url}: its SHA-256 should begin with {sha256[:16]} and is {digest[:16]}...: the "
            "file differs from the published one, or was damaged in transit"
        )
