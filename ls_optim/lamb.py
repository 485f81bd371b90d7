"""Lamb: Adam's direction, with a step as long as each Parameter calls for. ... means any shape."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .optimizer import Optimizer, State


@kernel
def lamb_update(
    value: Array, grad: Array, m: Array, v: Array, rate: float, beta_1: float, beta_2: float, epsilon: float, step: int
) -> None:
    xp = get_xp(value)
    m *= beta_1  # (...)
    m += grad * (1.0 - beta_1)
    v *= beta_2  # (...)
    v += grad * grad * (1.0 - beta_2)
    root = xp.sqrt(v / (1.0 - beta_2**step))  # (...)
    root += epsilon
    move = m / (1.0 - beta_1**step)  # (...)
    move /= root
    length, moved = xp.sqrt((value * value).sum()), xp.sqrt((move * move).sum())  # () each
    usable = (length > 0) & (moved > 0)
    ratio = xp.where(usable, length / xp.where(usable, moved, 1.0), 1.0).astype(value.dtype)  # ()
    move *= ratio * rate
    value -= move


class Lamb(Optimizer):
    """Layer-wise adaptive moments, for large batches: each Parameter moves in proportion to its own length.

    With Adam's corrected means, ``u = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon)``::

        w -= rate |w| / |u| * u           (rate u where w or u is zero)

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

    Notes
    -----
    The norms are taken over a whole Parameter, so a RowGradient is made dense.

    Source: Keras 3, ``keras.optimizers.Lamb``; You et al. 2020, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> weight = Parameter(np.array([3.0, 4.0]))
    >>> weight.accumulate(np.array([2.0, 0.0]))
    >>> Lamb(lr=0.1).apply([weight])
    >>> weight.value.round(4)
    array([2.5, 4. ])
    """

    elementwise = False

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
        return {name: get_xp(value).zeros_like(value) for name in ("m", "v")}

    def update(self, value: Array, grad: Array, state: State, rate: float) -> None:
        lamb_update(value, grad, state["m"], state["v"], rate, self.beta_1, self.beta_2, self.epsilon, self.iterations + 1)
