"""Choose a network and a working scale for each hole, by their errors on the photo itself.

A completion network works best on data like its training data: faces or scenes, holes and photos
of certain sizes. A hole in a face is completed by a network for faces, at the scale at which the
face is as wide as in its training; without a face, this network is not considered. For all other
holes, known places beside the hole (`probes`) are completed too, and the network and scale with
the smallest error there complete the hole. The scale is chosen first, then the network at this
scale. Nothing is random, and only crops around the hole are computed.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from keras_inpaint.inference import AUTO
from keras_inpaint.inference.blending import blend
from keras_inpaint.inference.cancelling import check_cancelled
from keras_inpaint.inference.coarse_to_fine import complete_at
from keras_inpaint.inference.faces import Face, find_face
from keras_inpaint.inference.filling import fill
from keras_inpaint.inference.probes import hole_width, probe_shapes, probe_squares
from keras_inpaint.inference.runtime import Runtime, load_runtime
from keras_inpaint.inference.tiles import Box, hole_groups
from keras_inpaint.presets import DEFAULT_PRESET, PRESETS
from keras_inpaint.presets.cards import ANY_SUBJECT, FACE, TrainedOn, trained_on

#: The working scales to choose from: factors by which a photo is reduced.
SCALES = (1, 2, 4, 8, 16, 32)
#: The largest number of scales per network to try for a hole.
_MAX_SCALES = 3
#: The number of groups of holes in a photo for which scales and networks are compared, the largest
#: ones; the others use the choice of the nearest of these.
_MAX_GROUPS = 4
#: The widest and narrowest holes to complete, relative to those of the network's training, and
#: the smallest photo to reduce to, relative to the smallest of the training.
_WIDER, _NARROWER, _SMALLER_PHOTO = 1.5, 0.5, 0.75
#: The largest mean squared error (of values from 0 to 1) of a specialist in squares on photos of
#: its subject, measured on the photos held out for tuning, and the weight in the score of its
#: error relative to that.
_USUAL_ERROR, _SURPRISE = 0.011, 0.15
#: A hole is in a face if at least this share of it lies in the face.
_IN_FACE = 0.3
#: How much wider or narrower than those of the training a face may be before the photo is resized,
#: and the smallest scale: the photo is enlarged by at most 2.
_WIDTH_SLACK, _FINEST = 1.2, 0.5
#: Added to errors before taking their logarithm.
_NO_ERROR = 1e-4


@dataclass(frozen=True)
class Candidate:
    """A network that may complete a hole.

    Attributes:
        name: String, its name in messages.
        runtime: The runtime that computes it.
        trained_on: What it was trained on; None if unknown, then it is used at the photo's own
            scale only.
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
        """Whether it was trained on faces of a known width."""
        known = self.trained_on
        return known is not None and known.subject == FACE and known.subject_px is not None

    @property
    def texture(self) -> bool:
        """Whether texture from the photo is known to improve its results."""
        return self.trained_on is not None and self.trained_on.subject == ANY_SUBJECT


def load_candidates(
    model: Any = None, runtime: str = "auto", threads: int | None = None
) -> list[Candidate]:
    """Load the networks that may complete a hole.

    Args:
        model: None or `"auto"` for the bundled presets, one model, or a list of models, each as
            accepted by `keras_inpaint.inference.runtime.load_runtime`.
        runtime: String, as accepted by `load_runtime`.
        threads: Int, the number of processor threads; None leaves it to the runtime.

    Raises:
        ValueError: If a model does not exist, or the list is empty.
        TypeError: If a model is of a type that cannot be loaded.
    """
    if model is None or (isinstance(model, str) and model == AUTO):
        models = [name for name, preset in PRESETS.items() if preset.has_weights]
        models = models or [DEFAULT_PRESET]  # its error names what is missing
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


@dataclass(frozen=True)
class Choice:
    """The network and the scale for a group of holes.

    Attributes:
        candidate: The network.
        scale: Float, the factor by which the photo is reduced; below 1 it is enlarged.
        places: Int, the number of known places around the hole that were compared, or 0.
        in_face: Bool, whether it was chosen because the hole is in a face.
    """

    candidate: Candidate
    scale: float
    places: int = 0
    in_face: bool = False


@dataclass(frozen=True)
class Group:
    """Holes near each other, and what completes them.

    Attributes:
        box: The smallest box around them.
        own: Bool `(box height, box width)`, true in them.
        choice: The network and the scale for them.
    """

    box: Box
    own: np.ndarray
    choice: Choice


@dataclass(frozen=True)
class _Hole:
    """A group of holes, `own`, in `box` of a photo, and all unknown pixels, `mask`."""

    image: np.ndarray
    mask: np.ndarray
    box: Box
    own: np.ndarray

    def scales(self, candidate: Candidate, scale: int | None) -> tuple[int, ...]:
        return plausible_scales(candidate, hole_width(self.own), self.mask.shape, scale)

    def distance(self, other: "_Hole") -> int:
        """Return the distance between the corners of two groups' boxes."""
        return sum(abs(a - b) for a, b in zip(self.box, other.box, strict=True))


def choose(
    candidates: Sequence[Candidate], image: np.ndarray, mask: np.ndarray, scale: int | None = None
) -> list[Group]:
    """Choose a network and a working scale for every group of holes in a photo.

    Args:
        candidates: At least one; of equally good ones the first is chosen.
        image: Uint8 `(height, width, 3)`; its values in the holes are ignored.
        mask: Bool `(height, width)`, true in the hole.
        scale: Int, the working scale to use; None chooses it, too.

    Returns:
        The groups; each hole pixel is in exactly one of them.
    """
    holes = [_Hole(image, mask, *group) for group in hole_groups(mask)]
    by_area = sorted(range(len(holes)), key=lambda number: -np.count_nonzero(holes[number].own))
    chosen = {n: _choose_one(candidates, holes[n], scale) for n in by_area[:_MAX_GROUPS]}
    groups = []
    for number, hole in enumerate(holes):
        choice = chosen.get(number)
        if choice is None:
            nearest = min(chosen, key=lambda other: hole.distance(holes[other]))
            choice = _adapted(chosen[nearest], hole, scale)
        groups.append(Group(hole.box, hole.own, choice))
    return groups


def summary(groups: Sequence[Group]) -> list[str]:
    """Return one line on what was chosen for a photo; no line if nothing was compared."""
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
    if scale == 1:
        return "the photo's own scale"
    return f"1/{scale:g} of the scale" if scale == int(scale) else f"{1 / scale:.2f} of the scale"


def _adapted(choice: Choice, hole: _Hole, scale: int | None) -> Choice:
    """Return a neighbour's choice at a scale that is plausible for this hole."""
    if choice.in_face:
        return choice
    scales = hole.scales(choice.candidate, scale)
    nearest = min(scales, key=lambda other: abs(np.log(other / choice.scale)))
    return Choice(choice.candidate, nearest)


def plausible_scales(
    candidate: Candidate, width: int, photo: tuple[int, int], scale: int | None = None
) -> tuple[int, ...]:
    """Return the working scales at which a hole and a photo are about as large as in training.

    Args:
        candidate: The network.
        width: Int, the hole's width in pixels.
        photo: The photo's height and width.
        scale: Int, the requested scale; None if none is requested.

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
    photo_side, hole_side = _SMALLER_PHOTO * trained.photos_px[0], _NARROWER * narrowest
    scales = [
        s for s in fits if s == 1 or (min(photo) >= s * photo_side and width >= s * hole_side)
    ]
    return tuple(scales[:_MAX_SCALES]) or (fits[0],)


def _choose_one(candidates: Sequence[Candidate], hole: _Hole, scale: int | None) -> Choice:
    check_cancelled()
    for_faces = next((one for one in candidates if one.knows_faces), None)
    if for_faces is not None:
        face = find_face(hole.image, hole.mask, hole.box)
        if face is None and len(candidates) * len(hole.scales(for_faces, scale)) > 1:
            face = _hidden_face(for_faces, hole)
        if face is not None and face.share(hole.box, hole.own) >= _IN_FACE:
            best = scale or _scale_of_face(face.width, for_faces.trained_on.subject_px)
            return Choice(for_faces, best, in_face=True)
        if face is None:  # networks for faces are not considered
            candidates = [one for one in candidates if not one.knows_faces] or candidates
    best, places = _choose_scale(candidates, hole, scale)
    if len(candidates) == 1:
        return Choice(candidates[0], best, places)
    crop, squares = probe_squares(hole.mask, hole.box, best)
    if not squares:
        return Choice(candidates[0], best, places)
    scores = []
    for candidate in candidates:
        errors = _errors(candidate.runtime, hole, crop, squares, best)
        score = np.log(errors + _NO_ERROR).mean()
        if candidate.specialist:
            score += _SURPRISE * np.log((errors.mean() + _NO_ERROR) / _USUAL_ERROR)
        scores.append(score)
    return Choice(candidates[int(np.argmin(scores))], best, places + sum(map(len, squares)))


def _hidden_face(candidate: Candidate, hole: _Hole) -> Face | None:
    """Return a face that the hole covers entirely, detected in the network's completion."""
    side = max(hole.box.height, hole.box.width)
    if min(hole.box.height, hole.box.width) * 2 < side:  # too thin to cover a face
        return None
    scale = _scale_of_face(side, candidate.trained_on.subject_px)
    crop = hole.box.expanded(side, hole.mask.shape).slices
    completed = hole.image.copy()
    completed[crop] = complete_at(
        completed[crop], hole.mask[crop], scale, partial(_filled, candidate.runtime)
    )
    return find_face(completed, np.zeros_like(hole.mask), hole.box)


def _filled(runtime: Runtime, photo: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Return a copy of a photo whose holes are filled by a network."""
    filled = photo.copy()
    fill(runtime, filled[None], holes[None])
    return filled


def _scale_of_face(width: float, trained: tuple[int, int]) -> float:
    """Return the working scale at which a face is about as wide as in training."""
    low, high = trained
    if low / _WIDTH_SLACK <= width <= high * _WIDTH_SLACK:
        return 1
    return max(_FINEST, round(float(width / np.sqrt(low * high)), 2))


def _choose_scale(
    candidates: Sequence[Candidate], hole: _Hole, scale: int | None
) -> tuple[int, int]:
    """Return the scale with the smallest error beside the hole, and the number of places compared.

    All networks are tried: for one that was trained on the subject, the errors at different scales
    differ far more.
    """
    plausible = [hole.scales(candidate, scale) for candidate in candidates]
    scales = sorted(set().union(*plausible))
    if len(scales) == 1:
        return scales[0], 0
    crop, probes = probe_shapes(hole.mask, hole.box, hole.own, scales[0])
    if not probes:
        return scales[0], 0
    scores: dict[int, list[float]] = {}
    for candidate, options in zip(candidates, plausible, strict=True):
        for option in options:
            errors = _errors(candidate.runtime, hole, crop, [probes], option)
            scores.setdefault(option, []).append(float(np.log(errors + _NO_ERROR).mean()))
    return min(scores, key=lambda option: (np.mean(scores[option]), option)), len(probes)


def _errors(
    runtime: Runtime, hole: _Hole, crop: Box, passes: Sequence[Sequence[np.ndarray]], scale: int
) -> np.ndarray:
    """Return a network's mean squared error (0 to 1) in every place of every pass over a crop."""

    def complete(photo: np.ndarray, holes: np.ndarray) -> np.ndarray:
        return blend(photo, _filled(runtime, photo, holes), holes, "poisson")

    part = hole.image[crop.slices]
    errors = []
    for places in passes:
        check_cancelled()
        holes = hole.mask[crop.slices] | np.logical_or.reduce(places)
        completed = complete_at(part, holes, scale, complete)
        square = ((completed.astype(np.float32) - part) ** 2).mean(axis=-1) / 255**2
        errors += [float(square[place].mean()) for place in places]
    return np.array(errors)
