"""Complete a photo with an exported TFLite file; requires only ai-edge-litert, numpy and pillow.

    python complete.py MODEL.tflite PHOTO MASK RESULT

White in the mask is the hole. A file for any size takes the whole photo; one for fixed sizes
takes the part around the hole. The generated pixels are blended into the photo by Poisson blending
(`--blend none` keeps the network's pixels). The photo's pixels outside the hole do not change.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

SIZE_MULTIPLE = 4
#: Pixels around a hole that a window should include; the network sees about 150.
MARGIN = 48
BLENDS = ("poisson", "none")
#: The residual to stop at, relative to that of a surface of zeros.
TOLERANCE = 5e-4
#: The number of free pixels below which no coarser grid is used; the largest number of steps on
#: one grid.
SMALL, MAX_STEPS = 64, 400

Box = tuple[int, int, int, int]


def main() -> None:
    """Parse the command line, complete the photo and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("mask", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--blend", choices=BLENDS, default="poisson")
    options = parser.parse_args()
    try:
        photo = np.asarray(ImageOps.exif_transpose(Image.open(options.photo)).convert("RGB"))
        hole = read_hole(options.mask)
        if hole.shape != photo.shape[:2]:
            raise ValueError(f"the mask is {hole.shape[::-1]}, the photo {photo.shape[1::-1]} px")
        interpreter = Interpreter(str(options.model), num_threads=options.threads)
        completed = complete(interpreter, photo, hole, options.blend)
        Image.fromarray(completed).save(options.result)
    except (OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")


def read_hole(path: Path) -> np.ndarray:
    """Return the hole of a mask file, bool `(height, width)`: the pixels of at least half white.

    Transparent pixels are not part of the hole; if the largest value is 1, then 1 is white.

    Raises:
        OSError: If it cannot be read.
        ValueError: If no pixel is white.
    """
    mask = ImageOps.exif_transpose(Image.open(path))
    if mask.mode in ("LA", "PA", "RGBA") or "transparency" in mask.info:
        mask = mask.convert("RGBA")
        mask = Image.alpha_composite(Image.new("RGBA", mask.size, (0, 0, 0, 255)), mask)
    values = np.asarray(mask) if mask.mode[0] in "IF" else np.asarray(mask.convert("L"))
    brightest = values.max()
    white = 255 if values.dtype == np.uint8 and brightest > 1 else brightest
    if not brightest or not (values >= white / 2).any():
        raise ValueError(f"{path}: the mask has no hole; white is the hole")
    return values >= white / 2


def complete(
    interpreter: Interpreter, photo: np.ndarray, hole: np.ndarray, blend: str = "poisson"
) -> np.ndarray:
    """Return a photo with its holes filled.

    Args:
        interpreter: The interpreter of an exported TFLite file.
        photo: Uint8 `(height, width, 3)`.
        hole: Bool `(height, width)`.
        blend: String, one of `BLENDS`.

    Returns:
        Uint8 `(height, width, 3)`, identical to `photo` outside the hole.

    Raises:
        ValueError: If `blend` is unknown.
    """
    if blend not in BLENDS:
        raise ValueError(f"blend must be one of {BLENDS}, got {blend!r}")
    if not hole.any():
        return photo.copy()
    completed = generate(interpreter, photo, hole)
    return poisson(completed, hole) if blend == "poisson" else completed


def generate(interpreter: Interpreter, photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Return a photo with the network's pixels in its holes, unblended; as for `complete`."""
    sizes = signature_sizes(interpreter)
    height, width = hole.shape
    if "complete" in sizes:
        generated = _run(interpreter, "complete", *_grown(photo, hole, _multiple(hole.shape)))
        return np.where(hole[..., None], generated[:height, :width], photo)

    box = hole_box(hole)
    name = choose(sizes, box)
    size = sizes[name]
    top, left, bottom, right = around(box, size, hole.shape)
    part, part_hole = _grown(photo, hole, (bottom, right))
    part, part_hole = part[top:bottom, left:right], part_hole[top:bottom, left:right]
    # A pixel that is partly in the hole belongs to the hole.
    small_hole = _resized(part_hole.astype(np.uint8) * 255, size, Image.Resampling.BOX) > 0
    generated = _run(interpreter, name, _resized(part, size, Image.Resampling.LANCZOS), small_hole)
    generated = _resized(generated, part_hole.shape, Image.Resampling.LANCZOS)
    completed = photo.copy()
    window = completed[top:bottom, left:right]
    inside = hole[top:bottom, left:right]
    window[inside] = generated[: inside.shape[0], : inside.shape[1]][inside]
    return completed


def signature_sizes(interpreter: Interpreter) -> dict[str, tuple[int, int]]:
    """Return the `(height, width)` of each signature; -1 for any."""
    sizes = {}
    for name in interpreter.get_signature_list():
        details = interpreter.get_signature_runner(name).get_input_details()
        height, width = details["image"]["shape_signature"][1:3]
        sizes[name] = (int(height), int(width))
    return sizes


def hole_box(hole: np.ndarray) -> Box:
    """Return top, left, bottom and right of the box around all holes."""
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def choose(sizes: dict[str, tuple[int, int]], box: Box) -> str:
    """Return the smallest signature that fits a box and its surroundings, or the largest."""
    ordered = sorted(sizes, key=lambda name: sizes[name][0] * sizes[name][1])
    height, width = box[2] - box[0] + 2 * MARGIN, box[3] - box[1] + 2 * MARGIN
    fitting = [name for name in ordered if sizes[name][0] >= height and sizes[name][1] >= width]
    return fitting[0] if fitting else ordered[-1]


def around(box: Box, size: tuple[int, int], photo: tuple[int, int]) -> Box:
    """Return a window around a box with the proportions of `size`.

    It has exactly `size` if the box and its surroundings fit into it, and is larger otherwise. It
    starts inside the photo; a smaller photo has to be padded.
    """
    scale = max(1.0, *((box[i + 2] - box[i] + 2 * MARGIN) / size[i] for i in (0, 1)))
    sides = [round(size[i] * scale) for i in (0, 1)]
    starts = [
        max(min((box[i] + box[i + 2] - sides[i]) // 2, photo[i] - sides[i]), 0) for i in (0, 1)
    ]
    return starts[0], starts[1], starts[0] + sides[0], starts[1] + sides[1]


def poisson(completed: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Shift generated pixels smoothly so that they match the known ones at the hole's rim.

    Rim pixels, hole pixels with a known pixel above, below, left or right, become the mean of these
    known pixels; all others are shifted by the mean of their neighbours' shifts, so that the
    generated gradients are kept. At the photo's border no value is fixed. Perez et al., "Poisson
    image editing", 2003, https://doi.org/10.1145/882262.882269.

    Args:
        completed: Uint8 `(height, width, 3)`, the photo with generated pixels in the holes.
        hole: Bool `(height, width)`.

    Returns:
        Uint8 `(height, width, 3)`, a new array, identical to `completed` outside the hole, and
        everywhere if there is no hole or no known pixel.
    """
    result = completed.copy()
    if not hole.any() or hole.all():
        return result
    top, left, bottom, right = hole_box(hole)
    box = np.s_[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1]
    part, inside = completed[box].astype(np.float32), hole[box]
    known = ~inside[..., None]
    count = _neighbour_sum(known.astype(np.float32))
    rim = inside & (count[..., 0] > 0)
    shift = _neighbour_sum(part * known) / np.maximum(count, 1) - part
    shift = solve_laplace(shift, rim, inside)
    result[box][inside] = np.clip(np.rint(part + shift), 0, 255).astype(np.uint8)[inside]
    return result


def solve_laplace(values: np.ndarray, fixed: np.ndarray, domain: np.ndarray) -> np.ndarray:
    """Extend values from some pixels of a domain to all of it; free pixels are neighbours' means.

    Solved by conjugate gradients on the free pixels, starting from the solution on a grid of half
    the size.

    Args:
        values: Float32 `(height, width, channels)`; only the values at `fixed` are used.
        fixed: Bool `(height, width)`, a nonempty subset of `domain`.
        domain: Bool `(height, width)`, the pixels to fill; there is no flux across its outline.

    Returns:
        Float32 `(height, width, channels)`, 0 outside the domain.
    """
    surface = np.where(fixed[..., None], values, 0).astype(np.float32)
    free = domain & ~fixed
    count = np.count_nonzero(free)
    if not count:
        return surface
    if count < SMALL or min(free.shape) < 4:
        start = np.broadcast_to(surface.sum(axis=(0, 1)) / np.count_nonzero(fixed), surface.shape)
    else:
        blocks = _blocks(fixed[..., None].astype(np.float32))
        half = _blocks(surface) / np.maximum(blocks, 1)
        half_domain = _blocks(domain[..., None].astype(np.float32))[..., 0] > 0
        half = solve_laplace(half, blocks[..., 0] > 0, half_domain)
        start = half.repeat(2, axis=0).repeat(2, axis=1)[: free.shape[0], : free.shape[1]]

    # Indices of the free pixels; all others have the index of a last column of zeros.
    number = np.full((free.shape[0] + 2, free.shape[1] + 2), count)
    number[1:-1, 1:-1][free] = np.arange(count)
    neighbours = [place[free] for place in _neighbours(number)]
    degree = _neighbour_sum(domain[..., None].astype(np.float32))[free].T
    rhs = _neighbour_sum(surface)[free].T

    def applied(solution: np.ndarray) -> np.ndarray:
        product = degree * solution[:, :-1]
        for neighbour in neighbours:
            product -= solution.take(neighbour, axis=1)
        return product

    solution, direction = np.zeros((2, len(rhs), count + 1), np.float32)
    solution[:, :-1] = start[free].T
    residual = rhs - applied(solution)
    direction[:, :-1] = residual
    limit, energy = TOLERANCE**2 * _dot(rhs, rhs), _dot(residual, residual)
    for _ in range(MAX_STEPS):
        if np.all(energy <= limit):
            break
        change = applied(direction)
        step = _ratio(energy, _dot(direction[:, :-1], change))
        solution += step * direction
        residual -= step * change
        last, energy = energy, _dot(residual, residual)
        direction[:, :-1] = residual + _ratio(energy, last) * direction[:, :-1]
    surface[free] = solution[:, :-1].T
    return surface


def _neighbours(padded: np.ndarray) -> list[np.ndarray]:
    """Return the values above, below, left and right of each pixel of a padded array."""
    return [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]


def _neighbour_sum(values: np.ndarray) -> np.ndarray:
    return sum(_neighbours(np.pad(values, ((1, 1), (1, 1), (0, 0)))))


def _blocks(values: np.ndarray) -> np.ndarray:
    """Return the sums over 2 x 2 blocks."""
    values = np.pad(values, [(0, side % 2) for side in values.shape[:2]] + [(0, 0)])
    return values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the scalar product of each channel, `(channels, 1)`."""
    return np.einsum("cn,cn->c", a, b)[:, None]


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def _run(interpreter: Interpreter, name: str, photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    # By name, since the converter chooses the order of the inputs.
    runner: Callable = interpreter.get_signature_runner(name)
    image = photo[None].astype(np.float32) / np.float32(255)
    mask = hole[None, ..., None].astype(np.float32)
    completed = runner(image=image, mask=mask)["completed"][0]
    return np.clip(np.rint(completed * 255), 0, 255).astype(np.uint8)


def _multiple(size: tuple[int, int]) -> tuple[int, int]:
    height, width = (-(-side // SIZE_MULTIPLE) * SIZE_MULTIPLE for side in size)
    return height, width


def _grown(
    photo: np.ndarray, hole: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Pad a photo and its hole to at least a size, by reflection at the bottom and right."""
    border = [(0, max(0, target - side)) for target, side in zip(size, hole.shape, strict=True)]
    return np.pad(photo, [*border, (0, 0)], mode="reflect"), np.pad(hole, border, mode="reflect")


def _resized(pixels: np.ndarray, size: tuple[int, int], method: Image.Resampling) -> np.ndarray:
    if pixels.shape[:2] == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], method))


if __name__ == "__main__":
    main()
