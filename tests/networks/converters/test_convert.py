"""Converted networks against the originals, written anew in NumPy."""

import hashlib
import json

import keras
import numpy as np
import originals
import pytest
from click.testing import CliRunner
from writing import Module, write_pytorch, write_torch7

import keras_inpaint as ki
from keras_inpaint.commands.convert import command
from keras_inpaint.networks.completion import mean_pixel_of

SIZES = [(64, 64), (48, 64), (80, 80), (50, 70), (61, 61), (63, 66), (37, 100)]


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"mpv": list(originals.MEAN)}))
    return path


def compare(network, run, sizes=SIZES, **settings):
    rng = np.random.default_rng(5)
    for height, width in sizes:
        image = rng.random((height, width, 3)).astype("float32")
        hole = np.zeros((height, width, 1), "float32")
        hole[height // 4 : height // 2, width // 3 : width // 2] = 1
        # All three answer with the next multiple of four.
        wanted = run(image=image.astype("float64"), hole=hole, **settings)
        found = network({"image": image[None], "mask": hole[None]})
        found = keras.ops.convert_to_numpy(found)[0]
        assert found.shape == wanted.shape
        assert wanted.std() > 0.03
        assert np.abs(found - wanted).max() < 1e-5, (height, width)


def all_layers(network):
    for layer in network.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_glcic_pytorch(tmp_path, config, legacy, prefix):
    layers = originals.made_weights()
    state = originals.glcic_pytorch_state(layers)
    write_pytorch(tmp_path / "cn.pth", {prefix + k: v for k, v in state.items()}, legacy)
    network, _ = ki.convert_weights(tmp_path / "cn.pth", config=config)
    sizes = SIZES if prefix == "" else SIZES[:1]
    compare(network, originals.run_glcic_pytorch, sizes, layers=layers)
    np.testing.assert_allclose(mean_pixel_of(network), originals.MEAN, atol=1e-7)


@pytest.mark.parametrize("normed", [False, True])
def test_mmagic(tmp_path, normed):
    layers = originals.made_weights(normed=normed, biased=not normed)
    # A part of the outputs lies beyond [-1, 1].
    layers[-1]["weight"] = layers[-1]["weight"] * np.float32(30 if normed else 3)
    write_pytorch(tmp_path / "gl.pth", originals.mmagic_state(layers))
    network, _ = ki.convert_weights(tmp_path / "gl.pth", "mmagic")
    compare(network, originals.run_mmagic, layers=layers)
    image = np.zeros((1, 64, 64, 3), "float32")
    found = np.asarray(network({"image": image, "mask": image[..., :1]}))
    assert found.min() == 0 and found.max() == 1


@pytest.mark.parametrize(
    ("old", "settings"),
    [
        (False, {}),
        (True, {}),
        (False, {"order": ("relu", "norm"), "epsilon": 1e-3, "sigmoid": False}),
    ],
)
def test_torch7(tmp_path, old, settings):
    layers = originals.made_weights()
    write_torch7(tmp_path / "net.t7", originals.torch7_content(layers, old=old, **settings))
    network, _ = ki.convert_weights(tmp_path / "net.t7")
    compare(network, originals.run_torch7, layers=layers, **settings)


def write_mmagic(path, seed=3):
    layers = originals.made_weights(biased=False, seed=seed)
    write_pytorch(path, originals.mmagic_state(layers))
    return layers


def test_the_command_writes_stock_layers_and_a_card(tmp_path):
    layers = write_mmagic(tmp_path / "gl.pth")
    out = tmp_path / "out" / "glcic.keras"
    out.parent.mkdir()
    result = CliRunner().invoke(command, [str(tmp_path / "gl.pth"), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "Licence of the weights: not stated" in result.output
    assert sorted(p.name for p in out.parent.iterdir()) == ["glcic.keras", "model_card.json"]
    network = keras.models.load_model(out)
    assert {type(layer).__module__.split(".")[0] for layer in all_layers(network)} == {"keras"}
    compare(network, originals.run_mmagic, SIZES[:2], layers=layers)
    card = json.loads((out.parent / "model_card.json").read_text())
    assert card["source"]["file"] == "gl.pth"
    digest = hashlib.sha256((tmp_path / "gl.pth").read_bytes()).hexdigest()
    assert card["source"]["sha256"] == digest
    assert "Apache-2.0" in card["licence"]


def test_the_authors_licence_stays(tmp_path):
    write_torch7(tmp_path / "net.t7", originals.torch7_content(originals.made_weights()))
    out = tmp_path / "glcic.keras"
    result = CliRunner().invoke(command, [str(tmp_path / "net.t7"), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "CC BY-NC-SA 4.0" in result.output
    assert "CC BY-NC-SA 4.0" in json.loads((tmp_path / "model_card.json").read_text())["licence"]


def test_an_inpainter_takes_the_result(tmp_path):
    write_mmagic(tmp_path / "gl.pth")
    out = tmp_path / "glcic.keras"
    result = CliRunner().invoke(command, [str(tmp_path / "gl.pth"), "-o", str(out)])
    assert result.exit_code == 0, result.output
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 3), "uint8")
    mask = np.zeros((64, 64), "uint8")
    mask[20:40, 20:40] = 255
    completed = ki.Inpainter(out)(image, mask)
    assert completed.shape == image.shape
    np.testing.assert_array_equal(completed[:8, :8], image[:8, :8])
    assert (completed[20:40, 20:40] != image[20:40, 20:40]).any()


def test_nothing_is_replaced_unasked(tmp_path):
    write_mmagic(tmp_path / "gl.pth")
    (tmp_path / "model_card.json").write_text("{}")
    out = tmp_path / "glcic.keras"
    arguments = [str(tmp_path / "gl.pth"), "-o", str(out)]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1 and isinstance(result.exception, FileExistsError)
    assert "model_card.json: exists" in str(result.exception)
    assert not out.exists() and (tmp_path / "model_card.json").read_text() == "{}"
    result = CliRunner().invoke(command, [*arguments, "--overwrite"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("out", ["glcic.h5", "glcic"])
def test_another_suffix_is_wrong_usage(tmp_path, out):
    write_mmagic(tmp_path / "gl.pth")
    result = CliRunner().invoke(command, [str(tmp_path / "gl.pth"), "-o", str(tmp_path / out)])
    assert result.exit_code == 2 and "the file must be .keras" in result.output


def test_a_failure_leaves_nothing(tmp_path):
    (tmp_path / "page.pth").write_text("<!DOCTYPE html>")
    out = tmp_path / "out" / "glcic.keras"
    out.parent.mkdir()
    result = CliRunner().invoke(command, [str(tmp_path / "page.pth"), "-o", str(out)])
    assert result.exit_code == 1
    assert "page.pth is neither a PyTorch file nor a Torch7 file" in result.output
    assert list(out.parent.iterdir()) == []


def change(name, value):
    def apply(state):
        if value is None:
            del state[name]
        else:
            state[name] = value

    return apply


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("bn7.weight", None, "bn7.weight is missing"),
        ("deconv13.bias", None, "deconv13.bias is missing"),
        ("conv18.weight", np.ones(3, "float32"), "conv18.weight is not supported"),
        ("conv3.weight", np.ones((16, 16, 5, 5), "float32"), "conv3: weight has shape"),
        ("conv3.bias", np.ones(3, "float32"), "conv3: bias has shape"),
        ("conv3.bias", np.full(16, np.nan, "float32"), "conv3: bias has values"),
        ("bn3.running_var", np.full(16, -1, "float32"), "conv3: normalisation's variance"),
        ("conv1.weight", np.ones(3, "float32"), "conv1: weight has shape"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path, config, name, value, line):
    state = originals.glcic_pytorch_state(originals.made_weights())
    change(name, value)(state)
    write_pytorch(tmp_path / "cn.pth", state)
    with pytest.raises(ValueError, match=f"cn.pth: {line}"):
        ki.convert_weights(tmp_path / "cn.pth", config=config)


def torch7_fault(kind):
    content = originals.torch7_content(originals.made_weights())
    modules = content["model"].fields["modules"]
    if kind == "unknown":
        modules[2] = Module("nn.PReLU")
    elif kind == "padding":
        modules[1].fields["padW"] = 0
    elif kind == "order":
        modules[2], modules[3] = modules[3], modules[2]
    elif kind == "graph":
        content["model"] = Module("nn.gModule")
    elif kind == "mean":
        del content["mean"]
    elif kind == "weight":
        del modules[1].fields["weight"]
    return content


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("unknown", "module 2, nn.PReLU is not supported"),
        ("padding", "module 1, nn.SpatialConvolution: padW is 0, expected 2"),
        ("order", "is followed by"),
        ("graph", "module 1, nn.gModule is not supported"),
        ("mean", "a mean of three numbers"),
        ("weight", "module 1, nn.SpatialConvolution: weight is missing"),
    ],
)
def test_what_is_not_understood_of_torch7_is_named(tmp_path, kind, line):
    write_torch7(tmp_path / "net.t7", torch7_fault(kind))
    with pytest.raises(ValueError, match=f"net.t7: .*{line}"):
        ki.convert_weights(tmp_path / "net.t7")


def test_glcic_pytorch_needs_its_config_and_the_others_none(tmp_path, config):
    write_pytorch(tmp_path / "cn.pth", originals.glcic_pytorch_state(originals.made_weights()))
    with pytest.raises(ValueError, match=r"config\.json"):
        ki.convert_weights(tmp_path / "cn.pth")
    write_mmagic(tmp_path / "gl.pth")
    with pytest.raises(ValueError, match="need no config"):
        ki.convert_weights(tmp_path / "gl.pth", config=config)
    with pytest.raises(ValueError, match="these are weights of mmagic, not of glcic-pytorch"):
        ki.convert_weights(tmp_path / "gl.pth", "glcic-pytorch", config=config)
    with pytest.raises(ValueError, match="source must be auto or one of"):
        ki.convert_weights(tmp_path / "gl.pth", "caffe")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"mpv": [0.1, 0.2]}', '{"mpv": [1, 2, NaN]}'])
def test_a_wrong_config_is_named(tmp_path, config, text):
    write_pytorch(tmp_path / "cn.pth", originals.glcic_pytorch_state(originals.made_weights()))
    config.write_text(text)
    with pytest.raises(ValueError, match=r"config\.json"):
        ki.convert_weights(tmp_path / "cn.pth", config=config)


def test_a_dead_channel_stays_finite(tmp_path, config):
    layers = originals.made_weights()
    layers[4]["variance"][:4] = 0
    layers[4]["weight"][:4] = 0  # a channel that never changes, as after a dead ReLU
    layers[4]["bias"][:4] = -1
    layers[4]["mean"][:4] = 0
    write_pytorch(tmp_path / "cn.pth", originals.glcic_pytorch_state(layers))
    network, _ = ki.convert_weights(tmp_path / "cn.pth", config=config)
    compare(network, originals.run_glcic_pytorch, SIZES[:1], layers=layers)
