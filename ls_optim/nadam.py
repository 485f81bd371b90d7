"""Nadam: Adam with Nesterov's momentum. ... means any shape."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .optimizer import Optimizer, State


@kernel
def nadam_update(
    value: Array,
    grad: Array,
    m: Array,
    v: Array,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
    momentum: float,
    next_momentum: float,
    product: float,
) -> None:
    m *= beta_1  # (...)
    m += grad * (1.0 - beta_1)
    v *= beta_2  # (...)
    v += grad * grad * (1.0 - beta_2)
    # the momentum of the step to come already, and the gradient of this one
    ahead = m * (rate * next_momentum / (1.0 - product * next_momentum))  # (...)
    ahead += grad * (rate * (1.0 - momentum) / (1.0 - product))
    root = get_xp(value).sqrt(v / (1.0 - beta_2**step))  # (...)
    root += epsilon
    ahead /= root
    value -= ahead


class Nadam(Optimizer):
    """Adam that looks ahead as Nesterov's momentum does.

    With t the number of the step, counted from 1, ``u_t = beta_1 (1 - 0.96^t / 2)`` and ``P_t = u_1 u_2 ... u_t``::

        m = beta_1 m + (1 - beta_1) g
        v = beta_2 v + (1 - beta_2) g^2
        w -= rate (u_(t+1) m / (1 - P_(t+1)) + (1 - u_t) g / (1 - P_t)) / (sqrt(v / (1 - beta_2^t)) + epsilon)

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

    Source: Keras 3, ``keras.optimizers.Nadam``; Dozat 2016, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> weight = Parameter(np.array([1.0]))
    >>> weight.accumulate(np.array([3.0]))
    >>> Nadam(lr=0.1).apply([weight])
    >>> weight.value.round(4)
    array([0.8937])
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
        self._product_until = (0, 1.0)

    def make_state(self, value: Array) -> State:
        return {name: get_xp(value).zeros_like(value) for name in ("m", "v")}

    def momentum_at(self, step: int) -> float:
        """u_t, which rises from about beta_1 / 2 to beta_1."""
        return float(self.beta_1 * (1.0 - 0.5 * 0.96**step))

    def product_until(self, step: int) -> float:
        """P_t, the product of u_1 to u_t; from the last one asked for, or from the start after a jump back."""
        known, product = self._product_until
        if known > step:
            known, product = 0, 1.0
        for i in range(known + 1, step + 1):
            product *= self.momentum_at(i)
        self._product_until = step, product
        return product

    def update(self, value: Array, grad: Array, state: State, rate: float) -> None:
        step = self.iterations + 1
        ahead = self.momentum_at(step), self.momentum_at(step + 1), self.product_until(step)
        nadam_update(value, grad, state["m"], state["v"], rate, self.beta_1, self.beta_2, self.epsilon, step, *ahead)
