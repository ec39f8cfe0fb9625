"""What the page holds for one visitor: a photo, its completion, and the way back."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np

from keras_inpaint.inference.photo import Photo
from keras_inpaint.serving.ui_canvas import canvas_size


class Gone(ValueError):
    """The page asks for a photo that is not held (any more)."""


@dataclass(frozen=True, eq=False)
class Step:
    """A completion that the next one starts from.

    Attributes:
        rows: Slice of the stored rows that it changed.
        columns: Slice of the stored columns that it changed.
        before: The stored pixels there, before.
        strokes: What was painted, packed by `numpy.packbits`.
        report: String, what was said about it.
    """

    rows: slice
    columns: slice
    before: np.ndarray
    strokes: np.ndarray
    report: str


@dataclass(frozen=True, eq=False)
class Session:
    """A photo being worked on. Each method returns another session; none changes this one.

    Attributes:
        photo: What the next completion starts from.
        before: Uint8 `(canvas height, canvas width, 3)`, a view of the photo as it came.
        steps: The completions that `photo` holds, the first one first.
        result: The last completion of `photo`, or None.
        strokes: Bool `(canvas height, canvas width)`: what was painted for `result`, or None.
            Without a result: what the photo came with, or was painted for the one taken back.
        report: String, what is said about `result`.
    """

    photo: Photo
    before: np.ndarray
    steps: tuple[Step, ...] = ()
    result: Photo | None = None
    strokes: np.ndarray | None = None
    report: str = ""

    @property
    def shown(self) -> Photo:
        """The photo with all that was completed so far."""
        return self.result or self.photo

    @property
    def has_changed(self) -> bool:
        """Whether anything was completed."""
        return self.result is not None or bool(self.steps)

    def completed(
        self, image: np.ndarray, hole: np.ndarray, strokes: np.ndarray, report: str
    ) -> "Session":
        """Return the session with a completion of its photo, in place of an earlier one.

        Args:
            image: Uint8 `(height, width, 3)` as shown; read inside the hole only.
            hole: Bool `(height, width)` as shown, what is filled.
            strokes: Bool `(canvas height, canvas width)`, what was painted.
            report: String, what to say about it.
        """
        result = self.photo.completed(image, hole)
        return replace(self, result=result, strokes=strokes, report=report)

    def continued(self) -> "Session":
        """Return the session with the result as the photo.

        Raises:
            Gone: If there is no result.
        """
        if self.result is None or self.strokes is None:
            raise Gone("There is no result to go on from: complete the photo first.")
        rows, columns = _changed(self.photo.pixels, self.result.pixels)
        step = Step(
            rows,
            columns,
            self.photo.pixels[rows, columns].copy(),
            np.packbits(self.strokes),
            self.report,
        )
        return replace(
            self, photo=self.result, steps=(*self.steps, step), result=None, strokes=None, report=""
        )

    def stepped_back(self) -> "Session":
        """Return the session before its last `completed` or `continued`.

        Raises:
            Gone: If there is nothing to take back.
        """
        if self.result is not None:
            return replace(self, result=None, report="")
        if not self.steps:
            raise Gone("There is nothing to take back.")
        step = self.steps[-1]
        pixels = self.photo.pixels.copy()
        pixels[step.rows, step.columns] = step.before
        width, height = canvas_size(*self.photo.size)
        strokes = np.unpackbits(step.strokes, count=width * height).reshape(height, width)
        return replace(
            self,
            photo=replace(self.photo, pixels=pixels),
            steps=self.steps[:-1],
            result=self.photo,
            strokes=strokes.astype(bool),
            report=step.report,
        )


class Sessions:
    """The sessions of all open pages; when there are too many, the one used longest ago goes.

    Args:
        most: Int, how many are held.
    """

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._held: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def put(self, key: str, session: Session) -> None:
        """Hold a session, in place of an earlier one of this page."""
        with self._lock:
            self._held[key] = session
            self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)

    def get(self, key: str) -> Session:
        """Return a page's session.

        Raises:
            Gone: If there is none.
        """
        with self._lock:
            if key not in self._held:
                raise Gone("This photo is no longer held here. Choose it again.")
            self._held.move_to_end(key)
            return self._held[key]

    def drop(self, key: str) -> None:
        """Forget a page's session, if there is one."""
        with self._lock:
            self._held.pop(key, None)


def _changed(before: np.ndarray, after: np.ndarray) -> tuple[slice, slice]:
    """Return the box of stored pixels that differ; empty where none does."""
    differs = before != after
    if differs.ndim == 3:
        differs = differs.any(axis=-1)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
