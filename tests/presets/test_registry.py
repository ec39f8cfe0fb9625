"""The presets themselves."""

import dataclasses

import pytest

from keras_inpaint.presets import DEFAULT_PRESET, PRESETS, preset_named


@pytest.mark.parametrize("name", PRESETS)
def test_settings_fit_together(name):
    preset = PRESETS[name]
    assert preset.name == name
    assert preset.image_size % 4 == 0
    smallest, largest = preset.hole_sizes
    assert 0 < smallest <= largest <= preset.patch_size <= preset.image_size
    assert preset.masks in ("rectangles", "strokes", "mixed")
    assert len(preset.steps) == 3 and min(preset.steps) > 0
    assert f"--preset {name}" in preset.command
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset.width = 1.0


def test_default_exists():
    assert preset_named(DEFAULT_PRESET).name == DEFAULT_PRESET


def test_unknown_name():
    with pytest.raises(ValueError, match=r"unknown preset 'cats'.*faces, scenes"):
        preset_named("cats")
