"""The models of a server and the state of each version."""

import dataclasses
import logging
from typing import Any

from keras_inpaint.serving import metrics
from keras_inpaint.serving.completion_model import CompletionModel
from keras_inpaint.serving.errors import NotFound, NotReady
from keras_inpaint.serving.kserve_sdk import ModelRepository

logger = logging.getLogger(__name__)

# TensorFlow Serving's ModelVersionStatus.State and error codes.
START, LOADING, AVAILABLE, UNLOADING, END = "START", "LOADING", "AVAILABLE", "UNLOADING", "END"


@dataclasses.dataclass
class VersionStatus:
    """Where a version is in its life.

    Attributes:
        state: String, TensorFlow Serving's name of the state.
        error: String, why it is not served; empty if nothing failed.
    """

    state: str = START
    error: str = ""

    def as_json(self, version: int) -> dict[str, Any]:
        """Return the entry of `model_version_status`."""
        code = "UNKNOWN" if self.error else "OK"
        return {
            "version": str(version),
            "state": self.state,
            "status": {"error_code": code, "error_message": self.error},
        }


class ModelRegistry(ModelRepository):
    """KServe's repository, with versions.

    KServe asks for a model by one name: `"faces"` is the highest available version, `"faces/2"`
    that version.
    """

    def __init__(self) -> None:
        super().__init__(models_dir="")
        self.models: dict[str, CompletionModel] = {}
        self._versions: dict[str, dict[int, VersionStatus]] = {}

    def expect(self, name: str) -> None:
        """Make a model known before any of its versions is."""
        self._versions.setdefault(name, {})

    def set_state(self, name: str, version: int, state: str, error: str = "") -> None:
        """Record where a version is in its life."""
        self._versions.setdefault(name, {})[version] = VersionStatus(state, error)
        metrics.MODEL_AVAILABLE.labels(name, str(version)).set(int(state == AVAILABLE))

    def add(self, model: CompletionModel) -> None:
        """Serve a version from now on."""
        self.models = {**self.models, model.name: model}
        self.set_state(model.model_name, model.version, AVAILABLE)

    def remove(self, name: str, version: int) -> None:
        """Stop serving a version; requests that hold it end as they began."""
        key = qualified_name(name, version)
        model = self.models.get(key)
        self.models = {other: kept for other, kept in self.models.items() if other != key}
        if model is not None:
            model.stop()
        self.set_state(name, version, END)

    def state(self, name: str, version: int) -> VersionStatus | None:
        """Return where a version is in its life; None if it is not known."""
        return self._versions.get(name, {}).get(version)

    @property
    def names(self) -> list[str]:
        """Names of all models, served or not."""
        return sorted(self._versions)

    def available(self, name: str) -> list[int]:
        """Return the versions of a model that are served, ascending."""
        return sorted(
            version
            for version, status in self._versions.get(name, {}).items()
            if status.state == AVAILABLE
        )

    def status(self, name: str, version: int | None = None) -> dict[str, Any]:
        """Return TensorFlow Serving's answer about a model's state.

        Raises:
            NotFound: If the model, or the version, is not known.
        """
        versions = self._versions.get(name)
        if versions is None or (version is not None and version not in versions):
            raise _unknown(name, version)
        wanted = sorted(versions, reverse=True) if version is None else [version]
        return {"model_version_status": [versions[one].as_json(one) for one in wanted]}

    def find(self, name: str, version: int | None = None) -> CompletionModel:
        """Return a version that is served.

        Args:
            name: String.
            version: Int, or None for the highest that is served.

        Raises:
            NotFound: If it is not known.
            NotReady: If it is known and not served (yet).
        """
        versions = self._versions.get(name)
        if versions is None or (version is not None and version not in versions):
            raise _unknown(name, version)
        served = self.available(name)
        chosen = (served[-1] if served else None) if version is None else version
        model = self.models.get(qualified_name(name, chosen)) if chosen is not None else None
        if model is None:
            what = (
                f"version {version} of model {name!r}" if version is not None else f"model {name!r}"
            )
            raise NotReady(f"{what} is not available", retry_after=5)
        return model

    def get_model(self, name: str) -> CompletionModel | None:
        """Return a model by KServe's one name, or None."""
        base, _, version = name.partition("/")
        try:
            return self.find(base, int(version) if version else None)
        except (NotFound, NotReady, ValueError):
            return None

    def get_models(self) -> dict[str, CompletionModel]:
        """Return the highest served version of each model."""
        return {name: model for name in self.names if (model := self.get_model(name))}

    @property
    def is_ready(self) -> bool:
        """Whether every model has a version that is served."""
        return bool(self._versions) and all(self.available(name) for name in self._versions)


def qualified_name(name: str, version: int) -> str:
    """Return the one name by which KServe knows a version."""
    return f"{name}/{version}"


def _unknown(name: str, version: int | None) -> NotFound:
    # TensorFlow Serving's words.
    which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return NotFound(f"Servable not found for request: {which}")
