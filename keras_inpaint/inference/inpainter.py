"""`Inpainter`: photos and holes in, completed photos out."""

from typing import Any

import numpy as np

from keras_inpaint.inference.filling import MAX_PIXELS, fill
from keras_inpaint.inference.runtimes import load_runtime


class Inpainter:
    """Fills the holes of photos with a completion network.

    Args:
        model: A preset's name, the path of a `.keras` or `.tflite` file, of a SavedModel folder
            or of a run's folder, or a `keras.Model`; None is the default preset.
        runtime: String, `"auto"`, `"keras"`, `"saved-model"` or `"litert"`.
        blend: String, `"none"`, `"feather"` or `"poisson"`.
        coarse: String, `"auto"` or `"off"`.
        threads: Int, processor threads to compute with; None leaves it to the runtime.
        max_pixels: Int, the largest crop computed at once.
    """

    def __init__(
        self,
        model: Any = None,
        *,
        runtime: str = "auto",
        blend: str = "none",
        coarse: str = "auto",
        threads: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.blend, self.coarse, self.max_pixels = blend, coarse, max_pixels
        self.runtime = load_runtime(model, runtime, threads)

    def __call__(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Fill the holes of a photo, or of several of one size.

        Args:
            image: Uint8 `(height, width, 3)` or `(batch, height, width, 3)`, RGB.
            mask: Bool or uint8 `(height, width)` or `(batch, height, width)`, with or without
                one channel at the end; nonzero is the hole.

        Returns:
            Uint8, a new array shaped like `image`; outside the hole byte for byte.
        """
        images, masks = _checked(image, mask)
        completed = images.copy()
        fill(self.runtime, completed, masks, self.max_pixels)
        return completed.reshape(image.shape)


def _checked(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise TypeError(
            f"image must be a uint8 array, got {getattr(image, 'dtype', type(image).__name__)}"
        )
    if not isinstance(mask, np.ndarray) or mask.dtype not in (np.uint8, np.bool_):
        raise TypeError(
            f"mask must be a bool or uint8 array, got {getattr(mask, 'dtype', type(mask).__name__)}"
        )
    if image.ndim not in (3, 4) or image.shape[-1] != 3 or 0 in image.shape[-3:]:
        raise ValueError(
            f"image must be (height, width, 3) or (batch, height, width, 3), got {image.shape}"
        )
    if mask.shape not in (image.shape[:-1], (*image.shape[:-1], 1)):
        raise ValueError(
            f"mask must have the image's batch, height and width {image.shape[:-1]}, "
            f"got {mask.shape}"
        )
    masks = mask.reshape(-1, *image.shape[-3:-1])
    masks = masks if masks.dtype == np.bool_ else masks != 0
    return image.reshape(-1, *image.shape[-3:]), masks
