"""The presets themselves."""

import dataclasses

import pytest

from keras_inpaint.presets import DEFAULT_PRESET, PRESETS, preset_named


@pytest.mark.parametrize("name", PRESETS)
def test_settings_fit_together(name):
    preset = PRESETS[name]
    assert preset.name == name
    from keras_inpaint.data.masks import mask_sampler
    from keras_inpaint.training.config import TrainingConfig

    config = TrainingConfig(**preset.training)
    assert config.size % 4 == 0 and config.patch <= config.size
    mask_sampler(config.masks)
    assert f"--preset {name}" in preset.command
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset.name = "other"
    with pytest.raises(TypeError):
        preset.training["width"] = 1.0


def test_default_exists():
    assert preset_named(DEFAULT_PRESET).name == DEFAULT_PRESET


def test_unknown_name():
    with pytest.raises(ValueError, match=r"unknown preset 'cats'.*faces, scenes"):
        preset_named("cats")
