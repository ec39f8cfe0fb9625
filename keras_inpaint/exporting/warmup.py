"""Warm-up requests that a server replays before it says that it is ready.

The file is TensorFlow Serving's `assets.extra/tf_serving_warmup_requests`: a TFRecord of
`tensorflow.serving.PredictionLog` messages
(https://www.tensorflow.org/tfx/serving/saved_model_warmup). The few messages it needs are
described here, so that the package of Serving's stubs is not needed to write it.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

#: Where Serving looks for the file inside a SavedModel.
WARMUP_PATH = Path("assets.extra") / "tf_serving_warmup_requests"

_PACKAGE = "tensorflow.serving"
_FIELD = descriptor_pb2.FieldDescriptorProto

#: Message name -> (field name, number, type), of prediction_log.proto, predict.proto and
#: model.proto; a tensor is kept as the bytes of its TensorProto, which are the same on the wire.
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "ModelSpec": (("name", 1, "string"), ("signature_name", 3, "string")),
    "Input": (("key", 1, "string"), ("value", 2, "bytes")),
    "PredictRequest": (("model_spec", 1, "ModelSpec"), ("inputs", 2, "repeated Input")),
    "PredictLog": (("request", 1, "PredictRequest"),),
    "PredictionLog": (("predict_log", 6, "PredictLog"),),
}


def write_warmup(
    folder: str | Path, requests: Iterable[tuple[str, Mapping[str, np.ndarray]]], name: str = ""
) -> Path:
    """Write warm-up requests into a SavedModel.

    Args:
        folder: Path of the SavedModel's folder.
        requests: Pairs of a signature's name and its inputs by name; byte strings are arrays of
            objects. Serving takes at most 1000.
        name: String, the served model's name; Serving replays whatever stands here.

    Returns:
        The path of the file.
    """
    path = Path(folder) / WARMUP_PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests:
            log = _message("PredictionLog")()
            request = log.predict_log.request
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, value in inputs.items():
                tensor = tf.make_tensor_proto(value).SerializeToString()
                request.inputs.add(key=key, value=tensor)
            writer.write(log.SerializeToString())
    return path


def _message(name: str) -> Any:
    return _messages()[name]


@cache
def _messages() -> dict[str, Any]:
    """Build the messages in a pool of their own, beside Serving's stubs if those are there."""
    file = descriptor_pb2.FileDescriptorProto(
        name="keras_inpaint/warmup.proto", package=_PACKAGE, syntax="proto3"
    )
    for message, fields in _MESSAGES.items():
        entry = file.message_type.add(name=message)
        for label, number, kind in fields:
            repeated, _, kind = kind.rpartition(" ")
            field = entry.field.add(name=label, number=number)
            field.label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            if kind in ("string", "bytes"):
                field.type = _FIELD.TYPE_STRING if kind == "string" else _FIELD.TYPE_BYTES
            else:
                field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _MESSAGES
    }
