"""TensorFlow and LiteRT without their greetings: what native code says at its start is no news."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

_GREETING = re.compile(
    rb"WARNING: All log messages before absl|[IWE]\d{4} |INFO: Created TensorFlow Lite|.*\x1b\["
)


@contextlib.contextmanager
def suppress_native_logs() -> Iterator[None]:
    """Hold back what is written to the process' stderr, by native code too.

    After the block all but the greetings is written after all; where an import failed, all is.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        missing = False
        try:
            yield
        except ImportError:
            missing = True
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            for line in held:
                if missing or not _GREETING.match(line):
                    os.write(2, line)


def import_tensorflow() -> Any:
    """Import TensorFlow and wake its devices, quietly, and return the module."""
    with suppress_native_logs():
        import tensorflow as tf

        tf.config.list_physical_devices()
    return tf
