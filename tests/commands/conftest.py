"""What the tests of the commands that complete share."""

import textwrap

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
def fake(tmp_path, monkeypatch):
    """Put a fill with the mean colour in the inpainter's place, in every process."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "mean_colour_inpainter.py").write_text(textwrap.dedent(FAKE))
    monkeypatch.syspath_prepend(modules)
    from mean_colour_inpainter import FakeInpainter

    FakeInpainter.made.clear()
    monkeypatch.setattr("keras_inpaint.inference.inpainter.Inpainter", FakeInpainter)
    return FakeInpainter
