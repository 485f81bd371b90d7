"""Adamax: Adam with the largest recent gradient in place of the root mean square. ... means any shape."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .optimizer import Optimizer, State


@kernel
def adamax_update(
    value: Array, grad: Array, m: Array, u: Array, rate: float, beta_1: float, beta_2: float, epsilon: float, step: int
) -> None:
    xp = get_xp(value)
    m *= beta_1  # (...)
    m += grad * (1.0 - beta_1)
    u *= beta_2  # (...)
    xp.maximum(u, xp.abs(grad), out=u)
    alpha = rate / (1.0 - beta_1**step)  # m began at 0; u, a maximum, needs no correction
    value -= m * alpha / (u + epsilon)


class Adamax(Optimizer):
    """Adam in the infinity norm.

    With t the number of the step, counted from 1::

        m = beta_1 m + (1 - beta_1) g
        u = max(beta_2 u, |g|)
        w -= rate / (1 - beta_1^t) * m / (u + epsilon)

    Parameters
    ----------
    learning_rate : float or schedule
        Default 0.001.
    beta_1, beta_2 : float
        Defaults 0.9 and 0.999.
    epsilon : float
        Default 1e-7.
    weight_decay ... name, and ``lr``, ``rate_multipliers``, ``schedules``, ``lazy_rows``
        As in :class:`Optimizer`.

    Source: Keras 3, ``keras.optimizers.Adamax``; Kingma and Ba 2015, section 7.1, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> weight = Parameter(np.array([1.0, 1.0]))
    >>> weight.accumulate(np.array([3.0, -0.02]))
    >>> Adamax(lr=0.1).apply([weight])
    >>> weight.value.round(4)
    array([0.9, 1.1])
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
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
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def make_state(self, value: Array) -> State:
        return {name: get_xp(value).zeros_like(value) for name in ("m", "u")}

    def update(self, value: Array, grad: Array, state: State, rate: float) -> None:
        adamax_update(value, grad, state["m"], state["u"], rate, self.beta_1, self.beta_2, self.epsilon, self.iterations + 1)
