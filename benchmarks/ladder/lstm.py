"""LSTM, forward, all outputs: B batch, T time steps, I inputs, U units; gates i, f, c, o.

i = s(x W_i + h U_i + b_i), f and o alike, g = tanh(x W_c + h U_c + b_c); c = f c + i g, h = o tanh(c); s the sigmoid.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ls_core.backend import get_xp
from ls_core.threads import Tasks
from ls_layers.lstm import lstm_forward

from ..machine import installed
from .rungs import Ladder, ls_rungs, normal, rung


def loops(x: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Every gate of every unit is a sum in Python. The steps of time depend on each other, the rest would not have to wait."""
    (B, T, _), n = x.shape, len(U)
    inputs, kernel, recurrent, bias = x.tolist(), W.T.tolist(), U.T.tolist(), b.tolist()
    hs = np.empty((T, B, n), dtype=x.dtype)
    for row in range(B):
        h, c = [0.0] * n, [0.0] * n
        for t in range(T):
            gates = []
            for column, states, shift in zip(kernel, recurrent, bias, strict=True):
                z = shift + sum(p * q for p, q in zip(inputs[row][t], column, strict=True))
                gates.append(z + sum(p * q for p, q in zip(h, states, strict=True)))
            for u in range(n):
                i, f, o = (1 / (1 + math.exp(-gates[k * n + u])) for k in (0, 1, 3))
                c[u] = f * c[u] + i * math.tanh(gates[2 * n + u])
                h[u] = o * math.tanh(c[u])
            hs[t, row] = h
    return hs


def _sigmoid(z: np.ndarray) -> Any:
    return 1 / (1 + np.exp(-z))


def vectorised(x: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Each step is the formula on a batch: eight small products, two for each gate. Small products are far from the peak, and
    Python calls some forty functions at every step."""
    (B, T, _), n = x.shape, len(U)
    h, c = np.zeros((B, n), dtype=x.dtype), np.zeros((B, n), dtype=x.dtype)
    hs = []
    for t in range(T):
        i, f, g, o = (x[:, t] @ W[:, k * n : (k + 1) * n] + h @ U[:, k * n : (k + 1) * n] + b[k * n : (k + 1) * n] for k in range(4))
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        hs.append(h)
    return np.stack(hs)


def blocked(x: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The input's part of all gates at all steps is one large product before the loop, and each step has one product for all four
    gates. Only h U has to wait for the step before."""
    (B, T, I), n = x.shape, len(U)
    gates = (x.transpose(1, 0, 2).reshape(T * B, I) @ W + b).reshape(T, B, 4 * n)
    h, c = np.zeros((B, n), dtype=x.dtype), np.zeros((B, n), dtype=x.dtype)
    hs = np.empty((T, B, n), dtype=x.dtype)
    for t in range(T):
        i, f, g, o = np.split(gates[t] + h @ U, 4, axis=1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = hs[t] = _sigmoid(o) * np.tanh(c)
    return hs


def in_place(x: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A sigmoid is a tanh of half its argument, so with halved columns one tanh does all four gates, and every step writes into
    buffers made before the loop. The steps' arrays are small: allocating and calling cost as much as computing."""
    (B, T, I), n = x.shape, len(U)
    half = np.full(4 * n, 0.5, dtype=x.dtype)
    half[2 * n : 3 * n] = 1
    gates = (x.transpose(1, 0, 2).reshape(T * B, I) @ (W * half)).reshape(T, B, 4 * n)
    gates += b * half
    recurrent, scaled = np.empty((B, 4 * n), dtype=x.dtype), U * half
    c, new = np.zeros((B, n), dtype=x.dtype), np.empty((B, n), dtype=x.dtype)
    hs = np.zeros((T + 1, B, n), dtype=x.dtype)
    for t in range(T):
        gate = gates[t]
        gate += np.matmul(hs[t], scaled, out=recurrent)
        np.tanh(gate, out=gate)
        for sigmoids in (gate[:, : 2 * n], gate[:, 3 * n :]):
            sigmoids *= 0.5
            sigmoids += 0.5
        c *= gate[:, n : 2 * n]
        c += np.multiply(gate[:, :n], gate[:, 2 * n : 3 * n], out=new)
        np.multiply(gate[:, 3 * n :], np.tanh(c, out=new), out=hs[t + 1])
    return hs[1:]


def fused(x: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    """A compiled function does all that is element by element in one pass over a step's gates. Two products by BLAS remain
    outside, one of them once for the whole sequence."""
    from .compiled import lstm_cells

    (B, T, I), n = x.shape, len(U)
    gates = (x.transpose(1, 0, 2).reshape(T * B, I) @ W).reshape(T, B, 4 * n)
    gates += b
    recurrent = np.empty((B, 4 * n), dtype=x.dtype)
    c, hs = np.zeros((B, n), dtype=x.dtype), np.zeros((T + 1, B, n), dtype=x.dtype)
    for t in range(T):
        gates[t] += np.matmul(hs[t], U, out=recurrent)
        lstm_cells(gates[t], c, hs[t + 1], 0, B)
    return hs[1:]


def threads(x: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Two loops, each with some rows of the batch, would wait for the interpreter's lock at every call. So one thread has the loop,
    and another makes the inputs' part of the gates ahead of it, some steps at a time. The units stand first, the batch last: each
    gate is then one run of numbers, which the element-wise calls want."""
    (B, T, _), n = x.shape, len(U)
    half = np.full(4 * n, 0.5, dtype=x.dtype)
    half[2 * n : 3 * n] = 1
    kernel, scaled, bias = (np.ascontiguousarray((each * half).T) for each in (W, U, b))
    gates, hs = np.empty((T, 4 * n, B), dtype=x.dtype), np.zeros((T + 1, n, B), dtype=x.dtype)
    recurrent, c, new = np.empty_like(gates[0]), np.zeros_like(hs[0]), np.empty_like(hs[0])

    def inputs(begin: int, end: int) -> None:
        np.matmul(kernel, np.ascontiguousarray(x[:, begin:end].transpose(1, 2, 0)), out=gates[begin:end])
        gates[begin:end] += bias[:, None]

    pieces = [(t, min(t + 16, T)) for t in range(0, T, 16)]
    with Tasks() as tasks:
        ahead = [tasks.add(inputs, *piece) for piece in pieces]
        for (begin, end), task in zip(pieces, ahead, strict=True):
            task.wait()
            for t in range(begin, end):
                gate = gates[t]
                gate += np.matmul(scaled, hs[t], out=recurrent)
                np.tanh(gate, out=gate)
                for sigmoids in (gate[: 2 * n], gate[3 * n :]):
                    sigmoids *= 0.5
                    sigmoids += 0.5
                c *= gate[n : 2 * n]
                c += np.multiply(gate[:n], gate[2 * n : 3 * n], out=new)
                np.multiply(gate[3 * n :], np.tanh(c, out=new), out=hs[t + 1])
    return hs[1:].transpose(0, 2, 1)


SHAPES = {"tiny": (3, 4, 2, 5), "small": (2, 8, 8, 8), "large": (32, 100, 128, 128)}


def arguments(size: str) -> tuple[np.ndarray, ...]:
    B, T, I, n = SHAPES[size]
    scale = np.float32(n**-0.5)
    return normal((B, T, I), 1), normal((I, 4 * n), 2) * scale, normal((n, 4 * n), 3) * scale, normal((4 * n,), 4)


def _given(function: Callable[..., Any], x: Any, W: Any, U: Any, b: Any) -> tuple[Any, ...]:
    zeros = get_xp(x).zeros((x.shape[0], U.shape[0]), dtype=x.dtype)
    return x, zeros, zeros, W, U, b, None


LADDER = Ladder(
    "LSTM",
    "c = f c + i g, h = o tanh(c), with the gates i, f, g, o from x W + h U + b",
    {size: f"{B} x {T} x {I} -> {n}" for size, (B, T, I, n) in SHAPES.items()},
    arguments,
    lstm_forward,
    [
        rung("loops", loops, slow=True),
        rung("vectorised", vectorised),
        rung("blocked", blocked),
        rung("in place", in_place),
        rung("threads", threads),
        *([rung("fused", fused)] if installed("numba") else []),
        *ls_rungs(
            lstm_forward,
            "ls_layers/accelerated/cuda/recurrent.cu",
            "Each step is a product by cuBLAS and one kernel for all gates and both states. The reference would launch a dozen small "
            "kernels there, and launching takes longer than computing.",
            _given,
        ),
    ],
)
