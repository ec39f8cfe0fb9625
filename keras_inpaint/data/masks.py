"""Samplers of random holes, built of TensorFlow ops.

A sampler is a function `(seed, size) -> mask`: `seed` is an int32 tensor `(2,)` for stateless
random ops, `size` the side of the square image in pixels, and `mask` a float32 tensor
`(size, size, 1)`, 1 in the hole and 0 elsewhere. The same seed always gives the same hole, and
no hole is empty.
"""

import logging
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_inpaint.data.files import find_photos
from keras_inpaint.data.hole_values import read_hole
from keras_inpaint.data.mask_specs import (
    BOX_MARGIN,
    STROKE_PERCENT,
    MaskKind,
    default_rectangle_sides,
    parse_mask_spec,
)

logger = logging.getLogger(__name__)

MaskSampler = Callable[[tf.Tensor, int], tf.Tensor]


def mask_sampler(spec: str | os.PathLike[str] | MaskSampler) -> MaskSampler:
    """Return the sampler for a `--masks` option.

    Args:
        spec: See `mask_specs.parse_mask_spec`; a sampler is returned unchanged.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the spec is invalid, or the folder contains no usable mask.
    """
    if callable(spec):
        return spec
    samplers = [_sampler_of(kind) for kind in parse_mask_spec(spec)]
    return samplers[0] if len(samplers) == 1 else mixed(samplers)


def _sampler_of(kind: MaskKind) -> MaskSampler:
    if kind.folder is not None:
        return mask_files(kind.folder)
    if kind.kind == "box":
        return box()
    if kind.kind == "strokes":
        low, high = kind.limits or STROKE_PERCENT
        return strokes((low / 100, high / 100))
    sides = None if kind.limits is None else (int(kind.limits[0]), int(kind.limits[1]))
    return center(sides[0]) if kind.kind == "center" and sides else rectangles(sides, kind.most)


def rectangles(sides: tuple[int, int] | None = None, most: int = 1) -> MaskSampler:
    """Return a sampler of rectangles at random positions inside the image.

    The paper uses one rectangle. If the holes are small relative to the image, several of them
    give more training signal at the cost of one step. They may overlap.

    Args:
        sides: `(smallest, largest)` side in pixels; None uses the paper's for the image's size.
        most: Int, the maximum number of rectangles per image. The number is drawn uniformly,
            starting at 1.

    Returns:
        A sampler.

    Raises:
        ValueError: If the range is empty, or `most` is below 1.
    """
    if sides is not None and not 1 <= sides[0] <= sides[1]:
        raise ValueError(f"sides must be 1 <= smallest <= largest, got {sides!r}")
    if most < 1:
        raise ValueError(f"at least one rectangle is needed, got {most!r}")

    def sample(seed: tf.Tensor, size: int) -> tf.Tensor:
        low, high = sides or default_rectangle_sides(size)
        if high > size:
            raise ValueError(f"a hole of {high} px does not fit an image of {size} px")
        uniform = tf.random.stateless_uniform((most, 4), seed)
        extent = low + tf.cast(uniform[:, :2] * (high - low + 1), tf.int32)
        extent = tf.minimum(extent, high)
        origin = tf.cast(uniform[:, 2:] * tf.cast(size - extent + 1, tf.float32), tf.int32)
        origin = tf.minimum(origin, size - extent)
        holes = [_box(origin[number], extent[number], size) for number in range(most)]
        if most == 1:
            return holes[0]
        count = tf.random.stateless_uniform((), seed + 3, 1, most + 1, tf.int32)
        used = tf.cast(tf.range(most) < count, tf.float32)[:, None, None, None]
        return tf.reduce_max(tf.stack(holes) * used, axis=0)

    return sample


def center(side: int) -> MaskSampler:
    """Return a sampler of a fixed square in the middle of the image."""
    if side < 1:
        raise ValueError(f"side must be above 0, got {side!r}")

    def sample(seed: tf.Tensor, size: int) -> tf.Tensor:
        if side > size:
            raise ValueError(f"a hole of {side} px does not fit an image of {size} px")
        start = (size - side) // 2
        return _box(tf.constant([start, start]), tf.constant([side, side]), size)

    return sample


def box() -> MaskSampler:
    """Return a sampler of squares of half the image's side, at least 20/256 from the edges."""

    def sample(seed: tf.Tensor, size: int) -> tf.Tensor:
        side, margin = size // 2, size * BOX_MARGIN // 256
        last = size - side - margin
        origin = tf.random.stateless_uniform((2,), seed, margin, last + 1, tf.int32)
        return _box(origin, tf.constant([side, side]), size)

    return sample


def _box(origin: tf.Tensor, extent: tf.Tensor, size: int) -> tf.Tensor:
    place = tf.range(size)
    inside = [(place >= origin[axis]) & (place < origin[axis] + extent[axis]) for axis in range(2)]
    return tf.cast(inside[0][:, None] & inside[1][None, :], tf.float32)[..., None]


def strokes(area: tuple[float, float] = (0.05, 0.5), segments: int = 12) -> MaskSampler:
    """Return a sampler of free-form brush strokes.

    Strokes are random walks of several segments, each stroke with its own width. The distance
    field of the strokes is thresholded so that the hole has a randomly drawn area.

    Args:
        area: `(smallest, largest)` fraction of the image, in (0, 1).
        segments: Int, total number of segments.

    Returns:
        A sampler.

    Raises:
        ValueError: If the range is empty or outside (0, 1).
    """
    if not 0 < area[0] <= area[1] < 1:
        raise ValueError(f"area must be 0 < smallest <= largest < 1, got {area!r}")

    def sample(seed: tf.Tensor, size: int) -> tf.Tensor:
        uniform = tf.random.stateless_uniform((segments, 5), seed)
        target = area[0] + (area[1] - area[0]) * uniform[0, 0]
        # Random walks: a new stroke starts at segment 0 and at randomly drawn segments.
        fresh = (uniform[:, 0] < 0.25) | (tf.range(segments) == 0)
        stroke = tf.cumsum(tf.cast(fresh, tf.int32)) - 1
        angle = 2 * math.pi * tf.gather(uniform[:, 1], stroke) + 2.4 * (uniform[:, 2] - 0.5)
        length = 0.08 + 0.25 * uniform[:, 3]
        step = length[:, None] * tf.stack([tf.sin(angle), tf.cos(angle)], axis=1)
        walked = tf.cumsum(step)
        first = tf.gather(walked - step, tf.where(fresh)[:, 0])
        start = tf.random.stateless_uniform((segments, 2), seed + 1, 0.1, 0.9)
        offset = tf.gather(start, stroke) - tf.gather(first, stroke)
        ends = _reflect(walked + offset)
        starts = _reflect(walked - step + offset)
        thickness = 0.5 + tf.gather(uniform[:, 4], stroke)
        field = _distance(starts, ends, thickness, max(8, size // 2))
        field = tf.image.resize(field[..., None], (size, size))
        # The hole consists of the `count` pixels with the smallest distances.
        count = tf.maximum(1, tf.cast(tf.round(target * size * size), tf.int32))
        ordered = tf.sort(tf.reshape(field, [-1]))
        return tf.cast(field <= ordered[count - 1], tf.float32)

    return sample


def _reflect(points: tf.Tensor) -> tf.Tensor:
    """Reflect coordinates at 0 and 1 into [0, 1]."""
    return 1 - tf.abs(tf.math.floormod(points, 2.0) - 1)


def _distance(starts: tf.Tensor, ends: tf.Tensor, thickness: tf.Tensor, side: int) -> tf.Tensor:
    """Return each pixel's smallest distance to a segment, divided by the stroke's thickness."""
    axis = (tf.range(side, dtype=tf.float32) + 0.5) / side
    y, x = axis[None, :, None], axis[None, None, :]
    sy, sx = starts[:, 0, None, None], starts[:, 1, None, None]
    dy, dx = ends[:, 0, None, None] - sy, ends[:, 1, None, None] - sx
    along = ((y - sy) * dy + (x - sx) * dx) / tf.maximum(dy * dy + dx * dx, 1e-8)
    along = tf.clip_by_value(along, 0.0, 1.0)
    squared = tf.square(y - sy - along * dy) + tf.square(x - sx - along * dx)
    return tf.reduce_min(tf.sqrt(squared) / thickness[:, None, None], axis=0)


def mask_files(folder: str | os.PathLike[str]) -> MaskSampler:
    """Return a sampler that draws the mask files of a folder, randomly rotated and mirrored.

    Args:
        folder: Path of a folder, read recursively. White is the hole.

    Returns:
        A sampler.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If it contains no readable mask with a hole.
    """
    root = Path(folder)
    arrays, skipped = [], []
    for path in find_photos(root, what="mask"):
        try:
            hole = read_hole(path)
        except (OSError, ValueError, SyntaxError) as error:
            text = str(error)
            skipped.append(text if str(path) in text else f"{path}: {text}")
            continue
        if hole.any() and not hole.all():
            arrays.append(hole)
        else:
            skipped.append(f"{path}: {'no hole' if not hole.any() else 'no known pixels'}")
    if not arrays:
        raise ValueError(f"no usable mask in {root} ({len(skipped)} skipped)")
    for line in skipped:
        logger.warning("skipped mask: %s", line)
    packed = tf.constant(np.concatenate([a.ravel() for a in arrays]))
    sizes = np.array([a.size for a in arrays], "int64")
    starts = tf.constant(np.cumsum(sizes) - sizes)
    shapes = tf.constant(np.array([a.shape for a in arrays], "int32"))

    def sample(seed: tf.Tensor, size: int) -> tf.Tensor:
        chance = tf.random.stateless_uniform((3,), seed)
        index = tf.minimum(tf.cast(chance[0] * len(arrays), tf.int32), len(arrays) - 1)
        shape, start = shapes[index], starts[index]
        count = tf.cast(tf.reduce_prod(shape), tf.int64)
        hole = tf.reshape(packed[start : start + count], [shape[0], shape[1], 1])
        hole = tf.image.rot90(tf.cast(hole, tf.float32), tf.cast(chance[1] * 4, tf.int32))
        hole = tf.cond(chance[2] < 0.5, lambda: hole[:, ::-1], lambda: hole)
        small = tf.image.resize(hole, (size, size), method="area")
        # A hole thinner than a pixel must not vanish: keep its densest pixel.
        level = tf.minimum(0.5, tf.reduce_max(small))
        return tf.ensure_shape(tf.cast(small >= level, tf.float32), (size, size, 1))

    return sample


def mixed(samplers: Sequence[MaskSampler], weights: Sequence[float] | None = None) -> MaskSampler:
    """Return a sampler that draws one of several for each image.

    Args:
        samplers: Samplers to choose from.
        weights: Floats above 0, one per sampler; None draws uniformly.

    Returns:
        A sampler.
    """
    parts = np.ones(len(samplers)) if weights is None else np.asarray(weights, "float64")
    if len(samplers) == 0 or parts.shape != (len(samplers),) or not (parts > 0).all():
        raise ValueError(
            "mixed needs at least one sampler and one weight above 0 per sampler, got "
            f"{len(samplers)} samplers and weights={weights!r}"
        )
    edges = tf.constant(np.cumsum(parts)[:-1] / parts.sum(), tf.float32)

    def sample(seed: tf.Tensor, size: int) -> tf.Tensor:
        chance = tf.random.stateless_uniform((), seed + 7)
        branch = tf.reduce_sum(tf.cast(chance >= edges, tf.int32))
        return tf.switch_case(branch, [lambda s=s: s(seed, size) for s in samplers])

    return sample


def patch_origin(mask: tf.Tensor, patch_size: int) -> tf.Tensor:
    """Return the origin of the local patch: centred on the hole's bounding box, inside the image.

    Args:
        mask: Float32 tensor `(size, size, 1)`, 1 in the hole.
        patch_size: Int, side of the patch in pixels.

    Returns:
        Int32 tensor `(2,)`: top, left.
    """
    return patch_origins(mask[None], patch_size)[0]


def patch_origins(masks: tf.Tensor, patch_size: int) -> tf.Tensor:
    """Return the patch origin of each mask of a batch; the middle if a mask has no hole.

    Args:
        masks: Float32 tensor `(batch, height, width, 1)`, 1 in the hole.
        patch_size: Int, side of the patch in pixels.

    Returns:
        Int32 tensor `(batch, 2)`: top, left.
    """
    origins = []
    for axis in (1, 2):
        size = tf.shape(masks)[axis]
        occupied = tf.cast(tf.reduce_any(masks[..., 0] > 0.5, axis=3 - axis), tf.int32)
        first = tf.argmax(occupied, 1, tf.int32)
        end = size - tf.argmax(occupied[:, ::-1], 1, tf.int32)
        origins.append(tf.clip_by_value((first + end - patch_size) // 2, 0, size - patch_size))
    return tf.stack(origins, axis=1)
