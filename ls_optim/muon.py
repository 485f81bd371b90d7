"""Muon: momentum, made orthogonal, for the matrices inside a network.

R rows, C columns, S the smaller of the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.parameter import Parameter
from ls_core.products import matmul
from ls_core.types import Array

from .adam import adam_update
from .optimizer import Optimizer, State


@kernel
def orthogonalize(x: Array, a: float, b: float, c: float, steps: int) -> Array:
    """About U V^T, where x = U s V^T: a polynomial that brings every singular value near 1, again and again."""
    xp = get_xp(x)
    upright = x.shape[0] > x.shape[1]
    y = x.T if upright else x  # (S, max(R, C)): the smaller products
    y = y / (xp.sqrt((y * y).sum()) + 1e-7)  # singular values of 1 at most
    for _ in range(steps):
        gram = matmul(y, y.T)  # (S, S)
        y = y * a + matmul(gram * b + matmul(gram, gram) * c, y)
    return y.T if upright else y


@kernel
def muon_update(
    value: Array,
    grad: Array,
    m: Array,
    rate: float,
    momentum: float,
    nesterov: bool,
    a: float,
    b: float,
    c: float,
    steps: int,
) -> None:
    m *= momentum  # (R, C)
    m += grad
    ahead = grad + m * momentum if nesterov else m  # (R, C)
    value -= orthogonalize(ahead, a, b, c, steps) * rate


class Muon(Optimizer):
    """Momentum whose singular values are all brought near 1, for matrices; AdamW for everything else.

    ``m = momentum m + g``, ``w -= rate * rms_rate sqrt(max(R, C)) * orthogonalize(g + momentum m)``, with five steps of
    ``X = a X + (b X X^T + c (X X^T)^2) X`` from X = m / |m| (Newton and Schulz).

    Parameters
    ----------
    learning_rate : float or schedule
        Default 0.001.
    adam_beta_1, adam_beta_2, epsilon : float
        Of the Parameters that Adam updates; defaults 0.9, 0.999, 1e-7.
    adam_weight_decay, weight_decay : float, optional
        Decoupled decay of Adam's Parameters and of Muon's; default 0.004 each.
    exclude_layers : list of str, optional
        Regular expressions; a Parameter whose path matches one is Adam's. Name the output layer here.
    exclude_embeddings : bool
        Leave Parameters with 'embedding' in their path to Adam. Default True.
    muon_a, muon_b, muon_c : float
        The polynomial's coefficients.
    adam_lr_ratio : float
        Adam's rate over learning_rate, default 1.
    momentum : float
        Default 0.95.
    ns_steps : int
        Default 5.
    nesterov : bool
        Default True.
    rms_rate : float, optional
        Default 0.2, which makes updates as large as Adam's; None for steps of learning_rate itself.
    clipnorm ... name, and ``lr``, ``rate_multipliers``, ``schedules``, ``lazy_rows``
        As in :class:`Optimizer`.

    Notes
    -----
    A Parameter that has not exactly two axes is Adam's.

    Source: Keras 3, ``keras.optimizers.Muon``; Jordan et al. 2024; Liu et al. 2025, section 2.2 (rms_rate).

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> kernel, bias = Parameter(np.zeros((2, 3)), name='kernel'), Parameter(np.zeros(3), name='bias')
    >>> optimizer = Muon(lr=0.1)
    >>> for parameter in (kernel, bias):
    ...     parameter.accumulate(np.ones(parameter.shape))
    >>> optimizer.apply([kernel, bias])
    >>> list(optimizer.state(kernel)), list(optimizer.state(bias))
    (['m'], ['m', 'v'])
    """

    elementwise = False

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Iterable[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
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
        self.adam_beta_1, self.adam_beta_2, self.epsilon = adam_beta_1, adam_beta_2, epsilon
        self.adam_weight_decay, self.adam_lr_ratio = adam_weight_decay, adam_lr_ratio
        self.exclude_layers, self.exclude_embeddings = list(exclude_layers or []), exclude_embeddings
        self.muon_a, self.muon_b, self.muon_c, self.ns_steps = muon_a, muon_b, muon_c, ns_steps
        self.momentum, self.nesterov, self.rms_rate = momentum, nesterov, rms_rate

    def is_elementwise(self, parameter: Parameter) -> bool:
        """Whether Adam updates the Parameter."""
        if len(parameter.shape) != 2 or (self.exclude_embeddings and "embedding" in parameter.path.lower()):
            return True
        return any(re.search(pattern, parameter.path) for pattern in self.exclude_layers)

    def make_state_of(self, parameter: Parameter) -> State:
        zeros_like = get_xp(parameter.value).zeros_like
        names = ("m", "v") if self.is_elementwise(parameter) else ("m",)
        return {name: zeros_like(parameter.value) for name in names}

    def decay_of(self, parameter: Parameter) -> float:
        decay = self.adam_weight_decay if self.is_elementwise(parameter) else self.weight_decay
        return decay if decay and self.decays(parameter) else 0.0

    def update(self, value: Array, grad: Array, state: State, rate: float) -> None:
        if "v" in state:
            rate, step = rate * self.adam_lr_ratio, self.iterations + 1
            adam_update(value, grad, state["m"], state["v"], None, rate, self.adam_beta_1, self.adam_beta_2, self.epsilon, step)
        else:
            if self.rms_rate is not None:
                rate *= max(value.shape) ** 0.5 * self.rms_rate
            polynomial = self.muon_a, self.muon_b, self.muon_c, self.ns_steps
            muon_update(value, grad, state["m"], rate, self.momentum, self.nesterov, *polynomial)
