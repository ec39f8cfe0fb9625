"""A cache of facts about a folder's photos, which saves decoding them at the next start."""

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_inpaint.fetching import cache_folder
from keras_inpaint.files import replacing

logger = logging.getLogger(__name__)

#: The facts about an image: a key of its file, its upright height and width in pixels, the sums
#: over its red, green and blue in [0, 1], the SHA-256 of its file and its EXIF orientation. A
#: cache file with other fields is of another version and is ignored.
FACTS = np.dtype(
    [
        ("key", "S32"),
        ("sides", "<i8", 2),
        ("sums", "<f8", 3),
        ("digest", "S64"),
        ("orientation", "<i8"),
    ]
)


class KnownFacts:
    """The facts about a folder's images, in a file in the cache folder.

    They are valid while an image's file name, size and modification times stay the same.

    Args:
        root: Path of the folder of images.

    Attributes:
        file: Path of the cache file, which may be deleted at any time.
    """

    def __init__(self, root: Path) -> None:
        name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()
        self.file = cache_folder() / "images" / f"{name[:32]}.npy"

    def find(self, paths: Sequence[Path], names: Sequence[str]) -> np.ndarray:
        """Return an array of `FACTS`, one per image; the digest is empty for unknown images."""
        facts = np.zeros(len(paths), FACTS)
        facts["key"] = [_key(path, name) for path, name in zip(paths, names, strict=True)]
        try:
            known = np.load(self.file)
        except (OSError, ValueError, EOFError):  # none yet, or damaged
            return facts
        if known.dtype == FACTS:
            row_of = {key: row for row, key in enumerate(known["key"].tolist())}
            rows = np.array([row_of.get(key, -1) for key in facts["key"].tolist()], "int64")
            facts[rows >= 0] = known[rows[rows >= 0]]
        return facts

    def write(self, facts: np.ndarray) -> None:
        """Write the facts about the images that could be read."""
        known = facts[(facts["digest"] != b"") & (facts["key"] != b"")]
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.file) as temporary:
                np.save(temporary, known)
        except OSError as error:
            logger.info("the next start will decode all images again: %s", error)


def _key(path: Path, name: str) -> bytes:
    """Return 32 bytes that change with a file; empty if it cannot be reached."""
    try:
        status = path.stat()
    except OSError:
        return b""
    state = f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}"
    return hashlib.blake2b(os.fsencode(state), digest_size=16).hexdigest().encode()
