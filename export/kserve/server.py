"""Serve an exported SavedModel with KServe: V1 and V2 over HTTP, V2 over gRPC.

python server.py models/faces/1 --model_name faces
"""

import argparse
import base64
from typing import Any

import numpy as np
import tensorflow as tf
from kserve import InferRequest, InferResponse, Model, ModelServer, model_server
from kserve.errors import InvalidInput
from kserve.protocol.infer_type import InferOutput
from kserve.utils.numpy_codec import from_np_dtype


class CompletionModel(Model):
    """Serves the signatures of a SavedModel, selected by `signature_name` as in TensorFlow Serving.

    Args:
        name: String, the model's name in requests.
        path: String, the folder of the SavedModel, `.../1`.
    """

    def __init__(self, name: str, path: str) -> None:
        super().__init__(name)
        self._model = tf.saved_model.load(path)
        self.ready = True

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        """Return the response to a request of V1, a dict, or of V2."""
        if isinstance(payload, dict):
            return self._rows_or_columns(payload)
        return self._tensors(payload)

    def _run(self, name: str, inputs: dict[str, Any]) -> dict[str, np.ndarray]:
        if name not in self._model.signatures:
            known = ", ".join(self._model.signatures)
            raise InvalidInput(f"no signature {name!r}; signatures: {known}")
        signature = self._model.signatures[name]
        specs = signature.structured_input_signature[1]
        if set(inputs) != set(specs):
            raise InvalidInput(f"{name} takes {', '.join(sorted(specs))}, got {', '.join(inputs)}")
        try:
            tensors = {key: tf.constant(inputs[key], spec.dtype) for key, spec in specs.items()}
            return {key: value.numpy() for key, value in signature(**tensors).items()}
        except (tf.errors.InvalidArgumentError, TypeError, ValueError) as error:
            messages = str(error).split("assertion failed: [")
            raise InvalidInput(messages[-1].partition("]\n")[0].strip()) from error

    def _rows_or_columns(self, request: dict[str, Any]) -> dict[str, Any]:
        name = request.get("signature_name", "serving_default")
        if "instances" in request:
            rows = request["instances"]
            keys = rows[0] if rows and isinstance(rows[0], dict) else {}
            columns = {key: [_plain(row.get(key)) for row in rows] for key in keys}
            outputs = self._run(name, columns)
            values = [_json(value) for value in outputs.values()]
            if len(values) == 1:
                return {"predictions": values[0]}
            pairs = zip(*values, strict=True)
            return {"predictions": [dict(zip(outputs, row, strict=True)) for row in pairs]}
        if "inputs" not in request:
            raise InvalidInput("a request must have instances or inputs")
        columns = {key: _plain(value) for key, value in request["inputs"].items()}
        outputs = {key: _json(value) for key, value in self._run(name, columns).items()}
        return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}

    def _tensors(self, request: InferRequest) -> InferResponse:
        name = (request.parameters or {}).get("signature_name", "serving_default")
        name = getattr(name, "string_param", name)
        outputs = []
        arrays = self._run(name, {entry.name: entry.as_numpy() for entry in request.inputs})
        for key, value in arrays.items():
            output = InferOutput(key, list(value.shape), from_np_dtype(value.dtype))
            output.set_data_from_numpy(value, binary_data=True)
            outputs.append(output)
        return InferResponse(request.id or "", self.name, outputs)


def _plain(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"])
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def _json(value: np.ndarray) -> list[Any]:
    if value.dtype != object:
        return value.tolist()
    return [{"b64": base64.b64encode(entry).decode()} for entry in value.ravel()]


if __name__ == "__main__":
    # With KServe's options, which ModelServer parses: name, ports, TLS and more.
    parser = argparse.ArgumentParser(description=__doc__, parents=[model_server.parser])
    parser.add_argument("path", help="the folder of the SavedModel")
    options = parser.parse_args()
    ModelServer().start([CompletionModel(options.model_name, options.path)])
