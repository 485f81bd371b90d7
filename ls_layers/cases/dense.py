"""Rows for Dense and EinsumDense."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..dense import Dense
from ..einsum_dense import EinsumDense


def _dense_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    W, b = layer.kernel.value, layer.bias.value
    rows = x.reshape(-1, x.shape[-1])
    y = np.array([[sum(r[i] * W[i, o] for i in range(W.shape[0])) + b[o] for o in range(W.shape[1])] for r in rows])
    return y.reshape(*x.shape[:-1], -1)


def _einsum_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    X, K, Y = layer._spell(x.ndim)
    W = layer.kernel.value
    size = {**dict(zip(X, x.shape, strict=True)), **dict(zip(K, W.shape, strict=True))}
    y = np.zeros([size[c] for c in Y])
    for index in np.ndindex(*size.values()):
        at = dict(zip(size, index, strict=True))
        y[tuple(at[c] for c in Y)] += x[tuple(at[c] for c in X)] * W[tuple(at[c] for c in K)]
    return y if layer.bias is None else y + layer.bias.value


def _einsum(equation: str, output_shape: Any, bias_axes: str | None, shape: tuple[int, ...]) -> Case:
    def make() -> EinsumDense:
        return EinsumDense(equation, output_shape, bias_axes=bias_axes, bias_initializer="normal")

    return Case(f"EinsumDense {equation} {shape}", make, lambda g: (g.normal(size=shape),), expected=_einsum_by_loops)


CASES = [
    Case("Dense", lambda: Dense(4, bias_initializer="normal"), lambda g: (g.normal(size=(3, 5)),), expected=_dense_by_loops),
    Case("Dense tanh, three axes", lambda: Dense(3, activation="tanh"), lambda g: (g.normal(size=(2, 3, 4)),)),
    Case("Dense softmax, no bias", lambda: Dense(3, activation="softmax", use_bias=False), lambda g: (g.normal(size=(4, 2)),)),
    Case("Dense glu", lambda: Dense(4, activation="glu"), lambda g: (g.normal(size=(3, 2)),)),
    _einsum("ab,bc->ac", 4, "c", (3, 2)),
    _einsum("abc,cd->abd", (None, 4), "d", (3, 2, 2)),
    _einsum("abc,cde->abde", (None, 2, 3), "de", (3, 2, 2)),
    _einsum("abcd,cde->abe", (None, 3), "be", (2, 2, 2, 2)),
    _einsum("abc,bcd->abd", (3, 2), None, (2, 3, 2)),
    _einsum("abc,cd->adb", (4, None), "d", (2, 3, 2)),
    _einsum("abc,cd->ad", 3, "d", (2, 2, 3)),
    _einsum("...x,xy->...y", 3, "y", (2, 2, 2, 2)),
    _einsum("...x,xy->...y", 3, "y", (3, 2)),
    _einsum("ab...,bc->ac...", 3, "c", (2, 2, 2)),
    Case("EinsumDense softmax", lambda: EinsumDense("abc,cd->abd", (None, 3), "softmax"), lambda g: (g.normal(size=(2, 2, 3)),)),
]
