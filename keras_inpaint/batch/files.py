"""Complete photo files and folders from Python, as `keras-inpaint complete` does."""

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
        mask: The mask's path, or `alpha` for the photo's own transparency.
        output: The path to write.
        model: A model as accepted by `Inpainter` (a preset's name, a path, a network), an
            `Inpainter`, or another callable `(uint8 (h, w, 3), bool (h, w)) -> uint8 (h, w, 3)`.
        options: How the mask is read, a `keras_inpaint.batch.completing.MaskOptions`.
        overwrite: Whether to replace an existing output.
        **settings: Fields of `options`: `polarity` (`"white"` or `"black"`, the colour of the
            hole), `grow` (pixels by which to widen the hole on all sides) and `resize` (whether to
            resize a mask of another size instead of raising an error); and arguments of
            `Inpainter`, such as `blend`.

    Returns:
        The result.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If a file is invalid, the mask has no hole, or the model does not exist.
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
    """Complete every photo of a folder; a file that fails does not stop the others.

    Example:

    >>> report = complete_folder("photos", "masks", "completed", model="scenes")
    >>> [(file.photo, file.error) for file in report.files if file.error]

    Args:
        photos: The folder of photos, in which `photos/a/b.jpg` uses the mask `masks/a/b.*`; or
            photo files with distinct names.
        masks: The folder of masks, one mask file for all photos, or `alpha`.
        output: The folder to write to; it is created, but not its parent.
        model, options, overwrite, **settings: As for `complete_photo`. A photo whose mask has no
            hole is copied unchanged.
        jobs: Number of processes; 0 runs in the current process. With processes `model` must be a
            preset's name or a path.
        recursive: Whether to search subfolders of `photos`.
        resume: Whether to skip a photo whose output is newer than the photo and its mask.

    Returns:
        A report on each photo.

    Raises:
        OSError: If a folder cannot be read or created.
        ValueError: If there are no photos, folders that must differ are the same, or two photos
            would be written to the same file.
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
    """Return how masks are read; removes these options from the settings."""
    names = settings.keys() & {"polarity", "grow", "resize"}
    return replace(options or MaskOptions(), **{name: settings.pop(name) for name in names})


def _loader(model: Any, settings: dict[str, Any]) -> Callable[[], Completer]:
    if isinstance(model, Inpainter) or (callable(model) and not hasattr(model, "inputs")):
        if settings:
            raise TypeError(f"a loaded model takes no settings, got {', '.join(settings)}")
        return partial(_itself, model)
    return partial(Inpainter, model, **settings)


def _itself(model: Completer) -> Completer:
    return model
