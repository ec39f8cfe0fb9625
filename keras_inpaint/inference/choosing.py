"""Which network and which working scale fit a hole, measured on the photo itself.

A completion network is good at what it was trained on: holes of some sizes in photos of some
size, faces or scenes. A hole in a face is completed by a network for faces, at the scale at which
the face is as wide as in its training; where there is no face, it has no say. What fits another
hole, the photo tells: places beside it that are known are masked too, all at once, and completed;
what comes nearest to what is known there completes the hole. The scale is chosen first, on places
of the hole's own shape around it, then the network at this scale, on a lattice of squares in a
window as large as the photos of the training. Nothing is random, and only crops around the hole
are computed.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from keras_inpaint.inference.blend_methods import AUTO
from keras_inpaint.inference.blending import blend
from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.inference.faces import Face, find_face
from keras_inpaint.inference.filling import fill
from keras_inpaint.inference.runtime import Runtime, load_runtime
from keras_inpaint.inference.tiles import Box, hole_groups, reduced_mask
from keras_inpaint.presets import DEFAULT_PRESET, PRESETS
from keras_inpaint.presets.cards import ANY_SUBJECT, FACE, TrainedOn, trained_on

#: Working scales that are ever tried: a photo reduced to one part in so many.
SCALES = (1, 2, 4, 8, 16, 32)
#: At most so many scales of one network are tried at a hole.
_MOST_SCALES = 3
#: At most so many groups of holes in a photo are measured, the largest; the others take the
#: choice of the nearest of these.
_MOST_GROUPS = 4
#: A hole may be so much wider than the widest that a network was trained on, and so much
#: narrower than the narrowest; a photo may be reduced to this share of the smallest one.
_WIDER, _NARROWER, _SMALLER_PHOTO = 1.5, 0.5, 0.75
#: A probe counts where this share of the hole's shape falls on known pixels.
_KNOWN_SHARE = 0.5
#: The longest side of a hole at the finest scale that is tried, and the margin around the places
#: beside it, in pixels at that scale; what is longer is measured on a part of it.
_LONGEST, _MARGIN = 96, 32
#: The squares by which networks are compared and the distance from one to the next, in pixels at
#: the working scale, and how far they reach from the hole's middle.
_SQUARE, _STEP, _REACH = 32, 64, 112
#: A specialist's mean square error (0 to 1) in squares on photos of its subject, at most, and
#: the weight of what it makes beyond that: measured on the photos held out for tuning.
_USUAL_ERROR, _SURPRISE = 0.011, 0.15
#: A hole is in a face where this part of it is.
_IN_FACE = 0.3
#: A face may be so much wider or narrower than those of the training before the photo is resized;
#: it is enlarged at most twice.
_WIDTH_SLACK, _FINEST = 1.2, 0.5
#: Errors below this are as good as none.
_NO_ERROR = 1e-4


@dataclass(frozen=True)
class Candidate:
    """A network that may complete a hole.

    Attributes:
        name: String, what it is called in messages.
        runtime: What computes it.
        trained_on: What it was trained on; None where nobody knows, so that it works at the
            photo's own scale only.
    """

    name: str
    runtime: Runtime
    trained_on: TrainedOn | None = None

    @property
    def specialist(self) -> bool:
        """Whether it was trained on one kind of subject, such as faces."""
        return self.trained_on is not None and self.trained_on.subject not in (None, ANY_SUBJECT)

    @property
    def knows_faces(self) -> bool:
        """Whether it was trained on faces of a width that is known."""
        known = self.trained_on
        return known is not None and known.subject == FACE and known.subject_px is not None

    @property
    def texture(self) -> bool:
        """Whether texture from the photo is known to improve on what it generates."""
        return self.trained_on is not None and self.trained_on.subject == ANY_SUBJECT


def load_candidates(
    model: Any = None, runtime: str = "auto", threads: int | None = None
) -> list[Candidate]:
    """Load the networks that may complete a hole.

    Args:
        model: None or `"auto"` for the bundled presets, one model, or a list of models, each as
            `keras_inpaint.inference.runtime.load_runtime` takes it.
        runtime: String, as `load_runtime` takes it.
        threads: Int, processor threads to compute with; None leaves it to the runtime.

    Returns:
        At least one candidate.

    Raises:
        ValueError: If there is no such model, or the list is empty.
        TypeError: If a model is nothing that can be loaded.
    """
    if is_auto(model):
        models = [name for name, preset in PRESETS.items() if preset.has_weights]
        models = models or [DEFAULT_PRESET]  # which says what is missing
    else:
        models = list(model) if isinstance(model, list | tuple) else [model]
    if not models:
        raise ValueError("models to choose from must be at least one, got an empty list")
    candidates = []
    for one in models:
        loaded = load_runtime(one, runtime, threads)
        name = str(one) if isinstance(one, str | os.PathLike) else loaded.card.get("name")
        preset = PRESETS.get(one if isinstance(one, str) else loaded.card.get("name"))
        known = trained_on(loaded.card, subject=preset.subject if preset else None)
        candidates.append(Candidate(name or "the network", loaded, known))
    return candidates


def is_auto(model: Any) -> bool:
    """Return whether the network is to be chosen among the bundled presets."""
    return model is None or (isinstance(model, str) and model == AUTO)


@dataclass(frozen=True)
class Choice:
    """What completes a group of holes.

    Attributes:
        candidate: The network.
        scale: Float, the photo is reduced to one part in so many; below 1 it is enlarged.
        places: Int, known places around the hole that were compared; 0 where nothing was.
        in_face: Bool, whether it was chosen for the face that the hole is in.
    """

    candidate: Candidate
    scale: float
    places: int = 0
    in_face: bool = False


@dataclass(frozen=True)
class Group:
    """Holes near each other, and what completes them.

    Attributes:
        box: The box tight around them.
        own: Bool `(box height, box width)`, true in them.
        choice: What completes them.
    """

    box: Box
    own: np.ndarray
    choice: Choice


def choose(
    candidates: Sequence[Candidate],
    image: np.ndarray,
    mask: np.ndarray,
    *,
    scale: int | None = None,
) -> list[Group]:
    """Choose a network and a working scale for every group of holes in a photo.

    Args:
        candidates: At least one; where two are as good, the earlier is taken.
        image: Uint8 `(height, width, 3)`; what it holds in the holes does not matter.
        mask: Bool `(height, width)`, true in the hole.
        scale: Int, the one working scale to use; None chooses it too.

    Returns:
        The groups, each hole pixel in exactly one of them.
    """
    groups = list(hole_groups(mask))
    chosen: dict[int, Choice] = {}
    by_area = sorted(range(len(groups)), key=lambda number: -np.count_nonzero(groups[number][1]))
    for number in by_area[:_MOST_GROUPS]:
        chosen[number] = _choose_one(candidates, image, mask, *groups[number], scale)

    def nearest(box: Box) -> Choice:
        def distance(number: int) -> int:
            return sum(abs(a - b) for a, b in zip(box, groups[number][0], strict=True))

        return chosen[min(chosen, key=distance)]

    return [
        Group(box, own, chosen.get(number) or _within(nearest(box), mask.shape, own, scale))
        for number, (box, own) in enumerate(groups)
    ]


def summary(groups: Sequence[Group]) -> list[str]:
    """Return what was chosen in one line; no line where nothing was compared.

    Args:
        groups: What `choose` gave for a photo.
    """
    choices = [group.choice for group in groups]
    names = dict.fromkeys(f"{one.candidate.name} at {_words(one.scale)}" for one in choices)
    total = sum(one.places for one in choices)
    around = "the hole" if len(groups) == 1 else "the holes"
    reasons = [f"{total} place{'' if total == 1 else 's'} around {around}"] if total else []
    reasons += [f"the face around {around}"] if any(one.in_face for one in choices) else []
    if not reasons:
        return []
    return [f"completed with {', '.join(names)}, chosen on {' and '.join(reasons)}"]


def _words(scale: float) -> str:
    """Return a working scale in words."""
    if scale == 1:
        return "the photo's own scale"
    return f"1/{scale:g} of the scale" if scale == int(scale) else f"{1 / scale:.2f} of the scale"


def _within(choice: Choice, photo: tuple[int, int], own: np.ndarray, scale: int | None) -> Choice:
    """Return a neighbour's choice, at a scale that is plausible for this hole."""
    if choice.in_face:
        return choice
    scales = plausible_scales(choice.candidate, hole_width(own), photo, scale)
    nearest = min(scales, key=lambda other: abs(np.log(other / choice.scale)))
    return Choice(choice.candidate, nearest)


def hole_width(own: np.ndarray) -> int:
    """Return how wide a hole is in pixels at its widest place: twice its depth."""
    padded = np.pad(own.astype(np.uint8), 1)
    return int(2 * cv2.distanceTransform(padded, cv2.DIST_C, cv2.DIST_MASK_3).max())


def plausible_scales(
    candidate: Candidate, width: int, photo: tuple[int, int], scale: int | None = None
) -> tuple[int, ...]:
    """Return the working scales at which a hole and a photo look like those of the training.

    Args:
        candidate: The network.
        width: Int, the hole's width in pixels.
        photo: The photo's height and width.
        scale: Int, the one scale that is asked for; None leaves it open.

    Returns:
        One to three of `SCALES`, the largest photo first.
    """
    if scale is not None:
        return (scale,)
    trained = candidate.trained_on
    if trained is None:
        return (1,)
    narrowest, widest = trained.holes_px
    fits = [s for s in SCALES if width / s <= _WIDER * widest] or [SCALES[-1]]
    scales = [
        s
        for s in fits
        if s == 1
        or (
            min(photo) / s >= _SMALLER_PHOTO * trained.photos_px[0]
            and width / s >= _NARROWER * narrowest
        )
    ]
    return tuple(scales[:_MOST_SCALES]) or (fits[0],)


def _choose_one(
    candidates: Sequence[Candidate],
    image: np.ndarray,
    mask: np.ndarray,
    box: Box,
    own: np.ndarray,
    scale: int | None,
) -> Choice:
    check_cancelled()
    for_faces = next((one for one in candidates if one.knows_faces), None)
    if for_faces is not None:
        face = find_face(image, mask, box)
        scales = plausible_scales(for_faces, hole_width(own), mask.shape, scale)
        if face is None and len(candidates) * len(scales) > 1:
            face = _hidden_face(for_faces, image, mask, box)
        if face is not None and face.share(box, own) >= _IN_FACE:
            best = scale or _scale_of_face(face.width, for_faces.trained_on.subject_px)
            return Choice(for_faces, best, in_face=True)
        if face is None:  # a network for faces has no say where there is none
            candidates = [one for one in candidates if not one.knows_faces] or candidates
    best, places = _choose_scale(candidates, image, mask, box, own, scale)
    if len(candidates) == 1:
        return Choice(candidates[0], best, places)
    crop, squares = _squares(mask, box, best)
    if not squares:
        return Choice(candidates[0], best, places)
    scores = []
    for candidate in candidates:
        errors = _errors(candidate.runtime, image, mask, crop, squares, best)
        score = np.log(errors + _NO_ERROR).mean()
        if candidate.specialist:
            score += _SURPRISE * np.log((errors.mean() + _NO_ERROR) / _USUAL_ERROR)
        scores.append(score)
    return Choice(candidates[int(np.argmin(scores))], best, places + sum(map(len, squares)))


def _hidden_face(
    candidate: Candidate, image: np.ndarray, mask: np.ndarray, box: Box
) -> Face | None:
    """Return the face that a hole hides as a whole: the network shows it."""
    side = max(box.height, box.width)
    if min(box.height, box.width) * 2 < side:  # long and thin: no face is under it
        return None
    scale = _scale_of_face(side, candidate.trained_on.subject_px)
    crop = box.expanded(side, mask.shape)
    shown = image.copy()
    shown[crop.slices] = complete_at(
        image[crop.slices], mask[crop.slices], scale, partial(_filled, candidate.runtime)
    )
    return find_face(shown, np.zeros_like(mask), box)


def _filled(runtime: Runtime, photo: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Return a copy of a photo with what a network generates in its holes."""
    filled = photo.copy()
    fill(runtime, filled[None], holes[None])
    return filled


def _scale_of_face(width: float, trained: tuple[int, int]) -> float:
    """Return the working scale at which a face is as wide as those of a training."""
    low, high = trained
    if low / _WIDTH_SLACK <= width <= high * _WIDTH_SLACK:
        return 1
    return max(_FINEST, round(float(width / np.sqrt(low * high)), 2))


def _choose_scale(
    candidates: Sequence[Candidate],
    image: np.ndarray,
    mask: np.ndarray,
    box: Box,
    own: np.ndarray,
    scale: int | None,
) -> tuple[int, int]:
    """Return the scale at which the networks come nearest beside the hole, and on how many places.

    All of them are asked: one that knows the subject tells its right scale far more clearly.
    """
    width = hole_width(own)
    plausible = [plausible_scales(one, width, mask.shape, scale) for one in candidates]
    scales = sorted(set().union(*plausible))
    if len(scales) == 1:
        return scales[0], 0
    crop, probes = _probes(mask, box, own, width, scales[0])
    if not probes:
        return scales[0], 0
    scores: dict[int, list[float]] = {}
    for candidate, options in zip(candidates, plausible, strict=True):
        for option in options:
            errors = _errors(candidate.runtime, image, mask, crop, [probes], option)
            scores.setdefault(option, []).append(float(np.log(errors + _NO_ERROR).mean()))
    return min(scores, key=lambda option: (np.mean(scores[option]), option)), len(probes)


def _errors(
    runtime: Runtime,
    image: np.ndarray,
    mask: np.ndarray,
    crop: Box,
    passes: Sequence[Sequence[np.ndarray]],
    scale: int,
) -> np.ndarray:
    """Return a network's mean square error (0 to 1) in every place of every pass over a crop."""

    def complete(photo: np.ndarray, holes: np.ndarray) -> np.ndarray:
        return blend(photo, _filled(runtime, photo, holes), holes, "poisson")

    part, hole = image[crop.slices], mask[crop.slices]
    errors = []
    for places in passes:
        check_cancelled()
        holes = hole | np.logical_or.reduce(places)
        completed = complete_at(part, holes, scale, complete)
        square = ((completed.astype(np.float32) - part) ** 2).mean(axis=-1) / 255**2
        errors += [float(square[place].mean()) for place in places]
    return np.array(errors)


def _squares(mask: np.ndarray, box: Box, scale: int) -> tuple[Box, list[list[np.ndarray]]]:
    """Return a window around a hole, and squares of known pixels in it for one or two passes."""
    middle = Box(*[(box.top + box.bottom) // 2, (box.left + box.right) // 2] * 2)
    crop = middle.expanded(_REACH * scale, mask.shape)
    hole = mask[crop.slices]
    side, step, edge = _SQUARE * scale, _STEP * scale, _SQUARE // 4 * scale
    passes = []
    for start in (edge, edge + step // 2):
        places = []
        for top in range(start, hole.shape[0] - side - edge, step):
            for left in range(start, hole.shape[1] - side - edge, step):
                if not hole[top : top + side, left : left + side].any():
                    place = np.zeros_like(hole)
                    place[top : top + side, left : left + side] = True
                    places.append(place)
        if places:
            passes.append(places)
    return crop, passes


def _probes(
    mask: np.ndarray, box: Box, own: np.ndarray, width: int, scale: int
) -> tuple[Box, list[np.ndarray]]:
    """Return a crop around a group of holes, and masks of known places in it shaped like them."""
    box, own = _most_of(box, own, _LONGEST * scale)
    gap = max(4, width // 4)
    if np.count_nonzero(own) * 3 >= own.size:
        down, right = box.height + gap, box.width + gap
    else:  # long and thin: beside it is nearer than behind its ends
        down = min(box.height, 2 * width) + gap
        right = min(box.width, 2 * width) + gap
    shifts = [(-down, 0), (down, 0), (0, -right), (0, right)]
    margin = _MARGIN * scale
    crop = Box(
        box.top - down - margin,
        box.left - right - margin,
        box.bottom + down + margin,
        box.right + right + margin,
    )
    crop = Box(
        max(0, crop.top),
        max(0, crop.left),
        min(mask.shape[0], crop.bottom),
        min(mask.shape[1], crop.right),
    )
    known = ~mask[crop.slices]
    taken = np.zeros_like(known)
    inside = box.shifted(crop)
    size = np.count_nonzero(own)
    probes = []
    for dy, dx in shifts:
        probe = _moved(own, inside, dy, dx, known.shape) & known & ~taken
        if np.count_nonzero(probe) >= _KNOWN_SHARE * size:
            probes.append(probe)
            taken |= probe
    return crop, probes


def _most_of(box: Box, own: np.ndarray, side: int) -> tuple[Box, np.ndarray]:
    """Return the part of a group of holes in the square window that holds most of it."""
    if max(own.shape) <= side:
        return box, own
    window = (min(side, own.shape[0]), min(side, own.shape[1]))
    total = cv2.integral(own.astype(np.uint8))
    h, w = window
    count = total[h:, w:] - total[:-h, w:] - total[h:, :-w] + total[:-h, :-w]
    top, left = np.unravel_index(count.argmax(), count.shape)
    part = Box(int(top), int(left), int(top) + h, int(left) + w)
    moved = Box(
        box.top + part.top, box.left + part.left, box.top + part.bottom, box.left + part.right
    )
    return moved, own[part.slices]


def _moved(own: np.ndarray, place: Box, dy: int, dx: int, shape: tuple[int, int]) -> np.ndarray:
    """Return a shape moved away from its place; what leaves the picture is cut off."""
    moved = np.zeros(shape, bool)
    top, left = place.top + dy, place.left + dx
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(shape[0], top + own.shape[0]), min(shape[1], left + own.shape[1])
    if y0 < y1 and x0 < x1:
        moved[y0:y1, x0:x1] = own[y0 - top : y1 - top, x0 - left : x1 - left]
    return moved


def complete_at(
    image: np.ndarray,
    mask: np.ndarray,
    scale: float,
    complete: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Complete a photo that is resized first, and resize the result back.

    Args:
        image: Uint8 `(height, width, 3)`.
        mask: Bool `(height, width)`, true in the hole.
        scale: Float, the photo is reduced to one part in so many; below 1 it is enlarged.
        complete: Completes a photo, of any size, as it is.

    Returns:
        Uint8 `(height, width, 3)`, a new array, `image` outside the holes.
    """
    if scale == 1:
        return complete(image, mask)
    size = tuple(max(1, round(side / scale)) for side in mask.shape)
    there, back = (cv2.INTER_AREA, cv2.INTER_CUBIC)[:: 1 if scale > 1 else -1]
    check_cancelled()
    resized = cv2.resize(image, size[::-1], interpolation=there)
    filled = complete(resized, reduced_mask(mask, size))
    check_cancelled()
    drawn = cv2.resize(filled, mask.shape[::-1], interpolation=back)
    return np.where(mask[..., None], drawn, image)
