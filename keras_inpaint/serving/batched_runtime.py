"""The network of a served model as a runtime of `Inpainter`, so that photos are batched too."""

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_inpaint.inference.blend_methods import AUTO, TEXTURE
from keras_inpaint.inference.blend_methods import METHODS as BLENDS
from keras_inpaint.inference.blend_methods import USUAL as USUAL_BLEND
from keras_inpaint.inference.inpainter import COARSE, Inpainter
from keras_inpaint.inference.runtimes import Runtime, as_float
from keras_inpaint.networks.geometry import Reach
from keras_inpaint.serving.completion_model import CompletionModel
from keras_inpaint.serving.services import Services

__all__ = ["AUTO", "BLENDS", "COARSE", "TEXTURE", "USUAL_BLEND", "BatchedRuntime", "completer"]

#: The signature that takes and gives floats, which blending and coarse steps build on.
SIGNATURE = "complete_float"


class BatchedRuntime(Runtime):
    """Calls a served model from a thread, through the server's batcher.

    Args:
        model: The model.
        loop: The server's event loop.
    """

    name = "saved-model"

    def __init__(self, model: CompletionModel, loop: asyncio.AbstractEventLoop) -> None:
        self._model = model
        self._loop = loop
        self._signature = model.loaded.signature(SIGNATURE)
        self.card = card = model.loaded.card
        reach, pixel = card.get("reach"), card.get("mean_pixel")
        self.reach = (
            Reach.of_pixels(int(reach["before"]), int(reach["after"])) if reach else Reach()
        )
        self.mean_pixel = tuple(map(float, pixel)) if pixel else None

    def generate(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return what the network generates.

        Args:
            image: uint8 `(batch, height, width, 3)`.
            mask: bool `(batch, height, width)`, True in the hole.

        Returns:
            float32 `(batch, height, width, 3)` in [0, 1].
        """
        arrays = {"image": as_float(image), "mask": mask[..., None].astype(np.float32)}
        work = self._model.complete(self._signature, arrays)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()["completed"]


def completer(models: Sequence[CompletionModel], services: Services, **options: Any) -> Inpainter:
    """Return the `Inpainter` of a served model, or of several to choose from.

    Args:
        models: The models.
        services: The server's parts.
        **options: `blend`, `coarse`, `scale` and `texture`, as `Inpainter` takes them.
    """
    return Inpainter([BatchedRuntime(model, services.loop) for model in models], **options)
