"""MixedPrecision: forward and backward in half precision, Parameters and updates in float32.

::

    compute     Parameters show float16 or bfloat16 copies of themselves; y = model(x) in that type
    loss        y in float32; in float16 dy times the scale: small gradients would become 0 there
    gradients   in float32, divided by the scale
    update      of the float32 Parameters; in float16 left out where a gradient overflowed, and the scale halved

bfloat16 has float32's range: nothing is scaled, nothing overflows that would not in float32, and no step waits for the device.
float16 has three bits more and asks once a step whether all gradients are finite. What layers remember (moving statistics)
stays in float32.

NumPy has no products in bfloat16, and falls back to float32 within its formulas. So there arrays stay float32, but all that
layers are given and hand on is rounded to bfloat16: the numbers of bfloat16, and no faster than float32.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from .backend import backend_of, get_xp, is_float
from .data import map_tree
from .parameter import Parameter, RowGradient
from .protocol import collect_losses, handing_on
from .tracking import explain_non_finite
from .types import Array


class MixedPrecision:
    """How a model trains in half precision; ``compile(mixed_precision='bfloat16')`` makes one.

    Parameters
    ----------
    dtype : {'float16', 'bfloat16'}
    initial_scale : float
        Of the loss in float16. Default 2**15; in bfloat16 it is 1.
    growth_steps : int
        After so many steps without overflow the scale is doubled. Default 2000.

    Raises
    ------
    ValueError
        Another dtype.
    ImportError
        'bfloat16' where ml_dtypes is missing (the extra 'bf16').

    Source: Micikevicius et al. 2018, "Mixed Precision Training", section 3; Keras 3, ``keras.optimizers.LossScaleOptimizer``;
    Kalamkar et al. 2019, "A Study of BFLOAT16 for Deep Learning Training".
    """

    def __init__(self, dtype: str, initial_scale: float = 2.0**15, growth_steps: int = 2000) -> None:
        self.dtype = dtype.removeprefix("mixed_")
        if self.dtype not in ("float16", "bfloat16"):
            raise ValueError(f"mixed_precision is 'float16', 'bfloat16' or None, not {dtype!r}")
        self.kind = bfloat16() if self.dtype == "bfloat16" else np.dtype(self.dtype)
        self.scales = self.dtype == "float16"
        self.scale, self.growth_steps = initial_scale if self.scales else 1.0, growth_steps
        self.good_steps = 0
        self._finite: Any = None  # whether the last step's gradients are, in float16

    def check(self, model: Any) -> None:
        """Refuse what can't be computed: bfloat16 with a CuPy, or on CUDA with a NumPy, that is too old for it."""
        backend = backend_of(model._all_parameters[0].value)
        if self.dtype != "bfloat16" or backend.name != "cupy":
            return
        for name, module, least in (("CuPy", backend.xp, "14.0.0"), ("NumPy", np, "2.1.2")):
            if np.lib.NumpyVersion(module.__version__) < least:
                raise ValueError(
                    f"bfloat16 on CUDA needs {name} {least} or later, this is {module.__version__}; use mixed_precision='float16'"
                )

    def find_gradients(self, model: Any, x: tuple[Array, ...], y: Any, weights: Any) -> Any:
        """``Trainer.find_gradients`` in half precision."""
        objective, parameters = model._objective, model._all_parameters
        between = None if self.scales else self._half
        with self._halved(parameters), handing_on(between, self.scale), np.errstate(over="ignore", invalid="ignore"):
            y_pred, cache = objective.model.forward(*map_tree(self._half, x), training=True)
            y_pred, mask = map_tree(_wide, y_pred), cache.mask
            values, loss, dy = objective.value_and_grad(y, y_pred, weights, mask)
            penalty = collect_losses(cache) if model._has_penalties else 0.0
            objective.model.backward(map_tree(lambda g: self._half(g * self.scale), dy), cache, input_gradient=False)
        self._finite = self._unscale(parameters)
        loss = loss + penalty
        for parameter in model._regularized:
            parameter.accumulate(parameter.regularizer.gradient(parameter.value))
            loss = loss + parameter.regularizer(parameter.value)
        return y_pred, mask, values, loss

    def overflowed(self, model: Any, x: tuple[Array, ...], loss: Array) -> bool:
        """Whether a gradient overflowed in float16: then all are dropped, and the scale is halved. bfloat16 has float32's range."""
        if not self.scales:
            return False
        finite, self._finite = self._finite, None
        if finite is None or bool(finite):
            self.good_steps += 1
            if self.good_steps == self.growth_steps:
                self.scale, self.good_steps = self.scale * 2.0, 0
            return False
        for p in model._all_parameters:
            p.drop_grad()
        self.scale, self.good_steps = self.scale / 2.0, 0
        if self.scale < 2.0**-14:  # no scale helps: it is not the gradients that overflow
            raise explain_non_finite(model, x, loss)
        return True

    def _half(self, x: Array) -> Array:
        """Floats in the compute type."""
        if not _real(x):
            return x
        if not self.scales and isinstance(x, np.ndarray):
            return x.astype(self.kind).astype(np.float32)
        return x.astype(self.kind, copy=False)

    @contextlib.contextmanager
    def _halved(self, parameters: list[Parameter]) -> Iterator[None]:
        """Inside, the Parameters that are trained or frozen show copies of their values in the compute type."""
        masters = [(p, p.value) for p in parameters if not p.state and _real(p.value)]
        for p, value in masters:
            p.value = self._half(value)
        try:
            yield
        finally:
            for p, value in masters:
                p.value = value

    def _unscale(self, parameters: list[Parameter]) -> Any:
        """Gradients in the Parameters' type and divided by the scale; whether all are finite, where that is asked."""
        finite = None
        for p in parameters:
            if p.grad is None:
                continue
            rows = p.grad.rows if isinstance(p.grad, RowGradient) else None
            wide = self._half(p.grad.values if rows is not None else p.grad).astype(p.dtype)
            if self.scales:
                wide = wide * (1.0 / self.scale)
                each = get_xp(wide).isfinite(wide).all()
                finite = each if finite is None else finite & each
            p.grad = wide if rows is None else RowGradient(rows, wide, p.shape)
        return finite

    def get_state(self) -> dict[str, Any]:
        return {"scale": self.scale, "good_steps": self.good_steps}

    def set_state(self, state: dict[str, Any]) -> None:
        self.scale, self.good_steps = state["scale"], state["good_steps"]


def bfloat16() -> Any:
    """The type bfloat16, which NumPy and CuPy take from ml_dtypes."""
    try:
        import ml_dtypes
    except ImportError as problem:
        raise ImportError("bfloat16 needs ml_dtypes: pip install 'ls-engine[bf16]'") from problem
    return np.dtype(ml_dtypes.bfloat16)


def _real(x: Any) -> bool:
    """Whether ``x`` is an array of real floats."""
    return hasattr(x, "dtype") and is_float(x) and x.dtype.kind != "c"


def _wide(y: Array) -> Array:
    return y.astype(np.float32) if _real(y) else y
