"""Replay of the requests that an export carries, so that the first user does not wait."""

import logging
import time
from pathlib import Path

from keras_inpaint.serving.saved_models import LoadedModel
from keras_inpaint.serving.signatures import check_inputs

logger = logging.getLogger(__name__)

#: Where TensorFlow Serving looks for warm-up requests, inside a SavedModel folder.
WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"

#: TensorFlow Serving reads no more than this many.
MAX_REQUESTS = 1000


def replay(model: LoadedModel) -> int:
    """Run the warm-up requests of a model, if it has any.

    Args:
        model: A model just loaded.

    Returns:
        Int, how many were run.

    Raises:
        ValueError: If the file is there and cannot be read, or a request fails: as in
            TensorFlow Serving, such a model is not served.
    """
    path = model.path / WARMUP_FILE
    if not path.is_file():
        logger.info("no warm-up requests in %s", model.path)
        return 0
    started = time.monotonic()
    count = 0
    for count, (name, arrays) in enumerate(_requests(path), start=1):
        try:
            signature = model.signature(name)
            check_inputs(signature, arrays, max_pixels=2**31)
            model.run(signature, arrays)
        except Exception as error:
            raise ValueError(f"warm-up request {count} of {path} fails: {error}") from error
    logger.info("%d warm-up requests took %.2f s", count, time.monotonic() - started)
    return count


def _requests(path: Path):  # type: ignore[no-untyped-def]
    import tensorflow as tf

    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError as error:
        raise ValueError(
            "replaying warm-up requests needs the package tensorflow-serving-api: "
            "pip install 'keras-inpaint[serve]'"
        ) from error
    try:
        for number, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()):
            if number >= MAX_REQUESTS:
                logger.warning("%s: only the first %d requests are run", path, MAX_REQUESTS)
                return
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if log.WhichOneof("log_type") != "predict_log":
                raise ValueError(f"{path}: record {number} is no predict request")
            request = log.predict_log.request
            arrays = {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()}
            yield request.model_spec.signature_name, arrays
    except tf.errors.OpError as error:
        raise ValueError(f"{path} is damaged: {error.message}") from error
    except Exception as error:
        if isinstance(error, ValueError):
            raise
        raise ValueError(f"{path} holds no warm-up requests: {error}") from error
