"""SGD: gradient descent, plain, with momentum, or with Nesterov's momentum. ... means any shape."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.parameter import RowGradient, dense_gradient
from ls_core.types import Array

from .optimizer import Optimizer, State


@kernel
def sgd_update(value: Array, grad: Array | RowGradient, m: Array | None, rate: float, momentum: float, nesterov: bool) -> None:
    step = dense_gradient(grad) * -rate  # (...)
    if m is not None:
        m *= momentum  # (...)
        m += step
        if nesterov:
            value += step
            step = m * momentum  # on to where the momentum will carry the value
        else:
            step = m
    value += step


class SGD(Optimizer):
    """Gradient descent, optionally with momentum.

    ``m = momentum m - rate g``, then ``w += m``, or with ``nesterov`` ``w += momentum m - rate g``.
    Without momentum ``w -= rate g``.

    Parameters
    ----------
    learning_rate : float or schedule
        Default 0.01.
    momentum : float
        0 to 1, default 0.
    nesterov : bool
        Default False.
    weight_decay ... name, and ``lr``, ``rate_multipliers``, ``schedules``, ``lazy_rows``
        As in :class:`Optimizer`.

    Source: Keras 3, ``keras.optimizers.SGD``; Sutskever et al. 2013, eq. 1 to 4.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> weight = Parameter(np.array([1.0]))
    >>> weight.accumulate(np.array([2.0]))
    >>> SGD(0.1).apply([weight])
    >>> weight.value, weight.grad
    (array([0.8]), None)
    """

    takes_row_gradients = True

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
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
        if not 0 <= momentum <= 1:
            raise ValueError(f"SGD: momentum lies between 0 and 1, not {momentum!r}")
        self.momentum, self.nesterov = momentum, nesterov

    def make_state(self, value: Array) -> State:
        return {"m": get_xp(value).zeros_like(value)} if self.momentum else {}

    def update(self, value: Array, grad: Array | RowGradient, state: State, rate: float) -> None:
        sgd_update(value, grad, state.get("m"), rate, self.momentum, self.nesterov)
