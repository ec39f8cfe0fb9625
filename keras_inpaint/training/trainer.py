"""The base of the three trainers: saving with networks and optimisers."""

from typing import Any

import keras

from keras_inpaint.training.steps import Trackers, policy_of


class Trainer(keras.Model):
    """A model that owns networks, trains them with `fit`, and saves them with its optimisers.

    Subclasses name their networks in `_networks` (constructor arguments and attributes) and
    implement `train_step` and `test_step`.
    """

    _networks: tuple[str, ...] = ("completion_network",)
    #: The network that `optimizer` trains.
    _learns = "completion_network"
    #: Whether an optimiser's moving averages stay out of the network at the end of `fit`.
    keep_averages_apart = False

    def __init__(self, networks: dict[str, keras.Model], trackers: Trackers, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", policy_of(networks["completion_network"]))
        super().__init__(**kwargs)
        for name in self._networks:
            setattr(self, name, networks[name])
        self._trackers = trackers
        self.built = True

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return self._trackers.all

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        """Return the generated images for a dict of `image` and `mask`."""
        pair = {"image": inputs["image"], "mask": inputs["mask"]}
        return self.completion_network(pair, training=training)

    def fit(self, *args: Any, shuffle: bool = False, **kwargs: Any) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does; the dataset has been shuffled already."""
        return super().fit(*args, shuffle=shuffle, **kwargs)

    def compile_with(self, spec: dict[str, Any], **kwargs: Any) -> None:
        """Compile Keras' part and keep what a saved trainer compiles itself from."""
        super().compile(optimizer=spec["optimizer"], **kwargs)
        self._compile_spec = keras.saving.serialize_keras_object({**spec, **kwargs})
        if spec["optimizer"].use_ema:
            spec["optimizer"].finalize_variable_values = self._use_averages

    def _use_averages(self, variables: Any) -> None:
        """At the end of `fit` put the averages into the one network that they are of.

        Keras offers all trainable weights of the trainer, also another network's.
        """
        optimizer = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        if not self.keep_averages_apart:
            learned = getattr(self, self._learns).trainable_variables
            type(optimizer).finalize_variable_values(optimizer, learned)

    def get_compile_config(self) -> dict[str, Any] | None:
        return getattr(self, "_compile_spec", None)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    def get_config(self) -> dict[str, Any]:
        networks = {
            name: keras.saving.serialize_keras_object(getattr(self, name))
            for name in self._networks
        }
        return {**super().get_config(), **networks}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Trainer":
        config = dict(config)
        for name in cls._networks:
            config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects)
        return cls(**config)
