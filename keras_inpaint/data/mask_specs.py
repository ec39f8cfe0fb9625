"""The words that name holes on the command line and in a run's configuration."""

from pathlib import Path
from typing import Any

from keras_inpaint.data.masks import (
    MaskSampler,
    center,
    mask_files,
    mixed,
    rectangles,
    strokes,
)


def parse_masks(spec: Any) -> MaskSampler:
    """Return the sampler that a word on the command line names.

    Args:
        spec: `"rectangles"`, `"rectangles:LOW-HIGH"` in pixels, `"rectangles:LOW-HIGHxMOST"`
            for 1 to MOST an image, `"strokes"`, `"strokes:LOW-HIGH"` in percent of the image,
            `"center:SIDE"` in pixels, several of these joined by `+`, of which each image draws
            one, `"mixed"`, which is `"rectangles+strokes"`, the path of a folder of mask files,
            or a sampler, which is returned as it is.

    Returns:
        A sampler.

    Raises:
        ValueError: If the word names none.
    """
    if callable(spec):
        return spec
    if Path(spec).is_dir():
        return mask_files(spec)
    words = "rectangles+strokes" if spec == "mixed" else str(spec)
    samplers = [_one_kind(word, spec) for word in words.split("+")]
    return samplers[0] if len(samplers) == 1 else mixed(samplers)


def _one_kind(word: str, spec: Any) -> MaskSampler:
    name, _, value = word.partition(":")
    try:
        if name == "rectangles":
            value, times, most = value.partition("x")
            return rectangles(_interval(value, int) if value else None, int(most) if times else 1)
        if name == "strokes":
            if not value:
                return strokes()
            low, high = _interval(value, float)
            return strokes((low / 100, high / 100))
        if name == "center":
            return center(int(value))
    except ValueError as error:
        raise ValueError(f"masks {spec!r}: {error}") from None
    raise ValueError(
        "masks must be rectangles[:LOW-HIGH[xMOST]], strokes[:LOW-HIGH], center:SIDE, several of "
        f"these joined by +, mixed or an existing folder of mask files, got {spec!r}"
    )


def _interval(text: str, number: type) -> tuple:
    low, dash, high = text.partition("-")
    if not dash:
        raise ValueError(f"expected LOW-HIGH, got {text!r}")
    return number(low), number(high)
