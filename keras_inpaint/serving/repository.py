"""Which models there are: folders laid out as TensorFlow Serving wants them."""

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path

from keras_inpaint import presets

SAVED_MODEL_FILE = "saved_model.pb"
RUN_NETWORK = "completion.keras"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_POLICY = re.compile(r"all|latest(:[1-9]\d{0,3})?|\d{1,18}(,\d{1,18})*")


@dataclasses.dataclass(frozen=True)
class ModelSource:
    """A model's name and where its versions lie.

    Attributes:
        name: String, the model's name in URLs.
        base: Folder whose numbered subfolders are SavedModels; None while `network` is still
            to be exported.
        network: `.keras` file to export at the start, or None.
        only: Int, the one version of `base` that is served, or None for all.
    """

    name: str
    base: Path | None = None
    network: Path | None = None
    only: int | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"a model's name is letters, digits, '_', '.' and '-', got {self.name!r}"
            )


def find_sources(reference: str | os.PathLike[str], name: str | None = None) -> list[ModelSource]:
    """Return the models that a reference means.

    Args:
        reference: A preset's name, a `.keras` file, a run's folder, a SavedModel folder, a
            folder `NAME` with numbered versions `NAME/1/`, or a folder of such folders.
        name: String, the name to serve it under; by default that of the folder, file or
            preset. Not for a folder of several models.

    Returns:
        One source or more, in the order of their names.

    Raises:
        ValueError: If nothing that can be served is there, or a name is no name.
    """
    text = os.fspath(reference)
    path = Path(reference)
    if isinstance(reference, str) and reference in presets.PRESETS:
        return [ModelSource(name or reference, network=presets.resolve(reference))]
    if path.is_dir():
        return _in_folder(path.resolve(), name)
    if path.suffix.lower() == ".tflite":
        raise ValueError(f"{text} is a TFLite file; serve takes a SavedModel or a .keras file")
    found = presets.resolve(reference)
    own = found.parent.resolve().name if found.name == RUN_NETWORK else found.stem
    return [ModelSource(name or _as_name(own), network=found)]


def _in_folder(folder: Path, name: str | None) -> list[ModelSource]:
    if (folder / SAVED_MODEL_FILE).is_file():
        if folder.name.isdecimal():
            return [
                ModelSource(
                    name or _as_name(folder.parent.name), folder.parent, only=int(folder.name)
                )
            ]
        raise ValueError(
            f"{folder} is a SavedModel, but not in a numbered folder: serve wants NAME/1/"
            f"{SAVED_MODEL_FILE}; move it to {folder.name}/1"
        )
    if find_versions(folder):
        return [ModelSource(name or _as_name(folder.name), folder)]
    if (folder / RUN_NETWORK).is_file():
        return [ModelSource(name or _as_name(folder.name), network=folder / RUN_NETWORK)]
    children = [child for child in sorted(folder.iterdir()) if child.is_dir()]
    several = [child for child in children if find_versions(child)]
    if not several:
        raise ValueError(
            f"no model in {folder}: looked for numbered SavedModel versions "
            f"(1/{SAVED_MODEL_FILE}), for folders that hold such, and for {RUN_NETWORK}"
        )
    if name is not None:
        raise ValueError(f"{folder} holds {len(several)} models; one name does not fit them")
    return [ModelSource(child.name, child) for child in several]


def _as_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-._") or "completion"


def find_versions(base: Path) -> dict[int, Path]:
    """Return the SavedModel versions in a model's folder, ascending.

    Args:
        base: Folder with numbered subfolders.

    Returns:
        From version number to the folder that holds `saved_model.pb`.
    """
    try:
        found = {
            int(child.name): child
            for child in base.iterdir()
            if child.name.isdecimal()
            and len(child.name) <= 18
            and (child / SAVED_MODEL_FILE).is_file()
        }
    except OSError:
        return {}
    return dict(sorted(found.items()))


def check_policy(policy: str) -> str:
    """Return a version policy if it is one.

    Args:
        policy: `"all"`, `"latest"`, `"latest:N"` for the N highest, or version numbers with
            commas.

    Raises:
        ValueError: If it is none of these.
    """
    if not _POLICY.fullmatch(policy):
        raise ValueError(
            f"versions must be 'all', 'latest', 'latest:N' or numbers with commas, got {policy!r}"
        )
    return policy


def wanted_versions(source: ModelSource, policy: str) -> dict[int, Path]:
    """Return the versions of a source that a policy selects, ascending.

    Args:
        source: A source with a `base`.
        policy: See `check_policy`.
    """
    if source.base is None:
        return {}
    found = find_versions(source.base)
    if source.only is not None:
        return {version: path for version, path in found.items() if version == source.only}
    return {version: found[version] for version in _select(list(found), policy)}


def _select(versions: list[int], policy: str) -> Iterator[int]:
    if policy == "all":
        yield from versions
    elif policy.startswith("latest"):
        yield from versions[-int(policy.partition(":")[2] or 1) :]
    else:
        named = {int(number) for number in policy.split(",")}
        yield from (version for version in versions if version in named)
