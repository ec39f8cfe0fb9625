"""TensorFlow without its greetings: what its native code prints when it starts is no news."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def native_stderr_held() -> Iterator[None]:
    """Hold back what is written to the process' stderr, by native code too.

    If the block fails, what was held back is written after all.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)


def import_tensorflow() -> Any:
    """Import TensorFlow and wake its devices, quietly, and return the module."""
    with native_stderr_held():
        import tensorflow as tf

        tf.config.list_physical_devices()
    return tf
