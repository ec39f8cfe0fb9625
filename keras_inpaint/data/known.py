"""What was found out about a folder's photos, kept so that the next start need not decode them."""

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_inpaint.fetching import cache_folder
from keras_inpaint.files import replacing

logger = logging.getLogger(__name__)

#: What is known of an image: a key of its file, height and width in pixels once it is upright,
#: red, green and blue in [0, 1] summed over it, the SHA-256 of its file, the EXIF orientation. A
#: file of other fields is of another version, and is passed over.
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
    """The facts of a folder's images, in a file in the cache folder.

    They hold for a file as long as its name, size and times of change are the same.

    Args:
        root: Path of the folder.

    Attributes:
        file: Path of the file, which may be deleted at any time.
    """

    def __init__(self, root: Path) -> None:
        name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()
        self.file = cache_folder() / "images" / f"{name[:32]}.npy"

    def find(self, paths: Sequence[Path], names: Sequence[str]) -> np.ndarray:
        """Return an array of `FACTS`, one an image; the digest is empty where nothing is known."""
        facts = np.zeros(len(paths), FACTS)
        facts["key"] = [_key(path, name) for path, name in zip(paths, names, strict=True)]
        try:
            known = np.load(self.file)
        except (OSError, ValueError, EOFError):  # none yet, or damaged
            return facts
        if known.dtype == FACTS:
            place = {key: i for i, key in enumerate(known["key"].tolist())}
            found = np.array([place.get(key, -1) for key in facts["key"].tolist()], "int64")
            facts[found >= 0] = known[found[found >= 0]]
        return facts

    def write(self, facts: np.ndarray) -> None:
        """Keep the facts of the images that could be read."""
        known = facts[(facts["digest"] != b"") & (facts["key"] != b"")]
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.file) as temporary:
                np.save(temporary, known)
        except OSError as error:
            logger.info("the next start decodes all images anew: %s", error)


def _key(path: Path, name: str) -> bytes:
    """Return 32 bytes that change with a file; empty where it cannot be reached."""
    try:
        status = path.stat()
    except OSError:
        return b""
    told = f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}"
    return hashlib.blake2b(os.fsencode(told), digest_size=16).hexdigest().encode()
