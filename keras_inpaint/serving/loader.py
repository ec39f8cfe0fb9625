"""Loads versions into the registry: export, SavedModel, warm-up; then watches the folders."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from keras_inpaint.serving.completion_model import CompletionModel
from keras_inpaint.serving.registry import AVAILABLE, END, LOADING, ModelRegistry
from keras_inpaint.serving.repository import ModelSource, wanted_versions
from keras_inpaint.serving.saved_models import LoadedModel
from keras_inpaint.serving.warmup import replay

logger = logging.getLogger(__name__)


class Loader:
    """Keeps the registry as the model folders are.

    Args:
        registry: Where versions are served from.
        sources: The models.
        policy: String, which versions; see `repository.check_policy`.
        scratch: Folder for SavedModels that are exported at the start.
        executor: One thread, in which models are loaded.
        build: From name, version and loaded model to what is served.
        processor_threads: Int, threads that share one operation, or None for TensorFlow's choice.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        sources: list[ModelSource],
        *,
        policy: str,
        scratch: Path,
        executor: Executor,
        build: Callable[[str, int, LoadedModel], CompletionModel],
        processor_threads: int | None = None,
    ) -> None:
        self._registry = registry
        self._sources = sources
        self._policy = policy
        self._scratch = scratch
        self._executor = executor
        self._build = build
        self._processor_threads = processor_threads
        self._failed: dict[tuple[str, int], int] = {}
        for source in sources:
            registry.expect(source.name)

    async def load_all(self) -> None:
        """Load every version that the policy selects.

        Raises:
            ValueError: If a model has no version that can be served; the message says why.
        """
        loop = asyncio.get_running_loop()
        for index, source in enumerate(self._sources):
            if source.network is not None:
                logger.info("exporting %s", source.network.name)
                self._sources[index] = await loop.run_in_executor(
                    self._executor, _export, source, self._scratch
                )
        await self._update()
        for name in self._registry.names:
            if not self._registry.available(name):
                raise ValueError(f"model {name!r} cannot be served: {self._why_not(name)}")

    def _why_not(self, name: str) -> str:
        entries = self._registry.status(name)["model_version_status"]
        errors = [entry["status"]["error_message"] for entry in entries]
        return next(filter(None, errors), f"no version fits {self._policy!r}")

    async def watch(self, seconds: float) -> None:
        """Look for new and removed versions, until cancelled.

        Args:
            seconds: Float, pause between looks.
        """
        while True:
            await asyncio.sleep(seconds)
            try:
                await self._update()
            except Exception:
                logger.exception("looking for new versions failed; trying again")

    async def _update(self) -> None:
        loop = asyncio.get_running_loop()
        for source in self._sources:
            wanted = await loop.run_in_executor(None, wanted_versions, source, self._policy)
            for version, path in wanted.items():
                status = self._registry.state(source.name, version)
                stamp = _stamp(path)
                served = status is not None and status.state == AVAILABLE
                if not served and self._failed.get((source.name, version)) != stamp:
                    await self._load(source.name, version, path, stamp)
            if wanted:  # a folder that vanished as a whole is more likely a mount than a wish
                for version in self._registry.available(source.name):
                    if version not in wanted:
                        logger.info("version %d of %s is no longer served", version, source.name)
                        self._registry.remove(source.name, version)

    async def _load(self, name: str, version: int, path: Path, stamp: int) -> None:
        loop = asyncio.get_running_loop()
        self._registry.set_state(name, version, LOADING)
        try:
            loaded, replayed = await loop.run_in_executor(
                self._executor, _load, path, self._processor_threads
            )
            self._registry.add(self._build(name, version, loaded))
        except Exception as error:
            self._failed[name, version] = stamp
            self._registry.set_state(name, version, END, str(error) or type(error).__name__)
            fields = {"model": name, "version": version}
            logger.error("cannot serve: %s", error, extra={"fields": fields})
            return
        self._failed.pop((name, version), None)
        fields = {"model": name, "version": version, "warmup_requests": replayed}
        logger.info("model loaded", extra={"fields": fields})


def _export(source: ModelSource, scratch: Path) -> ModelSource:
    from keras_inpaint.exporting.saved_model import export_saved_model

    base = scratch / source.name
    export_saved_model(source.network, base)
    return ModelSource(source.name, base)


def _load(path: Path, processor_threads: int | None) -> tuple[LoadedModel, int]:
    if processor_threads is not None:
        _limit(processor_threads)
    loaded = LoadedModel(path)
    return loaded, replay(loaded)


def _limit(threads: int) -> None:
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError:  # the first model has started TensorFlow's threads already
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            logger.warning("TensorFlow already runs: its threads stay as they are")


def _stamp(path: Path) -> int:
    try:
        return max(path.stat().st_mtime_ns, (path / "saved_model.pb").stat().st_mtime_ns)
    except OSError:
        return 0
