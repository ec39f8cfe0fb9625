import errno
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import keras_inpaint as ki
from keras_inpaint.exporting.saved_model import (
    WARMUP_PATH,
    export_saved_model,
    warmup_requests,
    write_warmup,
)
from keras_inpaint.networks.layers import with_dtype_policy


def a_hole(shape):
    hole = np.zeros(shape, bool)
    hole[shape[0] // 4 : shape[0] // 2 + 1, shape[1] // 3 : shape[1] // 2 + 1] = True
    return hole


def call(loaded, name, image, mask):
    output = loaded.signatures[name](image=tf.constant(image), mask=tf.constant(mask))
    return next(iter(output.values())).numpy()


@pytest.mark.parametrize("size", ((1, 1), (2, 3), (3, 5), (40, 48), (70, 90), (61, 33)))
@pytest.mark.parametrize("name", ("serving_default", "complete"))
def test_bytes_are_those_of_the_network(loaded, completed_by_keras, photos, name, size):
    photo = np.resize(photos[0], (*size, 3))
    hole = a_hole(size)
    mask = hole[None, ..., None].astype(np.uint8)
    completed = call(loaded, name, photo[None], mask)[0]
    assert completed.dtype == np.uint8
    np.testing.assert_array_equal(completed[~hole], photo[~hole])
    wanted = completed_by_keras(photo, hole)
    assert np.abs(completed.astype(int) - wanted)[hole].max() <= 1
    assert (completed == wanted).mean() > 0.999


@pytest.mark.parametrize("value", (1, 127, 255))
def test_every_mask_byte_but_zero_is_a_hole(loaded, photos, value):
    photo, hole = photos[0], a_hole(photos[0].shape[:2])
    mask = hole[None, ..., None].astype(np.uint8)
    np.testing.assert_array_equal(
        call(loaded, "complete", photo[None], mask * np.uint8(value)),
        call(loaded, "complete", photo[None], mask),
    )


def test_what_lies_in_the_hole_does_not_matter(loaded, photos):
    photo, hole = photos[0], a_hole(photos[0].shape[:2])
    other = np.where(hole[..., None], 255 - photo, photo)
    mask = hole[None, ..., None].astype(np.uint8)
    np.testing.assert_array_equal(
        call(loaded, "complete", photo[None], mask), call(loaded, "complete", other[None], mask)
    )


def test_a_batch_is_its_photos(loaded, photos):
    batch = np.stack(photos[:3])
    mask = np.stack([np.roll(a_hole(batch.shape[1:3]), 5 * i, 1) for i in range(3)])[..., None]
    mask = mask.astype(np.uint8)
    together = call(loaded, "complete", batch, mask)
    for i in range(3):
        alone = call(loaded, "complete", batch[i : i + 1], mask[i : i + 1])[0]
        assert np.abs(together[i].astype(int) - alone).max() <= 1


def test_floats_keep_their_known_pixels_bit_for_bit(loaded, photos):
    rng = np.random.default_rng(0)
    image = rng.random((1, 30, 42, 3), np.float32)
    soft = rng.random((1, 30, 42, 1), np.float32)
    completed = call(loaded, "complete_float", image, soft)
    hole = soft[..., 0] >= 0.5
    np.testing.assert_array_equal(completed[~hole], image[~hole])
    assert np.abs(completed[hole] - image[hole]).min(axis=-1).max() > 0
    hard = call(loaded, "complete_float", image, hole[..., None].astype(np.float32))
    np.testing.assert_array_equal(completed, hard)


def test_files_of_several_sizes_and_formats_in_one_batch(loaded, photos, encode, decode):
    chosen = [photos[0], photos[3], photos[1][:41, :53]]
    files = [encode(chosen[0]), encode(chosen[1], "JPEG", quality=90), encode(chosen[2], "BMP")]
    holes = [a_hole(photo.shape[:2]) for photo in chosen]
    masks = [encode(hole.astype(np.uint8) * 255) for hole in holes]
    completed = call(loaded, "complete_bytes", files, masks)
    for file, hole, png in zip(files, holes, completed, strict=True):
        assert png.startswith(b"\x89PNG")
        mask = hole[None, ..., None].astype(np.uint8)
        wanted = call(loaded, "complete", decode(file)[None], mask)[0]
        np.testing.assert_array_equal(decode(png), wanted)


def test_an_empty_batch_of_files(loaded):
    empty = np.array([], object)
    output = loaded.signatures["complete_bytes"](
        image=tf.constant(empty, tf.string), mask=tf.constant(empty, tf.string)
    )
    assert output["completed_bytes"].shape == (0,)


def test_a_bad_file_is_named_by_its_index(loaded, photos, encode):
    photo = encode(photos[0])
    mask = encode(a_hole(photos[0].shape[:2]).astype(np.uint8) * 255)
    other = encode(np.zeros((8, 8), np.uint8))
    broken = photo[:200] + bytes(len(photo) - 200)
    cases = [
        ([photo, b"no image"], [mask, mask], "index 1 .*the image is no"),
        ([photo, photo, b""], [mask] * 3, "index 2 .*the image is no"),
        ([photo[:-40], photo], [mask, mask], "index 0 .*the image is no"),
        ([photo, broken], [mask, mask], "index 1 .*the image is no"),
        ([photo, photo], [mask, mask[:60]], "index 1 .*the mask is no"),
        ([photo, photo, photo], [mask, other, other], "index 1 .*does not have the size"),
        ([b"no image"], [b"none either"], "index 0 .*the image is no"),
    ]
    for images, masks, message in cases:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            call(loaded, "complete_bytes", images, masks)


def test_images_and_masks_that_do_not_belong_together(loaded, photos, encode):
    image, mask = np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 12, 1), np.uint8)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"image \[1 8 8 3\], mask \[1 8 12"):
        call(loaded, "complete", image, mask)
    with pytest.raises(tf.errors.InvalidArgumentError, match="got 1 images and 2 masks"):
        call(loaded, "complete_bytes", [encode(photos[0])], [encode(photos[0])] * 2)


def test_a_network_of_mixed_precision_is_exported_in_float32(tiny_network, tmp_path, photos):
    mixed = with_dtype_policy(tiny_network, "mixed_bfloat16")
    path = export_saved_model(mixed, tmp_path / "mixed", warmup=False)
    model = tf.saved_model.load(str(path))
    dtypes = {
        value.dtype
        for name in model.signatures
        for op in model.signatures[name].graph.get_operations()
        for value in op.outputs
    }
    assert tf.bfloat16 not in dtypes
    hole = a_hole((64, 64))[None, ..., None].astype(np.float32)
    image = photos[3][None] / np.float32(255)
    # bfloat16 keeps the float32 weights, so the float32 network is the reference.
    generated = tiny_network.predict_on_batch({"image": image, "mask": hole})
    wanted = np.where(hole == 1, generated, image)
    np.testing.assert_allclose(call(model, "complete_float", image, hole), wanted, atol=1e-5)


def test_the_folder_is_what_a_server_wants(saved_model_path):
    assert saved_model_path.name == "1"
    assert (saved_model_path / "saved_model.pb").is_file()
    card = json.loads((saved_model_path / "model_card.json").read_text())
    assert card["name"] == "tiny" and len(card["weights_sha256"]) == 64
    assert (saved_model_path / "assets.extra" / "tf_serving_warmup_requests").stat().st_size > 0
    assert saved_model_path.stat().st_mode & 0o555 == 0o555
    assert [path.name for path in saved_model_path.parent.iterdir()] == ["1"]


def test_warm_up_requests_run(loaded):
    names = []
    for name, inputs in warmup_requests():
        names.append(name)
        call(loaded, name, inputs["image"], inputs["mask"])
    assert sorted(names) == sorted(loaded.signatures)


def test_a_version_is_never_overwritten(saved_model_path, tiny_network):
    with pytest.raises(FileExistsError, match="choose another version"):
        export_saved_model(tiny_network, saved_model_path.parent)


def test_what_does_not_pass_its_check_leaves_nothing(tiny_network, tmp_path):
    def check(path):
        assert (path / "saved_model.pb").is_file()
        raise RuntimeError("not good enough")

    with pytest.raises(RuntimeError, match="not good enough"):
        export_saved_model(tiny_network, tmp_path / "model", check=check, warmup=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", (0, -1, "1"))
def test_a_version_that_is_none(tiny_network, tmp_path, version):
    with pytest.raises(ValueError, match="version must be an integer above 0"):
        export_saved_model(tiny_network, tmp_path, version=version)


def test_a_network_for_one_size_is_refused(tmp_path):
    network = ki.build_completion_network(width=0.0625, image_size=16)
    with pytest.raises(ValueError, match="a network for any size"):
        export_saved_model(network, tmp_path)


@pytest.mark.long
def test_saved_model_cli_shows_names_shapes_and_types(saved_model_path):
    command = "from tensorflow.python.tools.saved_model_cli import main; main()"
    arguments = ["show", "--dir", str(saved_model_path), "--all"]
    shown = subprocess.run(
        [sys.executable, "-c", command, *arguments], capture_output=True, text=True, check=True
    ).stdout
    parts = {part.split("'")[0]: part for part in shown.split("signature_def['")[1:]}
    wanted = {
        "serving_default": ("DT_UINT8", "(-1, -1, -1, 3)", "(-1, -1, -1, 1)", "['completed']"),
        "complete": ("DT_UINT8", "(-1, -1, -1, 3)", "(-1, -1, -1, 1)", "['completed']"),
        "complete_float": ("DT_FLOAT", "(-1, -1, -1, 3)", "(-1, -1, -1, 1)", "['completed']"),
        "complete_bytes": ("DT_STRING", "(-1)", "(-1)", "['completed_bytes']"),
    }
    for name, (dtype, image, mask, output) in wanted.items():
        part = parts[name].split("Concrete Functions")[0]
        assert part.count(f"dtype: {dtype}") == 3, part
        assert (
            f"inputs['image'] tensor_info:\n        dtype: {dtype}\n        shape: {image}" in part
        )
        assert f"inputs['mask'] tensor_info:\n        dtype: {dtype}\n        shape: {mask}" in part
        assert f"outputs{output} tensor_info" in part


@pytest.mark.parametrize(
    ("image", "mask", "sentence"),
    [
        ((1, 8, 9, 4), (1, 8, 9, 1), "image must have 3 channels, RGB, without alpha"),
        ((1, 8, 9, 1), (1, 8, 9, 1), "image must have 3 channels, RGB, without alpha"),
        ((1, 8, 9, 3), (1, 8, 9, 3), "mask must have 1 channel"),
        ((1, 8, 9, 3), (1, 8, 7, 1), "differ in batch, height or width"),
        ((0, 8, 9, 3), (0, 8, 9, 1), "image and mask must not be empty"),
        ((1, 0, 9, 3), (1, 0, 9, 1), "image and mask must not be empty"),
    ],
)
@pytest.mark.parametrize("name", ("complete", "complete_float"))
def test_wrong_shapes_get_a_sentence(loaded, name, image, mask, sentence):
    dtype = np.uint8 if name == "complete" else np.float32
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        call(loaded, name, np.zeros(image, dtype), np.zeros(mask, dtype))
    assert sentence in str(raised.value) and " ".join(map(str, image)) in str(raised.value)


@pytest.mark.parametrize(
    "failure",
    (
        tf.errors.ResourceExhaustedError(None, None, "variables/part-0; No space left on device"),
        OSError(errno.ENOSPC, "No space left on device"),
    ),
)
def test_a_full_disk_names_the_file_and_leaves_nothing(
    tiny_network, tmp_path, monkeypatch, failure
):
    def full(*arguments, **options):
        raise failure

    monkeypatch.setattr("keras_inpaint.exporting.saved_model._write", full)
    with pytest.raises(OSError, match=r"No space left.*models/tiny/1") as raised:
        export_saved_model(tiny_network, tmp_path / "models" / "tiny", warmup=False)
    assert raised.value.errno == errno.ENOSPC
    assert not (tmp_path / "models" / "tiny").exists()


def test_weights_are_stored_once(saved_model_path, tiny_network):
    reader = tf.train.load_checkpoint(str(saved_model_path / "variables" / "variables"))
    shapes = reader.get_variable_to_shape_map()
    stored = sum(int(np.prod(shape)) for name, shape in shapes.items() if "VARIABLE" in name)
    # Batch normalisation is folded, and transposed kernels become those of convolutions.
    assert 0.8 * tiny_network.count_params() < stored < 1.4 * tiny_network.count_params()


@pytest.mark.parametrize("name", ("image", "mask"))
def test_floats_that_are_no_numbers_get_a_sentence(loaded, name):
    arrays = {"image": np.zeros((1, 8, 8, 3), "f4"), "mask": np.ones((1, 8, 8, 1), "f4")}
    arrays[name][0, 3, 3, 0] = np.nan
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=f"{name} has values that are not finite"
    ):
        call(loaded, "complete_float", **arrays)


def test_a_preset_s_files_are_not_said_to_be_the_export_s():
    from keras_inpaint.exporting.network import build_card, card_of, load_network

    known = card_of("scenes")
    assert known["files"]
    card = build_card(load_network("scenes"), "scenes", known)
    assert "files" not in card and card["licence"] == known["licence"]


REQUESTS = [
    ("complete", {"image": np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)}),
    ("complete_float", {"mask": np.full((1, 2, 2, 1), 0.25, np.float32)}),
    ("complete_bytes", {"image": np.array([b"\x89PNG\x00\xff"], object)}),
]


def test_a_warmup_requests_bytes_on_the_wire(tmp_path):
    # tensorflow_serving/apis/prediction_log.proto: predict_log is field 6; predict_log.proto's
    # request 1; predict.proto's model_spec 1 and inputs 2; model.proto's name 1 and
    # signature_name 3; a map entry's key 1 and value 2.
    write_warmup(tmp_path, [("sig", {"x": np.array([7], np.uint8)})], "m")
    (record,) = tf.data.TFRecordDataset(str(tmp_path / WARMUP_PATH)).as_numpy_iterator()
    tensor = tf.make_tensor_proto(np.array([7], np.uint8)).SerializeToString()

    def field(number, payload):
        assert len(payload) < 128
        return bytes([number << 3 | 2, len(payload)]) + payload

    spec = field(1, field(1, b"m") + field(3, b"sig"))
    entry = field(2, field(1, b"x") + field(2, tensor))
    assert record == field(6, field(1, spec + entry))


@pytest.mark.long
def test_serving_reads_warmup_requests(tmp_path):
    log = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    assert write_warmup(tmp_path, REQUESTS, "faces") == tmp_path / WARMUP_PATH
    records = tf.data.TFRecordDataset(str(tmp_path / WARMUP_PATH)).as_numpy_iterator()
    for record, (name, inputs) in zip(records, REQUESTS, strict=True):
        request = log.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == "faces" and request.model_spec.signature_name == name
        for key, value in inputs.items():
            np.testing.assert_array_equal(tf.make_ndarray(request.inputs[key]), value)
