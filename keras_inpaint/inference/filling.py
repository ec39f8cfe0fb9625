"""Generate the pixels of holes: plan tiles, compute them in batches, write the hole pixels."""

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
#: The largest batch of crops of one size, in pixels; larger ones are not faster.
_BATCH_PIXELS = 384 * 384


class Patch(NamedTuple):
    """Generated pixels of a part of a photo.

    Attributes:
        number: Int, the photo's index in the batch.
        box: The part's box in the photo.
        generated: Float32 `(box height, box width, 3)` in [0, 1]; meaningful in the holes only.
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
    """Generate the pixels of holes in photos, exactly as if whole photos were computed.

    Args:
        runtime: A runtime that takes any size.
        images: Uint8 `(batch, height, width, 3)`.
        masks: Bool `(batch, height, width)`, true in the hole.
        max_pixels: Int, the largest number of pixels computed at once; None computes whole
            photos, one at a time.
        wanted: Bool like `masks`, the hole pixels to generate; None is all.

    Yields:
        Patches; together they cover every wanted hole pixel.
    """
    same: dict[tuple[int, int], list[tuple[int, Tile]]] = defaultdict(list)
    for number, mask in enumerate(masks if wanted is None else wanted):
        for tile in plan(mask, runtime.reach.halo, max_pixels):
            same[tile.outer.height, tile.outer.width].append((number, tile))
    for (height, width), jobs in same.items():
        at_once = max(1, min(max_pixels or 0, _BATCH_PIXELS) // (height * width))
        for start in range(0, len(jobs), at_once):
            check_cancelled()
            batch = jobs[start : start + at_once]
            generated = runtime.generate(
                np.stack([cut(images[number], tile.outer) for number, tile in batch]),
                np.stack([cut(masks[number], tile.outer) for number, tile in batch]),
            )
            for (number, tile), pixels in zip(batch, generated, strict=True):
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
        runtime: The runtime of the network.
        images: Uint8 `(batch, height, width, 3)`; only pixels in the holes are written.
        masks: Bool `(batch, height, width)`, true in the hole.
        max_pixels: Int, the largest number of pixels computed at once; None computes whole
            photos. A runtime of fixed sizes computes windows of these sizes instead, and fills
            all holes.
        wanted: Bool like `masks`, the hole pixels to fill; None is all.
    """
    if runtime.fixed_sizes:
        for image, mask in zip(images, masks, strict=True):
            windows.fill(runtime, image, mask)
        return
    # Holes stay masked for every tile, also where another tile's pixels are already written.
    wanted = masks if wanted is None else wanted
    for number, box, generated in generate_patches(runtime, images, masks, max_pixels, wanted):
        hole = wanted[number][box.slices]
        images[number][box.slices][hole] = as_bytes(generated[hole])
