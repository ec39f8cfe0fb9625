"""The losses of the three phases.

Source: S. Iizuka, E. Simo-Serra, H. Ishikawa, "Globally and Locally Consistent Image
Completion", ACM Trans. Graph. 36(4), 107 (2017), section 4, equations 2 to 4,
https://doi.org/10.1145/3072959.3073659. The hinge loss is from J. H. Lim, J. C. Ye, "Geometric
GAN", https://arxiv.org/abs/1705.02894.
"""

from typing import Any

import keras
from keras import ops

_REGISTER = keras.saving.register_keras_serializable("keras_inpaint")

ADVERSARIAL_KINDS = ("bce", "hinge")


@_REGISTER
class MaskedMeanSquaredError(keras.losses.MeanSquaredError):
    """Squared error inside the holes, averaged over each image's hole, then over the images.

    The average is over the hole instead of all pixels, so that the balance with the adversarial
    loss, which does not depend on the size of the hole, is the same for small and large holes. An
    average over all pixels is smaller by the hole's fraction of the image, so that the same alpha
    has more weight there.

    Example:

    >>> loss = MaskedMeanSquaredError()
    >>> value = loss(image, generated, mask)

    Call arguments:
        y_true: Float tensor `(batch, height, width, 3)`, the photos.
        y_pred: Float tensor `(batch, height, width, 3)`, the generated images.
        sample_weight: Float tensor `(batch, height, width, 1)`, the mask, 1 in the hole.

    Returns:
        Float32 scalar.
    """

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        if sample_weight is None:
            raise ValueError("MaskedMeanSquaredError needs the mask as its third argument")
        hole = ops.cast(ops.squeeze(sample_weight, -1), "float32")
        part = ops.mean(hole, axis=(1, 2), keepdims=True)
        return super().__call__(y_true, y_pred, hole / ops.maximum(part, keras.config.epsilon()))


@_REGISTER
class MaskedLoss(MaskedMeanSquaredError):
    """Another of Keras' losses per pixel, averaged like `MaskedMeanSquaredError`.

    Args:
        fn: String, Keras' name of the loss, such as `"mae"` or `"huber"`.
        name: String, the name of this loss.

    Raises:
        ValueError: If Keras has no such loss.
    """

    def __init__(self, fn: str, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or f"masked_{fn}", **kwargs)
        self.fn = fn
        loss = keras.losses.get(fn)
        self._of_pixels = getattr(loss, "call", loss)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self._of_pixels(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fn": self.fn}


def masked_loss(loss: Any) -> Any:
    """Return a loss of `(image, generated, mask)`; a name becomes a `MaskedLoss`.

    Raises:
        ValueError: If it is neither None, a loss nor the name of one.
    """
    if loss is None or isinstance(loss, keras.losses.Loss):
        return loss
    if isinstance(loss, str):
        return MaskedLoss(loss)
    raise ValueError(f"loss must be a keras.losses.Loss or the name of one, got {loss!r}")


def check_adversarial(kind: str) -> str:
    """Return the kind of an adversarial loss if it is valid.

    Raises:
        ValueError: If it is not in `ADVERSARIAL_KINDS`.
    """
    if kind not in ADVERSARIAL_KINDS:
        raise ValueError(f"adversarial must be one of {ADVERSARIAL_KINDS}, got {kind!r}")
    return kind


@_REGISTER
class DiscriminatorLoss(keras.losses.Loss):
    """The discriminator's loss for classifying real and completed images.

    Args:
        kind: `"bce"`, binary cross-entropy on the logit, as in the paper; or `"hinge"`, which is
            zero for images that are classified with a margin: try it if the discriminator wins.
        label_smoothing: Float in [0, 0.5): real images are labelled 1 minus this (`"bce"`
            only). Try 0.1 if the discriminator's loss approaches zero.

    Call arguments:
        y_true: Float tensor `(batch, 1)`, 1 for real and 0 for completed.
        y_pred: Float tensor `(batch, 1)`, logits.

    Returns:
        Float32 scalar.
    """

    def __init__(
        self,
        kind: str = "bce",
        label_smoothing: float = 0.0,
        name: str = "discriminator_loss",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if not 0 <= label_smoothing < 0.5:
            raise ValueError(f"label_smoothing must be in [0, 0.5), got {label_smoothing!r}")
        self.kind = check_adversarial(kind)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if self.kind == "hinge":
            return ops.mean(ops.relu(1 - (2 * y_true - 1) * y_pred), axis=-1)
        labels = y_true * (1 - self.label_smoothing)
        return keras.losses.binary_crossentropy(labels, y_pred, from_logits=True)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "kind": self.kind, "label_smoothing": self.label_smoothing}


@_REGISTER
class GeneratorLoss(keras.losses.Loss):
    """The completion network's adversarial loss, which is weighted by alpha.

    Args:
        kind: `"bce"`, the cross-entropy of the completed images with the label of real ones,
            whose gradient does not vanish if the discriminator wins; or `"hinge"`, the negative
            logit.

    Call arguments:
        y_true: Float tensor `(batch, 1)` of ones.
        y_pred: Float tensor `(batch, 1)`, logits of completed images.

    Returns:
        Float32 scalar.
    """

    def __init__(self, kind: str = "bce", name: str = "generator_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.kind = check_adversarial(kind)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if self.kind == "hinge":
            return ops.mean(-y_pred, axis=-1)
        return keras.losses.binary_crossentropy(y_true, y_pred, from_logits=True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind}


#: The name of `GeneratorLoss` in trainers saved by earlier versions.
FoolingLoss = GeneratorLoss
