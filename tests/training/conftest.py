"""Small images and batches for the trainers' tests."""

import sys
from pathlib import Path

import numpy as np
import pytest

import keras_inpaint as ki
from keras_inpaint.data import sources

sys.path.insert(0, str(Path(__file__).parent))  # for `tiny_runs`

SIZE, PATCH = 16, 8


@pytest.fixture(scope="session")
def images():
    """Twelve pictures of two smooth colours each."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 1, 20)[None, :, None]
    arrays = []
    for _ in range(12):
        one, two = rng.uniform(0, 255, (2, 3))
        arrays.append(np.broadcast_to(one + (two - one) * ramp, (20, 20, 3)).astype("uint8"))
    return sources._from_arrays([f"g{i}__x" for i in range(12)], arrays, "test")


@pytest.fixture(scope="session")
def dataset(images):
    return ki.make_dataset(
        images, size=SIZE, batch_size=4, patch_size=PATCH, masks="rectangles:4-8"
    )


@pytest.fixture(scope="session")
def batch(dataset):
    return next(iter(dataset))
