"""TensorFlow Serving's JSON to arrays and back."""

import base64
import json

import numpy as np
import pytest

pytest.importorskip("orjson", reason="pip install 'keras-inpaint[serve]'")

from keras_inpaint.serving import tf_rest
from keras_inpaint.serving.errors import BadRequest
from keras_inpaint.serving.signatures import Signature, Tensor

PIXELS = Signature(
    "complete",
    {
        "image": Tensor("image", np.dtype(np.uint8), (None, None, None, 3)),
        "mask": Tensor("mask", np.dtype(np.uint8), (None, None, None, 1)),
    },
    {"completed": Tensor("completed", np.dtype(np.uint8), (None, None, None, 3))},
    None,
)
FILES = Signature(
    "complete_bytes",
    {name: Tensor(name, np.dtype(object), (None,)) for name in ("image", "mask")},
    {"completed_bytes": Tensor("completed_bytes", np.dtype(object), (None,))},
    None,
)
ONE = Signature("one", {"x": Tensor("x", np.dtype(np.float32), (None, 2))}, {}, None)


def arrays(payload, signature):
    return tf_rest.to_arrays(tf_rest.parse_body(json.dumps(payload).encode()), signature)


def b64(contents):
    return {"b64": base64.b64encode(contents).decode()}


def test_rows_and_columns_give_the_same():
    image, mask = [[[1, 2, 3], [4, 5, 255]]], [[[0], [255]]]
    rows = arrays({"instances": [{"image": image, "mask": mask}] * 2}, PIXELS)
    columns = arrays({"inputs": {"image": [image] * 2, "mask": [mask] * 2}}, PIXELS)
    for found in (rows, columns):
        assert found["image"].dtype == np.uint8 and found["image"].shape == (2, 1, 2, 3)
        assert found["mask"].shape == (2, 1, 2, 1)
    np.testing.assert_array_equal(rows["image"], columns["image"])


def test_one_input_needs_no_name():
    for payload in (
        {"instances": [[1, 2], [3, 4]]},
        {"inputs": [[1, 2], [3, 4]]},
        {"instances": [{"x": [1, 2]}, {"x": [3, 4]}]},
    ):
        np.testing.assert_array_equal(arrays(payload, ONE)["x"], [[1, 2], [3, 4]])


def test_files():
    contents = bytes(range(256))
    found = arrays({"instances": [{"image": b64(contents), "mask": b64(b"m")}]}, FILES)
    assert found["image"].tolist() == [contents] and found["mask"].tolist() == [b"m"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b'{"instances": [NaN]}', "no JSON"),
        (b"[" * 5000, "no JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "either 'instances' or 'inputs'"),
        (b'{"instances": [], "inputs": []}', "either"),
        (b'{"instances": [], "signature_name": 1}', "signature_name"),
        (b'{"instances": [], "extra": 1}', "unknown keys"),
    ],
)
def test_bodies_that_are_no_request(body, message):
    with pytest.raises(BadRequest, match=message):
        tf_rest.parse_body(body)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"instances": []}, "at least one row"),
        ({"instances": {}}, "at least one row"),
        ({"instances": [1]}, "row 0"),
        ({"instances": [{"image": [], "mask": []}, {"image": []}]}, "row 1"),
        ({"inputs": [1]}, "must be an object with image, mask"),
        ({"inputs": {"image": [], "mask": [], "more": []}}, "unknown input 'more'"),
        ({"inputs": {"image": [[1, 2], [3]], "mask": []}}, "image is ragged"),
        ({"inputs": {"image": [256], "mask": []}}, "0 to 255, got values from 256 to 256"),
        ({"inputs": {"image": [-1], "mask": []}}, "0 to 255"),
        ({"inputs": {"image": [1.5], "mask": []}}, "whole numbers"),
        ({"inputs": {"image": ["a"], "mask": []}}, "numbers"),
        ({"inputs": {"image": [True], "mask": []}}, "numbers"),
        ({"inputs": {"image": [None], "mask": []}}, "numbers"),
        ({"inputs": {"image": [10**30], "mask": []}}, "image"),
    ],
)
def test_values_that_do_not_fit(payload, message):
    with pytest.raises(BadRequest, match=message):
        arrays(payload, PIXELS)


@pytest.mark.parametrize("item", [{"b64": "!"}, {"b64": 1}, 5, None, [b64(b"x")], {"c": "eA=="}])
def test_strings_that_are_none(item):
    with pytest.raises(BadRequest, match="image"):
        arrays({"inputs": {"image": [item], "mask": ["m"]}}, FILES)


def test_answers():
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    rows = json.loads(tf_rest.to_body({"instances": None}, {"completed": pixels}))
    assert rows == {"predictions": pixels.tolist()}
    columns = json.loads(tf_rest.to_body({"inputs": None}, {"completed": pixels}))
    assert columns == {"outputs": pixels.tolist()}
    text = np.array([b"\x89PNG"], object)
    files = json.loads(tf_rest.to_body({"instances": None}, {"completed_bytes": text}))
    assert files == {"predictions": [b64(b"\x89PNG")]}
    both = {"a": pixels, "b_bytes": text}
    assert json.loads(tf_rest.to_body({"instances": None}, both)) == {
        "predictions": [{"a": pixels[0].tolist(), "b_bytes": b64(b"\x89PNG")}]
    }
    assert json.loads(tf_rest.to_body({"inputs": None}, both))["outputs"].keys() == {"a", "b_bytes"}


@pytest.mark.parametrize("size", [0, 1, 2, 3, 100])
def test_base64_as_people_write_it(size):
    contents = bytes(range(256))[-size:] if size else b""
    plain, safe = base64.b64encode(contents).decode(), base64.urlsafe_b64encode(contents).decode()
    broken = base64.encodebytes(contents).decode().replace("\n", "\r\n")
    for text in (plain, safe, plain.rstrip("="), broken, f"data:image/png;base64,{plain}"):
        assert tf_rest.decode_base64(text) == contents
    for text in ("data:image/png,abc", "a*bc", "abcde"):
        with pytest.raises(ValueError, match=r"."):
            tf_rest.decode_base64(text)
