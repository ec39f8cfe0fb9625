"""The three phases in order, in a folder that a stopped run goes on from."""

import dataclasses
import importlib.util
import itertools
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_inpaint
from keras_inpaint.data.pipeline import fixed_examples, make_dataset
from keras_inpaint.data.sources import Images, load_images
from keras_inpaint.networks.completion import build_completion_network
from keras_inpaint.networks.discriminators import build_context_discriminator
from keras_inpaint.networks.layers import with_dtype_policy
from keras_inpaint.training.batch_norm import BatchNormEstimator
from keras_inpaint.training.callbacks import CollapseGuard, StopOnNaN, decibels, write_samples
from keras_inpaint.training.completion import CompletionTrainer
from keras_inpaint.training.config import TrainingConfig
from keras_inpaint.training.discriminator import DiscriminatorTrainer
from keras_inpaint.training.joint import JointTrainer
from keras_inpaint.training.keeper import RunKeeper
from keras_inpaint.training.losses import DiscriminatorLoss
from keras_inpaint.training.optimizers import resolve_optimizer
from keras_inpaint.training.precision import choose_precision
from keras_inpaint.training.replacing import replacing
from keras_inpaint.training.run_folder import RunFolder

logger = logging.getLogger(__name__)

#: Called with an event's name and its facts; see `train`.
Listener = Callable[[str, dict[str, Any]], None]

PHASES = {1: "completion network", 2: "discriminator", 3: "both networks"}
#: Batches that batch normalisation's statistics are re-estimated on.
BATCH_NORM_BATCHES = 20
#: Held-out photos that the figures are measured on; the sheets show the first eight.
JUDGED = 64


def train(
    config: TrainingConfig,
    run: str | os.PathLike[str],
    *,
    images: Images | None = None,
    fresh: bool = False,
    save_seconds: float = 120.0,
    listener: Listener | None = None,
) -> Path:
    """Train a completion network in three phases, or go on where a run was stopped.

    Args:
        config: `TrainingConfig`. A run that exists must have been started with the same one; only
            the numbers of steps may grow while the learning rate is constant.
        run: Path of the run's folder.
        images: `Images`; None loads what the configuration names.
        fresh: Bool, start over where the folder holds a run.
        save_seconds: Float, the state is written about this often.
        listener: Called with `"loading"` (`done`, `total`), `"data"`, `"precision"`,
            `"resume"`, `"phase"`, `"row"`, `"judged"` and their facts as a dict.

    Returns:
        The path of the finished completion network, a float32 `.keras` file.

    Raises:
        ValueError: If the run was started otherwise, or with other images.
        TrainingFailed: If a loss is not a number.
    """
    tell = listener or (lambda event, facts: None)
    folder = RunFolder(run)
    found = folder.begin(fresh)
    if found is not None:
        _require_same(found["config"], config, folder.path)
    if images is None:
        images = load_images(
            config.data,
            data_dir=config.data_dir,
            shortest_side=round(config.size * config.scale[1]),
            seed=config.seed,
            progress=lambda done, total: tell("loading", {"done": done, "total": total}),
        )
    kept, held_out = images.split(config.held_out, config.seed)
    tell("data", {"images": images, "training": len(kept), "held_out": len(held_out)})
    kept.require_side(config.size)
    if found is not None and found["data"]["fingerprint"] != images.fingerprint:
        raise ValueError(
            f"{folder.path} was trained on other images than {images.source} holds now; use "
            f"--fresh to start over"
        )
    precision, reason = choose_precision(config.precision)
    if found is not None:
        precision, reason = found["precision"], "as the run began"
    tell("precision", {"precision": precision, "reason": reason})
    folder.write_json(
        folder.config_file,
        {
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
    schedule = Schedule(config, folder, kept, held_out, precision, tell, save_seconds)
    schedule.run()
    return folder.completion_file


class Schedule:
    """One run under way: its networks, its place, its phases.

    Args:
        config: `TrainingConfig`.
        folder: `RunFolder`.
        images: Training `Images`.
        held_out: `Images` to judge by; with none the first training images serve.
        precision: Name of a dtype policy.
        tell: `Listener`.
        save_seconds: Float.
    """

    def __init__(
        self,
        config: TrainingConfig,
        folder: RunFolder,
        images: Images,
        held_out: Images,
        precision: str,
        tell: Listener,
        save_seconds: float,
    ) -> None:
        self.config, self.folder, self.images = config, folder, images
        self.precision, self.tell, self.save_seconds = precision, tell, save_seconds
        keras.utils.set_random_seed(config.seed)
        network = build_completion_network(
            config.width,
            images.mean_pixel,
            first_kernel=config.first_kernel,
            last_kernel=config.last_kernel,
            mask_channel=config.mask_channel,
        )
        self.finished = network
        self.network = with_dtype_policy(network, precision)
        self._judged = with_dtype_policy(network, precision)
        self._estimate = BatchNormEstimator(self._judged)
        width = config.width if config.discriminator_width is None else config.discriminator_width
        self.discriminator = with_dtype_policy(
            build_context_discriminator(config.size, config.patch, width), precision
        )
        self.examples = fixed_examples(
            held_out if len(held_out) else images,
            count=JUDGED,
            size=config.size,
            masks=config.masks,
            patch_size=config.patch,
            seed=config.seed,
        )

    def run(self) -> None:
        """Run what is left of the three phases."""
        phase, step = self.folder.load_place()
        self.folder.drop_rows_after(phase, step)
        if (phase, step) != (1, 0):
            self.folder.load_state(self._network_parts())
            self.tell("resume", {"phase": phase, "step": step})
        else:
            self._baselines()
        for number in range(phase, 4):
            done = step if number == phase else 0
            if done < self.config.steps[number - 1]:
                self._run_phase(number, done)
            if number < 3:
                self.folder.save_state(number + 1, 0, self._network_parts())
        self._finish()

    def _run_phase(self, phase: int, done: int) -> None:
        config, total = self.config, self.config.steps[phase - 1]
        self.tell("phase", {"phase": phase, "name": PHASES[phase], "step": done, "steps": total})
        trainer = self._trainer(phase)
        trainer.keep_averages_apart = True
        parts = {**self._network_parts(), **optimizer_parts(trainer)}
        if done:
            self.folder.load_state(parts)
        else:
            self.judge(trainer, phase, 0)
        first_step = sum(config.steps[: phase - 1])
        keeper = RunKeeper(self, trainer, phase, done, parts)
        callbacks = [
            StopOnNaN(),
            CollapseGuard(config.on_collapse, window=max(200, config.log_every)),
            keeper,
            *self._tensorboard(phase),
        ]
        # Whole rows of the metrics first, then what is left of a row.
        for span in (config.log_every, (total - done) % config.log_every):
            rounds = (total - keeper.step) // span if span else 0
            if rounds and not trainer.stop_training:
                trainer.fit(
                    self.dataset(first_step + keeper.step),
                    steps_per_epoch=span,
                    initial_epoch=keeper.rows,
                    epochs=keeper.rows + rounds,
                    callbacks=callbacks,
                    verbose=0,
                )
        self.end_phase(phase)

    def _tensorboard(self, phase: int) -> list[keras.callbacks.Callback]:
        if importlib.util.find_spec("tensorboard") is None:
            return []
        logs = str(self.folder.logs / f"phase{phase}")
        return [keras.callbacks.TensorBoard(logs, write_graph=False, update_freq="epoch")]

    def end_phase(self, phase: int) -> None:
        """Make the network of a finished phase what the next one takes as fixed."""
        if phase == 1:
            self._judged.set_weights(self.network.get_weights())
            self._estimate(self.statistics_batches())
            self.network.set_weights(self._judged.get_weights())

    def _trainer(self, phase: int) -> keras.Model:
        config, total = self.config, self.config.steps[phase - 1]
        rate = config.learning_rate
        if phase == 3 and config.joint_learning_rate is not None:
            rate = config.joint_learning_rate
        ema = config.ema if phase != 2 else 0.0
        completion = self._optimizer(config.optimizer, rate, total, ema)
        name = config.discriminator_optimizer or config.optimizer
        judging = self._optimizer(name, config.discriminator_learning_rate, total, 0.0)
        if phase == 1:
            trainer = CompletionTrainer(self.network)
            trainer.compile(completion)
        elif phase == 2:
            trainer = DiscriminatorTrainer(self.network, self.discriminator)
            loss = DiscriminatorLoss(config.adversarial, config.label_smoothing)
            trainer.compile(judging, loss)
        else:
            trainer = JointTrainer(
                self.network,
                self.discriminator,
                config.alpha,
                config.adversarial,
                config.label_smoothing,
            )
            trainer.compile(completion, judging)
        return trainer

    def _optimizer(self, name: str, rate: float | None, steps: int, ema: float) -> Any:
        config = self.config
        settings: dict[str, Any] = {}
        if rate is not None:
            settings["learning_rate"] = rate
        if config.clip_norm:
            settings["global_clipnorm"] = config.clip_norm
        if ema:
            settings |= {"use_ema": True, "ema_momentum": ema}
        optimizer = resolve_optimizer(name, **settings)
        if config.decay == "cosine":
            peak = float(np.asarray(optimizer.learning_rate))
            optimizer.learning_rate = keras.optimizers.schedules.CosineDecay(
                peak, max(1, steps), alpha=0.01
            )
        return optimizer

    def dataset(self, step: int) -> Any:
        """Return the stream of batches from a step of the whole run on."""
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
        )

    def statistics_batches(self) -> Any:
        """Return the batches that batch normalisation's statistics are re-estimated on."""
        return itertools.islice(self.dataset(0), BATCH_NORM_BATCHES)

    def judge(self, trainer: keras.Model, phase: int, step: int) -> dict[str, float]:
        """Complete the held-out photos, write the pictures and the network as it is now.

        The network that is judged is a copy: training goes on from where it was.
        """
        copy = self._judged
        copy.set_weights(self.network.get_weights())
        averages = moving_averages(trainer)
        if averages:
            for variable, value in zip(copy.trainable_variables, averages, strict=True):
                variable.assign(value)
        if phase != 2:
            self._estimate(self.statistics_batches())
        self.finished.set_weights(copy.get_weights())
        error = write_samples(
            self.finished,
            self.examples,
            self.folder.samples,
            f"phase{phase}-step{step:06d}",
            f"phase {phase}, step {step:,}",
            self.folder.animation,
        )
        self.save_finished()
        result = {"held_out_hole_mse": error, "held_out_psnr": decibels(error)}
        self.tell("judged", {"phase": phase, "step": step, **result})
        return result

    def save_finished(self) -> None:
        """Write the completion network, in float32, whole or not at all."""
        with replacing(self.folder.completion_file) as temporary:
            self.finished.save(temporary)

    def _baselines(self) -> None:
        """Measure what a user would take instead, on the photos that the run is judged by."""
        import cv2

        image, mask = (np.asarray(self.examples[k], "float32") for k in ("image", "mask"))
        pixels = np.rint(image * 255).astype("uint8")
        filled = [
            cv2.inpaint(p, (m[..., 0] > 0.5).astype("uint8"), 3, cv2.INPAINT_TELEA)
            for p, m in zip(pixels, mask, strict=True)
        ]
        weight = 3 * mask.sum()
        telea = np.sum(np.square(np.stack(filled) / 255.0 - image) * mask) / weight
        mean = np.sum(np.square(np.array(self.images.mean_pixel) - image) * mask) / weight
        facts = {
            "photos": len(image),
            "telea_hole_mse": float(telea),
            "telea_psnr": decibels(telea),
            "mean_pixel_hole_mse": float(mean),
            "mean_pixel_psnr": decibels(mean),
        }
        self.folder.write_json(self.folder.path / "held_out.json", facts)
        self.tell("baselines", facts)

    def _finish(self) -> None:
        if not self.folder.completion_file.exists():
            self.save_finished()

    def _network_parts(self) -> dict[str, Any]:
        return {
            "completion_network": self.network.variables,
            "discriminator": self.discriminator.variables,
        }


def optimizer_parts(trainer: keras.Model) -> dict[str, Any]:
    """Return the variables that a trainer adds to its networks', by part of the state."""
    parts = {"optimizer": trainer.optimizer.variables}
    if hasattr(trainer, "discriminator_optimizer"):
        parts["discriminator_optimizer"] = trainer.discriminator_optimizer.variables
        parts["alpha"] = [trainer.alpha]
    return parts


def moving_averages(trainer: keras.Model) -> list[Any]:
    """Return the completion network's averaged variables, none where no average is kept."""
    optimizer = getattr(trainer.optimizer, "inner_optimizer", trainer.optimizer)
    return list(getattr(optimizer, "_model_variables_moving_average", []) or [])


def _require_same(found: dict[str, Any], config: TrainingConfig, path: Path) -> None:
    wanted = config.as_dict()
    growing = config.decay == "constant" and found.get("decay") == "constant"
    different = [k for k in wanted if found.get(k) != wanted[k]]
    if growing and "steps" in different:
        pairs = zip(wanted["steps"], found["steps"], strict=True)
        if all(now >= before for now, before in pairs):
            different.remove("steps")
    # A run goes on with the precision that it began with.
    different = [k for k in different if k not in ("precision", "on_collapse", "data_dir")]
    if different:
        shown = ", ".join(f"{k}={found.get(k)!r} (now {wanted[k]!r})" for k in different)
        raise ValueError(
            f"{path} is a run of another configuration: {shown}; take another folder, or "
            f"--fresh to start over"
        )


def _versions() -> dict[str, str]:
    import tensorflow as tf

    return {
        "keras_inpaint": keras_inpaint.__version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
    }


def read_config(run: str | os.PathLike[str]) -> TrainingConfig:
    """Return the configuration of a run's folder."""
    found = json.loads((Path(run) / "config.json").read_text("utf-8"))["config"]
    names = {f.name for f in dataclasses.fields(TrainingConfig)}
    return TrainingConfig(**{k: v for k, v in found.items() if k in names})
