"""Ftrl: follow the regularised leader, for sparse linear models. ... means any shape."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .optimizer import Optimizer, State


@kernel
def ftrl_update(
    value: Array,
    grad: Array,
    total: Array,
    linear: Array,
    rate: float,
    power: float,
    l1: float,
    l2: float,
    shrinkage: float,
    beta: float,
) -> None:
    before = total**-power  # (...)
    total += grad * grad  # (...)
    after = total**-power  # (...)
    linear += grad  # (...)
    if shrinkage:
        linear += value * (2.0 * shrinkage)
    linear -= (after - before) * (1.0 / rate) * value
    after *= 1.0 / rate
    after += 2.0 * l2 + beta / rate
    # the minimum of linear w + after w^2 / 2 + l1 |w|: 0 where |linear| is below l1
    value[...] = (get_xp(value).clip(linear, -l1, l1) - linear) / after


class Ftrl(Optimizer):
    """Follow the regularised leader: weights of rare features stay exactly 0 under an L1 penalty.

    With ``s' = s + g^2``, p = learning_rate_power and l2' = l2 + beta / (2 rate)::

        z += g + 2 shrinkage w - (s'^-p - s^-p) / rate * w
        w = (clip(z, -l1, l1) - z) / (s'^-p / rate + 2 l2')

    Parameters
    ----------
    learning_rate : float or schedule
        Default 0.001.
    learning_rate_power : float
        0 or less, default -0.5.
    initial_accumulator_value : float
        Where s begins, 0 or more, default 0.1.
    l1_regularization_strength, l2_regularization_strength : float
        0 or more, default 0.
    l2_shrinkage_regularization_strength : float
        An L2 penalty as part of the gradient, but kept out of s. Default 0.
    beta : float
        The paper's beta, default 0.
    weight_decay ... name, and ``lr``, ``rate_multipliers``, ``schedules``, ``lazy_rows``
        As in :class:`Optimizer`.

    Raises
    ------
    ValueError
        A strength is negative, or the power positive.

    Source: Keras 3, ``keras.optimizers.Ftrl``; McMahan et al. 2013, Algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> weight = Parameter(np.array([0.0, 0.0]))
    >>> weight.accumulate(np.array([3.0, 0.5]))
    >>> Ftrl(0.1, l1_regularization_strength=1.0).apply([weight])
    >>> weight.value.round(4)
    array([-0.0663,  0.    ])
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
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
        if learning_rate_power > 0:
            raise ValueError(f"Ftrl: learning_rate_power is 0 or less, not {learning_rate_power!r}")
        strengths = (l1_regularization_strength, l2_regularization_strength, l2_shrinkage_regularization_strength)
        if min(initial_accumulator_value, *strengths) < 0:
            raise ValueError("Ftrl: initial_accumulator_value and the three regularization strengths are 0 or more")
        self.learning_rate_power, self.initial_accumulator_value = learning_rate_power, initial_accumulator_value
        self.l1_regularization_strength, self.l2_regularization_strength, self.l2_shrinkage_regularization_strength = strengths
        self.beta = beta

    def make_state(self, value: Array) -> State:
        xp = get_xp(value)
        return {"total": xp.full_like(value, self.initial_accumulator_value), "linear": xp.zeros_like(value)}

    def update(self, value: Array, grad: Array, state: State, rate: float) -> None:
        if not rate:  # the formula divides by it; at a rate of 0 nothing moves
            return
        l1, l2, shrinkage = self.l1_regularization_strength, self.l2_regularization_strength, self.l2_shrinkage_regularization_strength
        ftrl_update(value, grad, state["total"], state["linear"], rate, self.learning_rate_power, l1, l2, shrinkage, self.beta)
