"""From holes to generated pixels: plan, cut, compute in batches, take what the holes need."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_inpaint.inference import fixed_size as windows
from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.inference.runtime import Runtime, as_bytes
from keras_inpaint.inference.tiles import Box, Tile, cut, plan

#: The largest crop computed at once, in pixels.
MAX_PIXELS = 640 * 640
#: Crops of one size are computed together up to so many pixels; more is no faster.
_BATCH_PIXELS = 384 * 384


class Patch(NamedTuple):
    """What the network generated for a part of a photo.

    Attributes:
        number: Int, the photo's place in the batch.
        box: Where it lies in the photo.
        generated: Float32 `(box height, box width, 3)` in [0, 1]; it means something in the
            holes only.
    """

    number: int
    box: Box
    generated: np.ndarray


def generate_patches(
    runtime: Runtime,
    images: np.ndarray,
    masks: np.ndarray,
    max_pixels: int | None = MAX_PIXELS,
    wanted: np.ndarray | None = None,
) -> Iterator[Patch]:
    """Generate what the holes of photos need, exactly as the whole photos would give it.

    Args:
        runtime: A runtime that takes any size.
        images: Uint8 `(batch, height, width, 3)`.
        masks: Bool `(batch, height, width)`, true in the hole.
        max_pixels: Int, pixels computed at once; None computes whole photos, one at a time.
        wanted: Bool like `masks`, the hole pixels to generate; None is all.

    Yields:
        Patches; together they cover every hole pixel that is wanted.
    """
    same: dict[tuple[int, int], list[tuple[int, Tile]]] = defaultdict(list)
    for number, mask in enumerate(masks if wanted is None else wanted):
        for tile in plan(mask, runtime.reach.halo, max_pixels):
            same[tile.outer.height, tile.outer.width].append((number, tile))
    for (height, width), jobs in same.items():
        at_once = max(1, min(max_pixels or 0, _BATCH_PIXELS) // (height * width))
        for start in range(0, len(jobs), at_once):
            check_cancelled()
            some = jobs[start : start + at_once]
            generated = runtime.generate(
                np.stack([cut(images[number], tile.outer) for number, tile in some]),
                np.stack([cut(masks[number], tile.outer) for number, tile in some]),
            )
            for (number, tile), pixels in zip(some, generated, strict=True):
                yield _patch(number, tile, pixels, masks.shape[1:])


def _patch(number: int, tile: Tile, generated: np.ndarray, size: tuple[int, int]) -> Patch:
    top, left, bottom, right = tile.inner
    box = Box(top, left, min(bottom, size[0]), min(right, size[1]))
    return Patch(number, box, generated[box.shifted(tile.outer).slices])


def fill(
    runtime: Runtime,
    images: np.ndarray,
    masks: np.ndarray,
    max_pixels: int | None = MAX_PIXELS,
    wanted: np.ndarray | None = None,
) -> None:
    """Fill the holes of photos in place.

    Args:
        runtime: What computes the network.
        images: Uint8 `(batch, height, width, 3)`; only pixels in the holes are written.
        masks: Bool `(batch, height, width)`, true in the hole.
        max_pixels: Int, pixels computed at once; None computes whole photos. A runtime of
            fixed sizes computes windows of these sizes instead, and fills all holes.
        wanted: Bool like `masks`, the hole pixels to fill; None is all.
    """
    if runtime.fixed_sizes:
        for image, mask in zip(images, masks, strict=True):
            windows.fill(runtime, image, mask)
        return
    # Patches of other tiles see the same holes as holes, whatever is already written there.
    wanted = masks if wanted is None else wanted
    for number, box, generated in generate_patches(runtime, images, masks, max_pixels, wanted):
        hole = wanted[number][box.slices]
        images[number][box.slices][hole] = as_bytes(generated[hole])
