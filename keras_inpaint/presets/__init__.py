"""Named configurations, and the weights that come with the package.

    >>> from keras_inpaint.presets import PRESETS, resolve
    >>> PRESETS["faces"].training["size"]
    128
    >>> path = resolve("faces")

Nothing here imports TensorFlow or Keras.
"""

from keras_inpaint.presets.references import resolve
from keras_inpaint.presets.registry import DEFAULT_PRESET, PRESETS, Preset, preset_named

__all__ = ["DEFAULT_PRESET", "PRESETS", "Preset", "preset_named", "resolve"]
