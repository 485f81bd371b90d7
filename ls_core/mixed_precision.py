"""MixedPrecision: forward and backward in float16, Parameters and updates in float32, the loss scaled in between.

::

    compute     Parameters show float16 copies of themselves; y = model(x) in float16
    loss        y in float32; dy times the scale, in float16: small gradients would become 0 there
    gradients   in float32, divided by the scale
    update      of the float32 Parameters; left out where a gradient overflowed, and the scale halved

What layers remember (moving statistics) stays in float32. The one wait for the device in a step asks whether all
gradients are finite.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from .backend import get_xp
from .data import map_tree
from .parameter import Parameter, RowGradient
from .tracking import LossTracker, explain_non_finite
from .types import Array


class MixedPrecision:
    """How a model trains in half precision; ``compile(mixed_precision='float16')`` makes one.

    Parameters
    ----------
    dtype : {'float16'}
    initial_scale : float
        Default 2**15.
    growth_steps : int
        After so many steps without overflow the scale is doubled. Default 2000.

    Raises
    ------
    ValueError
        Another dtype: NumPy has no bfloat16, and LS none that is tested on CUDA.

    Source: Micikevicius et al. 2018, "Mixed Precision Training", section 3; Keras 3, ``keras.optimizers.LossScaleOptimizer``.
    """

    def __init__(self, dtype: str, initial_scale: float = 2.0**15, growth_steps: int = 2000) -> None:
        if dtype not in ("float16", "mixed_float16"):
            raise ValueError(f"mixed_precision is 'float16' or None, not {dtype!r}: NumPy computes no bfloat16")
        self.dtype = "float16"
        self.scale, self.growth_steps = initial_scale, growth_steps
        self.good_steps = 0

    def check(self, model: Any) -> None:
        """Refuse what can't be scaled."""
        if any(layer.activity_regularizer is not None or getattr(layer, "adds_loss", False) for layer in model._flatten()):
            raise ValueError("mixed precision scales the loss alone; take activity regularisers out of the model")

    def step(self, model: Any, x: tuple[Array, ...], y: Any, weights: Any, tracker: LossTracker) -> None:
        """One step, in place of ``train_step``."""
        objective, parameters = model._objective, model._all_parameters
        with self._halved(parameters), np.errstate(over="ignore", invalid="ignore"):  # an overflow is looked for below
            y_pred, cache = objective.model.forward(*map_tree(self._half, x), training=True)
            y_pred = map_tree(_wide, y_pred)
            values, loss, dy = objective.value_and_grad(y, y_pred, weights, cache.mask)
            objective.model.backward(map_tree(lambda g: self._half(g * self.scale), dy), cache, input_gradient=False)
        if not self._unscale(parameters):
            self._back_off(model, x, parameters, loss)
            return
        objective.update_metrics(y, y_pred, weights, cache.mask)
        for parameter in model._regularized:
            parameter.accumulate(parameter.regularizer.gradient(parameter.value))
            loss = loss + parameter.regularizer(parameter.value)
        tracker.add(loss, values, len(x[0]))
        for watch in model.gradient_watchers:
            watch(parameters)
        model.optimizer.apply(parameters)
        self.good_steps += 1
        if self.good_steps == self.growth_steps:
            self.scale, self.good_steps = self.scale * 2.0, 0

    def _half(self, x: Array) -> Array:
        return x.astype(self.dtype) if getattr(getattr(x, "dtype", None), "kind", "") == "f" else x

    @contextlib.contextmanager
    def _halved(self, parameters: list[Parameter]) -> Iterator[None]:
        """Inside, the Parameters that are trained or frozen show float16 copies of their values."""
        masters = [(p, p.value) for p in parameters if not p.state and p.dtype.kind == "f"]
        for p, value in masters:
            p.value = value.astype(self.dtype)
        try:
            yield
        finally:
            for p, value in masters:
                p.value = value

    def _unscale(self, parameters: list[Parameter]) -> bool:
        """Gradients in the Parameters' type and divided by the scale; whether all are finite."""
        finite = None
        for p in parameters:
            if p.grad is None:
                continue
            rows = p.grad.rows if isinstance(p.grad, RowGradient) else None
            half = p.grad.values if isinstance(p.grad, RowGradient) else p.grad
            wide = half.astype(p.dtype) * (1.0 / self.scale)
            p.grad = wide if rows is None else RowGradient(rows, wide, p.shape)
            each = get_xp(wide).isfinite(wide).all()
            finite = each if finite is None else finite & each
        return finite is None or bool(finite)

    def _back_off(self, model: Any, x: tuple[Array, ...], parameters: list[Parameter], loss: Array) -> None:
        for p in parameters:
            p.drop_grad()
        self.scale, self.good_steps = self.scale / 2.0, 0
        if self.scale < 2.0**-14:  # no scale helps: it is not the gradients that overflow
            raise explain_non_finite(model, x, loss)

    def get_state(self) -> dict[str, Any]:
        return {"scale": self.scale, "good_steps": self.good_steps}

    def set_state(self, state: dict[str, Any]) -> None:
        self.scale, self.good_steps = state["scale"], state["good_steps"]


def _wide(y: Array) -> Array:
    return y.astype(np.float32) if y.dtype.kind == "f" else y
