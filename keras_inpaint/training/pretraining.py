"""The trainers of phase 1, the completion network alone, and phase 2, the discriminator alone."""

from typing import Any

import keras
import tensorflow as tf

from keras_inpaint.training.losses import DiscriminatorLoss, MaskedMeanSquaredError, masked_loss
from keras_inpaint.training.optimizers import resolve_optimizer
from keras_inpaint.training.steps import (
    Trackers,
    apply_gradients,
    composite,
    discriminate,
    discriminator_metrics,
    replicas,
    watch_variables,
)
from keras_inpaint.training.trainer import Trainer


@keras.saving.register_keras_serializable("keras_inpaint")
class CompletionTrainer(Trainer):
    """Train a completion network on the masked squared error (paper, section 4, phase 1).

    Example:

    >>> trainer = CompletionTrainer(network)
    >>> trainer.compile()
    >>> trainer.fit(dataset, steps_per_epoch=100, epochs=10)

    Args:
        completion_network: `keras.Model` from `build_completion_network`. It is trained in
            place.

    Logs: `loss`, the masked squared error; `completion_gradient_norm`.
    """

    def __init__(self, completion_network: keras.Model, **kwargs: Any) -> None:
        trackers = Trackers("loss", "completion_gradient_norm")
        super().__init__({"completion_network": completion_network}, trackers, **kwargs)

    def compile(self, optimizer: Any = "adadelta", loss: Any = None, **kwargs: Any) -> None:
        """Configure training.

        Args:
            optimizer: A Keras optimiser or its name; `"adadelta"` has the learning rate 1.0.
            loss: `keras.losses.Loss` of `(image, generated, mask)`, or the name of one of Keras'
                losses, such as `"mae"`, which is averaged over each hole. None is the masked
                MSE.
            **kwargs: Further arguments of `keras.Model.compile`.
        """
        loss = masked_loss(loss)
        spec = {"optimizer": resolve_optimizer(optimizer), "loss": loss}
        self.compile_with(spec, **kwargs)
        self.completion_loss = loss or MaskedMeanSquaredError()
        self.optimizer.build(self.completion_network.trainable_variables)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        data = self.batch(data)
        image, mask = data["image"], data["mask"]
        variables = self.completion_network.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            watch_variables(tape, variables)
            generated = self(data, training=True)
            loss = self.completion_loss(image, generated, mask)
            scaled = self.optimizer.scale_loss(loss)
        norm = apply_gradients(self.optimizer, tape, scaled, variables)
        return self._log(loss, norm)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        data = self.batch(data)
        generated = self(data, training=False)
        return self._log(self.completion_loss(data["image"], generated, data["mask"]))

    def _log(self, loss: tf.Tensor, norm: Any = None) -> dict[str, tf.Tensor]:
        return self._trackers.update(loss=loss * replicas(), completion_gradient_norm=norm)


@keras.saving.register_keras_serializable("keras_inpaint")
class DiscriminatorTrainer(Trainer):
    """Train a discriminator against a fixed completion network (paper, section 4, phase 2).

    Fakes are completed images, with the known pixels pasted back, and their patches are around
    the hole; real patches are at independent positions. The completion network runs in inference
    mode and is not changed.

    Example:

    >>> trainer = DiscriminatorTrainer(network, discriminator)
    >>> trainer.compile(optimizer="adam")
    >>> trainer.fit(dataset, steps_per_epoch=100, epochs=2)

    Args:
        completion_network: `keras.Model` from `build_completion_network`.
        discriminator: `keras.Model` from `build_context_discriminator`. It is trained in place.

    Logs: `loss`, the discriminator's loss; `real_score` and `fake_score`, the mean predicted
    probability that real and completed images are real; `discriminator_accuracy`;
    `discriminator_gradient_norm`.
    """

    _networks = ("completion_network", "discriminator")
    _learns = "discriminator"

    def __init__(
        self, completion_network: keras.Model, discriminator: keras.Model, **kwargs: Any
    ) -> None:
        trackers = Trackers(
            "loss",
            "real_score",
            "fake_score",
            "discriminator_accuracy",
            "discriminator_gradient_norm",
        )
        networks = {"completion_network": completion_network, "discriminator": discriminator}
        super().__init__(networks, trackers, **kwargs)

    def compile(self, optimizer: Any = "adadelta", loss: Any = None, **kwargs: Any) -> None:
        """Configure training.

        Args:
            optimizer: A Keras optimiser or its name; `"adadelta"` has the learning rate 1.0.
            loss: `keras.losses.Loss` of `(labels, logits)`; None is binary cross-entropy.
            **kwargs: Further arguments of `keras.Model.compile`.
        """
        if loss is not None and not isinstance(loss, keras.losses.Loss):
            raise ValueError(
                f"loss must be a keras.losses.Loss of labels and logits, got {loss!r}: losses by "
                "name expect probabilities"
            )
        spec = {"optimizer": resolve_optimizer(optimizer), "loss": loss}
        self.compile_with(spec, **kwargs)
        self.discriminator_loss = loss or DiscriminatorLoss()
        self.optimizer.build(self.discriminator.trainable_variables)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        data = self.batch(data)
        completed = composite(data["image"], data["mask"], self(data, training=False))
        variables = self.discriminator.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            watch_variables(tape, variables)
            loss, scores = compare(
                self.discriminator, self.discriminator_loss, data, completed, training=True
            )
            scaled = self.optimizer.scale_loss(loss)
        norm = apply_gradients(self.optimizer, tape, scaled, variables)
        return self._log(loss, scores, norm)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        data = self.batch(data)
        completed = composite(data["image"], data["mask"], self(data, training=False))
        loss, scores = compare(
            self.discriminator, self.discriminator_loss, data, completed, training=False
        )
        return self._log(loss, scores)

    def _log(self, loss: tf.Tensor, scores: dict, norm: Any = None) -> dict[str, tf.Tensor]:
        return self._trackers.update(
            loss=loss * replicas(), discriminator_gradient_norm=norm, **scores
        )


def compare(
    discriminator: keras.Model,
    loss: keras.losses.Loss,
    data: dict[str, tf.Tensor],
    completed: tf.Tensor,
    training: bool,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Apply a discriminator to the real and the completed images.

    Real and completed images are separate batches, so that batch normalisation does not mix
    their statistics.

    Returns:
        The loss, and the dict of `steps.discriminator_metrics`.
    """
    real = discriminate(discriminator, data["image"], data["real_patch"], training)
    fake = discriminate(discriminator, completed, data["patch"], training)
    value = (loss(tf.ones_like(real), real) + loss(tf.zeros_like(fake), fake)) / 2
    return value, discriminator_metrics(real, fake)
