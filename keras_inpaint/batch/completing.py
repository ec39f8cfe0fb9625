"""One photo file with its mask -> one completed file."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_inpaint.files import check_target, printable
from keras_inpaint.photos.codec import (
    Photo,
    decode_photo,
    encode_photo,
    output_format,
    read_photo,
    write_photo,
)
from keras_inpaint.photos.masks import (
    Holes,
    MaskOptions,
    alpha_mask,
    decode_mask,
    dilate,
    mask_statistics,
    read_mask,
    warnings_about,
)
from keras_inpaint.photos.photo import fit

Completer = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""What fills holes: (uint8 `(h, w, 3)`, bool `(h, w)`) -> uint8 `(h, w, 3)`; an `Inpainter`.
Its `explained`, where it has one, also tells what was chosen, a sentence each."""


@dataclass(frozen=True)
class Completion:
    """What became of one photo.

    Attributes:
        output: The file that was written.
        format: The format it was written in.
        mode: How the photo's pixels are stored.
        size: Width and height as shown, in pixels.
        holes: What the mask held, after it was grown.
        seconds: Wall time from reading to writing.
        warnings: What may be wrong with the result, a sentence each.
        notes: What else a user may want to know, a sentence each.
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
    photo_path: str | Path,
    mask: str | Path,
    output: str | Path,
    load: Callable[[], Completer],
    *,
    options: MaskOptions | None = None,
    overwrite: bool = False,
    keep_format: bool = False,
) -> Completion:
    """Complete the holes of a photo file.

    Everything that can be refused is refused before `load` is called, which may take seconds.

    Args:
        photo_path: The photo.
        mask: The mask file, or the word `alpha` for the photo's own transparency; a file of
            that name is `./alpha`. A hole taken from the transparency becomes opaque.
        output: The file to write.
        load: Returns what fills the holes, e.g. `lambda: Inpainter("faces")`.
        options: How the mask is read.
        overwrite: Whether a file that exists may be replaced, the photo itself included.
        keep_format: Write the photo's own format whatever the output is called. Otherwise the
            format that the output's name means, or the photo's where it has no ending.

    Returns:
        What was done. Outside the (grown) hole every stored pixel of the output is the
        photo's, unless the output is a JPEG.

    Raises:
        OSError: If a file cannot be reached or written.
        ValueError: If a file cannot be used, or the mask has no hole and none is not allowed.
    """
    start = time.perf_counter()
    options = options or MaskOptions()
    from_alpha = str(mask) == "alpha"
    inputs = [Path(photo_path)] if from_alpha else [Path(photo_path), Path(mask)]
    target = check_target(output, overwrite=overwrite, inputs=inputs)
    if not from_alpha and target.exists() and Path(mask).exists() and target.samefile(mask):
        raise ValueError(f"{printable(output)}: the output is the mask itself")
    photo = read_photo(photo_path)
    if photo.frames > 1 and target.exists() and target.samefile(photo_path):
        raise ValueError(
            f"{printable(photo_path)}: holds several pictures, of which only the first would be "
            "left; write to another file"
        )
    format = photo.format if keep_format else output_format(photo, Path(output))

    def check(photo: Photo, hole: np.ndarray, holes: Holes) -> None:
        """Raise what writing would raise, on a photo whose hole is filled with what is there."""
        if format != photo.format:
            try:
                fit(photo.completed(photo.image, hole, opaque=from_alpha), format)
            except ValueError as error:
                raise ValueError(f"{printable(output)}: cannot be written ({error})") from error

    found = alpha_mask(photo) if from_alpha else read_mask(mask, photo, options)
    completed, done = _complete(
        photo,
        found,
        load,
        options,
        check,
        mask=photo_path if from_alpha else mask,
        opaque=from_alpha,
    )
    notes = write_photo(completed, target, format=format, overwrite=overwrite)
    seconds = time.perf_counter() - start
    return replace(
        done, output=Path(output), format=format, seconds=seconds, notes=done.notes + notes
    )


def complete_bytes(
    photo: bytes,
    mask: bytes | None,
    load: Callable[[], Completer],
    *,
    options: MaskOptions | None = None,
    check: Callable[[Photo, np.ndarray, Holes], None] | None = None,
    names: tuple[str, str] = ("photo", "mask"),
) -> tuple[bytes, Completion]:
    """Complete the holes of a photo file in memory, in its own format.

    Args:
        photo: The bytes of the photo's file.
        mask: The bytes of the mask's file; None takes the photo's own transparency.
        load: Returns what fills the holes.
        options: How the mask is read.
        check: Called with the photo, the hole (bool `(height, width)`) and what it holds before
            anything is computed; what it raises is raised.
        names: What messages call the photo's file and the mask's.

    Returns:
        The bytes of the completed file, and what was done.

    Raises:
        ValueError: As for `complete_file`.
    """
    start = time.perf_counter()
    options = options or MaskOptions()
    decoded = decode_photo(photo, names[0])
    found = alpha_mask(decoded) if mask is None else decode_mask(mask, decoded, names[1], options)
    completed, done = _complete(
        decoded,
        found,
        load,
        options,
        check,
        mask=names[mask is not None],
        opaque=mask is None,
    )
    data, notes = encode_photo(completed, decoded.format)
    seconds = time.perf_counter() - start
    return data, replace(done, seconds=seconds, notes=done.notes + notes)


def _complete(
    photo: Photo,
    found: tuple[np.ndarray, tuple[str, ...]],
    load: Callable[[], Completer],
    options: MaskOptions,
    check: Callable[[Photo, np.ndarray, Holes], None] | None,
    *,
    mask: str | Path,
    opaque: bool,
) -> tuple[Photo, Completion]:
    """Fill the hole that a mask was found to mean; nothing is read or written."""
    hole, warnings = found
    hole = dilate(hole, options.grow)
    holes = mask_statistics(hole)
    if not holes.pixels and options.without_hole == "refuse":
        raise ValueError(
            f"{printable(mask)}: the mask has no hole; white is the hole unless its polarity is "
            "black"
        )
    if check is not None:
        check(photo, hole, holes)
    completed, chosen = photo, ()
    if holes.pixels:
        completer = load()
        if hasattr(completer, "explained"):
            filled, chosen = completer.explained(photo.image, hole)
        else:
            filled = completer(photo.image, hole)
        completed = photo.completed(filled, hole, opaque=opaque)
    return completed, Completion(
        output=photo.path,
        format=photo.format,
        mode=photo.raster.mode,
        size=photo.size,
        holes=holes,
        seconds=0.0,
        warnings=warnings + warnings_about(holes),
        notes=photo.notes + chosen,
    )
