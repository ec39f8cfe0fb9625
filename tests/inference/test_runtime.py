import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from keras_inpaint import presets
from keras_inpaint.inference.filling import fill
from keras_inpaint.inference.litert_parts import cut_in_two
from keras_inpaint.inference.runtime import as_bytes, as_float, load_runtime
from keras_inpaint.networks.receptive_field import REACH_AFTER, REACH_BEFORE


@pytest.fixture(scope="module")
def photo_and_hole(photo):
    mask = np.zeros(photo.shape[:2], bool)
    mask[30:70, 40:90] = mask[90:, 110:] = True
    return photo[None], mask[None]


def completed_by(runtime, image, mask):
    """Return photos completed as wholes."""
    completed = image.copy()
    fill(runtime, completed, mask, max_pixels=None)
    return completed


def test_three_runtimes_agree(model_forms, photo_and_hole):
    image, mask = photo_and_hole
    completed = {}
    for kind in ("keras", "saved-model", "litert"):
        runtime = load_runtime(model_forms[kind], kind)
        assert runtime.name == kind and runtime.fixed_sizes == ()
        before = image.copy()
        completed[kind] = completed_by(runtime, image, mask)
        np.testing.assert_array_equal(image, before)
        np.testing.assert_array_equal(completed[kind][~mask], image[~mask])
        assert (completed[kind][mask] != image[mask]).any()
    for kind in ("saved-model", "litert"):
        difference = completed[kind].astype(int) - completed["keras"]
        assert np.abs(difference).max() <= 1


def test_they_answer_what_the_network_does(tiny_network, model_forms, photo_and_hole):
    image, mask = photo_and_hole
    runtime = load_runtime(model_forms["keras"])
    direct = tiny_network({"image": as_float(image), "mask": mask[..., None].astype("float32")})
    generated = runtime.generate(image, mask)
    assert generated.dtype == np.float32
    np.testing.assert_allclose(generated, direct.numpy(), atol=1e-4)


def test_each_knows_its_network(model_forms):
    for kind in ("keras", "saved-model", "litert"):
        runtime = load_runtime(model_forms[kind])
        assert (runtime.reach.before, runtime.reach.after) == (REACH_BEFORE, REACH_AFTER)
        assert runtime.mean_pixel == pytest.approx((0.5, 0.4, 0.3))


def test_a_network_in_memory_runs_on_keras(tiny_network, photo_and_hole):
    image, mask = photo_and_hole
    runtime = load_runtime(tiny_network)
    assert runtime.name == "keras"
    assert load_runtime(runtime) is runtime
    assert completed_by(runtime, image, mask).shape == image.shape
    with pytest.raises(ValueError, match="litert"):
        load_runtime(tiny_network, "litert")


def test_a_network_of_one_size(photo):
    import keras_inpaint as ki

    runtime = load_runtime(ki.build_completion_network(0.0625, image_size=(64, 96)))
    assert runtime.fixed_sizes == ((64, 96),)
    mask = np.zeros(photo.shape[:2], bool)
    mask[10:20, 10:30] = mask[80:96, 100:120] = True
    completed = completed_by(runtime, photo[None], mask[None])[0]
    np.testing.assert_array_equal(completed[~mask], photo[~mask])
    assert (completed[mask] != photo[mask]).any()


def test_auto_takes_a_current_tflite_file_of_any_size(model_forms, tmp_path, caplog):
    shutil.copy(model_forms["keras"], tmp_path / "completion.keras")
    assert load_runtime(tmp_path).name == "keras"
    shutil.copy(model_forms["litert"], tmp_path / "completion.tflite")
    assert load_runtime(tmp_path).name == "litert"
    assert load_runtime(tmp_path, "keras").name == "keras"
    assert load_runtime(tmp_path / "completion.keras").name == "keras"
    os.utime(tmp_path / "completion.tflite", (10**9, 10**9))
    assert load_runtime(tmp_path).name == "keras"
    assert "older" in caplog.text
    assert load_runtime(tmp_path, "litert").name == "litert"


def test_auto_leaves_a_tflite_file_of_fixed_sizes_aside(model_forms, tmp_path):
    shutil.copy(model_forms["keras"], tmp_path / "completion.keras")
    shutil.copy(model_forms["fixed"], tmp_path / "completion.tflite")
    assert load_runtime(tmp_path).name == "keras"
    fixed = load_runtime(tmp_path, "litert")
    assert set(fixed.fixed_sizes) == {(64, 96), (128, 128)}


def test_litert_needs_no_tensorflow(model_forms):
    script = (
        "import json, sys, numpy as np, keras_inpaint as ki\n"
        "complete = ki.Inpainter(sys.argv[1], blend='poisson')\n"
        "photo = np.full((50, 60, 3), 9, np.uint8)\n"
        "mask = np.zeros((50, 60), bool); mask[9:20, 9:20] = True\n"
        "done = complete(photo, mask)\n"
        "print(json.dumps([int((done != photo).sum()),"
        " [m for m in ('tensorflow', 'keras', 'jax') if m in sys.modules]]))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, model_forms["litert"]], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    changed, imported = json.loads(result.stdout.splitlines()[-1])
    assert changed and imported == []


@pytest.mark.parametrize("model", ["tiny", "faces", "scenes"])
@pytest.mark.parametrize("hole", [(40, 88, 60, 96), (0, 20, 100, 160), (121, 122, 159, 160)])
def test_litert_computes_in_two_parts_what_the_whole_graph_gives(model_forms, model, hole):
    path = model_forms["litert"] if model == "tiny" else presets.resolve(model, prefer=".tflite")
    image = np.random.default_rng(0).integers(0, 256, (1, 128, 160, 3), dtype=np.uint8)
    mask = np.zeros(image.shape[:3], bool)
    mask[:, hole[0] : hole[1], hole[2] : hole[3]] = True
    whole = Interpreter(model_path=str(path), num_threads=1).get_signature_runner("complete")
    expected = whole(image=as_float(image), mask=mask[..., None].astype(np.float32))["completed"]
    generated = load_runtime(path, threads=1).generate(image, mask)
    np.testing.assert_array_equal(generated[mask], expected[mask])
    assert not generated[:, :20].any() or hole[0] < 40  # far from the hole nothing is computed


def test_which_files_are_cut_in_two(model_forms):
    whole = presets.resolve("faces", prefer=".tflite").read_bytes()
    parts = cut_in_two(whole)
    assert parts.margin == 16
    assert len(parts.head) + len(parts.tail) < 1.01 * len(whole)  # each holds its own weights
    assert cut_in_two(model_forms["fixed"].read_bytes()) is None


def test_litert_without_metadata_takes_the_papers_reach(tiny_network, tmp_path, caplog):
    import keras
    import tensorflow as tf

    from keras_inpaint.exporting.tflite import DYNAMIC_SIGNATURE, write_signatures

    write_signatures(tiny_network, [(64, 64)], str(tmp_path / "saved"))
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    (tmp_path / "bare.tflite").write_bytes(converter.convert())
    assert keras and DYNAMIC_SIGNATURE
    runtime = load_runtime(tmp_path / "bare.tflite")
    assert runtime.fixed_sizes == ((64, 64),)
    assert runtime.mean_pixel is None and runtime.reach.before == REACH_BEFORE
    assert "metadata" in caplog.text


def test_a_fixed_size_is_not_answered_at_another(model_forms):
    runtime = load_runtime(model_forms["fixed"])
    with pytest.raises(ValueError, match=r"\(32, 32\)"):
        runtime.generate(np.zeros((1, 32, 32, 3), np.uint8), np.zeros((1, 32, 32), bool))


def test_threads(model_forms, photo_and_hole, caplog):
    runtime = load_runtime(model_forms["litert"], threads=1)
    np.testing.assert_array_equal(
        completed_by(runtime, *photo_and_hole),
        completed_by(load_runtime(model_forms["litert"]), *photo_and_hole),
    )
    for threads in (0, -1, 1.5):
        with pytest.raises(ValueError, match=str(threads)):
            load_runtime(model_forms["litert"], threads=threads)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("broken.keras", b"PK nothing", "broken.keras"),
        ("broken.tflite", b"nothing", "not a TFLite file"),
        ("broken.tflite", b"\x00\x00\x00\x00TFL3" + b"\x00" * 64, "broken.tflite"),
    ],
)
def test_files_that_are_no_models(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_runtime(tmp_path / name)


def test_a_folder_that_is_no_saved_model(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a SavedModel"):
        load_runtime(tmp_path)


def test_what_cannot_run_is_refused(model_forms, tmp_path):
    with pytest.raises(ValueError, match="runs on keras"):
        load_runtime(model_forms["keras"], "litert")
    with pytest.raises(ValueError, match="'gpu'"):
        load_runtime(model_forms["keras"], "gpu")
    with pytest.raises(ValueError, match="nowhere"):
        load_runtime(tmp_path / "nowhere")
    with pytest.raises(TypeError, match="42"):
        load_runtime(42)


def test_a_network_of_another_contract_is_refused(tmp_path):
    import keras

    inputs = keras.Input((None, None, 3), name="image")
    model = keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same")(inputs), name="other")
    with pytest.raises(ValueError, match="other is not a completion network"):
        load_runtime(model)


def test_bytes_and_floats():
    values = np.arange(256, dtype=np.uint8)
    assert as_float(values).dtype == np.float32
    np.testing.assert_array_equal(as_bytes(as_float(values)), values)
    np.testing.assert_array_equal(as_bytes(np.float32([-1, 2, 0.5 / 255])), [0, 255, 0])
