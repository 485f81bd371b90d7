"""Activation functions on CUDA: one launch for each pass, whatever the formula."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ls_core.backend import get_xp
from ls_core.cuda import Kept, Source, contiguous, each_grid, override
from ls_core.types import Array

from ... import activations

SOURCE = Source(__file__, "activations.cu")
# What the forward saves: y, or x, from which backward makes all that it needs.
FROM_Y = ["relu", "relu6", "leaky_relu", "elu", "selu", "celu", "exponential", "sigmoid", "tanh", "softplus", "log_sigmoid", "softsign"]
FROM_Y += ["hard_sigmoid", "hard_tanh", "soft_shrink", "hard_shrink", "sparse_sigmoid"]
FROM_X = ["silu", "gelu", "gelu_tanh", "mish", "hard_silu", "sparse_plus", "squareplus", "tanh_shrink", "threshold"]


@functools.cache
def parameters(function: Callable[..., Any]) -> tuple[float, float]:
    """p and q for the kernels: the defaults of an activation function's own parameters, 0 where it has none."""
    values = [p.default for p in inspect.signature(function).parameters.values() if p.default is not p.empty]
    p, q, *_ = (*values, 0, 0)
    return float(p), float(q)


def _cover(name: str, keeps_x: bool) -> None:
    """Override both passes of one function; the reference says which parameters it has."""
    function: Any = getattr(activations, name)
    signatures = [inspect.signature(kernel.reference) for kernel in (function.forward, function.backward)]
    defaults = [{key: p.default for key, p in list(s.parameters.items())[i:]} for i, s in enumerate(signatures, 1)]

    def numbers(known: dict[str, float], given: tuple[float, ...], named: dict[str, float]) -> list[float]:
        """p and q for the kernel."""
        values = [*given, *(named.get(key, default) for key, default in list(known.items())[len(given) :])]
        return [float(value) for value in (*values, 0, 0)[:2]]

    @override(function.forward)
    def forward(x: Array, *given: float, **named: float) -> tuple[Array, Any]:
        xp = get_xp(x)
        p, q = numbers(defaults[0], given, named)
        (x,) = contiguous(xp, x)
        y = xp.empty(x.shape, dtype=x.dtype)
        SOURCE.run(f"{name}_forward", x.dtype, *each_grid(x.size), x, y, x.size, p, q)
        return y, Kept((x, p, q)) if keeps_x else y

    @override(function.backward, keeps=keeps_x)
    def backward(dy: Array, saved: Any, *given: float, **named: float) -> Array:
        xp = get_xp(dy)
        s, p, q = saved if keeps_x else (saved, *numbers(defaults[1], given, named))
        dy, s = contiguous(xp, dy, s)
        dx = xp.empty(dy.shape, dtype=dy.dtype)
        SOURCE.run(f"{name}_backward", dy.dtype, *each_grid(dy.size), dy, s, dx, dy.size, p, q)
        return dx

    for made, signature in zip((forward, backward), signatures, strict=True):
        made.__signature__ = signature  # type: ignore[attr-defined]


for _name in FROM_Y:
    _cover(_name, keeps_x=False)
for _name in FROM_X:
    _cover(_name, keeps_x=True)
