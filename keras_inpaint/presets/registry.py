"""The presets: their purpose, training settings and bundled weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

WEIGHTS_FOLDER = Path(__file__).resolve().parent / "weights"

#: Names of the bundled files of a preset.
KERAS_FILE, TFLITE_FILE, CARD_FILE = "completion.keras", "completion.tflite", "model_card.json"


@dataclass(frozen=True)
class Preset:
    """A named training configuration and the weights trained with it.

    It does not depend on the machine: precision and device are chosen at training time.

    Args:
        name: String, its name for `--preset` and `--model`.
        description: String, its purpose in one sentence.
        data: String, the photos that it is trained on.
        training: The default settings of `keras-inpaint train --preset`: a read-only mapping from
            attributes of `training.config.TrainingConfig` to values.
        command: String, the command that trains it.
        subject: String, the subject of the photos; see `cards.TrainedOn`.
        subject_px: Minimum and maximum width of the subject in training, in pixels of the
            network's input; None for photos in general.
        expected: String, the expected result of the command; None if not measured yet.
    """

    name: str
    description: str
    data: str
    training: Mapping[str, Any]
    command: str
    subject: str
    subject_px: tuple[int, int] | None = None
    expected: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "training", MappingProxyType(dict(self.training)))

    @property
    def folder(self) -> Path:
        """The folder of this preset's bundled files; it may not exist."""
        return WEIGHTS_FOLDER / self.name

    @property
    def keras_file(self) -> Path:
        """The float32 Keras file of the completion network."""
        return self.folder / KERAS_FILE

    @property
    def tflite_file(self) -> Path:
        """The TFLite file of the completion network."""
        return self.folder / TFLITE_FILE

    @property
    def has_weights(self) -> bool:
        """Whether the completion network is bundled as a Keras or TFLite file."""
        return self.keras_file.is_file() or self.tflite_file.is_file()


#: Settings that were measured to learn faster than the paper's Adadelta (docs/experiments.md).
FAST_LEARNING = MappingProxyType(
    {
        "optimizer": "muon",
        "learning_rate": 5e-3,
        "discriminator_optimizer": "adam",
        "discriminator_learning_rate": 1e-4,
        "joint_learning_rate": 5e-4,
        "decay": "cosine",
    }
)

_ALL = (
    Preset(
        name="faces",
        description="Portraits, one face that looks into the camera.",
        data="official portraits of 178x218 px, eyes aligned",
        training={
            "size": 128,
            "width": 1.0,
            "discriminator_width": 0.5,
            "scale": (1.0, 1.4),
            "masks": "rectangles:20-64x3+strokes:2-40",
            "batch_size": 96,
            "steps": (3_950, 900, 300),
            "alpha": 0.002,
            "ema": 0.999,
            "held_out": 0.04,
            "seed": 0,
            **FAST_LEARNING,
            "learning_rate": 6e-3,
            "discriminator_learning_rate": 2.5e-4,
            "joint_learning_rate": 1.2e-3,
        },
        command="keras-inpaint train PHOTOS --preset faces --out runs/faces",
        subject="face",
        subject_px=(72, 100),
        expected="21.9 dB in a hole of 40x40 px in the middle of 160x160 px, on portraits of "
        "other people, interpolated three quarters of the way from phase 1's network to phase 3's; "
        "five minutes on a large GPU, a day on two cores, where a smaller --width and --init faces "
        "are recommended",
    ),
    Preset(
        name="scenes",
        description="Photos in general: landscapes, buildings, plants, textures.",
        data="photos of landscapes, buildings, plants, textures and shop shelves",
        training={
            "size": 128,
            "width": 0.5,
            "scale": (1.0, 1.5),
            "masks": "rectangles:20-64x3+strokes:2-40",
            "batch_size": 128,
            "steps": (12_025, 0, 0),
            "ema": 0.999,
            "held_out": 0.025,
            "seed": 0,
            **FAST_LEARNING,
            "learning_rate": 7e-3,
        },
        command="keras-inpaint train PHOTOS --preset scenes --out runs/scenes",
        subject="any",
        expected="see the card; three minutes on a large GPU, about twenty hours on two cores, "
        "where --init scenes and fewer --steps are recommended",
    ),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}

#: The default model of `complete`, `evaluate` and `serve`.
DEFAULT_PRESET = "faces"


def preset_named(name: str) -> Preset:
    """Return a preset by its name.

    Raises:
        ValueError: If the name is unknown; the message lists the presets.
    """
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; presets: {', '.join(PRESETS)}")
    return PRESETS[name]
