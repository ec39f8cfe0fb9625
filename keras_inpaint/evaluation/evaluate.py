"""Reproducible evaluation: the same photos, holes and figures on every machine."""

import dataclasses
import hashlib
import importlib.metadata
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from keras_inpaint.evaluation.baselines import (
    BASELINES,
    USUAL_BASELINES,
    Completer,
    check_baseline,
)
from keras_inpaint.evaluation.features import FeatureDistances, Features
from keras_inpaint.evaluation.html import PageReport
from keras_inpaint.evaluation.masks import FixedMasks, mask_hash
from keras_inpaint.evaluation.metrics import measure
from keras_inpaint.evaluation.photo_set import PhotoSet, choose, open_photos, split_of_run
from keras_inpaint.evaluation.report import Case, Measured, Report
from keras_inpaint.inference import AUTO
from keras_inpaint.presets import DEFAULT_PRESET, PRESETS, resolve
from keras_inpaint.presets.registry import KERAS_FILE, TFLITE_FILE
from keras_inpaint.psnr import PSNR_LIMIT

logger = logging.getLogger(__name__)

#: The largest factor by which photos are enlarged for the evaluation.
MOST_ENLARGED = 8
#: The model reference for evaluating baselines only.
NO_MODEL = "none"

_SOFTWARE = ("keras-inpaint", "numpy", "pillow", "opencv-python-headless", "scikit-image")

_RULES = {
    "data_range": "errors of 8-bit values divided by 255; SSIM on 8-bit values, range 255",
    "psnr": f"per photo, then averaged; no error counts as {PSNR_LIMIT:g} dB",
    "psnr_of_mean_mse": "PSNR of the mean of the photos' mean squared errors",
    "ssim": "Gaussian window, sigma 1.5, population covariance, mean of the colours",
    "interval": "95 %, percentile bootstrap over photos, 2000 resamples",
    "photos": "shortest side resized to the size with a Lanczos filter, centre crop, 8 bits",
}


def evaluate(
    photos: Any,
    model: Any = None,
    *,
    masks: str | os.PathLike[str] = "center:40",
    size: int = 160,
    seed: int = 0,
    enlarge: int = 1,
    network_alone: bool = False,
    baselines: bool | Sequence[str] = False,
    limit: int | None = None,
    only: Sequence[str] | None = None,
    held_out: float | str | os.PathLike[str] | None = None,
    split_seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    features: Any = None,
    cases: int = 3,
    progress: Callable[[int, int], None] | None = None,
    **inpainter: Any,
) -> PageReport:
    """Evaluate completion networks and classical baselines on the same holes.

    Example:

    >>> report = evaluate("photos/", "faces", masks="center:40", baselines=True)
    >>> report.summary("faces")["psnr_hole"].mean
    >>> report.write_html("report.html")

    Args:
        photos: A folder, `sample`, `tfds:NAME` or arrays, as accepted by `open_photos`.
        model: A preset's name, a path, a Keras model, a function from uint8 `(height, width, 3)`
            and a bool mask `(height, width)` to uint8, or a sequence of these. None is the
            default preset; `"none"` is no network.
        masks: The holes, as accepted by `FixedMasks`.
        size: Int, side in px of the square cropped from each photo, 16 or more.
        seed: Int, the seed of the masks and of the bootstrap.
        enlarge: Int, the factor by which each cropped photo and its hole are enlarged: the same
            photo at another scale.
        network_alone: Bool, whether to also evaluate each network at the photos' own scale,
            without blending and texture.
        baselines: True for `USUAL_BASELINES`, or names from `BASELINES`.
        limit: Int, the largest number of photos, spread evenly.
        only: Names of the photos to evaluate.
        held_out: Evaluate only the photos that a training run held out: the run's folder, or its
            `held_out`, a float, if its seed was `split_seed`.
        split_seed: Int, the seed of the training run.
        data_dir: Folder of the TFDS data.
        features: A `.keras` file or Keras model that extracts features of photos, for FID and
            KID.
        cases: Int, the number of worst, median and best photos each to keep as images.
        progress: Called with the number of completed photos and the total number.
        **inpainter: Passed to `Inpainter`: `runtime`, `blend` and so on.

    Returns:
        A `Report`.

    Raises:
        ValueError: If an argument is out of its range, or there is nothing to evaluate.
        FileNotFoundError: If the folder of photos does not exist.
        RuntimeError: If scikit-image, of the extra `evaluate`, is missing.
    """
    if size < 16:
        raise ValueError(f"size must be 16 or more, got {size}")
    if not isinstance(enlarge, int) or not 1 <= enlarge <= MOST_ENLARGED:
        raise ValueError(f"enlarge must be 1 to {MOST_ENLARGED}, got {enlarge!r}")
    names = USUAL_BASELINES if baselines is True else tuple(baselines or ())
    for name in names:
        check_baseline(name)
    if held_out is not None and not isinstance(held_out, int | float):
        held_out, split_seed = split_of_run(Path(held_out))
    chosen = choose(
        open_photos(photos, data_dir=data_dir),
        only=only,
        held_out=held_out,
        split_seed=split_seed,
        limit=limit,
    )
    fixed = FixedMasks(masks, len(chosen), size, seed)
    networks, models = _networks(model, inpainter, alone=network_alone)
    methods = {**networks, **{name: BASELINES[name] for name in names}}
    if not methods:
        raise ValueError("there is nothing to evaluate: no model and no baselines")
    distances = FeatureDistances(Features(features)) if features is not None else None

    digest = hashlib.sha256()
    measured, kept, skipped = [], [], {}
    for number, name in enumerate(chosen.names):
        try:
            original = chosen.pixels(number, size)
        except (OSError, SyntaxError, ValueError) as error:
            skipped[name] = f"{type(error).__name__}: {error}".split("\n")[0]
            logger.warning("photo skipped: %s: %s", name, skipped[name])
            continue
        original, mask = enlarged(original, fixed[number], enlarge)
        completed = {key: method(original, mask) for key, method in methods.items()}
        figures = {key: measure(original, photo, mask) for key, photo in completed.items()}
        digest.update(original.tobytes())
        if distances is not None:
            distances.add(original, completed, mask)
        area = float(mask.mean())
        measured.append(Measured(name, mask_hash(mask), area, figures, fixed.file_of(number)))
        kept.append(number)
        if progress:
            progress(number + 1, len(chosen))
    if not measured:
        raise ValueError(f"no readable photo in {chosen.source}: {next(iter(skipped.items()))}")
    report = PageReport(
        protocol={
            **_RULES,
            "data": chosen.source,
            "photos": len(measured),
            "photos_sha256": digest.hexdigest(),
            "masks": fixed.name,
            "size": size,
            **({"enlarge": enlarge} if enlarge > 1 else {}),
            "seed": seed,
            "held_out": None if held_out is None else {"part": held_out, "seed": split_seed},
        },
        models=models,
        baselines=names,
        photos=tuple(measured),
        features=None if distances is None else distances.summary(),
        skipped=skipped,
        software=_versions(),
    )
    images = _cases(report, chosen, kept, fixed, methods, cases, enlarge)
    return dataclasses.replace(report, cases=tuple(images))


def enlarged(image: np.ndarray, mask: np.ndarray, times: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a photo and its hole enlarged by an integer factor, the photo by cubic interpolation.

    Args:
        image: Uint8 `(height, width, 3)`.
        mask: Bool `(height, width)`.
        times: Int, the factor, 1 or more.
    """
    if times == 1:
        return image, mask
    size = (times * image.shape[1], times * image.shape[0])
    image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    return image, mask.repeat(times, axis=0).repeat(times, axis=1)


def _networks(
    model: Any, options: Mapping[str, Any], *, alone: bool = False
) -> tuple[dict[str, Completer], dict[str, dict[str, Any]]]:
    """Return the networks by name, and the report's entry for each."""
    several = isinstance(model, list | tuple)
    networks: dict[str, Completer] = {}
    models: dict[str, dict[str, Any]] = {}
    for reference in model if several else [model]:
        if isinstance(reference, str) and reference == NO_MODEL:
            continue
        name, completer, about = _network(reference, options)
        while name in networks or name in BASELINES:
            name += "'"
        networks[name], models[name] = completer, about
        if alone and hasattr(completer, "runtime"):
            name, bare = f"{name} (network alone)", {"blend": "none", "scale": 1, "texture": "off"}
            completer = type(completer)(completer.runtime, **bare)
            networks[name], models[name] = (
                completer,
                {**about, "options": {**about["options"], **bare}},
            )
    return networks, models


def _network(reference: Any, options: Mapping[str, Any]) -> tuple[str, Completer, dict[str, Any]]:
    is_keras = hasattr(reference, "count_params") and hasattr(reference, "layers")
    if callable(reference) and not is_keras:
        if options:
            raise ValueError(f"a function takes no options of Inpainter, got {dict(options)}")
        name = getattr(reference, "__name__", type(reference).__name__)
        return name, reference, {"file": None, "sha256": None, "options": {}}

    from keras_inpaint.inference.inpainter import Inpainter

    automatic = isinstance(reference, str) and reference == AUTO
    if reference is None:
        reference = DEFAULT_PRESET
    if not is_keras and not automatic:
        resolve(reference)  # fails for a missing model before TensorFlow is loaded
    inpainter = Inpainter(reference, **options)
    about: dict[str, Any] = {
        "file": None,
        "sha256": None,
        "options": {**options, "runtime": inpainter.runtime.name},
    }
    if is_keras:
        return str(reference.name), inpainter, about
    if automatic:
        return AUTO, inpainter, about
    is_lite = inpainter.runtime.name == "litert"
    path = resolve(reference, prefer=".tflite" if is_lite else ".keras")
    about.update(file=path.name, sha256=model_digest(path))
    return _name_of(reference, path), inpainter, about


def _name_of(reference: str | os.PathLike[str] | None, path: Path) -> str:
    """Return the preset's name, or the file's, or its folder's for files of generic names."""
    if reference is None or reference in PRESETS:
        return os.fspath(reference or DEFAULT_PRESET)
    path = path.resolve()
    if path.name in (KERAS_FILE, TFLITE_FILE) or path.name.isdecimal():
        return path.parent.name
    return path.stem if path.is_file() else path.name


def model_digest(path: Path) -> str:
    """Return the SHA-256 of a model file, or of the names and files of a SavedModel."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _cases(
    report: Report,
    photos: PhotoSet,
    kept: Sequence[int],
    masks: FixedMasks,
    methods: Mapping[str, Completer],
    count: int,
    enlarge: int,
) -> Iterable[Case]:
    """Yield the worst, median and best photos of the first method, completed again."""
    order = np.argsort(report.values(report.methods[0], "psnr_hole"), kind="stable").tolist()
    count = min(count, len(order) // 3 or len(order))
    middle = (len(order) - count) // 2
    places = {"worst": order[:count], "median": order[middle : middle + count]}
    places["best"] = order[len(order) - count :][::-1]
    shown: set[int] = set()
    for kind, numbers in places.items():
        for place in numbers:
            if place not in shown:
                shown.add(place)
                original = photos.pixels(kept[place], masks.size)
                original, mask = enlarged(original, masks[kept[place]], enlarge)
                completed = {name: method(original, mask) for name, method in methods.items()}
                yield Case(kind, place, original, mask, completed)


def _versions() -> dict[str, str]:
    versions = {}
    for name in _SOFTWARE:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return versions
