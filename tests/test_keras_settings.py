"""Under other settings of Keras than the usual ones all works, or one line names the setting."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.long

NETWORKS = """
import sys
import keras, numpy as np
import keras_inpaint as ki
from keras_inpaint.inference.keras_runtime import KerasRuntime
with np.load(sys.argv[2]) as case:
    photo, hole, expected = case["photo"], case["hole"], case["expected"]
network = ki.load_model(sys.argv[1])
found = KerasRuntime(network).generate(photo[None], hole[None])
np.testing.assert_allclose(found, expected, atol=2e-5)
completed = ki.Inpainter(network, blend="none", texture="off")(photo, hole)
assert completed.shape == photo.shape and (completed[~hole] == photo[~hole]).all()
built = ki.build_completion_network(width=0.125)
image = np.zeros((1, 32, 36, 3), "float32")
assert built({"image": image, "mask": image[..., :1]}).shape == image.shape
discriminator = ki.build_context_discriminator(32, 16, 0.125)
assert discriminator({"image": image[:, :, :32], "patch": image[:, :16, :16]}).shape == (1, 1)
"""


def run(code, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def case(tiny_network, tmp_path_factory):
    from keras_inpaint.inference.keras_runtime import KerasRuntime
    from keras_inpaint.networks.weights import write_network

    folder = tmp_path_factory.mktemp("settings")
    write_network(tiny_network, folder / "completion.keras")
    rng = np.random.default_rng(3)
    photo = rng.integers(0, 256, (40, 44, 3), dtype=np.uint8)
    hole = np.zeros((40, 44), bool)
    hole[10:20, 12:30] = True
    expected = KerasRuntime(tiny_network).generate(photo[None], hole[None])
    np.savez(folder / "case.npz", photo=photo, hole=hole, expected=expected)
    return folder


@pytest.fixture
def channels_first(tmp_path):
    settings = {"image_data_format": "channels_first", "backend": "tensorflow"}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    return {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": ""}


def test_channels_first(case, channels_first):
    done = run(NETWORKS, case / "completion.keras", case / "case.npz", **channels_first)
    assert done.returncode == 0, done.stderr[-2000:]


def test_training_with_channels_first(channels_first, tmp_path):
    code = "import sys; from keras_inpaint.commands import main; main(sys.argv[1:])"
    sizes = ["--size", "32", "--width", "0.0625", "--batch-size", "2", "--steps", "2", "2", "2"]
    done = run(code, "train", "sample:8", *sizes, "--out", tmp_path / "run", **channels_first)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
class TestUnderJax:
    def test_networks(self, case):
        done = run(NETWORKS, case / "completion.keras", case / "case.npz", KERAS_BACKEND="jax")
        assert done.returncode == 0, done.stderr[-2000:]

    @pytest.mark.parametrize(
        "code",
        [
            "import keras_inpaint as ki; ki.CompletionTrainer(ki.build_completion_network(0.1))",
            "import keras_inpaint as ki; ki.train(ki.TrainingConfig(data='sample:8'), 'run')",
        ],
    )
    def test_training_names_the_setting(self, code, tmp_path):
        done = run(code, KERAS_BACKEND="jax", TMPDIR=str(tmp_path))
        last = done.stderr.strip().splitlines()[-1]
        assert "KERAS_BACKEND chooses jax: set KERAS_BACKEND=tensorflow" in last


def test_a_backend_that_is_not_installed_is_one_line(tmp_path):
    code = """
import sys
sys.modules["torch"] = None  # as if it were not installed
from keras_inpaint.commands import main
main(["train", "--out", sys.argv[1]])
"""
    done = run(code, tmp_path / "run", KERAS_BACKEND="torch")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: KERAS_BACKEND selects the Keras backend torch, which is not")


def test_a_size_that_the_network_cannot_take_is_named(tiny_network):
    image = np.zeros((1, 61, 60, 3), "float32")
    with pytest.raises(ValueError, match="multiples of 4, got 60x61: pad the image, or use"):
        tiny_network({"image": image, "mask": image[..., :1]})
