"""`Inpainter`: photos and holes in, completed photos out."""

import logging
from typing import Any

import numpy as np

from keras_inpaint.inference import coarse as wide_holes
from keras_inpaint.inference.blend_methods import METHODS
from keras_inpaint.inference.blending import blend
from keras_inpaint.inference.filling import MAX_PIXELS, fill
from keras_inpaint.inference.runtimes import load_runtime

logger = logging.getLogger(__name__)

#: What to do with holes wider than the network can see.
COARSE = ("auto", "off")


class Inpainter:
    """Fills the holes of photos of any size with a completion network.

    Only crops around the holes are computed, with all that the network can see around them:
    the result is what the network gives for the whole photo, at a cost that follows the holes.

    Example:

    >>> complete = Inpainter("faces", blend="poisson")
    >>> completed = complete(photo, mask)

    Args:
        model: A preset's name, the path of a `.keras` or `.tflite` file, of a SavedModel folder
            or of a run's folder, a `keras.Model`, or a loaded runtime. None is the default
            preset.
        runtime: String, `"auto"`, `"keras"`, `"saved-model"` or `"litert"`; see
            `keras_inpaint.inference.runtimes.load_runtime`.
        blend: String. `"none"` keeps what the network generates. `"feather"` fades differences
            of colour at the rim out within 16 pixels, `"poisson"` spreads them over the whole
            hole, as the paper's post-processing does. All change pixels in the holes only.
        coarse: String, what to do with holes so wide that their middle sees nothing known:
            `"auto"` completes a reduced photo first and refines it, with a warning in the log;
            `"off"` refuses them.
        threads: Int, processor threads to compute with; None leaves it to the runtime.
        max_pixels: Int, the largest crop computed at once, in pixels; it bounds the memory and
            has no influence on the result. A larger hole is computed in tiles.

    Attributes:
        runtime: The loaded `keras_inpaint.inference.runtimes.Runtime`.

    Raises:
        ValueError: If there is no such model, or a setting is out of its range.
        TypeError: If `model` is nothing that can be loaded.
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
        if blend not in METHODS:
            raise ValueError(f"blend must be one of {METHODS}, got {blend!r}")
        if coarse not in COARSE:
            raise ValueError(f"coarse must be one of {COARSE}, got {coarse!r}")
        if not isinstance(max_pixels, int) or max_pixels < 1:
            raise ValueError(f"max_pixels must be an integer above 0, got {max_pixels!r}")
        self.blend, self.coarse, self.max_pixels = blend, coarse, max_pixels
        self.runtime = load_runtime(model, runtime, threads)

    def __call__(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Fill the holes of a photo, or of several photos of one size.

        Args:
            image: Uint8 `(height, width, 3)` or `(batch, height, width, 3)`, RGB, of any size.
                What it holds in the holes does not matter.
            mask: Bool or uint8 `(height, width)` or `(batch, height, width)`, with or without
                one channel at the end; nonzero is the hole. One mask may serve a whole batch.

        Returns:
            Uint8, a new array shaped like `image`. Outside the holes it is `image` byte for
            byte. Neither argument is changed.

        Raises:
            TypeError: If a dtype is another one.
            ValueError: If the shapes do not fit each other, or a hole is too wide and `coarse`
                is `"off"`.
        """
        images, masks = _checked(image, mask)
        completed = images.copy()
        left = masks if self.coarse == "off" else masks.copy()
        for number, hole in enumerate(masks):
            if self._is_wide(hole):
                left[number] = self._fill_wide(completed[number], hole)
        fill(self.runtime, completed, left, self.max_pixels)
        if self.blend != "none":
            for number, hole in enumerate(masks):
                completed[number] = blend(images[number], completed[number], hole, self.blend)
        return completed.reshape(image.shape)

    def _is_wide(self, hole: np.ndarray) -> bool:
        depth, seen = wide_holes.depth(hole), wide_holes.widest(self.runtime)
        if depth <= seen:
            return False
        if self.coarse == "off":
            raise ValueError(
                f"a hole is too wide to see across: its middle is {depth} px away from what is "
                f"known, the network sees {seen} px (coarse='auto' completes it coarse to fine)"
            )
        logger.warning(
            "a hole's middle is %d px away from what is known and the network sees %d px: "
            "completing it coarse to fine",
            depth,
            seen,
        )
        return True

    def _fill_wide(self, completed: np.ndarray, hole: np.ndarray) -> np.ndarray:
        seen = wide_holes.widest(self.runtime)
        return wide_holes.fill_wide(self.runtime, completed, hole, self.max_pixels, seen)


def _checked(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the photos as `(batch, height, width, 3)` and bool holes as `(batch, ...)`."""
    for name, array, dtypes in (("image", image, ("uint8",)), ("mask", mask, ("uint8", "bool"))):
        if not isinstance(array, np.ndarray) or array.dtype.name not in dtypes:
            found = getattr(array, "dtype", type(array).__name__)
            raise TypeError(f"{name} must be an array of {' or '.join(dtypes)}, got {found}")
    if image.ndim not in (3, 4) or image.shape[-1] != 3 or 0 in image.shape[-3:]:
        raise ValueError(
            f"image must be (height, width, 3) or (batch, height, width, 3), got {image.shape}"
        )
    size = image.shape[-3:-1]
    shapes = (image.shape[:-1], size)
    if mask.shape not in (*shapes, *((*shape, 1) for shape in shapes)):
        raise ValueError(
            f"mask must have the image's height and width, {size[0]} x {size[1]}, and its batch "
            f"if it has one: image {image.shape}, got mask {mask.shape}"
        )
    images = image.reshape(-1, *image.shape[-3:])
    masks = mask.reshape(-1, *size)
    masks = masks if masks.dtype == np.bool_ else masks != 0
    return images, np.broadcast_to(masks, images.shape[:-1])
