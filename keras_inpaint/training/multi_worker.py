"""`fit` and `evaluate` under `tf.distribute.MultiWorkerMirroredStrategy`, which Keras 3 lacks.

Keras' own functions build the model on values of several workers, and reduce what a step returns
outside the replicas' graph, which fails there. Both are taken over here, where that strategy is in
use and nowhere else; `tests/training/test_multi_worker.py` tells when Keras no longer needs it.
Open upstream: https://github.com/keras-team/keras/issues/20585.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


class MultiWorkerMixin:
    """Overrides of `keras.Model` for several workers; comes before it among the base classes."""

    def _is_multi_worker(self) -> bool:
        strategy = self.distribute_strategy
        return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        # The trainers are built by their networks, and their optimisers when they are compiled.
        if not self._is_multi_worker():
            super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

    def make_train_function(self, force: bool = False) -> Callable | None:
        """Make what runs a training step on a batch of every worker."""
        if not self._is_multi_worker():
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = self._reduced(self.train_step)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Callable | None:
        """Make what runs a test step on a batch of every worker."""
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
