"""The models that a server completes photos with, loaded once and lent to one photo at a time."""

import contextlib
import queue
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_inpaint import presets
from keras_inpaint.inference import AUTO
from keras_inpaint.inference.inpainter import Inpainter
from keras_inpaint.inference.runtime import Runtime, load_runtime
from keras_inpaint.presets import PRESETS
from keras_inpaint.processors import processors


class Models:
    """Named completion networks, each in as many copies as photos are completed at a time.

    Args:
        references: What `--model` takes, a name each; none is all bundled presets.
        copies: Int.

    Raises:
        ValueError: If there is no such model, none at all, or two have one name.
    """

    def __init__(self, references: Sequence[str], copies: int) -> None:
        found = references or [name for name, preset in PRESETS.items() if preset.has_weights]
        if not found:
            raise ValueError(
                "no preset has its weights here: name a model, or train one with "
                "keras-inpaint train"
            )
        self.names = tuple(_name_of(reference) for reference in found)
        for name in self.names:
            if self.names.count(name) > 1 or name == AUTO:
                raise ValueError(f"two models are called {name!r}: {', '.join(found)}")
        self._idle: queue.SimpleQueue[dict[str, Runtime]] = queue.SimpleQueue()
        # Photos that are completed side by side share the processors.
        threads = max(1, processors() // copies)
        for _ in range(copies):
            pairs = zip(self.names, found, strict=True)
            runtimes = {name: load_runtime(reference, threads=threads) for name, reference in pairs}
            self._idle.put(runtimes)
        self.cards = {name: runtime.card for name, runtime in runtimes.items()}

    @property
    def default(self) -> str:
        """What completes a photo where no model is named: the only one, else `auto`."""
        return self.names[0] if len(self.names) == 1 else AUTO

    def has(self, name: str) -> bool:
        """Return whether a model of this name is served; `auto` is where there are several."""
        return name in self.names or (name == AUTO and len(self.names) > 1)

    @contextlib.contextmanager
    def lent(self, name: str, **options: Any) -> Iterator[Inpainter]:
        """Lend what completes a photo, for one photo.

        Args:
            name: String, for which `has` holds.
            **options: `blend`, `scale`, `texture` and `coarse`, as `Inpainter` takes them.
        """
        runtimes = self._idle.get()
        try:
            chosen = list(runtimes.values()) if name == AUTO else [runtimes[name]]
            yield Inpainter(chosen, **options)
        finally:
            self._idle.put(runtimes)

    def warm_up(self) -> None:
        """Complete a small photo with each model, so that the first request does not wait."""
        photo = np.full((64, 64, 3), 127, np.uint8)
        hole = np.zeros((64, 64), bool)
        hole[24:40, 24:40] = True
        for name in self.names:
            with self.lent(name, scale=1, texture="off") as complete:
                complete(photo, hole)


def _name_of(reference: str) -> str:
    if reference in PRESETS:
        return reference
    path = presets.resolve(reference)
    if path.name in ("completion.keras", "completion.tflite") or path.name.isdecimal():
        return path.parent.resolve().name
    return path.stem if path.is_file() else path.name
