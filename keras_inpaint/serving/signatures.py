"""What a model's callable takes and gives, and whether a request fits it."""

import dataclasses
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from keras_inpaint.serving.batching import Arrays
from keras_inpaint.serving.errors import BadRequest, TooLarge

#: What the string signature reads.
_ENCODED_FORMATS = ("JPEG", "PNG", "GIF", "BMP")


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A named input or output of a signature.

    Attributes:
        name: String.
        dtype: NumPy dtype; `object` for strings of bytes.
        shape: Tuple, None where any size goes.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int | None, ...]

    @property
    def is_text(self) -> bool:
        """Whether its elements are strings of bytes."""
        return self.dtype == np.dtype(object)


@dataclasses.dataclass(frozen=True)
class Signature:
    """A callable of a SavedModel and what it takes and gives."""

    name: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    function: Any = dataclasses.field(repr=False)

    @property
    def is_batchable(self) -> bool:
        """Whether requests may share a call: dense tensors, all with a free first axis."""
        tensors = [*self.inputs.values(), *self.outputs.values()]
        return all(t.shape and t.shape[0] is None and not t.is_text for t in tensors)


def check_inputs(signature: Signature, arrays: Arrays, max_pixels: int) -> None:
    """Refuse inputs that do not fit a signature, before they reach the graph.

    Args:
        signature: Of the model that is asked.
        arrays: From input name to array.
        max_pixels: Int, most pixels over the batch.

    Raises:
        BadRequest: If names, dtypes, shapes, values or files do not fit.
        TooLarge: If there are too many pixels.
    """
    _check_names(signature, arrays)
    for name, tensor in signature.inputs.items():
        _check_tensor(tensor, arrays[name])
    batches = {name: len(array) for name, array in arrays.items()}
    if len(set(batches.values())) > 1:
        raise BadRequest(f"inputs differ in their batch: {batches}")
    if 0 in batches.values():
        raise BadRequest("the batch is empty")
    if any(tensor.is_text for tensor in signature.inputs.values()):
        _check_files(arrays, max_pixels)
    else:
        _check_planes(arrays, max_pixels)


def _check_names(signature: Signature, arrays: Arrays) -> None:
    wanted, given = set(signature.inputs), set(arrays)
    if wanted != given:
        parts = []
        if wanted - given:
            parts.append(f"missing {', '.join(sorted(wanted - given))}")
        if given - wanted:
            parts.append(f"unknown {', '.join(sorted(map(str, given - wanted)))[:200]}")
        raise BadRequest(
            f"signature {signature.name!r} takes {', '.join(sorted(wanted))}: {'; '.join(parts)}"
        )


def _check_tensor(tensor: Tensor, array: np.ndarray) -> None:
    if array.dtype != tensor.dtype:
        raise BadRequest(f"{tensor.name} must be {_kind(tensor.dtype)}, got {_kind(array.dtype)}")
    fits = len(array.shape) == len(tensor.shape) and all(
        wanted in (None, size) for wanted, size in zip(tensor.shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in tensor.shape)
        raise BadRequest(f"{tensor.name} must have the shape ({wanted}), got {array.shape}")
    if array.dtype.kind == "f" and array.size:
        least, most = float(array.min()), float(array.max())
        if not (least >= 0.0 and most <= 1.0):
            raise BadRequest(
                f"{tensor.name} must lie in [0, 1], got values from {least:g} to {most:g}"
            )


def _kind(dtype: np.dtype) -> str:
    return "strings of bytes" if dtype == np.dtype(object) else dtype.name


def _check_planes(arrays: Arrays, max_pixels: int) -> None:
    planes = {name: array.shape[:3] for name, array in arrays.items() if array.ndim == 4}
    if len(set(planes.values())) > 1:
        sizes = ", ".join(f"{name} {shape}" for name, shape in planes.items())
        raise BadRequest(f"inputs differ in batch, height or width: {sizes}")
    for shape in planes.values():
        batch, height, width = shape
        if height * width == 0:
            raise BadRequest(f"a photo of {width} by {height} pixels has nothing to complete")
        if batch * height * width > max_pixels:
            raise TooLarge(
                f"{batch} photos of {width} by {height} pixels are more than the {max_pixels} "
                "pixels that a request may have"
            )


def _check_files(arrays: Arrays, max_pixels: int) -> None:
    total = 0
    for index in range(len(next(iter(arrays.values())))):
        sizes = {name: _size_of(name, array[index], index) for name, array in arrays.items()}
        if len(set(sizes.values())) > 1:
            found = ", ".join(f"{name} {w}x{h}" for name, (w, h) in sizes.items())
            raise BadRequest(f"index {index} of the batch: sizes differ: {found}")
        width, height = next(iter(sizes.values()))
        total += width * height
        if total > max_pixels:
            raise TooLarge(
                f"the batch has more than the {max_pixels} pixels that a request may have"
            )


def _size_of(name: str, contents: bytes, index: int) -> tuple[int, int]:
    """Return width and height from a file's header; nothing is decoded."""
    try:
        with Image.open(io.BytesIO(contents), formats=_ENCODED_FORMATS) as picture:
            return picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooLarge(f"index {index} of the batch: {name} has too many pixels") from None
    except Exception:  # Pillow's parsers raise many kinds for broken files
        raise BadRequest(
            f"index {index} of the batch: {name} is no JPEG, PNG, GIF or BMP that can be read"
        ) from None
