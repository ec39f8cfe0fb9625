"""Check that an exported folder meets the requirements of TensorFlow Serving.

    python check.py models/faces

Checks the numbered versions, the signatures, the names of bytes outputs, and the warm-up requests.
Requires `tensorflow` and `tensorflow-serving-api`. Exit code 1 if anything is wrong.
"""

import argparse
import sys
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

WARMUP = Path("assets.extra") / "tf_serving_warmup_requests"
MAX_WARMUP_REQUESTS = 1000
PREDICT = "tensorflow/serving/predict"


def main() -> int:
    """Check a model's folder and print its errors."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("base", type=Path, help="the folder given as --model_base_path")
    options = parser.parse_args()
    faults = check(options.base)
    for fault in faults:
        print(fault)
    print(f"{options.base}: {'not ' if faults else ''}valid for TensorFlow Serving")
    return int(bool(faults))


def check(base: Path) -> list[str]:
    """Return the errors of a model's folder, one sentence each.

    Args:
        base: Folder with one subfolder per version, named by its number.
    """
    versions = [path for path in sorted(base.iterdir()) if path.name.isdecimal()]
    if not versions:
        return [f"{base}: no folder of a numbered version"]
    return [fault for version in versions for fault in check_version(version)]


def check_version(folder: Path) -> list[str]:
    """Return the errors of one version.

    Args:
        folder: A SavedModel folder.
    """
    file = folder / "saved_model.pb"
    if not file.is_file():
        return [f"{folder}: no saved_model.pb"]
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    graphs = [graph for graph in saved.meta_graphs if "serve" in graph.meta_info_def.tags]
    if not graphs:
        return [f"{folder}: no graph tagged 'serve'"]
    signatures = {
        name: signature
        for name, signature in graphs[0].signature_def.items()
        if signature.method_name == PREDICT
    }
    faults = []
    if "serving_default" not in signatures:
        faults.append(f"{folder}: no signature 'serving_default', the default of requests")
    for name, signature in signatures.items():
        for key, tensor in signature.outputs.items():
            text = tensor.dtype == tf.string.as_datatype_enum
            if text != key.endswith("_bytes"):
                faults.append(
                    f"{folder}: output {key!r} of {name!r}: the REST interface writes base64 only "
                    "for names that end in _bytes"
                )
    return faults + check_warmup(folder, signatures)


def check_warmup(folder: Path, signatures: dict) -> list[str]:
    """Return the errors of the warm-up requests of a version.

    Args:
        folder: A SavedModel folder.
        signatures: Dict from name to `SignatureDef`.
    """
    path = folder / WARMUP
    if not path.is_file():
        return [f"{folder}: no {WARMUP}: the first requests will be slow"]
    faults, count = [], 0
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            count += 1
            log = prediction_log_pb2.PredictionLog.FromString(record)
            request = log.predict_log.request
            name = request.model_spec.signature_name or "serving_default"
            if name not in signatures:
                faults.append(f"{path}: request {count} is for an unknown signature {name!r}")
                continue
            for key, info in signatures[name].inputs.items():
                if key not in request.inputs:
                    faults.append(f"{path}: request {count} to {name!r} has no {key!r}")
                elif request.inputs[key].dtype != info.dtype:
                    faults.append(
                        f"{path}: request {count} to {name!r}: {key!r} has the wrong dtype"
                    )
    except (tf.errors.OpError, ValueError) as error:
        faults.append(f"{path}: cannot be read after {count} requests: {error}")
    if count > MAX_WARMUP_REQUESTS:
        faults.append(f"{path}: {count} requests; at most {MAX_WARMUP_REQUESTS} are allowed")
    return faults


if __name__ == "__main__":
    sys.exit(main())
