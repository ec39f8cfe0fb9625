"""Photos and a stand-in for a network that the evaluation's tests share."""

import cv2
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def photos():
    """Nine smooth pictures of several sizes, uint8 `(height, width, 3)`."""
    rng = np.random.default_rng(11)
    pictures = []
    for number in range(9):
        coarse = rng.integers(0, 256, (5, 6, 3)).astype(np.uint8)
        size = (72 + 8 * number, 64)
        pictures.append(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC))
    return pictures


@pytest.fixture
def folder(photos, tmp_path):
    """The same pictures as PNG files in a folder, one of them in a folder below."""
    root = tmp_path / "photos"
    (root / "more").mkdir(parents=True)
    for number, pixels in enumerate(photos):
        name = f"more/p{number}__a.png" if number == 4 else f"p{number}__a.png"
        Image.fromarray(pixels).save(root / name)
    return root


def blurred(image, mask):
    """Blur what is in the hole: it cheats, so it beats what does not see it."""
    completed = image.copy()
    completed[mask] = cv2.GaussianBlur(image, (0, 0), 0.7)[mask]
    return completed


@pytest.fixture
def network():
    """A function that completes photos, in place of a network."""
    return blurred
