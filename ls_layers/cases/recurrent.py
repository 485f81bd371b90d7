"""Rows for the recurrent layers, their cells and wrappers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..rnn import RNN
from ..simple_rnn import SimpleRNN
from ..simple_rnn_cell import SimpleRNNCell

MASK = np.array([[False, True, True, False], [True, True, False, True], [True, False, False, False]])


def _x(*shape: int) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    return lambda g: (g.normal(size=shape),)


def _arrays(*shapes: tuple[int, ...]) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    return lambda g: tuple(g.normal(size=shape) for shape in shapes)


def _state(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=shape)


# --- independent forwards: one row, one step, one unit at a time ---------------------------------------


def _simple_rnn_unit(x: np.ndarray, h: np.ndarray, W: np.ndarray, U: np.ndarray, b: np.ndarray, u: int) -> float:
    return float(np.tanh(sum(x[i] * W[i, u] for i in range(len(x))) + sum(h[k] * U[k, u] for k in range(len(h))) + b[u]))


def _simple_rnn_by_loops(layer: Any, x: np.ndarray, mask: Any = None) -> np.ndarray:
    W, U, b = layer.get_weights()
    y = np.zeros((*x.shape[:2], len(b)))
    for n in range(x.shape[0]):
        h = np.zeros(len(b))
        for t in range(x.shape[1]):
            if mask is None or mask[n, t]:
                h = np.array([_simple_rnn_unit(x[n, t], h, W, U, b, u) for u in range(len(b))])
            y[n, t] = h
    return y if layer.return_sequences else y[:, -1]


def _simple_rnn_cell_by_loops(layer: Any, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    W, U, b = layer.get_weights()
    y = np.array([[_simple_rnn_unit(x[n], h[n], W, U, b, u) for u in range(len(b))] for n in range(len(x))])
    return y, y


CASES = [
    Case("SimpleRNNCell", lambda: SimpleRNNCell(3, bias_initializer="normal"), _arrays((4, 2), (4, 3)), expected=_simple_rnn_cell_by_loops),
    Case("SimpleRNNCell linear, no bias", lambda: SimpleRNNCell(2, activation=None, use_bias=False), _arrays((3, 3), (3, 2))),
    Case("SimpleRNN", lambda: SimpleRNN(3, bias_initializer="normal"), _x(3, 4, 2), expected=_simple_rnn_by_loops),
    Case(
        "SimpleRNN sequences, mask",
        lambda: SimpleRNN(3, return_sequences=True),
        _x(3, 4, 2),
        {"mask": MASK},
        expected=_simple_rnn_by_loops,
    ),
    Case("SimpleRNN last output, mask, zeros", lambda: SimpleRNN(2, zero_output_for_mask=True), _x(3, 4, 2), {"mask": MASK}),
    Case(
        "SimpleRNN backwards, states",
        lambda: SimpleRNN(2, go_backwards=True, return_sequences=True, return_state=True),
        _x(3, 4, 2),
        {"initial_state": _state(3, 2), "mask": MASK},
    ),
    Case("SimpleRNN sigmoid", lambda: SimpleRNN(2, activation="sigmoid", return_sequences=True), _x(3, 4, 2), {"mask": MASK}),
    Case(
        "RNN", lambda: RNN(SimpleRNNCell(3, bias_initializer="normal"), return_sequences=True), _x(3, 4, 2), expected=_simple_rnn_by_loops
    ),
    Case(
        "RNN backwards, mask, states",
        lambda: RNN(SimpleRNNCell(2), return_state=True, go_backwards=True),
        _x(3, 4, 2),
        {"initial_state": [_state(3, 2)], "mask": MASK},
    ),
]
