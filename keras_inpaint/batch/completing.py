"""Complete one photo file with its mask."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_inpaint.files import check_regular_file, check_target, printable, write_atomically
from keras_inpaint.photos.codec import decode_photo, encode_photo, output_format
from keras_inpaint.photos.masks import (
    Holes,
    MaskOptions,
    alpha_mask,
    decode_mask,
    dilate,
    mask_statistics,
    warnings_about,
)
from keras_inpaint.photos.photo import Photo, fit

Completer = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Fills holes: (uint8 `(h, w, 3)`, bool `(h, w)`) -> uint8 `(h, w, 3)`, such as an `Inpainter`.
If it has a method `explained`, this also returns lines that describe what was chosen."""


@dataclass(frozen=True)
class Completion:
    """The result of completing one photo.

    Attributes:
        output: The file that was written.
        format: The format it was written in.
        mode: The photo's pixel mode.
        size: Width and height as displayed, in pixels.
        holes: Statistics of the mask's holes, after growing them.
        seconds: Wall time from reading to writing.
        warnings: Possible problems with the result, one sentence each.
        notes: Other information for the user, one sentence each.
    """

    output: Path
    format: str
    mode: str
    size: tuple[int, int]
    holes: Holes
    seconds: float
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def complete_file(
    photo: str | os.PathLike[str],
    mask: str | os.PathLike[str],
    output: str | os.PathLike[str],
    load: Callable[[], Completer],
    *,
    options: MaskOptions | None = None,
    overwrite: bool = False,
    keep_format: bool = False,
) -> Completion:
    """Complete the holes of a photo file.

    All inputs are checked before `load` is called, which may take seconds.

    Args:
        photo: The photo.
        mask: The mask file, or `alpha` for the photo's own transparency, which becomes opaque in
            the hole; a file of that name is `./alpha`.
        output: The file to write.
        load: Returns the completer, e.g. `lambda: Inpainter("faces")`.
        options: How the mask is read.
        overwrite: Whether to replace an existing file, including the photo itself.
        keep_format: Whether to write the photo's own format regardless of the output's name.
            Otherwise the format follows the output's suffix, or the photo if it has none.

    Returns:
        The result. Outside the (grown) hole every stored pixel of the output is the photo's,
        unless the output is a JPEG.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If a file is invalid, or the mask has no hole and `options` require one.
    """
    start = time.perf_counter()
    names = (os.fspath(photo), os.fspath(mask))
    inputs = [Path(name) for name in (names[:1] if names[1] == "alpha" else names)]
    target = check_target(output, overwrite=overwrite, inputs=inputs)
    replaced = [target.exists() and path.exists() and target.samefile(path) for path in inputs]
    if any(replaced[1:]):
        raise ValueError(f"{printable(output)}: the output is the mask itself")

    def check(decoded: Photo, hole: np.ndarray, holes: Holes) -> None:
        if decoded.frames > 1 and replaced[0]:
            raise ValueError(
                f"{printable(photo)}: has several images, only the first of which would be kept; "
                "write to another file"
            )

    contents = [check_regular_file(path).read_bytes() for path in inputs]
    data, done = complete_bytes(
        contents[0],
        contents[1] if len(contents) > 1 else None,
        load,
        options=options,
        check=check,
        names=names,
        output=None if keep_format else Path(output),
    )
    write_atomically(target, data, overwrite=overwrite)
    return replace(done, output=Path(output), seconds=time.perf_counter() - start)


def complete_bytes(
    photo: bytes,
    mask: bytes | None,
    load: Callable[[], Completer],
    *,
    options: MaskOptions | None = None,
    check: Callable[[Photo, np.ndarray, Holes], None] | None = None,
    names: tuple[str, str] = ("photo", "mask"),
    output: Path | None = None,
) -> tuple[bytes, Completion]:
    """Complete the holes of a photo file in memory.

    Args:
        photo: The bytes of the photo's file.
        mask: The bytes of the mask's file; None takes the photo's own transparency.
        load: Returns the completer.
        options: How the mask is read.
        check: Called with the photo, the hole (bool `(height, width)`) and its statistics before
            anything is computed; its errors are raised.
        names: The names of the photo and the mask in messages.
        output: A file name whose suffix gives the format; None keeps the photo's own.

    Returns:
        The bytes of the completed file, and the result.

    Raises:
        ValueError: As for `complete_file`.
    """
    start = time.perf_counter()
    options = options or MaskOptions()
    source = decode_photo(photo, names[0])
    format = source.format if output is None else output_format(source, output)
    if mask is None:
        hole, warnings = alpha_mask(source)
    else:
        hole, warnings = decode_mask(mask, source, names[1], options)
    hole = dilate(hole, options.grow)
    holes = mask_statistics(hole)
    if not holes.pixels and options.without_hole == "refuse":
        raise ValueError(
            f"{printable(names[mask is not None])}: the mask has no hole; white is the hole "
            "unless its polarity is black"
        )
    if check is not None:
        check(source, hole, holes)
    if format != source.format:
        try:
            fit(source.completed(source.image, hole, opaque=mask is None), format)
        except ValueError as error:
            raise ValueError(f"{printable(output)}: cannot be written ({error})") from error
    completed, chosen = source, ()
    if holes.pixels:
        completer = load()
        if hasattr(completer, "explained"):
            filled, chosen = completer.explained(source.image, hole)
        else:
            filled = completer(source.image, hole)
        completed = source.completed(filled, hole, opaque=mask is None)
    data, notes = encode_photo(completed, format, output or "photo")
    return data, Completion(
        output=source.path,
        format=format,
        mode=source.raster.mode,
        size=source.size,
        holes=holes,
        seconds=time.perf_counter() - start,
        warnings=warnings + warnings_about(holes),
        notes=source.notes + chosen + notes,
    )
