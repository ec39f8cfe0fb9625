"""Phase 3: train both networks, the discriminator first in each step."""

from typing import Any

import keras
import tensorflow as tf

from keras_inpaint.networks.features import read_features_network
from keras_inpaint.training.losses import DiscriminatorLoss, GeneratorLoss, MaskedMeanSquaredError
from keras_inpaint.training.optimizers import resolve_optimizer
from keras_inpaint.training.pretraining import compare
from keras_inpaint.training.regularization import (
    FeatureNetwork,
    PerceptualLoss,
    augment_images,
    feature_distance,
    gradient_penalty,
    parse_augment,
)
from keras_inpaint.training.steps import (
    Trackers,
    apply_gradients,
    composite,
    discriminate,
    replicas,
    watch_variables,
)
from keras_inpaint.training.trainer import Trainer

#: The paper's weight of the adversarial loss.
ALPHA = 4e-4

#: The uses of augmentation in a step, each with its own random numbers.
_REAL, _FAKE, _FOOLING = range(3)


@keras.saving.register_keras_serializable("keras_inpaint")
class JointTrainer(Trainer):
    """Train both networks against each other (paper, section 4, phase 3, equation 4).

    One forward pass of the completion network is used for both updates: first of the
    discriminator, then of the completion network with the updated discriminator.

    Example:

    >>> trainer = JointTrainer(network, discriminator, alpha=0.0004)
    >>> trainer.compile(optimizer="adam")
    >>> trainer.fit(dataset, steps_per_epoch=100, epochs=10)

    Args:
        completion_network: `keras.Model` from `build_completion_network`; trained in place.
        discriminator: `keras.Model` from `build_context_discriminator`; trained in place.
        alpha: Float, weight of the adversarial loss relative to the masked squared error.
        adversarial: `"bce"` or `"hinge"`; see `losses.DiscriminatorLoss`.
        label_smoothing: Float in [0, 0.5); see `losses.DiscriminatorLoss`.
        augment: String, a comma-separated list of `"color"`, `"translation"` and `"cutout"`: all
            images that the discriminator sees in training are augmented in this way, each as a
            whole before its patch is cut (`regularization.augment_images`). Try
            `"color,translation"` with a few thousand photos or fewer, if the discriminator
            memorises them: `real_score` near 1 and `fake_score` near 0 while the results get
            worse. `"cutout"` may cover the hole, so add it last. The cost is negligible. Empty,
            the default, is none.
        augment_seed: Int, the seed of augmentation, together with the optimiser's step.
        feature_matching: Float, weight of the distance between the discriminator's features of
            completed and real images (`regularization.feature_distance`) in the completion
            network's loss. Try 0.02 to 0.5 if phase 3 produces flickering or repetitive texture, or
            oscillates: unlike the adversarial loss, it has a target. It costs one more forward
            pass of the discriminator per step, which also updates its batch normalisation. 0, the
            default, is none.
        perceptual: Float, weight of the distance between completed and real images in the
            features of `perceptual_network` (`regularization.PerceptualLoss`) in the completion
            network's loss. Try 0.05 to 0.2 if eyes and hair stay blurred: it rewards form and
            texture, where the squared error rewards the mean. It costs two forward passes and one
            backward pass of that network per step. 0, the default, is none.
        perceptual_network: `keras.Model` or path of a `.keras` file, as for
            `evaluate(features=...)`, for images of any size and with feature maps among its
            outputs, such as one of `keras.applications` with ImageNet weights. It is not trained.
        r1: Float, the weight gamma of the R1 penalty, gamma / 2 times the squared gradient of the
            discriminator's logit at real images (`regularization.gradient_penalty`), in the
            discriminator's loss. Try 0.1 to 10 if `discriminator_gradient_norm` grows or
            `discriminator_accuracy` stays at 1. 0, the default, is none.
        r1_every: Int, the penalty is added every this many steps, multiplied by this number
            (T. Karras et al., https://arxiv.org/abs/1912.04958, appendix B). Such a step costs
            two to three more passes of the discriminator; with `jit_compile` every step does.

    Logs: `loss`, the completion network's total; `completion_loss`, its masked squared error;
    `adversarial_loss`, before alpha; `discriminator_loss`; `real_score`, `fake_score`,
    `discriminator_accuracy`; both gradient norms; `alpha`. With `feature_matching` also
    `feature_loss`, with `perceptual` also `perceptual_loss`, both before their weights; with `r1`
    also `r1_penalty`, before its weight, averaged over the steps that have it, and not part of
    `discriminator_loss`.

    Raises:
        ValueError: If a weight is negative, `r1_every` is not a positive integer, `augment`
            contains an unknown name, or `perceptual` has no suitable network.
    """

    _networks = ("completion_network", "discriminator")

    def __init__(
        self,
        completion_network: keras.Model,
        discriminator: keras.Model,
        alpha: float = ALPHA,
        adversarial: str = "bce",
        label_smoothing: float = 0.0,
        augment: str = "",
        augment_seed: int = 0,
        feature_matching: float = 0.0,
        perceptual: float = 0.0,
        perceptual_network: Any = None,
        r1: float = 0.0,
        r1_every: int = 16,
        **kwargs: Any,
    ) -> None:
        weights = {
            "alpha": alpha,
            "feature_matching": feature_matching,
            "perceptual": perceptual,
            "r1": r1,
        }
        for name, weight in weights.items():
            if not weight >= 0:
                raise ValueError(f"{name} must not be negative, got {weight!r}")
        if int(r1_every) != r1_every or r1_every < 1:
            raise ValueError(f"r1_every must be a positive integer, got {r1_every!r}")
        if perceptual and perceptual_network is None:
            raise ValueError(f"perceptual={perceptual!r} needs a perceptual_network")
        kinds = parse_augment(augment)
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
            *(["feature_loss"] if feature_matching else []),
            *(["perceptual_loss"] if perceptual else []),
            *(["r1_penalty"] if r1 else []),
        )
        networks = {"completion_network": completion_network, "discriminator": discriminator}
        super().__init__(networks, trackers, **kwargs)
        self._settings = {
            "alpha": alpha,
            "adversarial": adversarial,
            "label_smoothing": label_smoothing,
            "augment": ",".join(kinds),
            "augment_seed": augment_seed,
            "feature_matching": feature_matching,
            "perceptual": perceptual,
            "r1": r1,
            "r1_every": int(r1_every),
        }
        self._kinds = kinds
        self._features = FeatureNetwork(discriminator) if feature_matching else None
        # A Keras model as an attribute, so that it is saved with the trainer.
        self.perceptual_network = read_features_network(perceptual_network) if perceptual else None
        self._perceptual = PerceptualLoss(self.perceptual_network) if perceptual else None
        self.completion_loss = MaskedMeanSquaredError()
        self.discriminator_loss = DiscriminatorLoss(adversarial, label_smoothing)
        self.generator_loss = GeneratorLoss(adversarial)
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
        real = self._augmented(image, _REAL)
        step = self.optimizer.iterations.value
        learned = self.completion_network.trainable_variables
        discriminator_variables = self.discriminator.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            watch_variables(tape, learned)
            generated = self(data, training=True)
            completed = composite(image, mask, generated)

            fixed = self._augmented(tf.stop_gradient(completed), _FAKE)
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                watch_variables(inner, discriminator_variables)
                shown = {**data, "image": real}
                d_loss, scores = compare(
                    self.discriminator, self.discriminator_loss, shown, fixed, training=True
                )
                penalty, due = self._penalty(shown, step)
                penalized = d_loss
                if penalty is not None:
                    penalized += self._settings["r1"] / 2 * self._settings["r1_every"] * penalty
                scaled = self.discriminator_optimizer.scale_loss(penalized)
            with tape.stop_recording():
                d_norm = apply_gradients(
                    self.discriminator_optimizer, inner, scaled, discriminator_variables
                )

            losses = self._completion_losses(data, generated, completed, training=True)
            scaled = self.optimizer.scale_loss(losses["loss"])
        norm = apply_gradients(self.optimizer, tape, scaled, learned)
        logs = self._log(
            {**losses, "discriminator_loss": d_loss},
            completion_gradient_norm=norm,
            discriminator_gradient_norm=d_norm,
            **scores,
        )
        if penalty is not None:
            mean = self._trackers.means["r1_penalty"]
            mean.update_state(penalty * replicas(), sample_weight=due)
            logs["r1_penalty"] = mean.result()
        return logs

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        data = self.batch(data)
        image, mask = data["image"], data["mask"]
        generated = self(data, training=False)
        completed = composite(image, mask, generated)
        d_loss, scores = compare(
            self.discriminator, self.discriminator_loss, data, completed, training=False
        )
        losses = self._completion_losses(data, generated, completed, training=False)
        return self._log({**losses, "discriminator_loss": d_loss}, **scores)

    def _augmented(self, images: tf.Tensor, use: int) -> tf.Tensor:
        """Augment images for one of the uses in this step, differently on each replica."""
        if not self._kinds:
            return images
        step = tf.cast(self.optimizer.iterations.value, tf.int32)
        seed = tf.stack([tf.cast(self._settings["augment_seed"], tf.int32), step])
        context = tf.distribute.get_replica_context()
        place = tf.cast(context.replica_id_in_sync_group, tf.int32) * 3 + use
        return augment_images(
            images, self._kinds, tf.random.experimental.stateless_fold_in(seed, place)
        )

    def _penalty(self, shown: dict, step: Any) -> tuple[Any, Any]:
        """Return the penalty (0 in steps without it) and whether this step has it."""
        if not self._settings["r1"]:
            return None, None
        due = step % self._settings["r1_every"] == 0

        def measure() -> tf.Tensor:
            return gradient_penalty(self.discriminator, shown["image"], shown["real_patch"])

        if self.jit_compile:  # XLA cannot differentiate twice through a branch
            penalty = measure() * tf.cast(due, tf.float32)
        else:
            penalty = tf.cond(due, measure, lambda: tf.zeros(()))
        return penalty, tf.cast(due, tf.float32)

    def _fooled(self, data: dict, completed: tf.Tensor, training: bool) -> tuple[Any, Any]:
        """Return the generator's loss, and the distance between features or None."""
        shown = self._augmented(completed, _FOOLING) if training else completed
        if self._features is None:
            logits = discriminate(self.discriminator, shown, data["patch"], training)
            return self.generator_loss(tf.ones_like(logits), logits), None
        real = self._augmented(data["image"], _FOOLING) if training else data["image"]
        logits, features = self._features(shown, data["patch"], training)
        _, wanted = self._features(real, data["patch"], training)
        return self.generator_loss(tf.ones_like(logits), logits), feature_distance(wanted, features)

    def _completion_losses(
        self, data: dict, generated: tf.Tensor, completed: tf.Tensor, training: bool
    ) -> dict[str, Any]:
        """Return the completion network's losses by their names in the logs."""
        image, mask = data["image"], data["mask"]
        error = self.completion_loss(image, generated, mask)
        fooled, features = self._fooled(data, completed, training)
        seen = None if self._perceptual is None else self._perceptual(image, completed, mask)
        loss = error + self.alpha * fooled
        if features is not None:
            loss += self._settings["feature_matching"] * features
        if seen is not None:
            loss += self._settings["perceptual"] * seen
        return {
            "loss": loss,
            "completion_loss": error,
            "adversarial_loss": fooled,
            "feature_loss": features,
            "perceptual_loss": seen,
        }

    def _log(self, losses: dict[str, Any], **values: tf.Tensor) -> dict[str, tf.Tensor]:
        """Log losses, multiplied by the number of replicas again, and other values unchanged."""
        shared = {name: value for name, value in losses.items() if value is not None}
        logged = {name: value * replicas() for name, value in shared.items()}
        return self._trackers.update(**logged, alpha=self.alpha, **values)

    def get_config(self) -> dict[str, Any]:
        network = self.perceptual_network
        if network is not None:
            network = keras.saving.serialize_keras_object(network)
        return {**super().get_config(), **self._settings, "perceptual_network": network}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "JointTrainer":
        if config.get("perceptual_network") is not None:
            network = keras.saving.deserialize_keras_object(
                config["perceptual_network"], custom_objects
            )
            config = {**config, "perceptual_network": network}
        return super().from_config(config, custom_objects)
