"""AdamW: Adam with decoupled weight decay, on by default."""

from __future__ import annotations

from typing import Any

from .adam import Adam


class AdamW(Adam):
    """Adam whose weights decay apart from the gradient: before each update ``w *= 1 - weight_decay * rate``.

    Parameters
    ----------
    learning_rate : float or schedule
        Default 0.001.
    weight_decay : float
        Default 0.004.
    beta_1, beta_2, epsilon, amsgrad
        As in :class:`Adam`.
    clipnorm ... name, and ``lr``, ``rate_multipliers``, ``schedules``, ``lazy_rows``
        As in :class:`Optimizer`.

    Notes
    -----
    Biases and the scales of normalisations are usually spared: ``exclude_from_weight_decay(var_names=['bias', 'gamma', 'beta'])``.

    Source: Keras 3, ``keras.optimizers.AdamW``; Loshchilov and Hutter 2019, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Parameter
    >>> weight = Parameter(np.array([1.0]))
    >>> weight.accumulate(np.array([0.0]))
    >>> AdamW(lr=0.1, weight_decay=0.5).apply([weight])
    >>> weight.value
    array([0.95])
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
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
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
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
        if weight_decay is None:
            raise ValueError("AdamW: weight_decay is a number, not None; for none at all take Adam")
