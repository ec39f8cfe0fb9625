"""Benchmark cold starts of whole processes."""

import argparse
import subprocess
import sys

from benchmarks.timing import Case


def cases(arguments: argparse.Namespace) -> list[Case]:
    """Return the imports and commands that a user waits for."""
    programs = {
        "python -c pass": "pass",
        "import keras_inpaint": "import keras_inpaint",
        "keras-inpaint --help": "from keras_inpaint.commands import main; main(['--help'])",
        "import ai_edge_litert": "import ai_edge_litert.interpreter",
        "import tensorflow": "import tensorflow",
    }
    return [
        Case(name, lambda code=code: subprocess.run([sys.executable, "-c", code],
                                                    capture_output=True, check=True))
        for name, code in programs.items()
    ]  # fmt: skip
