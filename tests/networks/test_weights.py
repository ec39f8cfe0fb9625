"""Networks in files: of stock layers, read by plain Keras under each of its backends."""

import importlib.util
import json
import os
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.networks.completion import mean_pixel_of
from keras_inpaint.networks.layers import Conv2D, MeanPixelFill
from keras_inpaint.networks.weights import read_network, write_network

PLAIN = """
import sys
import keras, numpy as np
with np.load(sys.argv[2]) as pair:
    answer = keras.models.load_model(sys.argv[1])(
        {"image": pair["image"], "mask": pair["mask"]}
    )
    answer = keras.ops.convert_to_numpy(answer)
    assert not any(name.split(".")[0] == "keras_inpaint" for name in sys.modules)
    print(float(np.abs(answer - pair["expected"]).max()))
"""


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(5)
    mask = np.zeros((1, 32, 36, 1), "float32")
    mask[:, 8:20, 4:16] = 1
    return {"image": rng.random((1, 32, 36, 3), "float32"), "mask": mask}


@pytest.mark.parametrize(
    "backend", ["tensorflow", pytest.param("jax", marks=pytest.mark.long), "torch"]
)
def test_plain_keras_opens_it(tiny_network, pair, tmp_path, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    write_network(tiny_network, tmp_path / "completion.keras")
    np.savez(tmp_path / "pair.npz", expected=np.asarray(tiny_network(pair)), **pair)
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, tmp_path / "completion.keras", tmp_path / "pair.npz"],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout) < 1e-5


def test_reading_gives_the_fast_layers_back(tiny_network, pair, tmp_path):
    write_network(tiny_network, tmp_path / "completion.keras")
    network = read_network(tmp_path / "completion.keras")
    kinds = [type(layer) for layer in network.layers]
    assert kinds.count(Conv2D) == 4 and kinds.count(MeanPixelFill) == 1
    np.testing.assert_array_equal(np.asarray(network(pair)), np.asarray(tiny_network(pair)))


def test_files_with_own_layers_still_open(tiny_network, pair, tmp_path):
    tiny_network.save(tmp_path / "completion.keras")
    network = read_network(tmp_path / "completion.keras")
    np.testing.assert_array_equal(np.asarray(network(pair)), np.asarray(tiny_network(pair)))


@pytest.mark.long
def test_a_network_that_plain_keras_opened_works_as_ours_does(tiny_network, tmp_path):
    write_network(tiny_network, tmp_path / "completion.keras")
    plain = keras.models.load_model(tmp_path / "completion.keras")
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 44, 3), "uint8")
    mask = np.zeros((40, 44), bool)
    mask[10:25, 12:30] = True
    answers = [ki.Inpainter(network)(image, mask) for network in (plain, tiny_network)]
    np.testing.assert_array_equal(*answers)
    assert mean_pixel_of(plain) == mean_pixel_of(tiny_network)
    ki.export_tflite(plain, tmp_path / "a.tflite")
    ki.export_tflite(tiny_network, tmp_path / "b.tflite")
    answers = [ki.Inpainter(tmp_path / f"{name}.tflite")(image, mask) for name in "ab"]
    np.testing.assert_array_equal(*answers)


def test_a_compact_file_is_half_as_large_and_answers_the_same(tiny_network, pair, tmp_path):
    network = ki.build_completion_network(0.25)
    for name, compact in (("full", False), ("compact", True)):
        write_network(network, tmp_path / f"{name}.keras", compact=compact)
    full, compact = ((tmp_path / f"{name}.keras").stat().st_size for name in ("full", "compact"))
    assert compact < 0.6 * full
    answers = [
        np.asarray(keras.models.load_model(tmp_path / f"{name}.keras")(pair))
        for name in ("full", "compact")
    ]
    np.testing.assert_allclose(*answers, atol=2e-3)
    big = network.get_layer("conv_17").bias
    big.assign(np.full(3, 1e6))
    with pytest.raises(ValueError, match="does not fit into float16"):
        write_network(network, tmp_path / "big.keras", compact=True)


def test_the_bundled_files_hold_stock_layers_only():
    for preset in ki.PRESETS.values():
        with zipfile.ZipFile(preset.keras_file) as archive:
            text = archive.read("config.json").decode()
        assert "keras_inpaint" not in text and json.loads(text)["class_name"] == "Functional"
