"""What the extra `evaluate` brings, with a message where it is missing."""

import importlib
from types import ModuleType


def scikit_image(module: str) -> ModuleType:
    """Return a module of scikit-image by its name below `skimage`.

    Raises:
        RuntimeError: If it is not installed.
    """
    return _required(f"skimage.{module}", "scikit-image")


def matplotlib() -> ModuleType:
    """Return matplotlib, with its module `figure` loaded.

    Raises:
        RuntimeError: If it is not installed.
    """
    _required("matplotlib.figure", "matplotlib")
    return _required("matplotlib", "matplotlib")


def _required(module: str, distribution: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise RuntimeError(
            f"evaluation needs {distribution}: pip install 'keras-inpaint[evaluate]' ({error})"
        ) from error
