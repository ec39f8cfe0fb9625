"""The commands that the READMEs of `export/` begin with, as a newcomer can run them."""

import re
from pathlib import Path

import pytest

from keras_inpaint.presets import PRESETS

EXPORT = Path(__file__).parents[2] / "export"


@pytest.mark.parametrize("readme", sorted(EXPORT.glob("*/README.md")), ids=lambda p: p.parent.name)
def test_what_is_exported_is_in_the_package(readme):
    commands = re.findall(r"^keras-inpaint export (\S+)", readme.read_text("utf-8"), re.M)
    assert commands
    assert set(commands) <= set(PRESETS)
