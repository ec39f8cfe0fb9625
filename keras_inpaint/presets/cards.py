"""Model cards: description, origin and metrics of a preset's weights."""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_inpaint.files import read_json_object
from keras_inpaint.presets.registry import CARD_FILE

CARD_FORMAT = "keras-inpaint-model-card/1"

#: The required entries of a preset's card, with their types.
REQUIRED: dict[str, type] = {
    "format": str,
    "name": str,
    "description": str,
    "intended_use": str,
    "limits": list,
    "licence": str,
    "training_data": list,
    "training": dict,
    "figures": list,
    "files": dict,
}

#: Metrics by which a card compares the network with the best baseline; higher is better.
COMPARED = ("psnr_hole", "psnr_whole", "ssim_hole", "ssim_whole")

#: The required entries for each part of the training data.
DATA_KEYS = ("source", "photos", "licence", "attribution")


#: The subjects of networks that were trained on photos in general and on portraits.
ANY_SUBJECT, FACE = "any", "face"


@dataclass(frozen=True)
class TrainedOn:
    """The sizes and the subject that a completion network was trained on.

    Attributes:
        holes_px: The narrowest and the widest hole, in pixels.
        photos_px: The shortest side of the smallest and of the largest photo, in pixels.
        subject: String, what the photos show, such as `"face"`; `ANY_SUBJECT` for photos in
            general; None if unknown.
        subject_px: The smallest and the largest width of the subject, in pixels; None if unknown.
    """

    holes_px: tuple[int, int]
    photos_px: tuple[int, int]
    subject: str | None = None
    subject_px: tuple[int, int] | None = None


def trained_on(card: Mapping[str, Any], subject: str | None = None) -> TrainedOn | None:
    """Return what a network was trained on, according to its card.

    Args:
        card: A model card with `trained_on`, or with the `config` of a run in `training`.
        subject: String, the subject if the card has none.

    Returns:
        The sizes; None if the card does not contain them.
    """
    found = card.get("trained_on")
    if not isinstance(found, Mapping):
        training = card.get("training")
        config = training.get("config") if isinstance(training, Mapping) else None
        found = sizes_of_training(config) if isinstance(config, Mapping) else {}
    holes, photos, widths = (
        _range(found.get(key)) for key in ("holes_px", "photos_px", "subject_px")
    )
    if holes is None or photos is None:
        return None
    own = found.get("subject")
    return TrainedOn(holes, photos, own if isinstance(own, str) else subject, widths)


def _range(found: Any) -> tuple[int, int] | None:
    """Return two positive sizes in ascending order; None for anything else."""
    try:
        low, high = map(int, found)
    except (TypeError, ValueError):
        return None
    return (low, high) if 0 < low <= high else None


def sizes_of_training(config: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return the sizes in `trained_on` for the settings of a training.

    Args:
        config: Attributes of `training.config.TrainingConfig` to their values.

    Returns:
        Dict with `holes_px` and `photos_px`, each a minimum and a maximum; empty if the masks
        contain no rectangles, whose sides are the holes' widths.
    """
    sides = [
        tuple(map(int, found))
        for found in re.findall(r"rectangles:(\d+)-(\d+)", str(config.get("masks")))
    ]
    size, scale = config.get("size"), config.get("scale") or (1.0, 1.0)
    if not sides or not isinstance(size, int):
        return {}
    return {
        "holes_px": [min(low for low, _ in sides), max(high for _, high in sides)],
        "photos_px": [round(size * float(scale[0])), round(size * float(scale[-1]))],
    }


def figures_of(evaluation: Mapping[str, Any], model: str | None = None) -> dict[str, Any]:
    """Return a card's entry for an evaluation.

    Args:
        evaluation: The JSON that `keras-inpaint evaluate --json` wrote.
        model: String, the network's name in it; None if there is only one.

    Returns:
        Dict with the protocol in short, the model, each metric's mean and interval, and, where
        baselines were measured, for the metrics of `COMPARED` the best baseline and the gain
        over it.

    Raises:
        ValueError: If the evaluation does not contain this network.
    """
    names = list(evaluation["models"])
    if model is None and len(names) == 1:
        model = names[0]
    if model not in names:
        raise ValueError(f"expected one of the networks {names}, got {model!r}")
    protocol = evaluation["protocol"]
    kept = ("data", "photos", "masks", "size", "seed", "masks_sha256", "photos_sha256", "held_out")
    result = {key: protocol[key] for key in kept}
    result["metrics"] = evaluation["methods"][model]["summary"]
    result["model"] = evaluation["models"][model]
    gaps = {
        name: gap
        for name, gap in evaluation["differences"][model].items()
        if name not in evaluation["models"]
    }
    if gaps:
        result["best_baselines"] = {}
        for metric in COMPARED:
            name = min(gaps, key=lambda other: gaps[other][metric]["mean"])
            result["best_baselines"][metric] = {"name": name, "gain": gaps[name][metric]}
    return result


def files_of(folder: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the size in bytes and the SHA-256 of files in a folder."""
    found = {}
    for name in names:
        data = (folder / name).read_bytes()
        found[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return found


def read_card(file: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a model card and check its required entries.

    Args:
        file: A `model_card.json`.

    Returns:
        The card.

    Raises:
        ValueError: If it is not a JSON object, or something is missing or of another type.
        FileNotFoundError: If there is no such file.
    """
    card = read_json_object(file)
    check_card(card, str(file))
    return card


def card_beside(path: str | os.PathLike[str], strict: bool = False) -> dict[str, Any]:
    """Return what the files beside a network's file say about it.

    Args:
        path: A network's file.
        strict: Whether a file that is not a JSON object is an error instead of being ignored.

    Returns:
        The contents of `model_card.json`, or else `training` with those of a run's
        `config.json`; empty if there is neither.

    Raises:
        ValueError: If such a file does not hold a JSON object, and `strict` is set.
    """
    for name, key in ((CARD_FILE, None), ("config.json", "training")):
        try:
            content = read_json_object(Path(path).parent / name)
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            if strict:
                raise
            continue
        return content if key is None else {key: content}
    return {}


def check_card(card: Any, where: str = "the model card") -> None:
    """Raise a ValueError that names what a card lacks."""
    if not isinstance(card, dict):
        raise ValueError(f"{where} is not a JSON object")
    for key, kind in REQUIRED.items():
        if not isinstance(card.get(key), kind) or not card[key]:
            raise ValueError(f"{where}: {key!r} must be a {kind.__name__}, got {card.get(key)!r}")
    if card["format"] != CARD_FORMAT:
        raise ValueError(f"{where}: format must be {CARD_FORMAT!r}, got {card['format']!r}")
    for part in card["training_data"]:
        missing = [key for key in DATA_KEYS if not part.get(key)]
        if missing:
            raise ValueError(f"{where}: training data {part!r} lacks {', '.join(missing)}")
    if not card["training"].get("command"):
        raise ValueError(f"{where}: training lacks its command")
