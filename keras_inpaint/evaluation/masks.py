"""The protocol's holes: fixed by a seed, the same on every machine, each with its hash.

Everything is integer arithmetic, so that no machine's rounding can move an edge. Mask `i`
depends on the seed and on `i` alone, not on how many there are.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from keras_inpaint.data.files import find_photos
from keras_inpaint.data.hole_values import read_hole
from keras_inpaint.data.mask_specs import BOX_MARGIN, STROKE_PERCENT, MaskKind, parse_mask_spec
from keras_inpaint.evaluation.draws import Draws
from keras_inpaint.evaluation.geometry import square

#: Vertices of strokes lie on a grid of this many places a pixel.
_GRID = 16


class FixedMasks(Sequence[np.ndarray]):
    """The masks of a protocol, as a sequence; each is made when it is asked for.

    Args:
        spec: String or path, what `data.mask_specs.parse_mask_spec` takes: `center:N`, `box`,
            `rectangles`, `strokes`, several joined by `+`; or a folder of mask files, white is
            the hole, in an order that the seed shuffles, again from the first when they are
            used up.
        count: Int, how many.
        size: Int, side of the square masks in px.
        seed: Int, 0 or above.

    Raises:
        ValueError: If the spec is not known, the hole does not fit into the photo, or a folder
            holds no mask files.
    """

    def __init__(
        self, spec: str | os.PathLike[str], count: int, size: int = 160, seed: int = 0
    ) -> None:
        self.spec, self.count, self.size, self.seed = os.fspath(spec), count, size, seed
        self._kinds = parse_mask_spec(spec)
        self._files: list[Path] = []
        folder = self._kinds[0].folder
        if folder is not None:
            self._files = _shuffled(find_photos(folder, what="mask"), Draws(seed))
        for kind in self._kinds:
            if kind.kind in ("center", "rectangles"):
                _check_fits(_sides(kind, size)[1], size, self.spec)
        Draws(seed)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        """Return a mask, bool `(size, size)`, True in the hole."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        if self._files:
            return read_square_mask(self._files[index % len(self._files)], self.size)
        draws = Draws(self.seed, index)
        number = draws.below(len(self._kinds)) if len(self._kinds) > 1 else 0
        return _drawn(self._kinds[number], self.size, draws)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(self.count))

    def file_of(self, index: int) -> str | None:
        """Return the name of the mask file, relative to its folder; None for drawn masks."""
        if not self._files:
            return None
        return self._files[index % len(self._files)].relative_to(self.spec).as_posix()

    @property
    def name(self) -> str:
        """The spec without the path of a folder, which differs from machine to machine."""
        return f"folder:{Path(self.spec).resolve().name}" if self._files else self.spec


def rectangle_sides(size: int) -> tuple[int, int]:
    """Return the range of a rectangle's sides in px: 96 to 128 at 256, 48 to 96 at 160.

    Source: the paper's holes at 256 px, and those of its faces at 160 px, by the size.
    """
    if size >= 224:
        return size * 3 // 8, size // 2
    return size * 3 // 10, size * 6 // 10


def mask_hash(mask: np.ndarray) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of a mask.

    Args:
        mask: Bool `(height, width)`.

    Returns:
        The hash of `HEIGHTxWIDTH:` and the mask, row by row, a byte a pixel, 1 in the hole.
    """
    height, width = mask.shape
    pixels = np.ascontiguousarray(mask, np.uint8).tobytes()
    return hashlib.sha256(f"{height}x{width}:".encode() + pixels).hexdigest()[:16]


def joint_hash(hashes: Sequence[str]) -> str:
    """Return the SHA-256 of a list of hashes, in their order, joined by line feeds."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def read_square_mask(file: Path, size: int) -> np.ndarray:
    """Return a mask file as bool `(size, size)`; white is the hole.

    It is resized and cropped like the photos, without mixing values (nearest).

    Raises:
        ValueError: If it cannot be read, or has no hole, or nothing but a hole, within the crop.
    """
    try:
        hole = Image.fromarray(read_hole(file).astype(np.uint8) * 255)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"cannot read mask {file}: {error}") from error
    mask = np.asarray(square(hole, size, Image.Resampling.NEAREST)) >= 128
    if mask.all() or not mask.any():
        what = "nothing but a hole" if mask.all() else "no hole (white is the hole)"
        raise ValueError(f"mask {file} has {what} in the central square of the photo")
    return mask


def _drawn(kind: MaskKind, size: int, draws: Draws) -> np.ndarray:
    if kind.kind == "strokes":
        return _strokes(size, kind.limits or STROKE_PERCENT, draws)
    mask = np.zeros((size, size), bool)
    if kind.kind == "rectangles":
        low, high = _sides(kind, size)
        for _ in range(draws.between(1, kind.most) if kind.most > 1 else 1):
            height, width = draws.between(low, high), draws.between(low, high)
            top, left = draws.between(0, size - height), draws.between(0, size - width)
            mask[top : top + height, left : left + width] = True
        return mask
    if kind.kind == "box":
        side, margin = size // 2, size * BOX_MARGIN // 256
        top = draws.between(margin, size - side - margin)
        left = draws.between(margin, size - side - margin)
    else:
        side = _sides(kind, size)[0]
        top = left = (size - side) // 2
    mask[top : top + side, left : left + side] = True
    return mask


def _sides(kind: MaskKind, size: int) -> tuple[int, int]:
    if kind.limits is None:
        return rectangle_sides(size)
    return int(kind.limits[0]), int(kind.limits[1])


def _strokes(size: int, percent: tuple[float, float], draws: Draws) -> np.ndarray:
    """Draw polylines of a round brush until they cover a share of the photo."""
    mask = np.zeros((size, size), bool)
    parts = 1 if all(float(limit).is_integer() for limit in percent) else 1000
    low, high = (round(limit * parts) for limit in percent)
    wanted = max(1, size * size * draws.between(low, high) // (100 * parts))
    extent, step = size * _GRID, size * _GRID // 4
    rows, columns = np.mgrid[0:size, 0:size].astype(np.int64) * _GRID + _GRID // 2
    while mask.sum() < wanted:
        radius = draws.between(extent // 50, extent // 16)
        y, x = draws.below(extent), draws.below(extent)
        for _ in range(draws.between(3, 10)):
            to_y = min(max(y + draws.between(-step, step), 0), extent)
            to_x = min(max(x + draws.between(-step, step), 0), extent)
            mask |= _near_segment(rows, columns, (y, x), (to_y, to_x), radius)
            y, x = to_y, to_x
            if mask.sum() >= wanted:
                break
    return mask


def _near_segment(
    rows: np.ndarray,
    columns: np.ndarray,
    start: tuple[int, int],
    end: tuple[int, int],
    radius: int,
) -> np.ndarray:
    """Return which points lie within `radius` of a segment; exact, in integers."""
    dy, dx = end[0] - start[0], end[1] - start[1]
    from_start_y, from_start_x = rows - start[0], columns - start[1]
    length2 = dy * dy + dx * dx
    along = from_start_y * dy + from_start_x * dx
    across = from_start_y * dx - from_start_x * dy
    near_start = from_start_y**2 + from_start_x**2 <= radius * radius
    near_end = (rows - end[0]) ** 2 + (columns - end[1]) ** 2 <= radius * radius
    if length2 == 0:
        return near_start
    beside = (along >= 0) & (along <= length2) & (across**2 <= radius * radius * length2)
    return near_start | near_end | beside


def _check_fits(side: int, size: int, spec: str) -> None:
    if side >= size:
        raise ValueError(f"masks {spec!r}: a hole of {side} px leaves nothing of {size} px")


def _shuffled(files: list[Path], draws: Draws) -> list[Path]:
    """Return the files in another order (Fisher and Yates)."""
    for last in range(len(files) - 1, 0, -1):
        other = draws.below(last + 1)
        files[last], files[other] = files[other], files[last]
    return files
