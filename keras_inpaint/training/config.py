"""What a training run is made of: each setting's type, default, limits and help, told once.

Nothing here imports TensorFlow before a configuration is made, so that `keras-inpaint train --help`
reads its options from the fields.
"""

import dataclasses
import operator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_inpaint.data.mask_specs import GRAMMAR, parse_mask_spec

#: Names of settings in runs of earlier versions, and those of now.
_RENAMED = {"judge_every": "evaluate_every"}
_PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


def _setting(default: Any, help: str, **limits: Any) -> Any:
    """Return a field of the configuration.

    Args:
        default: Its default.
        help: A sentence or two.
        **limits: `choices`; `minimum`, `above`, `maximum`, `below`, for each of several numbers;
            `option=False` where the command has no such option.
    """
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the result of a run, but for the images themselves.

    Example:

    >>> config = TrainingConfig(data="photos/", size=64, width=0.25, steps=(2000, 100, 200))

    Raises:
        ValueError: If a value is outside of its limits, or sizes do not fit each other.

    Attributes:
    """

    data: str = _setting("sample", "What `load_images` takes.", option=False)
    data_dir: str | None = _setting(
        None, "Where TFDS keeps its data; None is its default.", option=False
    )
    cache_gb: float | None = _setting(
        None,
        "Most gigabytes of memory for decoded images, a quarter of the machine's if not set; what "
        "does not fit is decoded each time it is seen.",
        minimum=0,
    )
    init: str | None = _setting(
        None,
        "Start from these weights: a preset, a run's folder or a .keras file of the same kernels "
        "and of this width or a smaller one, or one that `convert` made, which keeps its own form.",
    )
    size: int = _setting(128, "Side of the training crops in pixels, a multiple of 4.", minimum=4)
    width: float = _setting(1.0, "Multiplier of the networks' channels.", above=0, maximum=16)
    discriminator_width: float | None = _setting(
        None, "Multiplier of the discriminator's channels, if not the width.", above=0, maximum=16
    )
    batch_size: int = _setting(16, "Images a step.", minimum=1)
    steps: tuple[int, int, int] = _setting(
        (2000, 200, 500), "Steps of the three phases; 0 leaves a phase out.", minimum=0
    )
    masks: str = _setting(
        "rectangles",
        f"The holes: {GRAMMAR} (white is the hole). Of several an image draws one.",
    )
    patch_size: int | None = _setting(
        None,
        "Side of the local discriminator's patch in pixels; the paper's by size if not set.",
        minimum=4,
    )
    scale: tuple[float, float] = _setting(
        (1.0, 1.5),
        "The shortest side is resized to LOW to HIGH times the crop before it is cut.",
        minimum=1,
    )
    flip: bool = _setting(True, "Mirror half of the images.")
    held_out: float = _setting(
        0.05, "Part of the images, by group, kept for judging.", minimum=0, below=1
    )
    seed: int = _setting(0, "Seed of the weights, the batches and the split.")
    precision: str = _setting(
        "auto", "What to compute in; auto asks the machine.", choices=_PRECISIONS
    )
    optimizer: str = _setting(
        "adadelta", "Keras optimiser by name, such as adadelta, adam or muon."
    )
    learning_rate: float | None = _setting(
        None, "Of the completion network; adadelta's is 1.0.", above=0
    )
    discriminator_optimizer: str | None = _setting(
        None, "Of the discriminator; the completion network's if not set."
    )
    discriminator_learning_rate: float | None = _setting(None, "Of the discriminator.", above=0)
    joint_learning_rate: float | None = _setting(
        None, "Of the completion network in phase 3.", above=0
    )
    decay: str = _setting(
        "constant",
        "Learning rate over a phase; cosine falls to a hundredth.",
        choices=("constant", "cosine"),
    )
    cooldown: int = _setting(
        0,
        "Steps at the end of a phase over which a constant learning rate falls to a hundredth, "
        "as a cosine.",
        minimum=0,
    )
    alpha: float = _setting(4e-4, "Weight of the adversarial loss.", minimum=0)
    adversarial: str = _setting(
        "bce",
        "Form of the adversarial loss; hinge for a discriminator that wins.",
        choices=("bce", "hinge"),
    )
    label_smoothing: float = _setting(
        0.0,
        "Real images are labelled 1 minus this; for a discriminator that wins.",
        minimum=0,
        below=0.5,
    )
    augment: str = _setting(
        "",
        "What the discriminator sees in phase 3 is augmented: some of color, translation, cutout "
        "with commas between; for few photos, which it learns by heart. Costs next to no time.",
    )
    feature_matching: float = _setting(
        0.0,
        "Weight of the distance between the discriminator's features of completed and real images, "
        "such as 0.02; for phase 3's texture that flickers. One more pass of the discriminator.",
        minimum=0,
    )
    perceptual: float = _setting(
        0.0,
        "Weight of the distance between the features of completed and real images in "
        "--perceptual-network, such as 0.05; for phase 3's eyes and hair that stay soft. Two "
        "passes of that network forwards and one backwards.",
        minimum=0,
    )
    perceptual_network: str | None = _setting(
        None, "A .keras file that gives features of photos, as for evaluate --features."
    )
    r1: float = _setting(
        0.0,
        "Weight of the R1 gradient penalty, such as 1; for a discriminator whose gradient grows. "
        "Two to three more passes of the discriminator in each step that has it.",
        minimum=0,
    )
    r1_every: int = _setting(16, "Steps from one R1 penalty to the next.", minimum=1)
    ema: float = _setting(
        0.0,
        "Momentum of an average of the weights, such as 0.999, which is judged and saved instead "
        "of the last weights; for pictures that flicker.",
        minimum=0,
        below=1,
    )
    clip_norm: float = _setting(
        0.0, "Largest gradient norm, such as 1; for a loss that jumps. 0 is off.", minimum=0
    )
    on_collapse: str = _setting(
        "warn",
        "What to do when the discriminator wins.",
        choices=("warn", "stop", "rebalance"),
    )
    first_kernel: int = _setting(5, "Kernel size of the first convolution.", minimum=1)
    last_kernel: int = _setting(
        3, "Kernel size of the last convolution; larger is smoother.", minimum=1
    )
    mask_channel: bool = _setting(
        True, "Whether the mask is the fourth input channel.", option=False
    )
    log_every: int = _setting(50, "Steps a row of metrics.csv.", minimum=1)
    evaluate_every: int = _setting(
        0, "Steps between contact sheets; 0 makes about twelve a phase.", minimum=0
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
            with tf.Graph().as_default():  # nothing is computed: several workers connect later
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
        """Return the steps between two contact sheets of a phase, whole log intervals."""
        steps = self.evaluate_every or self.steps[phase - 1] / 12
        return max(1, round(steps / self.log_every)) * self.log_every

    def as_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON holds them."""
        return {
            k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()
        }


def with_new_names(saved: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that a run of any version saved, under their names of now."""
    return {_RENAMED.get(name, name): value for name, value in saved.items()}


def require_same(saved: dict[str, Any], config: TrainingConfig, run: Path) -> None:
    """Check that a run may go on with a configuration.

    Args:
        saved: What the run saved; settings that its version lacked are off, their default.
        config: The configuration to go on with.
        run: Path of the run's folder, for the message.

    Raises:
        ValueError: If a setting that decides the result is another one. Numbers of steps may grow
            while the learning rate is constant.
    """
    saved, wanted = {**TrainingConfig().as_dict(), **saved}, config.as_dict()
    # A run goes on with the precision that it began with; the others do not change its result.
    free = {"precision", "on_collapse", "data_dir", "cache_gb"}
    constant = all(each["decay"] == "constant" and not each["cooldown"] for each in (saved, wanted))
    pairs = zip(wanted["steps"], saved["steps"], strict=True)
    if constant and all(now >= before for now, before in pairs):
        free.add("steps")
    different = [k for k in wanted if k not in free and saved[k] != wanted[k]]
    if different:
        shown = ", ".join(f"{k}={saved[k]!r} (now {wanted[k]!r})" for k in different)
        raise ValueError(
            f"{run} is a run of another configuration: {shown}; take another folder, or "
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
    for key, words, holds in rules:
        if key in limits and not all(n is None or holds(n, limits[key]) for n in numbers):
            raise ValueError(f"{setting.name} must be {words} {limits[key]}, got {value!r}")


TrainingConfig.__doc__ = (TrainingConfig.__doc__ or "").rstrip() + "".join(
    f"\n        {setting.name}: {setting.metadata['help']}"
    for setting in dataclasses.fields(TrainingConfig)
)
