"""Feature extractors, such as the networks of `keras.applications`; none is bundled."""

import os
from pathlib import Path

import keras


def read_features_network(model: str | os.PathLike[str] | keras.Model) -> keras.Model:
    """Return a network that extracts features of photos.

    Args:
        model: A `.keras` file or a Keras model, from float32 `(batch, height, width, 3)` in
            [0, 1] to `(batch, features)`, or `(batch, height, width, features)`, or a list of
            these.

    Raises:
        ValueError: If the file does not exist, or the model has other inputs or outputs.
    """
    if isinstance(model, str | os.PathLike):
        import keras_inpaint.networks.layers  # noqa: F401  (registers the layers)

        if not Path(model).is_file():
            raise ValueError(f"no features network at {os.fspath(model)!r}: no such file")
        model = keras.models.load_model(model, compile=False)
    shape, output_shape = model.input_shape, model.output_shape
    if isinstance(shape, list | dict) or len(shape) != 4 or shape[-1] != 3:
        raise ValueError(
            f"a features network's input must be (batch, height, width, 3), got {shape}"
        )
    shapes = output_shape if isinstance(output_shape, list) else [output_shape]
    if isinstance(output_shape, dict) or not all(len(each) in (2, 4) for each in shapes):
        raise ValueError(
            "a features network's output must be (batch, features) or "
            f"(batch, height, width, features), got {output_shape}"
        )
    return model
