"""The configuration of a training run: the type, default, limits and help of each setting.

TensorFlow is not imported before a configuration is created, so that `keras-inpaint train --help`
can read its options from the fields without it.
"""

import dataclasses
import operator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_inpaint.data.mask_specs import GRAMMAR, parse_mask_spec

#: Names of settings in runs of earlier versions, and their current names.
_RENAMED = {"judge_every": "evaluate_every"}
_PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


def _setting(default: Any, help: str, **limits: Any) -> Any:
    """Return a field of the configuration.

    Args:
        default: Its default value.
        help: Its description, one or two sentences.
        **limits: `choices`; `minimum`, `above`, `maximum` and `below`, which apply to each value
            of a tuple; `option=False` if the command has no such option.
    """
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True)
class TrainingConfig:
    """All settings that determine the result of a run, except the images themselves.

    Example:

    >>> config = TrainingConfig(data="photos/", size=64, width=0.25, steps=(2000, 100, 200))

    Raises:
        ValueError: If a value is outside its limits, or sizes are inconsistent.

    Attributes:
    """

    data: str = _setting("sample", "The images, a source for `load_images`.", option=False)
    data_dir: str | None = _setting(
        None, "The data folder of TFDS; None is its default.", option=False
    )
    cache_gb: float | None = _setting(
        None,
        "Maximum memory for decoded images in gigabytes, a quarter of the machine's if not set; "
        "images that do not fit are decoded each time they are used.",
        minimum=0,
    )
    init: str | None = _setting(
        None,
        "Initial weights: a preset, the folder of a run or a .keras file with the same kernel "
        "sizes and at most this width, or a file from `convert`, which keeps its architecture.",
    )
    size: int = _setting(128, "Side of the training crops in pixels, a multiple of 4.", minimum=4)
    width: float = _setting(
        1.0, "Multiplier of the networks' numbers of channels.", above=0, maximum=16
    )
    discriminator_width: float | None = _setting(
        None,
        "Multiplier of the discriminator's numbers of channels, the width if not set.",
        above=0,
        maximum=16,
    )
    batch_size: int = _setting(16, "Images per step.", minimum=1)
    steps: tuple[int, int, int] = _setting(
        (2000, 200, 500), "Steps of the three phases; 0 skips a phase.", minimum=0
    )
    masks: str = _setting(
        "rectangles",
        f"The holes: {GRAMMAR} (white is the hole). One of several kinds is drawn per image.",
    )
    patch_size: int | None = _setting(
        None,
        "Side of the local discriminator's patch in pixels; the paper's for the size if not set.",
        minimum=4,
    )
    scale: tuple[float, float] = _setting(
        (1.0, 1.5),
        "The shortest side is resized to LOW to HIGH times the crop size before cropping.",
        minimum=1,
    )
    flip: bool = _setting(True, "Mirror half of the images.")
    held_out: float = _setting(
        0.05, "Fraction of the images, by group, held out for evaluation.", minimum=0, below=1
    )
    seed: int = _setting(0, "Seed of the weights, the batches and the split.")
    precision: str = _setting(
        "auto", "Keras dtype policy; auto depends on the machine.", choices=_PRECISIONS
    )
    optimizer: str = _setting(
        "adadelta", "Name of a Keras optimiser, such as adadelta, adam or muon."
    )
    learning_rate: float | None = _setting(
        None, "Learning rate of the completion network; adadelta's default is 1.0.", above=0
    )
    discriminator_optimizer: str | None = _setting(
        None, "Optimiser of the discriminator; the completion network's if not set."
    )
    discriminator_learning_rate: float | None = _setting(
        None, "Learning rate of the discriminator.", above=0
    )
    joint_learning_rate: float | None = _setting(
        None, "Learning rate of the completion network in phase 3.", above=0
    )
    decay: str = _setting(
        "constant",
        "Learning rate schedule of each phase; cosine falls to a hundredth.",
        choices=("constant", "cosine"),
    )
    cooldown: int = _setting(
        0,
        "Steps at the end of a phase over which a constant learning rate falls to a hundredth, "
        "following a cosine.",
        minimum=0,
    )
    alpha: float = _setting(4e-4, "Weight of the adversarial loss.", minimum=0)
    adversarial: str = _setting(
        "bce",
        "Type of the adversarial loss; try hinge if the discriminator wins.",
        choices=("bce", "hinge"),
    )
    label_smoothing: float = _setting(
        0.0,
        "Real images are labelled 1 minus this; try it if the discriminator wins.",
        minimum=0,
        below=0.5,
    )
    augment: str = _setting(
        "",
        "Augmentations of the discriminator's input in phase 3, separated by commas: color, "
        "translation, cutout. For small data sets, which it memorises. Costs almost no time.",
    )
    feature_matching: float = _setting(
        0.0,
        "Weight of the distance between the discriminator's features of completed and real images, "
        "such as 0.2; for flickering texture in phase 3. Costs one more pass of the "
        "discriminator.",
        minimum=0,
    )
    perceptual: float = _setting(
        0.0,
        "Weight of the distance between the features of completed and real images in "
        "perceptual_network, such as 0.2; for blurred eyes and hair in phase 3. Costs two "
        "forward passes and one backward pass of that network.",
        minimum=0,
    )
    perceptual_network: str | None = _setting(
        None, "A .keras file of a feature extractor, as evaluate takes."
    )
    r1: float = _setting(
        0.0,
        "Weight of the R1 gradient penalty, such as 1; for a discriminator whose gradient grows. "
        "Costs two to three more passes of the discriminator in each step with the penalty.",
        minimum=0,
    )
    r1_every: int = _setting(16, "Steps between two R1 penalties.", minimum=1)
    ema: float = _setting(
        0.0,
        "Momentum of a moving average of the weights, such as 0.999, which is evaluated and saved "
        "instead of the last weights; for results that fluctuate.",
        minimum=0,
        below=1,
    )
    clip_norm: float = _setting(
        0.0, "Maximum gradient norm, such as 1; for a loss that jumps. 0 is off.", minimum=0
    )
    on_collapse: str = _setting(
        "warn",
        "Action if the discriminator wins.",
        choices=("warn", "stop", "rebalance"),
    )
    first_kernel: int = _setting(5, "Kernel size of the first convolution.", minimum=1)
    last_kernel: int = _setting(
        3, "Kernel size of the last convolution; larger kernels give smoother results.", minimum=1
    )
    mask_channel: bool = _setting(
        True, "Whether the mask is the fourth input channel.", option=False
    )
    log_every: int = _setting(50, "Steps per row of metrics.csv.", minimum=1)
    evaluate_every: int = _setting(
        0, "Steps between contact sheets; 0 writes about twelve per phase.", minimum=0
    )

    def __post_init__(self) -> None:
        for name in ("steps", "scale"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for setting in dataclasses.fields(self):
            _check_limits(setting, getattr(self, setting.name))
        if len(self.steps) != 3 or sum(self.steps) == 0:
            raise ValueError(f"steps must be three numbers, not all 0, got {self.steps!r}")
        if self.cooldown and self.decay != "constant":
            raise ValueError(
                f"a cooldown needs the decay 'constant', got cooldown={self.cooldown!r} and "
                f"decay={self.decay!r}"
            )
        if self.perceptual and self.perceptual_network is None:
            raise ValueError(f"perceptual={self.perceptual!r} needs a perceptual_network")
        if self.augment:
            from keras_inpaint.training.regularization import parse_augment

            parse_augment(self.augment)
        self._check_sizes()

    def _check_sizes(self) -> None:
        if self.size % 4:
            raise ValueError(f"size must be a multiple of 4 above 0, got {self.size!r}")
        if self.patch > self.size or self.patch % 4:
            raise ValueError(
                f"patch_size must be a multiple of 4 from 4 to the size {self.size}, got "
                f"{self.patch!r}: choose another patch_size or size"
            )
        if parse_mask_spec(self.masks)[0].folder:
            return
        import tensorflow as tf

        from keras_inpaint.data.masks import mask_sampler

        try:
            with tf.Graph().as_default():  # no eager op: multi-worker strategies connect later
                mask_sampler(self.masks)(tf.constant([0, 0]), self.size)
        except ValueError as error:
            raise ValueError(
                f"masks {self.masks!r}: {error}: choose other masks or another size"
            ) from None

    @property
    def patch(self) -> int:
        """Side of the local patch in pixels."""
        from keras_inpaint.data.mask_specs import default_patch_size

        return default_patch_size(self.size) if self.patch_size is None else self.patch_size

    def evaluated_at(self, phase: int) -> int:
        """Return the steps between two contact sheets of a phase, a multiple of `log_every`."""
        steps = self.evaluate_every or self.steps[phase - 1] / 12
        return max(1, round(steps / self.log_every)) * self.log_every

    def as_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON types."""
        return {
            k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()
        }


def with_new_names(saved: dict[str, Any]) -> dict[str, Any]:
    """Return the saved settings of a run of any version, with their current names."""
    return {_RENAMED.get(name, name): value for name, value in saved.items()}


def require_same(saved: dict[str, Any], config: TrainingConfig, run: Path) -> None:
    """Check that a run can be resumed with a configuration.

    Args:
        saved: The saved settings of the run; those that its version lacked have their default,
            which is off.
        config: The configuration to resume with.
        run: Path of the run's folder, for the message.

    Raises:
        ValueError: If a setting that affects the result differs. The numbers of steps may be
            increased if the learning rate is constant.
    """
    saved, current = {**TrainingConfig().as_dict(), **saved}, config.as_dict()
    # A resumed run keeps its precision; the other settings do not affect the result.
    free = {"precision", "on_collapse", "data_dir", "cache_gb"}
    constant = all(
        each["decay"] == "constant" and not each["cooldown"] for each in (saved, current)
    )
    pairs = zip(current["steps"], saved["steps"], strict=True)
    if constant and all(now >= before for now, before in pairs):
        free.add("steps")
    different = [k for k in current if k not in free and saved[k] != current[k]]
    if different:
        shown = ", ".join(f"{k}={saved[k]!r} (now {current[k]!r})" for k in different)
        raise ValueError(
            f"{run} is a run with a different configuration: {shown}; choose another folder, or "
            "start over with fresh"
        )


def _check_limits(setting: dataclasses.Field, value: Any) -> None:
    limits = setting.metadata
    if "choices" in limits and value not in limits["choices"]:
        raise ValueError(f"{setting.name} must be one of {limits['choices']}, got {value!r}")
    rules = (
        ("minimum", "at least", operator.ge),
        ("above", "above", operator.gt),
        ("maximum", "at most", operator.le),
        ("below", "below", operator.lt),
    )
    numbers = value if isinstance(value, tuple) else (value,)
    for key, words, complies in rules:
        if key in limits and not all(n is None or complies(n, limits[key]) for n in numbers):
            raise ValueError(f"{setting.name} must be {words} {limits[key]}, got {value!r}")


TrainingConfig.__doc__ = (TrainingConfig.__doc__ or "").rstrip() + "".join(
    f"\n        {setting.name}: {setting.metadata['help']}"
    for setting in dataclasses.fields(TrainingConfig)
)
