"""Photo files and folders completed by a call: what `keras-inpaint complete` does, from Python."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from keras_inpaint.batch import folders
from keras_inpaint.batch.completing import Completer, Completion, MaskOptions, complete_file
from keras_inpaint.batch.report import FolderReport
from keras_inpaint.inference.inpainter import Inpainter


def complete_photo(
    photo: str | os.PathLike[str],
    mask: str | os.PathLike[str],
    output: str | os.PathLike[str],
    model: Any = None,
    *,
    options: MaskOptions | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> Completion:
    """Complete the holes of a photo file, in its own format, mode and size.

    Example:

    >>> done = complete_photo("photo.jpg", "mask.png", "completed.png", model="faces", grow=2)
    >>> done.holes.count, done.warnings

    Args:
        photo: The photo's path.
        mask: The mask's path, or the word `alpha` for the photo's own transparency.
        output: The path to write.
        model: What `Inpainter` takes (a preset's name, a path, a network), or an `Inpainter`
            or another callable `(uint8 (h, w, 3), bool (h, w)) -> uint8 (h, w, 3)`.
        options: How the mask is read, a `keras_inpaint.batch.completing.MaskOptions`.
        overwrite: Whether an output that exists may be replaced.
        **settings: Fields of `options` by their names: `polarity` (`"white"` or `"black"`,
            whichever marks the hole), `grow` (pixels to widen the hole by, all around) and
            `resize` (whether a mask of another size is resized instead of refused); and what
            else `Inpainter` takes, such as `blend`.

    Returns:
        What became of the photo.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If one cannot be understood, the mask has no hole, or no model is found.
    """
    options = _mask_options(options, settings)
    load = _loader(model, settings)
    return complete_file(photo, mask, output, load, options=options, overwrite=overwrite)


def complete_folder(
    photos: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    masks: str | os.PathLike[str],
    output: str | os.PathLike[str],
    model: Any = None,
    *,
    options: MaskOptions | None = None,
    jobs: int = 0,
    recursive: bool = True,
    resume: bool = False,
    overwrite: bool = False,
    **settings: Any,
) -> FolderReport:
    """Complete every photo of a folder; one bad file never stops the rest.

    Example:

    >>> report = complete_folder("photos", "masks", "completed", model="scenes")
    >>> [(file.photo, file.error) for file in report.files if file.error]

    Args:
        photos: The folder of photos, of which `photos/a/b.jpg` takes the mask `masks/a/b.*`; or
            photo files of different names.
        masks: The folder of masks, one mask file for all photos, or `alpha`.
        output: The folder to write to; it is created, but not its parent.
        model, options, overwrite, **settings: As for `complete_photo`. A photo whose mask has no
            hole is written as it is.
        jobs: Number of processes; 0 works in this one. With processes `model` must be a
            preset's name or a path.
        recursive: Whether folders inside `photos` are searched.
        resume: Whether to skip a photo whose output is newer than the photo and its mask.

    Returns:
        What became of each photo.

    Raises:
        OSError: If a folder cannot be reached or made.
        ValueError: If there is not a photo, or the folders cannot be told apart.
    """
    options = _mask_options(options, settings)
    return folders.complete_folder(
        Path(photos) if isinstance(photos, str | os.PathLike) else [Path(p) for p in photos],
        os.fspath(masks),
        Path(output),
        _loader(model, settings),
        options=options,
        jobs=jobs,
        recursive=recursive,
        resume=resume,
        overwrite=overwrite,
    )


def _mask_options(options: MaskOptions | None, settings: dict[str, Any]) -> MaskOptions:
    """Return how masks are read; takes what tells it out of the settings."""
    names = settings.keys() & {"polarity", "grow", "resize"}
    return replace(options or MaskOptions(), **{name: settings.pop(name) for name in names})


def _loader(model: Any, settings: dict[str, Any]) -> Callable[[], Completer]:
    if isinstance(model, Inpainter) or (callable(model) and not hasattr(model, "inputs")):
        if settings:
            raise TypeError(f"{', '.join(settings)}: settings are the Inpainter's own")
        return partial(_itself, model)
    return partial(Inpainter, model, **settings)


def _itself(model: Completer) -> Completer:
    return model
