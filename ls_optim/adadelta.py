"""Adadelta: steps in proportion to the steps before them. ... means any shape."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .optimizer import Optimizer, State


@kernel
def adadelta_update(value: Array, grad: Array, grad_mean: Array, step_mean: Array, rate: float, rho: float, epsilon: float) -> None:
    xp = get_xp(value)
    grad_mean *= rho  # (...)
    grad_mean += grad * grad * (1.0 - rho)
    step = xp.sqrt((step_mean + epsilon) / (grad_mean + epsilon))  # (...)
    step *= grad
    step_mean *= rho  # (...)
    step_mean += step * step * (1.0 - rho)
    step *= rate
    value -= step


class Adadelta(Optimizer):
    """Steps of the size of recent steps, turned by the gradient: the units fit, and no rate needs tuning.

    With running means of squares, ``G = rho G + (1 - rho) g^2``::

        s = g sqrt(S + epsilon) / sqrt(G + epsilon)
        S = rho S + (1 - rho) s^2
        w -= rate s

    Parameters
    ----------
    learning_rate : float or schedule
        Default 0.001; the paper's own is 1.
    rho : float
        How slowly the means forget, default 0.95.
    epsilon : float
        Default 1e-7.
    weight_decay ... name, and ``lr``, ``rate_multipliers``, ``schedules``, ``lazy_rows``
        As in :class:`Optimizer`.

    Source: Keras 3, ``keras.optimizers.Adadelta``; Zeiler 2012, Algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> weight = Parameter(np.array([1.0]))
    >>> weight.accumulate(np.array([2.0]))
    >>> Adadelta(1.0, epsilon=0.05).apply([weight])
    >>> weight.value.round(4)
    array([0.1056])
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
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
        self.rho, self.epsilon = rho, epsilon

    def make_state(self, value: Array) -> State:
        return {name: get_xp(value).zeros_like(value) for name in ("grad_mean", "step_mean")}

    def update(self, value: Array, grad: Array, state: State, rate: float) -> None:
        adadelta_update(value, grad, state["grad_mean"], state["step_mean"], rate, self.rho, self.epsilon)
