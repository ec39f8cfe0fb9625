"""What the tests of the commands that complete share."""

import pytest

FAKE = """
    class FakeInpainter:
        made = []

        def __init__(self, model=None, **options):
            FakeInpainter.made.append((model, options))

        def __call__(self, image, mask):
            out = image.copy()
            out[mask] = image[~mask].mean(0) if (~mask).any() else 127
            return out
"""


@pytest.fixture
def fake(importable, monkeypatch):
    """Put a fill with the mean colour in the inpainter's place, in every process."""
    inpainter = importable("mean_colour_inpainter", FAKE).FakeInpainter
    monkeypatch.setattr("keras_inpaint.inference.inpainter.Inpainter", inpainter)
    return inpainter
