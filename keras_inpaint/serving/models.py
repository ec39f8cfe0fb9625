"""The models of a server, loaded once and used for one photo at a time."""

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
    """Named completion networks, with one copy for each photo completed at a time.

    Args:
        references: Presets' names, paths or addresses; empty for all bundled presets.
        copies: Int, the number of copies of each network.

    Raises:
        ValueError: If a model does not exist, there are none, or two have the same name.
    """

    def __init__(self, references: Sequence[str], copies: int) -> None:
        references = references or [name for name, each in PRESETS.items() if each.has_weights]
        if not references:
            raise ValueError(
                "no preset has bundled weights: name a model, or train one with keras-inpaint train"
            )
        self.names = tuple(_name_of(reference) for reference in references)
        for name in self.names:
            if self.names.count(name) > 1 or name == AUTO:
                raise ValueError(f"two models are called {name!r}: {', '.join(references)}")
        self._idle: queue.SimpleQueue[dict[str, Runtime]] = queue.SimpleQueue()
        # Photos that are completed in parallel share the processors.
        threads = max(1, processors() // copies)
        for _ in range(copies):
            pairs = zip(self.names, references, strict=True)
            runtimes = {name: load_runtime(reference, threads=threads) for name, reference in pairs}
            self._idle.put(runtimes)
        self.cards = {name: runtime.card for name, runtime in runtimes.items()}

    @property
    def default(self) -> str:
        """The name of the default model: the only one, or `auto`."""
        return self.names[0] if len(self.names) == 1 else AUTO

    def has(self, name: str) -> bool:
        """Return whether a model of this name is served; `auto` requires several models."""
        return name in self.names or (name == AUTO and len(self.names) > 1)

    @contextlib.contextmanager
    def lent(self, name: str, **options: Any) -> Iterator[Inpainter]:
        """Provide an `Inpainter` for one photo.

        Args:
            name: String, the name of a served model.
            **options: `blend`, `scale`, `texture` and `coarse`, as for `Inpainter`.
        """
        runtimes = self._idle.get()
        try:
            chosen = list(runtimes.values()) if name == AUTO else [runtimes[name]]
            yield Inpainter(chosen, **options)
        finally:
            self._idle.put(runtimes)

    def warm_up(self) -> None:
        """Complete a small photo with each model, so that the first request is fast."""
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
