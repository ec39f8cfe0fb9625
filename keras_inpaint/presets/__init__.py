"""Named configurations and the bundled weights.

    >>> from keras_inpaint.presets import PRESETS, resolve
    >>> PRESETS["faces"].training["size"]
    128
    >>> path = resolve("faces")

Neither TensorFlow nor Keras is imported.
"""

from keras_inpaint.presets.references import resolve
from keras_inpaint.presets.registry import DEFAULT_PRESET, PRESETS, Preset, preset_named

__all__ = ["DEFAULT_PRESET", "PRESETS", "Preset", "preset_named", "resolve"]
