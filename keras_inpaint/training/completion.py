"""Phase 1: the completion network alone, on the masked squared error."""

from typing import Any

import keras
import tensorflow as tf

from keras_inpaint.training.losses import MaskedMeanSquaredError, masked_loss
from keras_inpaint.training.optimizers import resolve_optimizer
from keras_inpaint.training.steps import Trackers, apply_gradients, replicas, watch_variables
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
                per pixel, such as `"mae"`, averaged over each hole as the default, None, the
                masked MSE is.
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
