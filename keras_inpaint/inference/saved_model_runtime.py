"""Run an exported SavedModel with TensorFlow, without Keras."""

import logging
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_inpaint.files import first_line, read_json_object
from keras_inpaint.inference.runtime import Runtime, as_float
from keras_inpaint.networks.receptive_field import ReceptiveField
from keras_inpaint.presets.registry import CARD_FILE

logger = logging.getLogger(__name__)

#: The signature with float inputs and outputs.
SIGNATURE = "complete_float"


class SavedModelRuntime(Runtime):
    """Runs the signature `complete_float` of a SavedModel.

    Args:
        model: Path of the folder that holds `saved_model.pb`.
        threads: Int, the number of threads within an op; None leaves it to TensorFlow.

    Raises:
        ValueError: If the folder cannot be read, or lacks the signature.
    """

    name = "saved-model"

    def __init__(self, model: Path, threads: int | None = None) -> None:
        from keras_inpaint.inference.keras_runtime import limit_threads

        limit_threads(threads)
        try:
            self._loaded = tf.saved_model.load(str(model))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise ValueError(
                f"{model} is not a SavedModel that can be read: {first_line(error)}"
            ) from error
        if SIGNATURE not in self._loaded.signatures:
            names = ", ".join(self._loaded.signatures) or "none"
            raise ValueError(f"{model} has no signature {SIGNATURE!r}: it has {names}")
        self._complete = self._loaded.signatures[SIGNATURE]
        self.card = card = _card(Path(model))
        self.reach = ReceptiveField.of_card(card)
        pixel = card.get("mean_pixel")
        self.mean_pixel = tuple(map(float, pixel)) if pixel else None

    def generate(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        outputs = self._complete(
            image=tf.constant(as_float(image)),
            mask=tf.constant(mask[..., None].astype(np.float32)),
        )
        return outputs["completed"].numpy()


def _card(folder: Path) -> dict:
    for path in (folder / CARD_FILE, folder / "assets.extra" / CARD_FILE):
        if path.is_file():
            return read_json_object(path)
    logger.info(
        "%s has no %s: assuming the receptive field of the paper's network", folder, CARD_FILE
    )
    return {}
