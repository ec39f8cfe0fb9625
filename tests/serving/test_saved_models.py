"""A SavedModel in memory: signatures, checks, calls; and its warm-up."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("orjson", reason="pip install 'keras-inpaint[serve]'")

from keras_inpaint.serving.errors import BadRequest, NotFound, TooLarge
from keras_inpaint.serving.saved_models import LoadedModel, graph_message
from keras_inpaint.serving.signatures import check_inputs
from keras_inpaint.serving.warmup import WARMUP_FILE, replay

MOST = 10_000


@pytest.fixture(scope="module")
def model(model_folders):
    return LoadedModel(model_folders / "tiny" / "1")


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def texts(*contents):
    array = np.empty(len(contents), object)
    array[:] = contents
    return array


def test_signatures(model):
    assert set(model.signatures) == {
        "serving_default",
        "complete",
        "complete_float",
        "complete_bytes",
    }
    complete = model.signature("complete")
    assert complete.inputs["image"].shape == (None, None, None, 3)
    assert complete.inputs["image"].dtype == np.uint8
    assert complete.is_batchable and not model.signature("complete_bytes").is_batchable
    assert model.signature(None) is model.signature("") is model.signature("serving_default")
    with pytest.raises(NotFound, match="no signature 'x'; this model has 'complete'"):
        model.signature("x")


def test_strings_that_tensorflow_serving_must_encode_end_in_bytes(model):
    """TensorFlow Serving's REST interface writes base64 only where a name ends in `_bytes`."""
    for signature in model.signatures.values():
        for output in signature.outputs.values():
            assert output.name.endswith("_bytes") == output.is_text


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"mask": None}, BadRequest, "missing mask"),
        ({"x": np.zeros(1)}, BadRequest, "unknown x"),
        (
            {"image": np.zeros((1, 8, 8, 3), np.float32)},
            BadRequest,
            "image must be uint8, got float32",
        ),
        ({"image": np.zeros((1, 8, 8, 4), np.uint8)}, BadRequest, r"\(any, any, any, 3\), got"),
        ({"image": np.zeros((8, 8, 3), np.uint8)}, BadRequest, "image must have the shape"),
        ({"mask": np.zeros((2, 8, 8, 1), np.uint8)}, BadRequest, "differ in their batch"),
        (
            {"mask": np.zeros((1, 8, 9, 1), np.uint8)},
            BadRequest,
            "differ in batch, height or width",
        ),
        (
            {"image": np.zeros((0, 8, 8, 3), np.uint8), "mask": np.zeros((0, 8, 8, 1), np.uint8)},
            BadRequest,
            "empty",
        ),
        (
            {"image": np.zeros((1, 0, 8, 3), np.uint8), "mask": np.zeros((1, 0, 8, 1), np.uint8)},
            BadRequest,
            "8 by 0 pixels",
        ),
        (
            {
                "image": np.zeros((2, 80, 80, 3), np.uint8),
                "mask": np.zeros((2, 80, 80, 1), np.uint8),
            },
            TooLarge,
            "2 photos of 80 by 80 pixels are more than the 10000",
        ),
    ],
)
def test_pixels_that_do_not_fit(model, change, error, message):
    arrays = {"image": np.zeros((1, 8, 8, 3), np.uint8), "mask": np.zeros((1, 8, 8, 1), np.uint8)}
    check_inputs(model.signature("complete"), arrays, MOST)
    arrays.update(change)
    arrays = {name: array for name, array in arrays.items() if array is not None}
    with pytest.raises(error, match=message):
        check_inputs(model.signature("complete"), arrays, MOST)


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan, np.inf])
def test_floats_lie_between_0_and_1(model, value):
    arrays = {
        name: np.full((1, 4, 4, depth), 0.5, np.float32)
        for name, depth in (("image", 3), ("mask", 1))
    }
    signature = model.signature("complete_float")
    check_inputs(signature, arrays, MOST)
    arrays["image"][0, 0, 0, 0] = value
    with pytest.raises(BadRequest, match=r"image must lie in \[0, 1\]"):
        check_inputs(signature, arrays, MOST)


def test_files_that_do_not_fit(model):
    signature = model.signature("complete_bytes")
    good, mask = png(np.zeros((8, 9, 3), np.uint8)), png(np.zeros((8, 9), np.uint8))
    check_inputs(signature, {"image": texts(good, good), "mask": texts(mask, mask)}, MOST)
    cases = [
        (texts(good, b""), texts(mask, mask), BadRequest, "index 1 of the batch: image is no JPEG"),
        (
            texts(good),
            texts(png(np.zeros((9, 9), np.uint8))),
            BadRequest,
            "index 0.*image 9x8, mask 9x9",
        ),
        (texts(good), texts(mask, mask), BadRequest, "differ in their batch"),
    ]
    for image, holes, error, message in cases:
        with pytest.raises(error, match=message):
            check_inputs(signature, {"image": image, "mask": holes}, MOST)
    with pytest.raises(TooLarge, match="more than the 100 pixels"):
        check_inputs(signature, {"image": texts(good, good), "mask": texts(mask, mask)}, 100)


def test_what_only_the_graph_finds(model):
    image, mask = png(np.full((40, 40, 3), 7, np.uint8)), png(np.zeros((40, 40), np.uint8))
    arrays = {"image": texts(image, image[:-40]), "mask": texts(mask, mask)}
    with pytest.raises(BadRequest, match=r"^index 1 of the batch: the image is no JPEG"):
        model.run(model.signature("complete_bytes"), arrays)


def test_graph_messages():
    text = "assertion failed: [index 3 of the batch: bad] [1 2]\n\t [[{{node Assert}}]]"
    assert graph_message(text) == "index 3 of the batch: bad"
    assert graph_message("first\nsecond") == "first"
    assert graph_message("")


def test_warm_up(model):
    assert replay(model) == 4


def test_without_warm_up(model_folders):
    assert replay(LoadedModel(model_folders / "other" / "7")) == 0


def test_a_damaged_warm_up_is_told(model_folders, tmp_path):
    shutil.copytree(model_folders / "tiny" / "1", tmp_path / "1")
    model = LoadedModel(tmp_path / "1")
    file = tmp_path / "1" / WARMUP_FILE
    whole = file.read_bytes()
    for contents in (whole[:-10], b"junk" * 100, whole[:50] + b"x" + whole[51:]):
        file.write_bytes(contents)
        with pytest.raises(ValueError, match=r"warm-up|damaged"):
            replay(model)


def test_a_warm_up_that_does_not_fit_the_model_is_told(model_folders, tmp_path):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    shutil.copytree(model_folders / "other" / "7", tmp_path / "1")
    model = LoadedModel(tmp_path / "1")
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.model_spec.signature_name = "draw"
    (tmp_path / "1" / WARMUP_FILE).parent.mkdir()
    with tf.io.TFRecordWriter(str(tmp_path / "1" / WARMUP_FILE)) as writer:
        writer.write(log.SerializeToString())
    with pytest.raises(ValueError, match=r"warm-up request 1 of .* fails: no signature 'draw'"):
        replay(model)


def test_folders_that_hold_no_model(tmp_path):
    with pytest.raises(ValueError, match="no SavedModel that can be loaded"):
        LoadedModel(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(ValueError, match="no SavedModel that can be loaded"):
        LoadedModel(tmp_path)
