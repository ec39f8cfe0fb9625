"""GLCIC image completion on Keras 3.

Names are resolved on first use (PEP 562), so that importing the package imports neither
TensorFlow nor Keras.
"""

import importlib
from typing import Any

from keras_inpaint import registration

__version__ = "0.1.0"

_HOMES = {
    "build_completion_network": "networks.completion",
    "build_context_discriminator": "networks.discriminators",
    "build_global_discriminator": "networks.discriminators",
    "build_local_discriminator": "networks.discriminators",
    "CompletionTrainer": "training.pretraining",
    "DiscriminatorTrainer": "training.pretraining",
    "JointTrainer": "training.joint",
    "MaskedMeanSquaredError": "training.losses",
    "CollapseGuard": "training.callbacks",
    "ContactSheet": "training.callbacks",
    "Muon": "training.optimizers",
    "TrainingConfig": "training.config",
    "train": "training.schedule",
    "PRESETS": "presets",
    "load_images": "data.sources",
    "make_dataset": "data.pipeline",
    "completion_network": "inference.loading",
    "load_model": "inference.loading",
    "Inpainter": "inference.inpainter",
    "complete_photo": "batch.files",
    "complete_folder": "batch.files",
    "convert_weights": "networks.converters.convert",
    "export_onnx": "exporting.onnx",
    "export_saved_model": "exporting.saved_model",
    "export_tflite": "exporting.tflite",
    "evaluate": "evaluation.evaluate",
}

__all__ = ["__version__", *_HOMES]

registration.register()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
