"""A SavedModel in memory: its signatures, checks of what comes, calls."""

import dataclasses
import io
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_inpaint.serving.batching import Arrays
from keras_inpaint.serving.errors import BadRequest, NotFound, NotReady, TooLarge

logger = logging.getLogger(__name__)

#: The signature that is meant when none is named.
DEFAULT_SIGNATURE = "serving_default"

#: What the string signature reads.
ENCODED_FORMATS = ("JPEG", "PNG", "GIF", "BMP")

_ASSERTION = re.compile(r"assertion failed: \[(.*?)\](?: \[[^\]]*\])*", re.S)


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


class LoadedModel:
    """One version of a model, ready to be called.

    Args:
        path: SavedModel folder.

    Raises:
        ValueError: If the folder holds no SavedModel that TensorFlow can load, or one without
            signatures.
    """

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        self.path = path
        try:
            # The object owns the variables; signatures only refer to them.
            self._model = tf.saved_model.load(str(path))
        except (OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"{path} is no SavedModel that can be loaded: {_first_line(error)}"
            ) from error
        except tf.errors.OpError as error:
            raise ValueError(
                f"{path} is no SavedModel that can be loaded: {_first_line(error)}"
            ) from error
        self._tf = tf
        self._definitions: dict[str, Any] | None = None
        #: What the export says of itself; empty where it says nothing.
        self.card: dict[str, Any] = _card(path)
        self.signatures: dict[str, Signature] = {
            name: _signature(name, function)
            for name, function in sorted(self._model.signatures.items())
        }
        if not self.signatures:
            raise ValueError(f"{path} has no signatures")

    @property
    def on_accelerator(self) -> bool:
        """Whether calls run on a GPU or TPU."""
        return any(
            device.device_type in ("GPU", "TPU")
            for device in self._tf.config.list_logical_devices()
        )

    def signature(self, name: str | None) -> Signature:
        """Return a signature by its name.

        Args:
            name: String, or None or `""` for the default.

        Raises:
            NotFound: If the model has no such signature.
        """
        if not name:
            name = DEFAULT_SIGNATURE
            if name not in self.signatures and len(self.signatures) == 1:
                name = next(iter(self.signatures))
        if name not in self.signatures:
            raise NotFound(
                f"no signature {name!r}; this model has {', '.join(map(repr, self.signatures))}"
            )
        return self.signatures[name]

    def signature_definitions(self) -> dict[str, Any]:
        """Return the signatures as TensorFlow Serving's REST interface describes them."""
        if self._definitions is None:
            from google.protobuf import json_format
            from tensorflow.core.protobuf import saved_model_pb2

            saved = saved_model_pb2.SavedModel.FromString(
                (self.path / "saved_model.pb").read_bytes()
            )
            served = next(
                graph for graph in saved.meta_graphs if "serve" in graph.meta_info_def.tags
            )
            self._definitions = {
                name: json_format.MessageToDict(
                    definition,
                    preserving_proto_field_name=True,
                    always_print_fields_with_no_presence=True,
                )
                for name, definition in sorted(served.signature_def.items())
            }
        return self._definitions

    def check(self, signature: Signature, arrays: Arrays, max_pixels: int) -> None:
        """Refuse inputs that do not fit a signature, before they reach the graph.

        Args:
            signature: One of this model's.
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

    def run(self, signature: Signature, arrays: Arrays) -> Arrays:
        """Call a signature.

        Args:
            signature: One of this model's.
            arrays: From input name to array, as `check` accepts them.

        Returns:
            From output name to array.

        Raises:
            BadRequest: If the graph refuses the values.
            NotReady: If memory does not suffice.
        """
        tf = self._tf
        inputs = {
            name: tf.constant(
                array.tolist() if signature.inputs[name].is_text else array,
                tf.string if signature.inputs[name].is_text else array.dtype,
            )
            for name, array in arrays.items()
        }
        try:
            return {name: value.numpy() for name, value in signature.function(**inputs).items()}
        except tf.errors.InvalidArgumentError as error:
            raise BadRequest(graph_message(str(error.message))) from None
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            raise NotReady("not enough memory for this request now", retry_after=5) from error


def _card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads((path / "model_card.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def _signature(name: str, function: Any) -> Signature:
    def describe(key: str, spec: Any) -> Tensor:
        dtype = np.dtype(object if spec.dtype.name == "string" else spec.dtype.as_numpy_dtype)
        shape = tuple(spec.shape.as_list()) if spec.shape.rank is not None else ()
        return Tensor(key, dtype, shape)

    inputs = function.structured_input_signature[1]
    outputs = function.structured_outputs
    return Signature(
        name,
        {key: describe(key, spec) for key, spec in inputs.items()},
        {key: describe(key, spec) for key, spec in outputs.items()},
        function,
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def graph_message(text: str) -> str:
    """Return what a graph's own assertion says, without the graph around it.

    Args:
        text: Message of a TensorFlow error.
    """
    found = _ASSERTION.search(text)
    if found:
        return found[1].strip()
    return text.strip().splitlines()[0] if text.strip() else "the model refuses these values"


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
        with Image.open(io.BytesIO(contents), formats=ENCODED_FORMATS) as picture:
            return picture.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooLarge(f"index {index} of the batch: {name} has too many pixels") from None
    except Exception:  # Pillow's parsers raise many kinds for broken files
        raise BadRequest(
            f"index {index} of the batch: {name} is no JPEG, PNG, GIF or BMP that can be read"
        ) from None
