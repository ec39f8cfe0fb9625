"""The completion networks that the page offers, loaded when they are first used."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_inpaint import presets
from keras_inpaint.inference.blend_methods import AUTO
from keras_inpaint.inference.inpainter import Inpainter
from keras_inpaint.inference.runtimes import Runtime, load_runtime

_NAMELESS = {"completion", "model", "saved_model"}


class Models:
    """Completion networks by the names that the page shows.

    Args:
        references: Presets' names or paths, as `presets.resolve` takes them. Empty: every
            preset whose weights are installed, and `auto`, which chooses among them.

    Raises:
        ValueError: If one is not there; the message says how to name or train one.
    """

    def __init__(self, references: Sequence[str] = ()) -> None:
        presets_alone = not references
        references = list(dict.fromkeys(references)) or [
            name for name, preset in presets.PRESETS.items() if preset.has_weights
        ]
        if not references:
            raise ValueError(_without_weights())
        self._references: dict[str, str] = {}
        for reference in references:
            presets.resolve(reference)
            self._references[_free(_label(reference), self._references)] = reference
        if presets_alone and len(references) > 1:
            self._references = {AUTO: AUTO, **self._references}
        self._runtimes: dict[str, Runtime] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """The names, the default first."""
        return list(self._references)

    def load(self, name: str) -> list[Runtime]:
        """Return a network, loaded once; or all of them, to choose from.

        Raises:
            ValueError: If there is none of this name, or it cannot be loaded.
        """
        if name not in self._references:
            raise ValueError(f"There is no model {name!r}; there are: {', '.join(self.names)}.")
        names = [name]
        if self._references[name] == AUTO:
            names = [other for other in self.names if other != name]
        with self._lock:
            for one in names:
                if one not in self._runtimes:
                    self._runtimes[one] = load_runtime(self._references[one])
            return [self._runtimes[one] for one in names]

    def complete(
        self, name: str, image: np.ndarray, hole: np.ndarray, blend: str
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """Complete a photo, one at a time.

        Args:
            name: String, one of `names`.
            image: Uint8 `(height, width, 3)`.
            hole: Bool `(height, width)`.
            blend: String, as `Inpainter` takes it.

        Returns:
            Uint8 `(height, width, 3)`, and a sentence on what was chosen, if anything was.
        """
        inpainter = Inpainter(self.load(name), blend=blend)
        with self._lock:
            return inpainter.explained(image, hole)


def _label(reference: str) -> str:
    """Return a short name: a preset's, a file's, or its folder's where the file's says nothing."""
    if reference in presets.PRESETS:
        return reference
    path = Path(os.path.abspath(reference))
    if path.name.isdecimal() or path.stem.lower() in _NAMELESS:
        path = path.parent
    return path.stem if path.suffix in presets.references.MODEL_SUFFIXES else path.name


def _free(label: str, taken: dict[str, str]) -> str:
    """Return the label, with a number where it is taken."""
    number, free = 2, label
    while free in taken:
        free, number = f"{label} ({number})", number + 1
    return free


def _without_weights() -> str:
    try:
        presets.resolve()
    except ValueError as error:
        return (
            f"{error}; or open the page with a model that you have: --model PATH, a .keras or "
            ".tflite file, a SavedModel folder or a training run's folder"
        )
    raise RuntimeError("the default preset has weights, and no preset is said to have any")
