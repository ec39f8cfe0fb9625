"""The examples in the docstrings of the public names run as they stand; only numbers are cut."""

import dataclasses
import doctest
import functools
import inspect
import json

import keras
import numpy as np
import pytest
from PIL import Image

import keras_inpaint as ki

PARSER = doctest.DocTestParser()
WITHOUT = {"__version__", "PRESETS", "convert_weights"}  # values; and what has its own test


def examples_of(name):
    return PARSER.get_examples(inspect.getdoc(getattr(ki, name)) or "")


@pytest.fixture
def place(tmp_path, monkeypatch, photo, tiny_network):
    """What a user has at hand: photos, masks, a run, a network, a dataset."""
    from keras_inpaint.networks.weights import write_network

    monkeypatch.chdir(tmp_path)
    height, width = photo.shape[:2]
    hole = np.zeros((height, width), bool)
    hole[20:40, 30:50] = True
    for folder in ("photos", "masks", "runs/faces", "models"):
        (tmp_path / folder).mkdir(parents=True)
    for number in range(4):
        Image.fromarray(np.roll(photo, 7 * number, 1)).save(f"photos/{number}.png")
        Image.fromarray(hole).save(f"masks/{number}.png")
    Image.fromarray(photo).save("photo.jpg")
    Image.fromarray(hole).save("mask.png")
    write_network(tiny_network, tmp_path / "runs/faces/completion.keras")
    rng = np.random.default_rng(0)
    image = rng.random((2, 64, 64, 3), "float32")
    mask = np.zeros((2, 64, 64, 1), "float32")
    mask[:, 20:40, 16:44] = 1
    dataset = ki.make_dataset(ki.load_images("photos/"), batch_size=2, size=64, patch_size=32)
    return {
        "keras_inpaint": ki,
        "photo": photo,
        "hole": hole,
        "image": image,
        "mask": mask,
        "generated": image[::-1],
        "network": ki.build_completion_network(width=0.0625),
        "discriminator": ki.build_context_discriminator(64, 32, width=0.0625),
        "dataset": dataset,
        "examples": next(iter(dataset)),
    }


@pytest.fixture
def small(monkeypatch):
    """Cut steps, and widths of training, so that an example takes a second."""
    fit, train = keras.Model.fit, ki.train

    def short_fit(self, *arguments, **options):
        options = {**options, "epochs": 1, "verbose": 0}
        if options.get("steps_per_epoch") == 100:
            options["steps_per_epoch"] = 2
        return fit(self, *arguments, **options)

    @functools.wraps(train)
    def short_train(config, *arguments, **options):
        config = dataclasses.replace(config, steps=(2, 2, 2), width=0.0625, batch_size=2)
        return train(config, *arguments, **options)

    monkeypatch.setattr(keras.Model, "fit", short_fit)
    monkeypatch.setitem(vars(ki), "train", short_train)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.long) if n == "export_onnx" else n  # needs an extra
        for n in ki.__all__
        if n not in WITHOUT
    ],
)
def test_the_example_of(name, place, small):
    examples = examples_of(name)
    assert examples, f"{name} has no example"
    for public in ki.__all__:
        place.setdefault(public, getattr(ki, public))
    for example in examples:
        try:
            exec(compile(example.source, f"<example of {name}>", "single"), place)
        except Exception as error:
            raise AssertionError(f"{name}: {example.source.strip()}: {error}") from error


def test_presets_is_a_dictionary_of_names():
    assert {"faces", "scenes"} <= set(ki.PRESETS)
    json.dumps(sorted(ki.PRESETS))
