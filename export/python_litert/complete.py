"""Complete a photo with an exported TFLite file: ai-edge-litert, numpy and pillow, no more.

    python complete.py MODEL.tflite PHOTO MASK RESULT

White in the mask is the hole. A file for any size takes the whole photo; one for fixed sizes
takes the part around the hole. Outside the hole the photo's pixels stay as they are.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

SIZE_MULTIPLE = 4
#: Pixels around a hole that should be seen; the network reaches about 150.
MARGIN = 48

Box = tuple[int, int, int, int]


def main() -> None:
    """Parse the command line, complete, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("mask", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    try:
        photo = np.asarray(ImageOps.exif_transpose(Image.open(options.photo)).convert("RGB"))
        hole = read_hole(options.mask)
        if hole.shape != photo.shape[:2]:
            raise ValueError(f"the mask is {hole.shape[::-1]}, the photo {photo.shape[1::-1]} px")
        interpreter = Interpreter(str(options.model), num_threads=options.threads)
        Image.fromarray(complete(interpreter, photo, hole)).save(options.result)
    except (OSError, ValueError) as error:
        parser.exit(1, f"{error}\n")


def read_hole(path: Path) -> np.ndarray:
    """Return the hole of a mask file, bool `(height, width)`: what is at least half white.

    Transparent pixels are unpainted; in a mask of the values 0 and 1 only, 1 is white.

    Raises:
        OSError: If it cannot be read.
        ValueError: If nothing is white.
    """
    mask = ImageOps.exif_transpose(Image.open(path))
    if mask.mode in ("LA", "PA", "RGBA") or "transparency" in mask.info:
        mask = mask.convert("RGBA")
        mask = Image.alpha_composite(Image.new("RGBA", mask.size, (0, 0, 0, 255)), mask)
    values = np.asarray(mask) if mask.mode[0] in "IF" else np.asarray(mask.convert("L"))
    brightest = values.max()
    white = 255 if values.dtype == np.uint8 and brightest > 1 else brightest
    if not brightest or not (values >= white / 2).any():
        raise ValueError(f"{path}: nothing in it is white, and white marks the hole")
    return values >= white / 2


def complete(interpreter: Interpreter, photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Return a photo with its holes filled.

    Args:
        interpreter: Holds an exported TFLite file.
        photo: Uint8 `(height, width, 3)`.
        hole: Bool `(height, width)`.

    Returns:
        Uint8 `(height, width, 3)`; outside the hole the bytes of `photo`.
    """
    if not hole.any():
        return photo.copy()
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
    # A pixel that is a hole in part is a hole.
    small_hole = _resized(part_hole.astype(np.uint8) * 255, size, Image.Resampling.BOX) > 0
    generated = _run(interpreter, name, _resized(part, size, Image.Resampling.LANCZOS), small_hole)
    generated = _resized(generated, part_hole.shape, Image.Resampling.LANCZOS)
    completed = photo.copy()
    window = completed[top:bottom, left:right]
    inside = hole[top:bottom, left:right]
    window[inside] = generated[: inside.shape[0], : inside.shape[1]][inside]
    return completed


def signature_sizes(interpreter: Interpreter) -> dict[str, tuple[int, int]]:
    """Return the `(height, width)` of each signature; -1 where it takes any."""
    sizes = {}
    for name in interpreter.get_signature_list():
        details = interpreter.get_signature_runner(name).get_input_details()
        height, width = details["image"]["shape_signature"][1:3]
        sizes[name] = (int(height), int(width))
    return sizes


def hole_box(hole: np.ndarray) -> Box:
    """Return top, left, bottom and right of all holes together."""
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def choose(sizes: dict[str, tuple[int, int]], box: Box) -> str:
    """Return the smallest signature that holds a box and its surroundings, or the largest."""
    ordered = sorted(sizes, key=lambda name: sizes[name][0] * sizes[name][1])
    height, width = box[2] - box[0] + 2 * MARGIN, box[3] - box[1] + 2 * MARGIN
    fitting = [name for name in ordered if sizes[name][0] >= height and sizes[name][1] >= width]
    return fitting[0] if fitting else ordered[-1]


def around(box: Box, size: tuple[int, int], photo: tuple[int, int]) -> Box:
    """Return a window around a box with the proportions of `size`.

    It has exactly `size` where the box and its surroundings fit into it, and is larger
    otherwise. It begins inside the photo; a photo that is smaller has to be grown to its end.
    """
    scale = max(1.0, *((box[i + 2] - box[i] + 2 * MARGIN) / size[i] for i in (0, 1)))
    sides = [round(size[i] * scale) for i in (0, 1)]
    starts = [
        max(min((box[i] + box[i + 2] - sides[i]) // 2, photo[i] - sides[i]), 0) for i in (0, 1)
    ]
    return starts[0], starts[1], starts[0] + sides[0], starts[1] + sides[1]


def _run(interpreter: Interpreter, name: str, photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    # By name: the order of the inputs in the file is the converter's.
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
    """Grow a photo and its hole to at least a size, by reflection at the bottom and right."""
    border = [(0, max(0, wanted - side)) for wanted, side in zip(size, hole.shape, strict=True)]
    return np.pad(photo, [*border, (0, 0)], mode="reflect"), np.pad(hole, border, mode="reflect")


def _resized(pixels: np.ndarray, size: tuple[int, int], method: Image.Resampling) -> np.ndarray:
    if pixels.shape[:2] == size:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], method))


if __name__ == "__main__":
    main()
