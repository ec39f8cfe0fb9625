"""Let Keras find this package's classes in saved models once `keras_inpaint` is imported.

Keras loads a custom object only if its class is registered, which happens when the class's
module is imported. Importing all of these modules would import TensorFlow. Therefore a stand-in
is registered for each class; it imports the module when a saved model needs the class.
"""

import importlib
from typing import Any

import wrapt

#: Every registered class, and the module whose import registers it.
HOMES = {
    "MeanPixelFill": "networks.layers",
    "BatchNormalization": "networks.layers",
    "Conv2D": "networks.layers",
    "CompletionTrainer": "training.pretraining",
    "DiscriminatorTrainer": "training.pretraining",
    "JointTrainer": "training.joint",
    "MaskedMeanSquaredError": "training.losses",
    "MaskedLoss": "training.losses",
    "DiscriminatorLoss": "training.losses",
    "GeneratorLoss": "training.losses",
    "FoolingLoss": "training.losses",  # the former name of GeneratorLoss
    "Adadelta": "training.optimizers",
    "Adam": "training.optimizers",
    "Muon": "training.optimizers",
}


def register() -> None:
    """Register the stand-ins as soon as Keras is imported, and not earlier."""
    wrapt.register_post_import_hook(_register, "keras")


def _register(keras: Any) -> None:
    known = keras.saving.get_custom_objects()
    for name, module in HOMES.items():
        known.setdefault(f"keras_inpaint>{name}", _stand_in(name, module))


def _stand_in(name: str, module: str) -> type:
    def from_config(cls: type, config: dict[str, Any], **kwargs: Any) -> Any:
        home = importlib.import_module(f"keras_inpaint.{module}")
        return getattr(home, name).from_config(config, **kwargs)

    return type(name, (), {"from_config": classmethod(from_config)})
