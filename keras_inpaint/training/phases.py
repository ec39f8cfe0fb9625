"""The initial weights of a run, and the trainer of each phase."""

from typing import Any

import keras
import numpy as np

from keras_inpaint import presets
from keras_inpaint.networks.weights import check_compatible, read_network, widen_from
from keras_inpaint.training.config import TrainingConfig
from keras_inpaint.training.cooldown import COSINE_END
from keras_inpaint.training.joint import JointTrainer
from keras_inpaint.training.losses import DiscriminatorLoss
from keras_inpaint.training.optimizers import resolve_optimizer
from keras_inpaint.training.pretraining import CompletionTrainer, DiscriminatorTrainer
from keras_inpaint.training.trainer import Trainer


def start_from(network: keras.Model, reference: str) -> keras.Model:
    """Return a completion network with the weights of another one as initial weights.

    Args:
        network: The network to train, newly built. It receives the weights of a network of at
            most its width.
        reference: A preset's name, a run's folder or a `.keras` file.

    Returns:
        `network`; or the referenced network itself if it was converted from another project,
        since its padding and normalisation differ.

    Raises:
        ValueError: If there is no such network, or the shapes of its weights do not fit.
    """
    path = presets.resolve(reference, prefer=".keras")
    source = read_network(path)
    # Only converted networks have stride-2 convolutions with 4x4 kernels, padded on every side.
    if tuple(source.get_layer("conv_2").kernel_size) != (3, 3):
        return source
    try:
        check_compatible(source, network)
    except ValueError as error:
        raise ValueError(
            f"{path} contains a network of a different architecture: {error}; first_kernel, "
            "last_kernel and mask_channel must be the same, and the width at least as large"
        ) from error
    widen_from(network, source)
    return network


def build_trainer(
    config: TrainingConfig, phase: int, network: keras.Model, discriminator: keras.Model
) -> Trainer:
    """Return the compiled trainer of a phase, with new optimisers.

    Args:
        config: `TrainingConfig`.
        phase: Int, 1 to 3.
        network: The completion network.
        discriminator: The context discriminator.
    """
    steps = config.steps[phase - 1]
    rate = config.learning_rate
    if phase == 3 and config.joint_learning_rate is not None:
        rate = config.joint_learning_rate

    def learning(ema: float) -> keras.optimizers.Optimizer:
        return _optimizer(config, config.optimizer, rate, steps, ema)

    def judging() -> keras.optimizers.Optimizer:
        name = config.discriminator_optimizer or config.optimizer
        return _optimizer(config, name, config.discriminator_learning_rate, steps, 0.0)

    if phase == 1:
        trainer = CompletionTrainer(network)
        trainer.compile(learning(config.ema))
    elif phase == 2:
        trainer = DiscriminatorTrainer(network, discriminator)
        trainer.compile(judging(), DiscriminatorLoss(config.adversarial, config.label_smoothing))
    else:
        trainer = JointTrainer(
            network,
            discriminator,
            config.alpha,
            config.adversarial,
            config.label_smoothing,
            augment=config.augment,
            augment_seed=config.seed,
            feature_matching=config.feature_matching,
            perceptual=config.perceptual,
            perceptual_network=config.perceptual_network,
            r1=config.r1,
            r1_every=config.r1_every,
        )
        trainer.compile(learning(config.ema), judging())
    trainer.keep_averages_apart = True
    return trainer


def _optimizer(
    config: TrainingConfig, name: str, rate: float | None, steps: int, ema: float
) -> keras.optimizers.Optimizer:
    settings: dict[str, Any] = {}
    if rate is not None:
        settings["learning_rate"] = rate
    if config.decay == "cosine":
        peak = float(np.asarray(resolve_optimizer(name, **settings).learning_rate))
        settings["learning_rate"] = keras.optimizers.schedules.CosineDecay(
            peak, max(1, steps), alpha=COSINE_END
        )
    if config.clip_norm:
        settings["global_clipnorm"] = config.clip_norm
    if ema:
        settings |= {"use_ema": True, "ema_momentum": ema}
    return resolve_optimizer(name, **settings)


def optimizer_parts(trainer: Trainer) -> dict[str, Any]:
    """Return the variables of a trainer other than its networks', by part of a run's state."""
    parts = {name: each.variables for name, each in optimizers_of(trainer).items()}
    if hasattr(trainer, "alpha"):
        parts["alpha"] = [trainer.alpha]
    return parts


def optimizers_of(trainer: Trainer) -> dict[str, keras.optimizers.Optimizer]:
    """Return the optimisers of a compiled trainer by name; there are two in phase 3."""
    names = ("optimizer", "discriminator_optimizer")
    return {name: getattr(trainer, name) for name in names if hasattr(trainer, name)}


def moving_averages(trainer: keras.Model) -> list[Any]:
    """Return the moving averages of the completion network's variables, or an empty list.

    Keras' averages are zero before the first step, which sets them to the weights.
    """
    optimizer = getattr(trainer.optimizer, "inner_optimizer", trainer.optimizer)
    if not int(np.asarray(optimizer.iterations)):
        return []
    return list(getattr(optimizer, "_model_variables_moving_average", []) or [])
