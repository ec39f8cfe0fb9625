"""Files written whole or not at all."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

_COUNTER = itertools.count()
_PREFIX = ".keras-inpaint"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to, and move it there when all went well.

    Whoever reads `path` sees the old file or the whole new one. The temporary file has the
    suffix of `path`, since libraries choose formats by it; a failure removes it.
    """
    name = f"{_PREFIX}-{os.getpid()}-{next(_COUNTER)}.part{path.suffix}"
    temporary = path.with_name(name)
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is None and error.errno is not None:  # a full disk: say which file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, pid: int) -> None:
    """Remove the temporary files of a process that was killed while it wrote to `folder`."""
    for part in folder.glob(f"{_PREFIX}-{pid}-*.part*"):
        part.unlink(missing_ok=True)
