"""The tiny network in every form, and photos with holes in every awkward place."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def model_forms(tiny_network, tmp_path_factory):
    """Paths of the tiny network: `keras`, `saved-model`, `litert` (any size) and `fixed`."""
    from keras_inpaint.exporting.saved_model import export_saved_model
    from keras_inpaint.exporting.tflite import export_tflite

    folder = tmp_path_factory.mktemp("forms")
    tiny_network.save(folder / "completion.keras")
    return {
        "keras": folder / "completion.keras",
        "saved-model": export_saved_model(tiny_network, folder / "tiny", warmup=False),
        "litert": export_tflite(tiny_network, folder / "any.tflite", sizes=None),
        "fixed": export_tflite(tiny_network, folder / "fixed.tflite", sizes=((128, 128), (64, 96))),
    }


@pytest.fixture(scope="session")
def large_photo():
    """Uint8 `(510, 603, 3)`: no side a multiple of 4, larger than what a pixel sees."""
    rng = np.random.default_rng(11)
    return rng.integers(0, 256, (510, 603, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def awkward_holes():
    """Bool `(510, 603)`: holes at corners and edges, one pixel, a column, a row, a rectangle."""
    mask = np.zeros((510, 603), bool)
    for top, left, height, width in (
        (0, 0, 20, 31),
        (489, 560, 21, 43),
        (230, 240, 70, 60),
        (0, 300, 510, 1),
        (333, 0, 2, 150),
        (440, 77, 1, 1),
        (12, 590, 30, 13),
    ):
        mask[top : top + height, left : left + width] = True
    return mask
