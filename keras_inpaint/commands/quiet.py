"""Suppress the messages that native code of TensorFlow and LiteRT prints at its start."""

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
    """Capture the process' stderr, including that of native code.

    After the block everything except the start-up messages is written; after a failed import
    everything.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
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
            captured.seek(0)
            for line in captured:
                if missing or not _GREETING.match(line):
                    os.write(2, line)


def import_tensorflow() -> Any:
    """Import TensorFlow, initialise its devices without messages, and return the module."""
    with suppress_native_logs():
        import tensorflow as tf

        tf.config.list_physical_devices()
    return tf
