"""What a training run is made of."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from keras_inpaint.data.mask_specs import parse_mask_spec
from keras_inpaint.data.masks import default_patch_size, mask_sampler
from keras_inpaint.training.losses import check_adversarial

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
DECAYS = ("constant", "cosine")


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the result of a run, but for the images themselves.

    Example:

    >>> config = TrainingConfig(data="photos/", size=64, width=0.25, steps=(2000, 100, 200))

    Attributes:
        data: What `data.load_images` takes.
        data_dir: Where TFDS keeps its data; None is its default.
        init: Completion network to start from instead of random weights: a preset's name, a
            run's folder or a `.keras` file of the same kernels and of this width or a smaller one;
            or one that `convert_weights` made, which keeps its own width and form. Its mean pixel
            is kept.
        size: Side of the training crops in pixels, a multiple of 4.
        width: Multiplier of the completion network's channels.
        discriminator_width: Multiplier of the discriminator's channels; None is `width`.
        first_kernel: Kernel size of the completion network's first convolution.
        last_kernel: Kernel size of its last one.
        mask_channel: Whether the mask is the fourth input channel.
        batch_size: Images a step.
        steps: Steps of the three phases; 0 leaves a phase out.
        masks: What `data.mask_specs.parse_mask_spec` takes.
        patch_size: Side of the local patch in pixels; None is the paper's by size.
        scale: Range of the shortest side before the crop, in crops.
        flip: Whether half of the images are mirrored.
        held_out: Part of the groups that is kept for judging.
        seed: Seed of the weights, the batches and the split.
        precision: One of `PRECISIONS`.
        optimizer: Keras optimiser of the completion network by name.
        learning_rate: Its learning rate; None is the optimiser's own (Adadelta: 1.0).
        discriminator_optimizer: Keras optimiser of the discriminator by name; None is
            `optimizer`.
        discriminator_learning_rate: Its learning rate; None is the optimiser's own.
        joint_learning_rate: The completion network's learning rate in phase 3; None is
            `learning_rate`.
        decay: `"constant"`, or `"cosine"` to a hundredth over each phase.
        alpha: Weight of the adversarial loss.
        adversarial: `"bce"` or `"hinge"`.
        label_smoothing: Real images are labelled 1 minus this.
        ema: Momentum of the exponential moving average of the completion network that is
            judged and saved instead of the last weights; 0 is off. Try 0.999 when the
            pictures flicker from one sheet to the next.
        clip_norm: Largest norm of a network's gradient; 0 is off. Try 1.0 when the loss jumps.
        on_collapse: `"warn"`, `"stop"` or `"rebalance"`.
        log_every: Steps a row of the metrics.
        judge_every: Steps between contact sheets; 0 makes about twelve a phase.
    """

    data: str = "sample"
    data_dir: str | None = None
    init: str | None = None
    size: int = 128
    width: float = 1.0
    discriminator_width: float | None = None
    first_kernel: int = 5
    last_kernel: int = 3
    mask_channel: bool = True
    batch_size: int = 16
    steps: tuple[int, int, int] = (2000, 200, 500)
    masks: str = "rectangles"
    patch_size: int | None = None
    scale: tuple[float, float] = (1.0, 1.5)
    flip: bool = True
    held_out: float = 0.05
    seed: int = 0
    precision: str = "auto"
    optimizer: str = "adadelta"
    learning_rate: float | None = None
    discriminator_optimizer: str | None = None
    discriminator_learning_rate: float | None = None
    joint_learning_rate: float | None = None
    decay: str = "constant"
    alpha: float = 4e-4
    adversarial: str = "bce"
    label_smoothing: float = 0.0
    ema: float = 0.0
    clip_norm: float = 0.0
    on_collapse: str = "warn"
    log_every: int = 50
    judge_every: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "scale"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.steps) != 3 or min(self.steps) < 0 or sum(self.steps) == 0:
            raise ValueError(f"steps must be three numbers, not all 0, got {self.steps!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {PRECISIONS}, got {self.precision!r}")
        if self.decay not in DECAYS:
            raise ValueError(f"decay must be one of {DECAYS}, got {self.decay!r}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema must be at least 0 and below 1, got {self.ema!r}")
        if self.log_every < 1 or self.judge_every < 0 or self.clip_norm < 0:
            raise ValueError("log_every must be above 0, judge_every and clip_norm not below 0")
        check_adversarial(self.adversarial)
        self._check_sizes()

    def _check_sizes(self) -> None:
        if self.size < 4 or self.size % 4:
            raise ValueError(f"size must be a multiple of 4 above 0, got {self.size!r}")
        if not 4 <= self.patch <= self.size or self.patch % 4:
            raise ValueError(
                f"patch_size must be a multiple of 4 from 4 to the size {self.size}, got "
                f"{self.patch!r}: choose another --patch-size or --size"
            )
        if parse_mask_spec(self.masks)[0].folder:
            return
        sampler = mask_sampler(self.masks)
        try:
            sampler(tf.constant([0, 0]), self.size)
        except ValueError as error:
            raise ValueError(
                f"masks {self.masks!r}: {error}: choose other --masks or another --size"
            ) from None

    @property
    def patch(self) -> int:
        """Side of the local patch in pixels."""
        return default_patch_size(self.size) if self.patch_size is None else self.patch_size

    def judged_at(self, phase: int) -> int:
        """Return the steps between two contact sheets of a phase, whole log intervals."""
        steps = self.judge_every or self.steps[phase - 1] / 12
        return max(1, round(steps / self.log_every)) * self.log_every

    def as_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON holds them."""
        return {
            k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()
        }
