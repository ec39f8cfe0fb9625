"""Exports that several tests of this room read."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def saved_model_path(tiny_network, tmp_path_factory):
    """The tiny network as a SavedModel; do not change it."""
    from keras_inpaint.exporting.saved_model import export_saved_model

    return export_saved_model(tiny_network, tmp_path_factory.mktemp("exported") / "tiny")


@pytest.fixture(scope="session")
def loaded(saved_model_path):
    """The SavedModel, loaded."""
    import tensorflow as tf

    return tf.saved_model.load(str(saved_model_path))


@pytest.fixture(scope="session")
def photos():
    """Small photos of several sizes, cut from portraits."""
    from keras_inpaint.data import sample

    wide = [sample.portrait(number)[20:90, 19:109] for number in range(3)]
    return [*wide, sample.portrait(3)[30:94, 32:96]]


@pytest.fixture(scope="session")
def real_photos():
    """Photographs of faces; skips where there are none."""
    from keras_inpaint.exporting.calibration import read_photos

    default = Path(__file__).parents[2] / ".." / "shared" / "data"
    folder = Path(os.environ.get("KERAS_INPAINT_PHOTOS", default)) / "faces" / "train"
    if not folder.is_dir():
        pytest.skip(f"no photos at {folder}: set KERAS_INPAINT_PHOTOS")
    return read_photos(folder, 40)


@pytest.fixture(scope="session")
def encode():
    """A function from an array to the bytes of an image file."""

    def encoded(pixels, format="PNG", **options):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, format, **options)
        return stream.getvalue()

    return encoded


@pytest.fixture(scope="session")
def decode():
    """A function from the bytes of an image file to uint8 `(height, width, 3)`."""

    def decoded(contents):
        return np.asarray(Image.open(io.BytesIO(contents)).convert("RGB"))

    return decoded


@pytest.fixture(scope="session")
def completed_by_keras(tiny_network):
    """A function from photo and hole to the bytes that the network itself gives."""

    def complete(photo, hole):
        border = [(0, -side % 4) for side in hole.shape]
        image = np.pad(photo, [*border, (0, 0)], mode="reflect").astype("float32") / 255
        mask = np.pad(hole, border, mode="reflect").astype("float32")[..., None]
        generated = tiny_network.predict_on_batch({"image": image[None], "mask": mask[None]})[0]
        generated = np.rint(generated[: hole.shape[0], : hole.shape[1]] * 255).astype("uint8")
        return np.where(hole[..., None], generated, photo)

    return complete
