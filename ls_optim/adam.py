"""Adam: running means of the gradient and of its square. ... means any shape."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.parameter import RowGradient, dense_gradient
from ls_core.types import Array

from .optimizer import Optimizer, State


@kernel
def adam_update(
    value: Array,
    grad: Array | RowGradient,
    m: Array,
    v: Array,
    v_max: Array | None,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
) -> None:
    xp, grad = get_xp(value), dense_gradient(grad)
    m *= beta_1  # (...)
    m += grad * (1.0 - beta_1)
    v *= beta_2  # (...)
    v += grad * grad * (1.0 - beta_2)
    if v_max is not None:
        xp.maximum(v_max, v, out=v_max)
        v = v_max
    # the means began at 0: both corrections at once, as a factor of the rate
    alpha = rate * (1.0 - beta_2**step) ** 0.5 / (1.0 - beta_1**step)
    root = xp.sqrt(v)  # (...)
    root += epsilon
    value -= m / root * alpha


class Adam(Optimizer):
    """Adaptive moments: momentum, and a rate for each weight.

    With t the number of the step, counted from 1::

        m = beta_1 m + (1 - beta_1) g
        v = beta_2 v + (1 - beta_2) g^2
        w -= rate sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)

    Parameters
    ----------
    learning_rate : float or schedule
        Default 0.001.
    beta_1, beta_2 : float
        How slowly the means forget, defaults 0.9 and 0.999.
    epsilon : float
        Default 1e-7; the paper's epsilon-hat, added to the uncorrected root.
    amsgrad : bool
        Divide by the root of the largest v so far. Default False.
    weight_decay ... name, and ``lr``, ``rate_multipliers``, ``schedules``, ``lazy_rows``
        As in :class:`Optimizer`.

    Notes
    -----
    With a RowGradient and ``lazy_rows`` the means of untouched rows stand still, and t counts all steps.

    Source: Keras 3, ``keras.optimizers.Adam``; Kingma and Ba 2015, Algorithm 1 in the order of section 2's end;
    Reddi et al. 2018 (amsgrad).

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> weight = Parameter(np.array([1.0, 1.0]))
    >>> weight.accumulate(np.array([3.0, -0.02]))
    >>> Adam(lr=0.1).apply([weight])
    >>> weight.value.round(4)
    array([0.9, 1.1])
    """

    takes_row_gradients = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad

    def make_state(self, value: Array) -> State:
        names = ("m", "v", "v_max") if self.amsgrad else ("m", "v")
        return {name: get_xp(value).zeros_like(value) for name in names}

    def update(self, value: Array, grad: Array | RowGradient, state: State, rate: float) -> None:
        step = self.iterations + 1
        v_max = state.get("v_max")
        adam_update(value, grad, state["m"], state["v"], v_max, rate, self.beta_1, self.beta_2, self.epsilon, step)
