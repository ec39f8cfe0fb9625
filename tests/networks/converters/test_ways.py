"""Every way that a converted network goes gives what the original network answers."""

import importlib.util
import json

import keras
import numpy as np
import originals
import pytest
import tensorflow as tf
from click.testing import CliRunner
from PIL import Image
from writing import write_pytorch, write_torch7

import keras_inpaint as ki
from keras_inpaint.commands.evaluate import command as evaluate_command
from keras_inpaint.inference.filling import generate_patches
from keras_inpaint.inference.runtime import load_runtime
from keras_inpaint.networks.weights import write_network

SIZES = [(64, 64), (48, 64), (80, 80), (50, 70), (61, 61), (63, 66), (37, 100)]
KINDS = ("glcic-pytorch", "mmagic", "torch7")


def convert(kind, folder):
    """Return a converted network of made weights, and what runs the original on a padded photo."""
    if kind == "glcic-pytorch":
        layers, run = originals.made_weights(), originals.run_glcic_pytorch
        write_pytorch(folder / "cn.pth", originals.glcic_pytorch_state(layers), False)
        (folder / "config.json").write_text(json.dumps({"mpv": list(originals.MEAN)}))
        network, _ = ki.convert_weights(folder / "cn.pth", config=folder / "config.json")
    elif kind == "mmagic":
        layers, run = originals.made_weights(biased=False), originals.run_mmagic
        write_pytorch(folder / "gl.pth", originals.mmagic_state(layers), False)
        network, _ = ki.convert_weights(folder / "gl.pth")
    else:
        layers, run = originals.made_weights(), originals.run_torch7
        write_torch7(folder / "net.t7", originals.torch7_content(layers))
        network, _ = ki.convert_weights(folder / "net.t7")
    return network, lambda image, hole: run(layers, image.astype("float64"), hole)


@pytest.fixture(scope="module", params=KINDS)
def forms(request, tmp_path_factory):
    """The network as `.keras`, SavedModel and TFLite, and the original."""
    folder = tmp_path_factory.mktemp(request.param)
    network, original = convert(request.param, folder)
    write_network(network, folder / "glcic.keras")
    return {
        "original": original,
        "keras": folder / "glcic.keras",
        "saved-model": ki.export_saved_model(folder / "glcic.keras", folder / "sm", warmup=False),
        "litert": ki.export_tflite(folder / "glcic.keras", folder / "any.tflite", sizes=None),
    }


@pytest.fixture(scope="module")
def cases(forms):
    """A photo, a hole and what the original answers, in photos padded as the package pads them."""
    made = []
    rng = np.random.default_rng(4)
    for height, width in SIZES:
        photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        hole = np.zeros((height, width), bool)
        hole[height // 4 : height // 2, width // 3 : width - 5] = True
        more = ((0, -height % 4), (0, -width % 4))
        padded = np.pad(photo, (*more, (0, 0)), "reflect")
        padded_hole = np.pad(hole, more, "reflect")
        answer = forms["original"](padded / 255, padded_hole[..., None].astype("float64"))
        made.append((photo, hole, padded, padded_hole, answer))
    return made


@pytest.mark.parametrize("form", ["keras", "saved-model", "litert"])
def test_seven_sizes(forms, cases, form):
    runtime = load_runtime(forms[form])
    for _, _, padded, padded_hole, answer in cases:
        found = runtime.generate(padded[None], padded_hole[None])[0]
        assert answer[padded_hole].std() > 0.03
        assert np.abs(found - answer)[padded_hole].max() < 1e-5


def test_the_saved_model_pads_by_itself(forms, cases):
    complete = tf.saved_model.load(str(forms["saved-model"])).signatures["complete_float"]
    for photo, hole, _, _, answer in cases:
        found = complete(
            image=tf.constant(photo[None] / np.float32(255)),
            mask=tf.constant(hole[None, ..., None].astype("float32")),
        )["completed"].numpy()[0]
        expected = answer[: hole.shape[0], : hole.shape[1]]
        assert np.abs(found - expected)[hole].max() < 1e-5


def test_tiles_are_the_whole_photo_bit_for_bit(forms):
    rng = np.random.default_rng(6)
    photo = rng.integers(0, 256, (510, 603, 3), dtype=np.uint8)
    hole = np.zeros((510, 603), bool)
    for top, left, tall, wide in ((0, 0, 20, 31), (230, 240, 70, 60), (440, 560, 70, 43)):
        hole[top : top + tall, left : left + wide] = True
    runtime = load_runtime(forms["litert"])

    def generated(max_pixels):
        canvas = np.zeros(photo.shape, np.float32)
        patches = generate_patches(runtime, photo[None], hole[None], max_pixels)
        for _, box, pixels in patches:
            canvas[box.slices][hole[box.slices]] = pixels[hole[box.slices]]
        return canvas

    whole = generated(None)
    assert whole[hole].std() > 0.03
    np.testing.assert_array_equal(generated(340 * 340), whole)


def test_int8_is_near(forms, photo, tmp_path):
    for number in range(4):
        Image.fromarray(np.roll(photo, 9 * number, 1)).save(tmp_path / f"{number}.png")
    file = ki.export_tflite(
        forms["keras"], tmp_path / "i.tflite", quantize="int8", sizes=((64, 64),),
        calibration=tmp_path,
    )  # fmt: skip
    image, hole = photo[None, :64, :64], np.zeros((1, 64, 64), bool)
    hole[:, 20:40, 16:44] = True
    found = load_runtime(file).generate(image, hole)
    expected = load_runtime(forms["keras"]).generate(image, hole)
    error = np.square(found - expected)[hole].mean()
    assert error < 0.25 * expected[hole].var()


def test_it_is_measured_and_completes_photos(forms, photo, tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(3):
        Image.fromarray(np.roll(photo, 9 * number, 1)).save(tmp_path / "photos" / f"{number}.png")
    arguments = [str(tmp_path / "photos"), "--model", str(forms["keras"]), "--size", "64"]
    result = CliRunner().invoke(evaluate_command, [*arguments, "--masks", "center:20"])
    assert result.exit_code == 0, result.output
    assert "dB in the hole" in result.output
    Image.fromarray(np.eye(*photo.shape[:2]) > 0).save(tmp_path / "mask.png")
    done = ki.complete_photo(
        tmp_path / "photos" / "0.png", tmp_path / "mask.png", tmp_path / "o.png", forms["keras"]
    )
    assert done.holes.pixels and (tmp_path / "o.png").exists()


@pytest.mark.long
def test_training_starts_from_it_and_goes_on(forms, photo, tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(12):
        Image.fromarray(np.roll(photo, 9 * number, 1)).save(tmp_path / "photos" / f"{number}.png")
    config = ki.TrainingConfig(
        data=str(tmp_path / "photos"),
        init=str(forms["keras"]),
        size=16,
        batch_size=4,
        steps=(3, 1, 2),
        optimizer="adam",
        learning_rate=1e-3,
        discriminator_width=0.0625,
        masks="rectangles:4-8",
        patch_size=8,
        scale=(1.0, 1.0),
        precision="float32",
    )
    start = ki.load_model(forms["keras"])
    whole = ki.load_model(ki.train(config, tmp_path / "run"))
    names = [variable.path for variable in start.variables]
    assert [variable.path for variable in whole.variables] == names
    moved = {
        variable.path: not np.array_equal(variable, other)
        for variable, other in zip(start.variables, whole.variables, strict=True)
    }
    fixed = [path for path, changed in moved.items() if not changed]
    # What the photos are scaled by, and the mean pixel, are not trained.
    assert all("input_scale" in path or "mean_pixel" in path for path in fixed), fixed
    assert moved["conv_2/kernel"] and moved["conv_17/bias"]
    # Stopped and taken up again, without the file that it began with.
    (tmp_path / "begin").mkdir()
    copy = keras.models.load_model(forms["keras"])
    write_network(copy, tmp_path / "begin" / "completion.keras")
    again = ki.TrainingConfig(**{**config.as_dict(), "init": str(tmp_path / "begin")})

    class Stop(Exception):
        pass

    def listener(event, facts):
        if event == "phase" and facts["phase"] == 3:
            raise Stop

    with pytest.raises(Stop):
        ki.train(again, tmp_path / "two", listener=listener)
    (tmp_path / "begin" / "completion.keras").unlink()
    resumed = ki.load_model(ki.train(again, tmp_path / "two"))
    for one, other in zip(whole.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("kind", KINDS)
def test_pytorch_itself_agrees(kind, tmp_path):
    import torch
    from originals import TABLE

    network, _ = convert(kind, tmp_path)
    layers = originals.made_weights(biased=kind != "mmagic")
    names = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "variance": "running_var"}
    modules = []
    for number, (layer, spec) in enumerate(zip(layers, TABLE, strict=True), start=1):
        filters, kernel, stride, dilation, padding, transposed = spec
        inputs = layer["weight"].shape[0 if transposed else 1]
        if transposed:
            convolution = torch.nn.ConvTranspose2d(inputs, filters, kernel, stride, padding)
        else:
            convolution = torch.nn.Conv2d(inputs, filters, kernel, stride, padding, dilation)
        bias = layer.get("bias", np.zeros(filters, "float32"))
        convolution.load_state_dict(
            {"weight": torch.tensor(layer["weight"]), "bias": torch.tensor(bias)}
        )
        modules.append(convolution)
        if number == len(TABLE):
            break
        norm = torch.nn.BatchNorm2d(filters, eps=originals.EPSILON)
        state = {theirs: torch.tensor(layer[ours]) for ours, theirs in names.items()}
        norm.load_state_dict({**state, "num_batches_tracked": torch.tensor(0)})
        relu = torch.nn.ReLU()
        modules += [relu, norm] if kind == "glcic-pytorch" else [norm, relu]
    net = torch.nn.Sequential(*modules).eval()
    rng = np.random.default_rng(5)
    mean = np.array(originals.MEAN, "float32")
    for height, width in SIZES:
        image = rng.random((height, width, 3)).astype("float32")
        hole = np.zeros((height, width, 1), "float32")
        hole[height // 4 : height // 2, width // 3 : width // 2] = 1
        if kind == "mmagic":
            filled = (image[..., ::-1] * 2 - 1) * (1 - hole)
        elif kind == "torch7":
            filled = (image - mean) * (1 - hole)
        else:
            filled = image * (1 - hole) + mean * hole
        x = torch.tensor(np.concatenate([filled, hole], -1).transpose(2, 0, 1)[None])
        with torch.no_grad():
            y = net(x)[0].numpy().transpose(1, 2, 0)
        if kind == "mmagic":
            expected = (np.clip(y, -1, 1) / 2 + 0.5)[..., ::-1]
        else:
            expected = 1 / (1 + np.exp(-y))
        found = network({"image": image[None], "mask": hole[None]})
        assert np.abs(keras.ops.convert_to_numpy(found)[0] - expected).max() < 1e-5
