"""RMSprop: the gradient divided by a running root mean square of itself. ... means any shape."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.parameter import RowGradient, dense_gradient
from ls_core.types import Array

from .optimizer import Optimizer, State


@kernel
def rmsprop_update(
    value: Array,
    grad: Array | RowGradient,
    v: Array,
    mean: Array | None,
    m: Array | None,
    rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
) -> None:
    grad = dense_gradient(grad)
    v *= rho  # (...)
    v += grad * grad * (1.0 - rho)
    spread = v  # (...)
    if mean is not None:  # centered: the variance instead of the mean square
        mean *= rho
        mean += grad * (1.0 - rho)
        spread = v - mean * mean
    step = grad / get_xp(value).sqrt(spread + epsilon)  # (...)
    step *= rate
    if m is not None:
        m *= momentum
        m += step
        step = m
    value -= step


class RMSprop(Optimizer):
    """Gradient descent with a rate for each weight, from a running mean of its squared gradients.

    ``v = rho v + (1 - rho) g^2``, ``s = rate g / sqrt(v + epsilon)``, then ``w -= s``, or with momentum
    ``m = momentum m + s``, ``w -= m``. ``centered``: the root holds v minus the square of g's running mean.

    Parameters
    ----------
    learning_rate : float or schedule
        Default 0.001.
    rho : float
        How slowly the running means forget, default 0.9.
    momentum : float
        Default 0.
    epsilon : float
        Default 1e-7, inside the root.
    centered : bool
        Default False.
    weight_decay ... name, and ``lr``, ``rate_multipliers``, ``schedules``, ``lazy_rows``
        As in :class:`Optimizer`.

    Source: Keras 3, ``keras.optimizers.RMSprop``; Hinton 2012, lecture 6e; Graves 2013, eq. 38 to 45 (centered).

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> weight = Parameter(np.array([1.0, 1.0]))
    >>> weight.accumulate(np.array([2.0, 200.0]))
    >>> RMSprop(0.1, rho=0.75).apply([weight])
    >>> weight.value.round(6)
    array([0.8, 0.8])
    """

    takes_row_gradients = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **options,
        )
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def make_state(self, value: Array) -> State:
        names = ["v", *(["mean"] if self.centered else []), *(["m"] if self.momentum > 0 else [])]
        return {name: get_xp(value).zeros_like(value) for name in names}

    def update(self, value: Array, grad: Array | RowGradient, state: State, rate: float) -> None:
        rmsprop_update(value, grad, state["v"], state.get("mean"), state.get("m"), rate, self.rho, self.momentum, self.epsilon)
