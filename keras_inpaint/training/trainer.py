"""The base class of the three trainers: multi-worker `fit`, and saving with optimisers."""

import os
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_inpaint.training.steps import Trackers, as_batch, policy_of


class MultiWorkerMixin:
    """`fit` and `evaluate` under `MultiWorkerMirroredStrategy`; inherit before `keras.Model`.

    Keras' own methods build the model on distributed values and reduce the results of a step
    outside the replicas' graph, which fails:
    https://github.com/keras-team/keras/issues/20585.
    """

    def _is_multi_worker(self) -> bool:
        strategy = self.distribute_strategy
        return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        # The networks are already built, and `compile` builds the optimisers.
        if not self._is_multi_worker():
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

    def make_train_function(self, force: bool = False) -> Callable | None:
        """Make the function that runs a training step on a batch of every worker."""
        if not self._is_multi_worker():
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = self._reduced(self.train_step)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Callable | None:
        """Make the function that runs a test step on a batch of every worker."""
        if not self._is_multi_worker():
            return super().make_test_function(force)
        if self.test_function is None or force:
            self.test_function = self._reduced(self.test_step)
        return self.test_function

    def _reduced(self, step: Callable[[Any], dict[str, Any]]) -> Callable:
        strategy = self.distribute_strategy

        @tf.function(reduce_retracing=True)
        def run(iterator: Any) -> dict[str, Any]:
            logs = strategy.run(step, args=(next(iterator),))
            mean = tf.distribute.ReduceOp.MEAN
            return {key: strategy.reduce(mean, value, axis=None) for key, value in logs.items()}

        def on_iterator(iterator: Any) -> dict[str, Any]:
            try:
                return run(iterator)
            except tf.errors.OutOfRangeError:
                raise StopIteration from None

        return on_iterator


def require_tensorflow() -> None:
    """Check that Keras' backend is TensorFlow.

    Raises:
        RuntimeError: If it is not; the message names the setting that selects the backend.
    """
    backend = keras.backend.backend()
    if backend != "tensorflow":
        where = "KERAS_BACKEND" if os.environ.get("KERAS_BACKEND") else "keras.json"
        raise RuntimeError(
            f"training needs Keras' TensorFlow backend, but {where} selects {backend}: set "
            "KERAS_BACKEND=tensorflow (a trained network runs under every backend)"
        )


#: The inputs of each network, by the trainers' names for them.
_INPUTS = {"completion_network": {"image", "mask"}, "discriminator": {"image", "patch"}}


class Trainer(MultiWorkerMixin, keras.Model):
    """A model that trains networks with `fit` and saves them together with its optimisers.

    Subclasses list their networks in `_networks` (the names of constructor arguments and
    attributes) and implement `train_step` and `test_step`.
    """

    _networks: tuple[str, ...] = ("completion_network",)
    #: The network that `optimizer` trains.
    _learns = "completion_network"
    #: Whether the network keeps its last weights at the end of `fit` instead of the averages.
    keep_averages_apart = False

    def __init__(self, networks: dict[str, keras.Model], trackers: Trackers, **kwargs: Any) -> None:
        require_tensorflow()
        kwargs.setdefault("dtype", policy_of(networks["completion_network"]))
        for name in self._networks:
            _check_role(networks[name], name)
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

    def batch(self, data: Any) -> dict[str, tf.Tensor]:
        """Convert the data of a step to a dict of `image`, `mask` and patches.

        The seed of missing patches is the optimiser's number of steps, so that a resumed run
        draws the same patches.
        """
        size, seed = None, None
        if "discriminator" in self._networks:
            size = self.discriminator.input["patch"].shape[1]
            optimizer = getattr(self, "optimizer", None)
            step = 0 if optimizer is None else tf.cast(optimizer.iterations.value, tf.int32)
            seed = tf.stack([self._patch_seed, step])
        return as_batch(data, size, seed)

    #: First half of the seed for drawing missing patches.
    _patch_seed = 0

    def fit(self, *args: Any, shuffle: bool = False, **kwargs: Any) -> keras.callbacks.History:
        """Train like `keras.Model.fit`, without shuffling by default: datasets are shuffled."""
        return super().fit(*args, shuffle=shuffle, **kwargs)

    def export(self, *args: Any, **kwargs: Any) -> None:
        """Export the completion network like `keras.Model.export`."""
        self.completion_network.export(*args, **kwargs)

    def compile_with(self, spec: dict[str, Any], **kwargs: Any) -> None:
        """Call `keras.Model.compile`, and keep `spec` for `get_compile_config`.

        Raises:
            ValueError: If `kwargs` contains an argument that the trainers' steps would ignore.
        """
        for name in ("metrics", "weighted_metrics", "loss_weights"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"compile({name}=...) has no effect on a {type(self).__name__}, which logs "
                    f"{', '.join(self._trackers.means)}; measure others with keras_inpaint.evaluate"
                )
            kwargs.pop(name, None)
        super().compile(optimizer=spec["optimizer"], **kwargs)
        self._compile_spec = keras.saving.serialize_keras_object({**spec, **kwargs})
        if spec["optimizer"].use_ema:
            spec["optimizer"].finalize_variable_values = self._use_averages

    def _use_averages(self, variables: Any) -> None:
        """Assign the moving averages to the network they belong to, at the end of `fit`.

        Keras passes all trainable weights of the trainer, including those of other networks.
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


def _check_role(network: Any, role: str) -> None:
    inputs = getattr(network, "input", None)
    if isinstance(inputs, dict) and set(inputs) != _INPUTS[role]:
        raise ValueError(
            f"{role} must have the inputs {' and '.join(sorted(_INPUTS[role]))}, but "
            f"{network.name!r} has {' and '.join(sorted(inputs))}: are the networks swapped?"
        )
