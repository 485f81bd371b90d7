"""Adafactor: Adam's squared gradients in the memory of a row and a column.

R rows, C columns: the last two axes of a Parameter; .. the axes before them; ... means any shape.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.types import Array

from .optimizer import Optimizer, State


@kernel
def adafactor_update(
    value: Array,
    grad: Array,
    r: Array,  # None, and c, where v is used instead
    c: Array,
    v: Array,
    rate: float,
    beta_2: float,
    epsilon_1: float,
    epsilon_2: float,
    clip_threshold: float,
) -> None:
    xp = get_xp(value)
    square = grad * grad  # (.., R, C)
    square += epsilon_1
    if r is not None:
        r *= beta_2  # (.., R)
        r += square.mean(axis=-1) * (1.0 - beta_2)
        c *= beta_2  # (.., C)
        c += square.mean(axis=-2) * (1.0 - beta_2)
        v = (r / r.mean(axis=-1, keepdims=True))[..., None] * c[..., None, :]  # (.., R, C)
    else:
        v *= beta_2  # (...)
        v += square * (1.0 - beta_2)
    move = grad / xp.sqrt(v)  # (...)
    size = xp.sqrt((move * move).mean())  # (), the root mean square
    scale = xp.maximum(xp.sqrt((value * value).mean()), epsilon_2)  # ()
    move *= scale / xp.maximum(size / clip_threshold, 1.0) * rate
    value -= move


class Adafactor(Optimizer):
    """Adam without momentum, with the squared gradients' means kept as one number for each row and each column.

    With t the number of the step, counted from 1, ``b = 1 - t^beta_2_decay`` and ``G = g^2 + epsilon_1``::

        r = b r + (1 - b) mean over columns of G       (a Parameter of one axis keeps v = b v + (1 - b) G itself)
        c = b c + (1 - b) mean over rows of G
        v = r c / mean(r)
        u = g / sqrt(v)
        w -= min(rate, 1 / sqrt(t)) max(epsilon_2, rms(w)) u / max(1, rms(u) / clip_threshold)

    Parameters
    ----------
    learning_rate : float or schedule
        Default 0.001; relative to the size of the weights.
    beta_2_decay : float
        Default -0.8.
    epsilon_1, epsilon_2 : float
        Defaults 1e-30 and 1e-3.
    clip_threshold : float
        Bound on the root mean square of u, default 1.
    relative_step : bool
        Taken for Keras' sake; there as here the rate is at most 1 / sqrt(t) with either value.
    weight_decay ... name, and ``lr``, ``rate_multipliers``, ``schedules``, ``lazy_rows``
        As in :class:`Optimizer`.

    Notes
    -----
    Axes before the last two are kept apart: each of their matrices has its own rows and columns. Means run over a whole
    Parameter, so a RowGradient is made dense.

    Source: Keras 3, ``keras.optimizers.Adafactor``; Shazeer and Stern 2018, Algorithms 4 and 5.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> weight = Parameter(np.array([[2.0, 2.0]]))
    >>> weight.accumulate(np.array([[1.0, -3.0]]))
    >>> optimizer = Adafactor(0.1)
    >>> optimizer.apply([weight])
    >>> weight.value, {name: array.shape for name, array in optimizer.state(weight).items()}
    (array([[1.8, 2.2]]), {'r': (1,), 'c': (2,)})
    """

    elementwise = False

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
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
        self.beta_2_decay, self.epsilon_1, self.epsilon_2 = beta_2_decay, epsilon_1, epsilon_2
        self.clip_threshold, self.relative_step = clip_threshold, relative_step

    def make_state(self, value: Array) -> State:
        xp = get_xp(value)
        if value.ndim < 2:
            return {"v": xp.zeros_like(value)}
        return {
            "r": xp.zeros(value.shape[:-1], dtype=value.dtype),
            "c": xp.zeros((*value.shape[:-2], value.shape[-1]), dtype=value.dtype),
        }

    def update(self, value: Array, grad: Array, state: State, rate: float) -> None:
        t = self.iterations + 1.0
        r, c, v = state.get("r"), state.get("c"), state.get("v")
        rate, beta_2 = min(rate, t**-0.5), 1.0 - t**self.beta_2_decay
        adafactor_update(value, grad, r, c, v, rate, beta_2, self.epsilon_1, self.epsilon_2, self.clip_threshold)
