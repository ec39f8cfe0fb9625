"""The grammar of `--masks`, shared by training and evaluation."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

#: Summary of the grammar, for messages.
GRAMMAR = (
    "rectangles[:[LOW-HIGH][xMOST]] (pixels), strokes[:LOW-HIGH] (percent), center:SIDE (pixels), "
    "box, several of these joined by +, mixed (rectangles+strokes), or a folder of mask files"
)
#: Default range of the area covered by strokes, in percent of the image.
STROKE_PERCENT = (5.0, 50.0)
#: Minimum distance of a box from the image's edges, in 1/256 of the image's side.
BOX_MARGIN = 20

_WORD = re.compile(
    r"(?P<kind>rectangles|strokes)"
    r"(?::(?=.)(?:(?P<low>[\d.]+)-(?P<high>[\d.]+))?(?:x(?P<most>\d+))?)?"
    r"|(?P<center>center):(?P<side>\d+)"
    r"|(?P<box>box)"
)


@dataclass(frozen=True)
class MaskKind:
    """A kind of hole.

    Attributes:
        kind: `"rectangles"`, `"strokes"`, `"center"`, `"box"` or `"folder"`.
        limits: Smallest and largest side in pixels, or area in percent; for `center`, the side
            twice. None: depends on the size of the image.
        most: Int, the maximum number of rectangles per image; the minimum is 1.
        folder: Path of the mask files.
    """

    kind: str
    limits: tuple[float, float] | None = None
    most: int = 1
    folder: Path | None = None


def default_patch_size(size: int) -> int:
    """Return the side of the local patch in pixels, a multiple of 4.

    It is 128 for images of 256 pixels, as in the paper, and 96 for 160, as for its faces.

    Args:
        size: Int, side of the image in pixels.
    """
    return max(4, int(size * (0.5 if size >= 224 else 0.6)) // 4 * 4)


def default_rectangle_sides(size: int) -> tuple[int, int]:
    """Return the range of a rectangle's sides in pixels: 96 to 128 at 256, 48 to 96 at 160."""
    return max(1, round(size * (0.375 if size >= 224 else 0.3))), default_patch_size(size)


def parse_mask_spec(spec: str | os.PathLike[str]) -> tuple[MaskKind, ...]:
    """Parse the kinds of holes of a `--masks` option.

    Args:
        spec: `rectangles`, `rectangles:LOW-HIGH` with sides in pixels, `rectangles:LOW-HIGHxMOST`
            (or `rectangles:xMOST`) for 1 to MOST rectangles per image; `strokes`,
            `strokes:LOW-HIGH` in percent of the image; `center:SIDE`, a square in the middle;
            `box`, a square of half the image's side at a random position; several of these joined
            by `+`, one of which is drawn for each image; `mixed`, which is `rectangles+strokes`;
            or the path of a folder of mask files.

    Returns:
        The kinds, at least one; a folder is always the only one.

    Raises:
        ValueError: If the spec is not in the grammar, or a range is empty.
    """
    text = os.fspath(spec)
    words = "rectangles+strokes" if text == "mixed" else text
    matches = [_WORD.fullmatch(word) for word in words.split("+")]
    if all(matches):
        return tuple(_kind(match, text) for match in matches if match)
    if text and Path(text).is_dir():
        return (MaskKind("folder", folder=Path(text)),)
    raise ValueError(f"masks must be {GRAMMAR}, got {text!r}")


def _kind(match: re.Match[str], spec: str) -> MaskKind:
    if match["box"]:
        return MaskKind("box")
    if match["center"]:
        side = int(match["side"])
        _check(side >= 1, spec, f"a side must be above 0, got {side}")
        return MaskKind("center", (side, side))
    kind, most = match["kind"], int(match["most"] or 1)
    _check(most >= 1, spec, f"at least one rectangle is needed, got {most}")
    _check(kind == "rectangles" or match["most"] is None, spec, "only rectangles can have a number")
    if match["low"] is None:
        return MaskKind(kind, STROKE_PERCENT if kind == "strokes" else None, most)
    try:
        low, high = float(match["low"]), float(match["high"])
    except ValueError:
        raise ValueError(f"masks must be {GRAMMAR}, got {spec!r}") from None
    _check(low <= high, spec, f"{match['low']} is above {match['high']}")
    if kind == "strokes":
        _check(low > 0 and high <= 90, spec, "strokes must cover above 0 and at most 90 %")
        return MaskKind(kind, (low, high))
    _check(low.is_integer() and high.is_integer(), spec, "sides must be whole numbers of pixels")
    _check(low >= 1, spec, f"a side must be above 0, got {low:g}")
    return MaskKind(kind, (int(low), int(high)), most)


def _check(valid: bool, spec: str, reason: str) -> None:
    if not valid:
        raise ValueError(f"masks {spec!r}: {reason}")
