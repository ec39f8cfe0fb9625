"""Run the three phases in order, in a folder from which an interrupted run resumes."""

import importlib.util
import itertools
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import keras_inpaint
from keras_inpaint.data.images import Images
from keras_inpaint.data.pipeline import make_dataset
from keras_inpaint.data.sources import load_images
from keras_inpaint.networks.completion import build_completion_network
from keras_inpaint.networks.discriminators import build_context_discriminator
from keras_inpaint.networks.features import read_features_network
from keras_inpaint.networks.weights import read_network, write_network
from keras_inpaint.training.callbacks import CollapseGuard, StopOnNaN, TrainingFailed
from keras_inpaint.training.config import TrainingConfig, require_same
from keras_inpaint.training.cooldown import Cooldown
from keras_inpaint.training.devices import (
    choose_precision,
    distributed_copy,
    open_folder,
    require_agreement,
    require_service,
    require_shares,
)
from keras_inpaint.training.evaluator import Checkpointer, Evaluator
from keras_inpaint.training.phases import build_trainer, optimizer_parts, optimizers_of, start_from
from keras_inpaint.training.regularization import PerceptualLoss
from keras_inpaint.training.run_folder import RunFolder
from keras_inpaint.training.trainer import Trainer, require_tensorflow

logger = logging.getLogger(__name__)

#: Called with the name of an event and its data; see `train`.
Listener = Callable[[str, dict[str, Any]], None]

PHASES = {1: "completion network", 2: "discriminator", 3: "both networks"}
#: The number of batches on which batch normalisation's statistics are re-estimated.
BATCH_NORM_BATCHES = 20


@dataclass(frozen=True)
class RunOptions:
    """How a run is computed and reported; see `train`. None of this changes the result.

    Attributes:
        save_seconds: Float.
        callbacks: Keras callbacks for every phase.
        listener: `Listener`.
        strategy: `tf.distribute.Strategy` that the networks are trained under.
        data_service: Address of a tf.data service, or None.
    """

    save_seconds: float
    callbacks: Sequence[keras.callbacks.Callback]
    listener: Listener
    strategy: tf.distribute.Strategy
    data_service: str | None

    def tell(self, event: str, **facts: Any) -> None:
        """Report an event to the listener."""
        self.listener(event, facts)


def train(
    config: TrainingConfig,
    run: str | os.PathLike[str],
    *,
    images: Images | None = None,
    fresh: bool = False,
    save_seconds: float = 120.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    listener: Listener | None = None,
    strategy: tf.distribute.Strategy | None = None,
    data_service: str | None = None,
) -> Path:
    """Train a completion network in three phases, or resume an interrupted run.

    Example:

    >>> config = TrainingConfig(data="photos/", size=64, width=0.25, steps=(2000, 100, 200))
    >>> train(config, "runs/small")

    Args:
        config: `TrainingConfig`. An existing run must have been started with the same one, except
            that the numbers of steps may grow if the learning rate is constant.
        run: Path of the run's folder.
        images: `Images`; None loads `config.data`.
        fresh: Bool, whether to start over if the folder contains a run.
        save_seconds: Float, the approximate interval between writes of the state, in seconds.
        callbacks: Keras callbacks for the `fit` of every phase, in addition to the run's own.
        listener: Called with `"loading"` (`done`, `total`), `"data"`, `"precision"`,
            `"resume"`, `"phase"`, `"row"`, `"evaluated"`, and their data as a dict.
        strategy: `tf.distribute.MirroredStrategy` or `MultiWorkerMirroredStrategy`, whose
            replicas share each batch; None is one device. A run may be resumed with another one.
        data_service: `"grpc://HOST:PORT"`, a tf.data service that computes the batches.

    Returns:
        The path of the finished completion network, a float32 `.keras` file.

    Raises:
        ValueError: If the run was started with another configuration or other images, the initial
            weights do not fit, or the replicas cannot share a batch evenly.
        ConnectionError: If no tf.data service responds.
        TrainingFailed: If a loss is not a number.
        RuntimeError: If another process is training in this folder, Keras' backend is not
            TensorFlow, or the workers were started with different settings or folders.
    """
    require_tensorflow()
    strategy = strategy or tf.distribute.get_strategy()
    require_shares(config.batch_size, strategy.num_replicas_in_sync)
    if data_service is not None:
        require_service(data_service)
    listener = listener or (lambda event, facts: None)
    options = RunOptions(save_seconds, callbacks, listener, strategy, data_service)
    with open_folder(RunFolder(run), fresh, strategy) as (folder, found):
        try:
            _train(config, folder, found, images, options)
        except TrainingFailed as error:
            folder.write_json(folder.failure_file, {"reason": str(error)})
            raise
    return RunFolder(run).completion_file


def _train(
    config: TrainingConfig,
    folder: RunFolder,
    found: dict[str, Any] | None,
    images: Images | None,
    options: RunOptions,
) -> None:
    if found is not None:
        require_same(found["config"], config, folder.path)
        if folder.failure_file.exists():
            reason = json.loads(folder.failure_file.read_text("utf-8"))["reason"]
            logger.warning("%s failed before: %s", folder.path, reason)
    if images is None:
        cache_bytes = None if config.cache_gb is None else int(config.cache_gb * 1e9)
        if options.data_service:  # which decodes
            cache_bytes = 0
        images = load_images(
            config.data,
            data_dir=config.data_dir,
            shortest_side=round(config.size * config.scale[1]),
            cache_bytes=cache_bytes,
            progress=lambda done, total: options.tell("loading", done=done, total=total),
        )
    kept, held_out = images.split(config.held_out, config.seed)
    options.tell("data", images=images, training=len(kept), held_out=len(held_out))
    kept.require_side(config.size)
    if found is not None and found["data"]["fingerprint"] != images.fingerprint:
        raise ValueError(
            f"{folder.path} was trained on other images than {images.source} contains now: "
            "start over with fresh"
        )
    precision, reason = choose_precision(config.precision)
    if found is not None:
        precision, reason = found["precision"], "as at the start of the run"
    options.tell("precision", precision=precision, reason=reason)
    place = folder.load_place()
    require_agreement(options.strategy, f"{config}, {precision}, {images.fingerprint}, {place}")
    schedule = Schedule(config, folder, kept, held_out, precision, options)
    folder.create(
        {
            **(found or {}),  # a branch keeps the name of its run
            "config": config.as_dict(),
            "precision": precision,
            "data": {
                "source": images.source,
                "fingerprint": images.fingerprint,
                "training_images": len(kept),
                "held_out_images": len(held_out),
                "skipped": images.skipped,
                "mean_pixel": list(kept.mean_pixel),
            },
            "versions": _versions(),
        },
    )
    schedule.run()
    folder.failure_file.unlink(missing_ok=True)


class Schedule:
    """A run in progress: its networks, position and phases.

    Args:
        config: `TrainingConfig`.
        folder: `RunFolder`.
        images: Training `Images`.
        held_out: `Images` to evaluate on; if empty, the first training images are used.
        precision: Name of a dtype policy.
        options: `RunOptions`.
    """

    def __init__(
        self,
        config: TrainingConfig,
        folder: RunFolder,
        images: Images,
        held_out: Images,
        precision: str,
        options: RunOptions,
    ) -> None:
        self.config, self.folder, self.images = config, folder, images
        self.options = options
        if config.perceptual:  # a network that does not fit fails now, not in phase 3
            PerceptualLoss(read_features_network(config.perceptual_network))
        keras.utils.set_random_seed(config.seed)
        network = build_completion_network(
            config.width,
            images.mean_pixel,
            first_kernel=config.first_kernel,
            last_kernel=config.last_kernel,
            mask_channel=config.mask_channel,
        )
        self._foreign: keras.Model | None = None
        if config.init is not None:
            network = self._begun(network, config.init)
        self.network = distributed_copy(network, precision, options.strategy)
        width = config.width if config.discriminator_width is None else config.discriminator_width
        discriminator = build_context_discriminator(config.size, config.patch, width)
        self.discriminator = distributed_copy(discriminator, precision, options.strategy)
        photos = held_out if len(held_out) else images
        self._evaluator = Evaluator(
            config, folder, network, precision, photos, self._statistics_batches
        )

    def _begun(self, network: keras.Model, reference: str) -> keras.Model:
        """Return the network with its initial weights, in the architecture that the run uses."""
        if self.folder.load_place() == (1, 0):
            begun = start_from(network, reference)
            self._foreign = begun if begun is not network else None
            return begun
        kept = self.folder.initial_file
        return read_network(kept) if kept.exists() else network

    def run(self) -> None:
        """Run the remaining steps of the three phases."""
        phase, step = self.folder.load_place()
        self.folder.drop_rows_after(phase, step)
        if (phase, step) != (1, 0):
            self.folder.load_state(self._network_parts())
            self.options.tell("resume", phase=phase, step=step)
        else:
            if self._foreign is not None:
                write_network(self._foreign, self.folder.initial_file)
            facts = self._evaluator.baselines(self.images.mean_pixel)
            self.folder.write_json(self.folder.path / "held_out.json", facts)
            self.options.tell("baselines", **facts)
        for number in range(phase, 4):
            done = step if number == phase else 0
            if done < self.config.steps[number - 1]:
                self._run_phase(number, done)
            if number == 1 and self.config.steps[0]:
                self._evaluator.settle(self.network)
                self.folder.keep_first_phase()
            if number < 3:
                self.folder.save_state(number + 1, 0, self._network_parts())
        if not self.folder.completion_file.exists():
            self._evaluator.save()

    def _run_phase(self, phase: int, done: int) -> None:
        config, total = self.config, self.config.steps[phase - 1]
        self.options.tell("phase", phase=phase, name=PHASES[phase], step=done, steps=total)
        with self.options.strategy.scope():
            trainer = build_trainer(config, phase, self.network, self.discriminator)
        cooldown = []
        if config.cooldown:  # reads the constant rates before the state restores lowered ones
            optimizers = list(optimizers_of(trainer).values())
            cooldown = [Cooldown(optimizers, done, total, config.cooldown)]
        parts = {**self._network_parts(), **optimizer_parts(trainer)}
        if done:
            self.folder.load_state(parts)
        else:
            self.evaluate(trainer, phase, 0)
        first_step = sum(config.steps[: phase - 1])
        checkpointer = Checkpointer(self, trainer, phase, done, parts)
        callbacks = [
            *cooldown,
            StopOnNaN(),
            CollapseGuard(config.on_collapse, window=max(200, config.log_every)),
            checkpointer,
            *self._tensorboard(phase),
            *self.options.callbacks,
        ]
        # First the complete rows of metrics, then the rest of the steps.
        for span in (config.log_every, (total - done) % config.log_every):
            rounds = (total - checkpointer.step) // span if span else 0
            if rounds and not trainer.stop_training:
                trainer.fit(
                    self._stream(first_step + checkpointer.step),
                    steps_per_epoch=span,
                    initial_epoch=checkpointer.rows,
                    epochs=checkpointer.rows + rounds,
                    callbacks=callbacks,
                    verbose=0,
                )

    def _tensorboard(self, phase: int) -> list[keras.callbacks.Callback]:
        if importlib.util.find_spec("tensorboard") is None:
            return []
        logs = str(self.folder.logs / f"phase{phase}")
        return [keras.callbacks.TensorBoard(logs, write_graph=False, update_freq="epoch")]

    def _stream(self, step: int) -> Any:
        """Return the batches from a step of the whole run on, distributed over the replicas."""
        return self.options.strategy.distribute_datasets_from_function(
            lambda context: self.dataset(step, context, self.options.data_service)
        )

    def dataset(
        self,
        step: int,
        context: tf.distribute.InputContext | None = None,
        service: str | None = None,
    ) -> tf.data.Dataset:
        """Return the stream of batches from a step of the whole run on; see `make_dataset`."""
        config = self.config
        return make_dataset(
            self.images,
            size=config.size,
            batch_size=config.batch_size,
            masks=config.masks,
            patch_size=config.patch,
            seed=config.seed,
            start_step=step,
            scale=config.scale,
            flip=config.flip,
            input_context=context,
            service=service,
        )

    def evaluate(self, trainer: Trainer, phase: int, step: int) -> dict[str, float]:
        """Evaluate the current network; see `Evaluator.evaluate`."""
        result = self._evaluator.evaluate(self.network, trainer, phase, step)
        self.options.tell("evaluated", phase=phase, step=step, **result)
        return result

    def _statistics_batches(self) -> Any:
        return itertools.islice(self.dataset(0), BATCH_NORM_BATCHES)

    def _network_parts(self) -> dict[str, Any]:
        return {
            "completion_network": self.network.variables,
            "discriminator": self.discriminator.variables,
        }


def _versions() -> dict[str, str]:
    return {
        "keras_inpaint": keras_inpaint.__version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
    }
