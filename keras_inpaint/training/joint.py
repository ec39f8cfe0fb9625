"""Phase 3: both networks, the discriminator first in each step."""

from typing import Any

import keras
import tensorflow as tf

from keras_inpaint.training.discriminator import compare
from keras_inpaint.training.losses import DiscriminatorLoss, FoolingLoss, MaskedMeanSquaredError
from keras_inpaint.training.optimizers import resolve_optimizer
from keras_inpaint.training.steps import (
    Trackers,
    composite,
    judge,
    replicas,
    update,
    watch,
)
from keras_inpaint.training.trainer import Trainer

#: The paper's weight of the adversarial loss.
ALPHA = 4e-4


@keras.saving.register_keras_serializable("keras_inpaint")
class JointTrainer(Trainer):
    """Train both networks against each other (paper, section 4, phase 3, equation 4).

    One forward pass of the completion network serves both updates: the discriminator learns
    from its images first, then the completion network from the discriminator just updated.

    Example:

    >>> trainer = JointTrainer(network, discriminator, alpha=0.0004)
    >>> trainer.compile(optimizer="adam")
    >>> trainer.fit(dataset, steps_per_epoch=100, epochs=10)

    Args:
        completion_network: `keras.Model` from `build_completion_network`; trained in place.
        discriminator: `keras.Model` from `build_context_discriminator`; trained in place.
        alpha: Float, weight of the adversarial loss beside the masked squared error.
        adversarial: `"bce"` or `"hinge"`; see `losses.DiscriminatorLoss`.
        label_smoothing: Float in [0, 0.5); see `losses.DiscriminatorLoss`.

    Logs: `loss`, the completion network's whole; `completion_loss`, its masked squared error;
    `adversarial_loss`, before alpha; `discriminator_loss`; `real_score`, `fake_score`,
    `discriminator_accuracy`; both gradient norms; `alpha`.
    """

    _networks = ("completion_network", "discriminator")

    def __init__(
        self,
        completion_network: keras.Model,
        discriminator: keras.Model,
        alpha: float = ALPHA,
        adversarial: str = "bce",
        label_smoothing: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if alpha < 0:
            raise ValueError(f"alpha must not be negative, got {alpha!r}")
        trackers = Trackers(
            "loss",
            "completion_loss",
            "adversarial_loss",
            "discriminator_loss",
            "real_score",
            "fake_score",
            "discriminator_accuracy",
            "completion_gradient_norm",
            "discriminator_gradient_norm",
            "alpha",
        )
        networks = {"completion_network": completion_network, "discriminator": discriminator}
        super().__init__(networks, trackers, **kwargs)
        self._settings = {
            "alpha": alpha,
            "adversarial": adversarial,
            "label_smoothing": label_smoothing,
        }
        self.completion_loss = MaskedMeanSquaredError()
        self.discriminator_loss = DiscriminatorLoss(adversarial, label_smoothing)
        self.fooling_loss = FoolingLoss(adversarial)
        self.alpha = self.add_weight(
            name="alpha",
            shape=(),
            initializer=keras.initializers.Constant(alpha),
            trainable=False,
            dtype="float32",
        )

    def compile(
        self,
        optimizer: Any = "adadelta",
        discriminator_optimizer: Any = "adadelta",
        **kwargs: Any,
    ) -> None:
        """Configure training.

        Args:
            optimizer: The completion network's Keras optimiser, or its name; `"adadelta"` has
                the learning rate 1.0.
            discriminator_optimizer: The discriminator's.
            **kwargs: Further arguments of `keras.Model.compile`.
        """
        spec = {
            "optimizer": resolve_optimizer(optimizer),
            "discriminator_optimizer": resolve_optimizer(discriminator_optimizer),
        }
        self.compile_with(spec, **kwargs)
        other = spec["discriminator_optimizer"]
        if isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            other = keras.optimizers.LossScaleOptimizer(other)
        self.discriminator_optimizer = other
        self.optimizer.build(self.completion_network.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        data = self.batch(data)
        image, mask = data["image"], data["mask"]
        learned = self.completion_network.trainable_variables
        judged_by = self.discriminator.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            watch(tape, learned)
            generated = self(data, training=True)
            completed = composite(image, mask, generated)

            fixed = tf.stop_gradient(completed)
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                watch(inner, judged_by)
                d_loss, scores = compare(
                    self.discriminator, self.discriminator_loss, data, fixed, training=True
                )
                scaled = self.discriminator_optimizer.scale_loss(d_loss)
            with tape.stop_recording():
                d_norm = update(self.discriminator_optimizer, inner, scaled, judged_by)

            error = self.completion_loss(image, generated, mask)
            fooled = self._fooled(data, completed, training=True)
            loss = error + self.alpha * fooled
            scaled = self.optimizer.scale_loss(loss)
        norm = update(self.optimizer, tape, scaled, learned)
        return self._log(loss, error, fooled, d_loss, scores, norm, d_norm)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        data = self.batch(data)
        image, mask = data["image"], data["mask"]
        generated = self(data, training=False)
        completed = composite(image, mask, generated)
        d_loss, scores = compare(
            self.discriminator, self.discriminator_loss, data, completed, training=False
        )
        error = self.completion_loss(image, generated, mask)
        fooled = self._fooled(data, completed, training=False)
        loss = error + self.alpha * fooled
        return self._log(loss, error, fooled, d_loss, scores)

    def _fooled(self, data: dict, completed: tf.Tensor, training: bool) -> tf.Tensor:
        logits = judge(self.discriminator, completed, data["patch"], training)
        return self.fooling_loss(tf.ones_like(logits), logits)

    def _log(
        self,
        loss: tf.Tensor,
        error: tf.Tensor,
        fooled: tf.Tensor,
        d_loss: tf.Tensor,
        scores: dict[str, tf.Tensor],
        norm: Any = None,
        d_norm: Any = None,
    ) -> dict[str, tf.Tensor]:
        count = replicas()
        return self._trackers.update(
            loss=loss * count,
            completion_loss=error * count,
            adversarial_loss=fooled * count,
            discriminator_loss=d_loss * count,
            completion_gradient_norm=norm,
            discriminator_gradient_norm=d_norm,
            alpha=self.alpha,
            **scores,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._settings}
