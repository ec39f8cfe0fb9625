"""The masks of the protocol: determined by a seed, the same on every machine, each with its hash.

Masks are drawn in integer pixels, so that they do not depend on a machine's rounding. Mask `i`
depends only on the seed and on `i`, not on the number of masks.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from keras_inpaint.data.files import find_photos
from keras_inpaint.data.hole_values import read_hole
from keras_inpaint.data.mask_specs import (
    BOX_MARGIN,
    STROKE_PERCENT,
    MaskKind,
    default_rectangle_sides,
    parse_mask_spec,
)
from keras_inpaint.evaluation.photo_set import square


class FixedMasks(Sequence[np.ndarray]):
    """The masks of a protocol, a sequence whose masks are created on access.

    Args:
        spec: String or path, as accepted by `data.mask_specs.parse_mask_spec`: `center:N`, `box`,
            `rectangles`, `strokes`, several joined by `+`; or a folder of mask files, white in
            the hole, shuffled by the seed and repeated if there are too few.
        count: Int, the number of masks.
        size: Int, side of the square masks in px.
        seed: Int, 0 or above.

    Raises:
        ValueError: If the spec is unknown, the hole does not fit into the photo, or a folder has
            no mask files.
    """

    def __init__(
        self, spec: str | os.PathLike[str], count: int, size: int = 160, seed: int = 0
    ) -> None:
        if seed < 0:
            raise ValueError(f"seed must be 0 or above, got {seed}")
        self.spec, self.count, self.size, self.seed = os.fspath(spec), count, size, seed
        self._kinds = parse_mask_spec(spec)
        self._files: list[Path] = []
        folder = self._kinds[0].folder
        if folder is not None:
            self._files = find_photos(folder, what="mask")
            np.random.default_rng(seed).shuffle(self._files)
        for kind in self._kinds:
            if kind.kind in ("center", "rectangles"):
                _check_fits(_sides(kind, size)[1], size, self.spec)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        """Return a mask, bool `(size, size)`, True in the hole."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        if self._files:
            return read_square_mask(self._files[index % len(self._files)], self.size)
        rng = np.random.default_rng([self.seed, index])
        return _drawn(self._kinds[rng.integers(len(self._kinds))], self.size, rng)

    def file_of(self, index: int) -> str | None:
        """Return the name of the mask file, relative to its folder; None for drawn masks."""
        if not self._files:
            return None
        return self._files[index % len(self._files)].relative_to(self.spec).as_posix()

    @property
    def name(self) -> str:
        """The spec without the path of a folder, which depends on the machine."""
        return f"folder:{Path(self.spec).resolve().name}" if self._files else self.spec


def mask_hash(mask: np.ndarray) -> str:
    """Return 16 hexadecimal digits of a mask's SHA-256.

    The hash is of `HEIGHTxWIDTH:` followed by the bool mask `(height, width)` in row-major order,
    one byte per pixel, 1 in the hole.
    """
    height, width = mask.shape
    pixels = np.ascontiguousarray(mask, np.uint8).tobytes()
    return hashlib.sha256(f"{height}x{width}:".encode() + pixels).hexdigest()[:16]


def joint_hash(hashes: Sequence[str]) -> str:
    """Return the SHA-256 of a list of hashes joined by line feeds."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def read_square_mask(file: Path, size: int) -> np.ndarray:
    """Return a mask file as bool `(size, size)`; white is the hole.

    It is resized and cropped like the photos, with nearest-neighbour interpolation.

    Raises:
        ValueError: If it cannot be read, or the crop has no hole, or no known pixels.
    """
    try:
        hole = Image.fromarray(read_hole(file).astype(np.uint8) * 255)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"cannot read mask {file}: {error}") from error
    mask = np.asarray(square(hole, size, Image.Resampling.NEAREST)) >= 128
    if mask.all() or not mask.any():
        what = "only a hole" if mask.all() else "no hole (white is the hole)"
        raise ValueError(f"mask {file} has {what} in the central square of the photo")
    return mask


def _drawn(kind: MaskKind, size: int, rng: np.random.Generator) -> np.ndarray:
    if kind.kind == "strokes":
        return _strokes(size, kind.limits or STROKE_PERCENT, rng)
    mask = np.zeros((size, size), bool)
    if kind.kind == "rectangles":
        low, high = _sides(kind, size)
        for _ in range(rng.integers(1, kind.most, endpoint=True)):
            height, width = rng.integers(low, high, 2, endpoint=True)
            top, left = rng.integers(0, [size - height, size - width], endpoint=True)
            mask[top : top + height, left : left + width] = True
        return mask
    if kind.kind == "box":
        side, margin = size // 2, size * BOX_MARGIN // 256
        top, left = rng.integers(margin, size - side - margin, 2, endpoint=True)
    else:
        side = _sides(kind, size)[0]
        top = left = (size - side) // 2
    mask[top : top + side, left : left + side] = True
    return mask


def _sides(kind: MaskKind, size: int) -> tuple[int, int]:
    if kind.limits is None:
        return default_rectangle_sides(size)
    return int(kind.limits[0]), int(kind.limits[1])


def _strokes(size: int, percent: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Draw polylines with a round brush until they cover a share of the photo."""
    mask = np.zeros((size, size), np.uint8)
    target = max(1, round(size * size * rng.uniform(*percent) / 100))
    while np.count_nonzero(mask) < target:
        thickness = int(rng.integers(size // 25, size // 8, endpoint=True))
        point = rng.integers(0, size, 2)
        for _ in range(rng.integers(3, 10, endpoint=True)):
            step = rng.integers(-(size // 4), size // 4, 2, endpoint=True)
            start, point = point, np.clip(point + step, 0, size - 1)
            cv2.line(mask, start.tolist(), point.tolist(), 1, thickness)
            if np.count_nonzero(mask) >= target:
                break
    return mask.astype(bool)


def _check_fits(side: int, size: int, spec: str) -> None:
    if side >= size:
        raise ValueError(f"masks {spec!r}: holes must be smaller than {size} px, got {side} px")
