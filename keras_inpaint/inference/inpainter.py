"""`Inpainter`, which fills the holes of photos."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_inpaint.files import write_atomically
from keras_inpaint.inference import AUTO, METHODS, TEXTURE, USUAL
from keras_inpaint.inference.blending import blend
from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.inference.choosing import (
    Candidate,
    Group,
    choose,
    load_candidates,
    summary,
)
from keras_inpaint.inference.coarse_to_fine import (
    complete_at,
    fill_coarse_to_fine,
    hole_radius,
    widest,
)
from keras_inpaint.inference.filling import MAX_PIXELS, fill
from keras_inpaint.inference.runtime import Runtime
from keras_inpaint.inference.texture import add_texture
from keras_inpaint.inference.tiles import Box, reduced_mask, tightened
from keras_inpaint.presets.registry import CARD_FILE, KERAS_FILE

logger = logging.getLogger(__name__)

#: What to do with holes wider than the network's receptive field.
COARSE = ("auto", "off")


class Inpainter:
    """Fills the holes of photos of any size with a completion network.

    Only crops around the holes are computed, each with the network's whole receptive field: the
    result is that of the network on the whole photo, at a cost proportional to the holes. The
    network and the working scale for a hole are chosen on known places around it, see `choosing`;
    texture from the photo is added to the network's result, see `texture`. The paper's own
    pipeline is `Inpainter("faces", scale=1, blend="poisson", texture="off")`.

    Example:

    >>> complete = Inpainter()
    >>> completed = complete(photo, hole)

    Args:
        model: A preset's name, the path of a `.keras` or `.tflite` file, of a SavedModel folder
            or of a run's folder, a `keras.Model`, or a loaded runtime; or a list of these to
            choose from. None or `"auto"` chooses among the bundled presets.
        runtime: String, `"auto"`, `"keras"`, `"saved-model"` or `"litert"`; see
            `keras_inpaint.inference.runtime.load_runtime`.
        blend: String. `"none"` keeps the generated pixels. `"feather"` fades differences of
            colour at the rim out within 16 pixels, `"poisson"` spreads them over the whole hole,
            as the paper's post-processing does. All change pixels in the holes only.
        scale: `"auto"`, or an integer above 0, the factor by which the photo is reduced before
            its holes are completed. `"auto"` chooses it if the model's card gives the sizes that
            it was trained on, and is 1 otherwise.
        texture: String. `"auto"` fills holes with texture from the photo if the network's card
            says that it was trained on photos in general; `"on"` always, `"off"` never.
        coarse: String, what to do with holes so wide that no known pixel is in the receptive
            field of their middle: `"auto"` completes a reduced photo first and refines it, with a
            warning in the log; `"off"` raises an error.
        threads: Int, the number of processor threads; None leaves it to the runtime.
        max_pixels: Int, the largest crop computed at once, in pixels; it limits the memory and
            does not change the result. A larger hole is computed in tiles.

    Attributes:
        candidates: The loaded networks, each a `keras_inpaint.inference.choosing.Candidate`.
        runtime: The `keras_inpaint.inference.runtime.Runtime` of the first of these.

    Raises:
        ValueError: If the model does not exist, or a setting is out of its range.
        TypeError: If `model` is of a type that cannot be loaded.
    """

    def __init__(
        self,
        model: Any = None,
        *,
        runtime: str = "auto",
        blend: str = USUAL,
        scale: int | str = AUTO,
        texture: str = AUTO,
        coarse: str = "auto",
        threads: int | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        for name, value, known in (
            ("blend", blend, METHODS),
            ("texture", texture, TEXTURE),
            ("coarse", coarse, COARSE),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {known}, got {value!r}")
        if scale != AUTO and (type(scale) is not int or scale < 1):
            raise ValueError(f"scale must be 'auto' or an integer above 0, got {scale!r}")
        if not isinstance(max_pixels, int) or max_pixels < 1:
            raise ValueError(f"max_pixels must be an integer above 0, got {max_pixels!r}")
        self.blend, self.coarse, self.max_pixels = blend, coarse, max_pixels
        self.scale, self.texture = None if scale == AUTO else scale, texture
        self._model = model
        self.candidates = load_candidates(model, runtime, threads)
        self.runtime = self.candidates[0].runtime

    @classmethod
    def from_preset(cls, preset: str | os.PathLike[str], **settings: Any) -> "Inpainter":
        """Return an `Inpainter` for a preset, given by its name, its folder or its address.

        Args:
            preset: String or path, as `model`.
            **settings: The other arguments of `Inpainter`.
        """
        return cls(preset, **settings)

    def save_to_preset(self, folder: str | os.PathLike[str]) -> Path:
        """Write the network and its card to a folder that `from_preset` takes.

        Args:
            folder: Path of the folder, created if missing. `completion.keras` and
                `model_card.json` in it are replaced.

        Returns:
            The path of the folder.

        Raises:
            ValueError: If there are several networks to choose from, or the network is not a
                Keras model.
        """
        from keras_inpaint.inference.loading import load_model
        from keras_inpaint.networks.weights import write_network

        if len(self.candidates) > 1 or self._model is None:
            raise ValueError("only one network can be saved: name it, such as Inpainter('faces')")
        network = load_model(self._model)
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_network(network, folder / KERAS_FILE)
        card = {key: value for key, value in self.runtime.card.items() if key != "files"}
        text = json.dumps(card, indent=1, sort_keys=True) + "\n"
        write_atomically(folder / CARD_FILE, text.encode(), overwrite=True)
        return folder

    def __call__(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Fill the holes of a photo, or of several photos of one size.

        Args:
            image: Uint8 `(height, width, 3)` or `(batch, height, width, 3)`, RGB, of any size.
                Its values in the holes are ignored.
            mask: Bool or uint8 `(height, width)` or `(batch, height, width)`, with or without
                a last axis of size 1; nonzero in the hole. A single mask is used for the whole
                batch.

        Returns:
            Uint8, a new array shaped like `image` and identical to it outside the holes. Neither
            argument is changed.

        Raises:
            TypeError: If a dtype is wrong.
            ValueError: If the shapes do not match, or a hole is too wide and `coarse` is `"off"`.
        """
        return self.explained(image, mask)[0]

    def explained(self, image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Fill holes as a call does, and describe what was chosen for them.

        Args:
            image, mask: As for a call; the same errors are raised.

        Returns:
            The result of a call, and the distinct lines that describe the choice for each photo;
            no lines if there was nothing to choose.
        """
        images, masks = _checked(image, mask)
        chosen = self._choose(images, masks)
        completed = images.copy()
        if chosen is None:
            self._complete(self.runtime, completed, masks, masks)
        for number, (photo, hole) in enumerate(zip(images, masks, strict=True)):
            groups = None if chosen is None else chosen[number]
            if groups is not None:
                completed[number] = self._complete_groups(photo, hole, groups)
            check_cancelled()
            result = blend(photo, completed[number], hole, self.blend)
            check_cancelled()
            textured = self._textured(hole, groups)
            if textured.any():
                result = add_texture(photo, hole, result, textured)
            completed[number] = result
            check_cancelled()
        lines = dict.fromkeys(line for groups in chosen or () for line in summary(groups))
        return completed.reshape(image.shape), tuple(lines)

    def _choose(self, images: np.ndarray, masks: np.ndarray) -> list[list[Group]] | None:
        """Return the groups of each photo's holes; None if there is nothing to choose."""
        only = self.candidates[0] if len(self.candidates) == 1 else None
        if only and (self.scale == 1 or (self.scale is None and only.trained_on is None)):
            return None
        photos = zip(images, masks, strict=True)
        return [choose(self.candidates, *photo, scale=self.scale) for photo in photos]

    def _complete_groups(
        self, image: np.ndarray, hole: np.ndarray, groups: list[Group]
    ) -> np.ndarray:
        """Return a photo whose groups of holes are completed as was chosen for each."""
        completed = image.copy()
        alike: dict[tuple[Candidate, float], list[Group]] = {}
        for group in groups:
            alike.setdefault((group.choice.candidate, group.choice.scale), []).append(group)
        for (candidate, scale), members in alike.items():
            check_cancelled()
            wanted = _holes_of(members, hole.shape)
            crop, filled = self._complete_scaled(candidate.runtime, scale, image, hole, wanted)
            check_cancelled()
            np.copyto(completed[crop.slices], filled, where=wanted[crop.slices][..., None])
        return completed

    def _complete_scaled(
        self,
        runtime: Runtime,
        scale: float,
        image: np.ndarray,
        hole: np.ndarray,
        wanted: np.ndarray,
    ) -> tuple[Box, np.ndarray]:
        """Return the box of a part of a photo, and this part with the wanted holes completed."""
        crop = Box(0, 0, *hole.shape)
        if scale < 1:  # the photo is enlarged: take only the receptive field
            crop = tightened(wanted, crop).expanded(widest(runtime), hole.shape)

        def complete(photo: np.ndarray, holes: np.ndarray) -> np.ndarray:
            filled = photo.copy()
            part = wanted if scale == 1 else reduced_mask(wanted[crop.slices], holes.shape)
            self._complete(runtime, filled[None], holes[None], part[None])
            return filled

        return crop, complete_at(image[crop.slices], hole[crop.slices], scale, complete)

    def _complete(
        self, runtime: Runtime, completed: np.ndarray, masks: np.ndarray, wanted: np.ndarray
    ) -> None:
        """Fill the wanted holes of photos in place, at the photos' own scale."""
        remaining = wanted.copy()
        for number, hole in enumerate(masks):
            if self._is_wide(runtime, wanted[number]):
                remaining[number] &= fill_coarse_to_fine(
                    runtime, completed[number], hole, self.max_pixels
                )
        fill(runtime, completed, masks, self.max_pixels, remaining)

    def _is_wide(self, runtime: Runtime, hole: np.ndarray) -> bool:
        """Return whether a hole's middle sees no known pixels, with a warning or an error."""
        depth, limit = hole_radius(hole), widest(runtime)
        if depth <= limit:
            return False
        if self.coarse == "off":
            raise ValueError(
                f"a hole is too wide: its middle is {depth} px away from known pixels, the network "
                f"sees {limit} px (coarse='auto' completes it coarse to fine)"
            )
        logger.warning(
            "a hole's middle is %d px away from known pixels and the network sees %d px: "
            "completing it coarse to fine",
            depth,
            limit,
        )
        return True

    def _textured(self, hole: np.ndarray, groups: list[Group] | None) -> np.ndarray:
        """Return the holes to fill with texture from the photo."""
        if self.texture != AUTO or groups is None:
            on = self.texture == "on" or (self.texture == AUTO and self.candidates[0].texture)
            return hole if on else np.zeros_like(hole)
        return _holes_of([g for g in groups if g.choice.candidate.texture], hole.shape)


def _holes_of(groups: list[Group], shape: tuple[int, ...]) -> np.ndarray:
    """Return a bool mask of a photo's height and width, true in the holes of groups."""
    holes = np.zeros(shape, bool)
    for group in groups:
        holes[group.box.slices][group.own] = True
    return holes


def _checked(image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the photos as `(batch, height, width, 3)` and bool holes as `(batch, ...)`."""
    for name, array, dtypes in (("image", image, ("uint8",)), ("mask", mask, ("uint8", "bool"))):
        if not isinstance(array, np.ndarray) or array.dtype.name not in dtypes:
            kind = getattr(array, "dtype", type(array).__name__)
            raise TypeError(f"{name} must be an array of {' or '.join(dtypes)}, got {kind}")
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
