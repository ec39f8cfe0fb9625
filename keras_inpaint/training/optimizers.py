"""Keras' Adadelta and Adam with one fused op per variable, and its Muon for convolutions.

A discriminator has tens of millions of weights. In each step, the stock optimisers pass over them
a dozen times, the fused ops once. Configuration, variables and results equal those of the stock
optimisers, which are used if there is no fused path (replicas, sparse gradients, AMSGrad, other
backends).
"""

import math
import re
from typing import Any

import keras
import tensorflow as tf

_REGISTER = keras.saving.register_keras_serializable("keras_inpaint")


def _can_fuse(optimizer: keras.optimizers.Optimizer, gradient: Any, variable: Any) -> bool:
    value = getattr(variable, "value", variable)
    return (
        not tf.distribute.has_strategy()
        and isinstance(gradient, tf.Tensor)
        and isinstance(value, tf.Variable)
        and value.dtype in (tf.float32, tf.float64, tf.float16, tf.bfloat16)
    )


def _handle(variable: Any) -> tf.Tensor:
    return getattr(variable, "value", variable).handle


@_REGISTER
class Adadelta(keras.optimizers.Adadelta):
    """`keras.optimizers.Adadelta` (M. D. Zeiler, https://arxiv.org/abs/1212.5701), fused.

    The defaults are Torch's instead of Keras': a learning rate of 1.0 (Keras: 0.001), `rho` of
    0.9 (Keras: 0.95) and `epsilon` of 1e-6 (Keras: 1e-7).
    """

    def __init__(
        self,
        learning_rate: Any = 1.0,
        rho: float = 0.9,
        epsilon: float = 1e-6,
        name: str = "adadelta",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, rho, epsilon, name=name, **kwargs)

    def update_step(self, grad: Any, variable: Any, learning_rate: Any) -> None:
        if not _can_fuse(self, grad, variable):
            return super().update_step(grad, variable, learning_rate)
        dtype = variable.dtype
        index = self._get_variable_index(variable)
        return tf.raw_ops.ResourceApplyAdadelta(
            var=_handle(variable),
            accum=_handle(self._accumulated_grads[index]),
            accum_update=_handle(self._accumulated_delta_vars[index]),
            lr=tf.cast(learning_rate, dtype),
            rho=tf.cast(self.rho, dtype),
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(grad, dtype),
        )


@_REGISTER
class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` (D. P. Kingma, J. Ba, https://arxiv.org/abs/1412.6980), fused."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if self.amsgrad or not _can_fuse(self, gradient, variable):
            return super().update_step(gradient, variable, learning_rate)
        dtype = variable.dtype
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, dtype)
        one, two = tf.cast(self.beta_1, dtype), tf.cast(self.beta_2, dtype)
        return tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.pow(one, step),
            beta2_power=tf.pow(two, step),
            lr=tf.cast(learning_rate, dtype),
            beta1=one,
            beta2=two,
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


@_REGISTER
class Muon(keras.optimizers.Muon):
    """`keras.optimizers.Muon` that treats a convolution's kernel as one matrix.

    The stock optimiser uses AdamW for every variable that is not a matrix; here, a kernel
    (height, width, in, out) is the matrix (height * width * in, out). The default is no weight
    decay. Source: K. Jordan et al., https://kellerjordan.github.io/posts/muon, with the step size
    of https://arxiv.org/abs/2502.16982, so that learning rates for Adam are suitable.

    Example:

    >>> trainer = CompletionTrainer(network)
    >>> trainer.compile(optimizer=Muon(0.005))
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_weight_decay: float | None = None,
        weight_decay: float | None = None,
        name: str = "muon",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            adam_weight_decay=adam_weight_decay,
            weight_decay=weight_decay,
            name=name,
            **kwargs,
        )

    def _should_use_adamw(self, variable: Any) -> bool:
        if len(variable.shape) != 4:
            return super()._should_use_adamw(variable)
        return any(re.search(keyword, variable.path) for keyword in self.exclude_layers)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        if len(x.shape) == 2:
            return super().zeropower_via_newtonschulz5(x, steps)
        matrix = keras.ops.reshape(x, (-1, x.shape[-1]))
        return keras.ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

    def lr_adjust(self, x: Any) -> Any:
        if self.rms_rate is None or len(x.shape) == 2:
            return super().lr_adjust(x)
        return x * self.rms_rate * math.sqrt(max(math.prod(x.shape[:-1]), x.shape[-1]))


_OURS = {"adadelta": Adadelta, "adam": Adam, "muon": Muon}


def resolve_optimizer(optimizer: Any, **settings: Any) -> keras.optimizers.Optimizer:
    """Return the optimiser for a name; an optimiser is returned unchanged.

    Args:
        optimizer: A Keras optimiser, its configuration, or its name; `"adadelta"`, `"adam"`
            and `"muon"` are this module's classes.
        **settings: Arguments for an optimiser given by name.

    Returns:
        A `keras.optimizers.Optimizer`.

    Raises:
        ValueError: If Keras has no optimiser of this name.
    """
    if not isinstance(optimizer, str):
        return keras.optimizers.get(optimizer)
    ours = _OURS.get(optimizer.lower())
    if ours is not None:
        return ours(**settings)
    return keras.optimizers.get({"class_name": optimizer, "config": settings})
