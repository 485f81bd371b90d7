"""Lion: the sign of a momentum. ... means any shape."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .optimizer import Optimizer, State


@kernel
def lion_update(value: Array, grad: Array, m: Array, rate: float, beta_1: float, beta_2: float) -> None:
    mixed = m * beta_1  # (...)
    mixed += grad * (1.0 - beta_1)
    value -= get_xp(value).sign(mixed) * rate
    m *= beta_2  # (...)
    m += grad * (1.0 - beta_2)


class Lion(Optimizer):
    """Steps of one size for every weight, in the direction of the momentum's sign.

    ``w -= rate sign(beta_1 m + (1 - beta_1) g)``, then ``m = beta_2 m + (1 - beta_2) g``.

    Parameters
    ----------
    learning_rate : float or schedule
        Default 0.001; the paper advises a third to a tenth of Adam's, and three to ten times its weight decay.
    beta_1, beta_2 : float
        Defaults 0.9 and 0.99.
    weight_decay ... name, and ``lr``, ``rate_multipliers``, ``schedules``, ``lazy_rows``
        As in :class:`Optimizer`.

    Raises
    ------
    ValueError
        beta_1 is not above 0 and at most 1.

    Source: Keras 3, ``keras.optimizers.Lion``; Chen et al. 2023, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> weight = Parameter(np.array([1.0, 1.0]))
    >>> weight.accumulate(np.array([3.0, -0.02]))
    >>> Lion(lr=0.1).apply([weight])
    >>> weight.value
    array([0.9, 1.1])
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
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
        if not 0 < beta_1 <= 1:
            raise ValueError(f"Lion: beta_1 is above 0 and at most 1, not {beta_1!r}")
        self.beta_1, self.beta_2 = beta_1, beta_2

    def make_state(self, value: Array) -> State:
        return {"m": get_xp(value).zeros_like(value)}

    def update(self, value: Array, grad: Array, state: State, rate: float) -> None:
        lion_update(value, grad, state["m"], rate, self.beta_1, self.beta_2)
