"""Adagrad: the gradient divided by the root of the sum of all its squares so far. ... means any shape."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .optimizer import Optimizer, State


@kernel
def adagrad_update(value: Array, grad: Array, total: Array, rate: float, epsilon: float) -> None:
    total += grad * grad  # (...)
    step = grad * rate  # (...)
    step /= get_xp(value).sqrt(total + epsilon)
    value -= step


class Adagrad(Optimizer):
    """Gradient descent with a rate for each weight that only ever shrinks: good for rare features.

    ``s = s + g^2``, ``w -= rate g / sqrt(s + epsilon)``.

    Parameters
    ----------
    learning_rate : float or schedule
        Default 0.001; the paper's results want about 0.1 to 1.
    initial_accumulator_value : float
        Where s begins, default 0.1.
    epsilon : float
        Default 1e-7, inside the root.
    weight_decay ... name, and ``lr``, ``rate_multipliers``, ``schedules``, ``lazy_rows``
        As in :class:`Optimizer`.

    Notes
    -----
    Rows without a gradient stand still anyway, so ``lazy_rows`` is exact.

    Source: Keras 3, ``keras.optimizers.Adagrad``; Duchi et al. 2011, section 1.2.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> weight = Parameter(np.array([1.0, 1.0]))
    >>> weight.accumulate(np.array([2.0, -0.1]))
    >>> Adagrad(0.1, initial_accumulator_value=0.0).apply([weight])
    >>> weight.value.round(4)
    array([0.9, 1.1])
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
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
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def make_state(self, value: Array) -> State:
        return {"total": get_xp(value).full_like(value, self.initial_accumulator_value)}

    def update(self, value: Array, grad: Array, state: State, rate: float) -> None:
        adagrad_update(value, grad, state["total"], rate, self.epsilon)
