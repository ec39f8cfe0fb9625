"""A SavedModel in memory: its signatures and calls."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from keras_inpaint.serving.batching import Arrays
from keras_inpaint.serving.errors import BadRequest, NotFound, NotReady
from keras_inpaint.serving.signatures import Signature, Tensor

#: The signature that is meant when none is named.
DEFAULT_SIGNATURE = "serving_default"

_ASSERTION = re.compile(r"assertion failed: \[(.*?)\](?: \[[^\]]*\])*", re.S)


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

    def run(self, signature: Signature, arrays: Arrays) -> Arrays:
        """Call a signature.

        Args:
            signature: One of this model's.
            arrays: From input name to array, as `signatures.check_inputs` accepts them.

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
