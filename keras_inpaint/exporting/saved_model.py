"""Export a completion network to a SavedModel with the whole pipeline in its graph."""

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_inpaint.exporting import signatures
from keras_inpaint.exporting.network import (
    build_card,
    card_of,
    load_network,
    network_size,
)
from keras_inpaint.networks.inference_graph import for_inference
from keras_inpaint.presets.registry import CARD_FILE

#: Where TensorFlow Serving looks for warm-up requests inside a SavedModel.
WARMUP_PATH = Path("assets.extra") / "tf_serving_warmup_requests"
#: Side in pixels of the warm-up requests; not a multiple of 4, to warm up the padding, too.
_WARMUP_SIDE = 126

_SIZE = (None, None, None)
_UINT8 = (
    tf.TensorSpec((*_SIZE, 3), tf.uint8, "image"),
    tf.TensorSpec((*_SIZE, 1), tf.uint8, "mask"),
)
_FLOAT = (
    tf.TensorSpec((*_SIZE, 3), tf.float32, "image"),
    tf.TensorSpec((*_SIZE, 1), tf.float32, "mask"),
)
_PIXELS = (_UINT8[0], tf.TensorSpec((*_SIZE, 1), tf.bool, "hole"))
_BYTES = (tf.TensorSpec((None,), tf.string, "image"), tf.TensorSpec((None,), tf.string, "mask"))


def export_saved_model(
    network: keras.Model | str | Path,
    path: str | Path,
    *,
    version: int = 1,
    name: str | None = None,
    card: Mapping[str, Any] | None = None,
    warmup: bool = True,
    check: Callable[[Path], None] | None = None,
) -> Path:
    """Export a completion network to a SavedModel that takes photos of any size.

    The graph contains polarity, padding to a multiple of 4, the mean pixel, the network, cropping
    and pasting the known pixels, in float32. The signatures map `image` and `mask` to `completed`
    (`completed_bytes` for the last), for any batch, height and width:

    - `serving_default` and `complete`: uint8 `(batch, height, width, 3)` and
      `(batch, height, width, 1)`, nonzero in the hole, to uint8.
    - `complete_float`: float32 in [0, 1] of the same shapes; at least 0.5 in the hole.
    - `complete_bytes`: strings `(batch,)` of JPEG, PNG, GIF or BMP files, each pair of its own
      size, at least half of white in the hole, to PNG files. TensorFlow Serving's REST interface
      sends an output as base64 only if its name ends in `_bytes`.

    Outside the hole the pixels are bit-identical to the input.

    Example:

    >>> export_saved_model("runs/faces", "models/faces")
    PosixPath('models/faces/1')

    Args:
        network: A completion network, the path of a `.keras` file or run folder, or a preset's
            name.
        path: Path of the model's folder; the SavedModel is written to a subfolder named after the
            version, as required by TensorFlow Serving.
        version: Int above 0. An existing version is never overwritten: a server may be reading
            it.
        name: String, the model's name; None is the folder's name.
        card: The network's card, for its `model_card.json`; None reads it from the files beside
            the network. See `keras_inpaint.exporting.network.build_card`.
        warmup: Bool, whether to write warm-up requests for a server to replay.
        check: Called with the finished folder before it gets its final name; if it raises an
            error, no folder is left.

    Returns:
        The path of the SavedModel, `path/version`.

    Raises:
        FileExistsError: If the version exists.
        OSError: If it cannot be written; `filename` is the version's path.
        ValueError: If an argument is out of its range, or the network takes one size only.
    """
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"version must be an integer above 0, got {version!r}")
    target = Path(path) / str(version)
    if target.exists():
        raise FileExistsError(f"{target} exists: choose another version, or remove it")
    known = card_of(network) if card is None else card
    network = load_network(network)
    if network_size(network) != (None, None):
        raise ValueError(
            f"a SavedModel requires a network for any size, got one for {network_size(network)}: "
            f"build it with image_size=None"
        )
    name = name or Path(path).name
    is_new = not target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=target.parent))
    try:
        # Sums in the same order at every size, as in the package's own inference on tiles.
        _write(for_inference(network), draft)
        text = json.dumps(build_card(network, name, known), indent=2, ensure_ascii=False)
        (draft / CARD_FILE).write_text(text + "\n", "utf-8")
        if warmup:
            write_warmup(draft, warmup_requests(), name)
        if check is not None:
            check(draft)
        draft.chmod(0o755)
        os.replace(draft, target)
    except tf.errors.ResourceExhaustedError as error:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(target)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if is_new:
            with contextlib.suppress(OSError):  # it is not empty
                target.parent.rmdir()
    return target


def warmup_requests() -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield one small request for each signature.

    Yields:
        Pairs of a signature's name and its inputs by name.
    """
    side = _WARMUP_SIDE
    ramp = np.linspace(0, 255, side)
    image = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None, :], 127.0), axis=-1)
    image = np.rint(image).astype(np.uint8)
    mask = np.zeros((side, side, 1), np.uint8)
    mask[side // 4 : side // 2, side // 4 : side // 2] = 255
    arrays = {"image": image[None], "mask": mask[None]}
    yield "serving_default", arrays
    yield "complete", arrays
    yield "complete_float", {key: np.float32(value) / 255 for key, value in arrays.items()}
    yield (
        "complete_bytes",
        {
            key: np.array([tf.io.encode_png(value[0]).numpy()], object)
            for key, value in arrays.items()
        },
    )


def write_warmup(
    folder: str | Path, requests: Iterable[tuple[str, Mapping[str, np.ndarray]]], name: str = ""
) -> Path:
    """Write requests into a SavedModel that TensorFlow Serving replays before it is ready.

    Args:
        folder: Path of the SavedModel's folder.
        requests: Pairs of a signature's name and its inputs by name; byte strings are arrays of
            objects. Serving replays at most 1000.
        name: String, the served model's name; Serving ignores it.

    Returns:
        The path of the file, a TFRecord of `tensorflow.serving.PredictionLog` messages, see
        https://www.tensorflow.org/tfx/serving/saved_model_warmup
    """
    path = Path(folder) / WARMUP_PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests:
            # ModelSpec and PredictRequest.inputs, PredictLog.request, PredictionLog.predict_log.
            spec = _field(1, name.encode()) + _field(3, signature.encode())
            request = _field(1, spec)
            for key, value in inputs.items():
                tensor = tf.make_tensor_proto(value).SerializeToString()
                request += _field(2, _field(1, key.encode()) + _field(2, tensor))
            writer.write(_field(6, _field(1, request)))
    return path


def _field(number: int, payload: bytes) -> bytes:
    """Return a length-delimited field of a protocol buffer message."""
    length, header = len(payload), [number << 3 | 2]
    while length > 0x7F:
        header.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*header, length]) + payload


def _write(network: keras.Model, folder: Path) -> None:
    # The endpoints' resources are tracked automatically; `track` would store every weight twice.
    archive = keras.export.ExportArchive()

    # Separate functions, so that the network is traced and stored once.
    @tf.function(input_signature=_FLOAT, autograph=False)
    def generate(image: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return network({"image": image, "mask": mask}, training=False)

    @tf.function(input_signature=_PIXELS, autograph=False)
    def fill(image: tf.Tensor, hole: tf.Tensor) -> tf.Tensor:
        return signatures.complete_uint8(generate, image, hole)

    def complete(image: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.control_dependencies(signatures.check_shapes(image, mask)):
            hole = mask != 0
        return {"completed": fill(image, hole)}

    def complete_float(image: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        checks = signatures.check_shapes(image, mask) + signatures.check_numbers(image, mask)
        with tf.control_dependencies(checks):
            hole = mask >= signatures.HOLE_SHARE
        return {"completed": signatures.complete_float(generate, image, hole)}

    def complete_bytes(image: tf.Tensor, mask: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"completed_bytes": signatures.complete_bytes(fill, image, mask)}

    archive.add_endpoint("serving_default", complete, input_signature=_UINT8)
    archive.add_endpoint("complete", complete, input_signature=_UINT8)
    archive.add_endpoint("complete_float", complete_float, input_signature=_FLOAT)
    archive.add_endpoint("complete_bytes", complete_bytes, input_signature=_BYTES)
    archive.write_out(str(folder), verbose=False)
