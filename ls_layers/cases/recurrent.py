"""Rows for the recurrent layers, their cells and wrappers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..batch_normalization import BatchNormalization
from ..bidirectional import Bidirectional
from ..dense import Dense
from ..gru import GRU
from ..gru_cell import GRUCell
from ..lstm import LSTM
from ..lstm_cell import LSTMCell
from ..rnn import RNN
from ..simple_rnn import SimpleRNN
from ..simple_rnn_cell import SimpleRNNCell
from ..stacked_rnn_cells import StackedRNNCells
from ..time_distributed import TimeDistributed

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


def _sigmoid(v: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-v))


def _lstm_step(weights: list[np.ndarray], x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One row, one gate at a time."""
    W, U, b = weights
    n = len(h)
    i, f, g, o = (x @ W[:, k * n : (k + 1) * n] + h @ U[:, k * n : (k + 1) * n] + b[k * n : (k + 1) * n] for k in range(4))
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(c), c


def _gru_step(weights: list[np.ndarray], x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """One row, one gate at a time; a bias of two rows says that the reset gate acts after the product."""
    W, U, b = weights
    n = len(h)
    after = b.ndim == 2
    bx, bh = b if after else (b, np.zeros_like(b))
    z, r, g = (slice(k * n, (k + 1) * n) for k in range(3))
    update = _sigmoid(x @ W[:, z] + bx[z] + h @ U[:, z] + bh[z])
    reset = _sigmoid(x @ W[:, r] + bx[r] + h @ U[:, r] + bh[r])
    part = reset * (h @ U[:, g] + bh[g]) if after else (reset * h) @ U[:, g]
    return update * h + (1 - update) * np.tanh(x @ W[:, g] + bx[g] + part)


def _lstm_by_loops(layer: Any, x: np.ndarray, initial_state: Any = None, mask: Any = None) -> Any:
    n = layer.state_sizes[0]
    y, last_h, last_c = np.zeros((*x.shape[:2], n)), np.zeros((len(x), n)), np.zeros((len(x), n))
    for row in range(len(x)):
        h, c = (np.zeros(n), np.zeros(n)) if initial_state is None else (initial_state[0][row], initial_state[1][row])
        shown = np.zeros(n)
        for t in range(x.shape[1]):
            if mask is None or mask[row, t]:
                h, c = _lstm_step(layer.get_weights(), x[row, t], h, c)
                shown = h
            y[row, t] = shown
        last_h[row], last_c[row] = h, c
    y = y if layer.return_sequences else y[:, -1]
    return (y, last_h, last_c) if layer.return_state else y


def _gru_by_loops(layer: Any, x: np.ndarray, mask: Any = None) -> np.ndarray:
    y = np.zeros((*x.shape[:2], layer.state_sizes[0]))
    for row in range(len(x)):
        h = np.zeros(layer.state_sizes[0])
        for t in range(x.shape[1]):
            if mask is None or mask[row, t]:
                h = _gru_step(layer.get_weights(), x[row, t], h)
            y[row, t] = h
    return y if layer.return_sequences else y[:, -1]


def _lstm_cell_by_loops(layer: Any, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    rows = [_lstm_step(layer.get_weights(), *row) for row in zip(x, h, c, strict=True)]
    new_h, new_c = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    return new_h, new_h, new_c


def _gru_cell_by_loops(layer: Any, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    y = np.array([_gru_step(layer.get_weights(), *row) for row in zip(x, h, strict=True)])
    return y, y


def _stacked_cells_by_loops(layer: Any, x: np.ndarray, h: np.ndarray, c: np.ndarray, h2: np.ndarray) -> tuple[np.ndarray, ...]:
    lstm, gru = layer.cells
    _, h, c = _lstm_cell_by_loops(lstm, x, h, c)
    _, h2 = _gru_cell_by_loops(gru, h, h2)
    return h2, h, c, h2


def _both_ways_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    forwards = _gru_by_loops(layer.forward_layer, x)
    backwards = _gru_by_loops(layer.backward_layer, x[:, ::-1])[:, ::-1]
    return np.concatenate((forwards, backwards), axis=2)


def _dense_at_each_step(layer: Any, x: np.ndarray) -> np.ndarray:
    W, b = layer.get_weights()
    return np.array([[np.tanh(step @ W + b) for step in row] for row in x])


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
    Case("LSTMCell", lambda: LSTMCell(3, bias_initializer="normal"), _arrays((4, 2), (4, 3), (4, 3)), expected=_lstm_cell_by_loops),
    Case(
        "LSTMCell other activations",
        lambda: LSTMCell(2, activation="sigmoid", recurrent_activation="tanh", use_bias=False),
        _arrays((3, 3), (3, 2), (3, 2)),
    ),
    Case(
        "LSTMCell dropout",
        lambda: LSTMCell(2, dropout=0.3, recurrent_dropout=0.4, seed=1),
        _arrays((3, 3), (3, 2), (3, 2)),
        training=True,
        same_alone=False,
        notes="dropout masks differ from row to row",
    ),
    Case("LSTM", lambda: LSTM(3, bias_initializer="normal"), _x(3, 4, 2), expected=_lstm_by_loops),
    Case("LSTM no bias", lambda: LSTM(2, use_bias=False, return_sequences=True), _x(2, 3, 2)),
    Case(
        "LSTM sequences, states, mask",
        lambda: LSTM(3, return_sequences=True, return_state=True),
        _x(3, 4, 2),
        {"initial_state": [_state(3, 3), _state(3, 3)], "mask": MASK},
        expected=_lstm_by_loops,
    ),
    Case(
        "LSTM backwards, zeros at the mask",
        lambda: LSTM(2, go_backwards=True, return_sequences=True, zero_output_for_mask=True),
        _x(3, 4, 2),
        {"mask": MASK},
    ),
    Case("LSTM other activations", lambda: LSTM(2, activation="sigmoid", recurrent_activation="tanh"), _x(3, 4, 2), {"mask": MASK}),
    Case(
        "LSTM dropout",
        lambda: LSTM(2, dropout=0.3, return_sequences=True, seed=1),
        _x(3, 4, 3),
        training=True,
        same_alone=False,
        notes="dropout masks differ from row to row",
    ),
    Case(
        "LSTM recurrent dropout",
        lambda: LSTM(2, dropout=0.3, recurrent_dropout=0.4, seed=1),
        _x(3, 4, 3),
        training=True,
        same_alone=False,
        notes="dropout masks differ from row to row",
    ),
    Case("GRUCell", lambda: GRUCell(3, bias_initializer="normal"), _arrays((4, 2), (4, 3)), expected=_gru_cell_by_loops),
    Case(
        "GRUCell reset before",
        lambda: GRUCell(3, bias_initializer="normal", reset_after=False),
        _arrays((4, 2), (4, 3)),
        expected=_gru_cell_by_loops,
    ),
    Case(
        "GRUCell dropout",
        lambda: GRUCell(2, dropout=0.3, recurrent_dropout=0.4, reset_after=False, seed=1),
        _arrays((3, 3), (3, 2)),
        training=True,
        same_alone=False,
        notes="dropout masks differ from row to row",
    ),
    Case("GRU", lambda: GRU(3, bias_initializer="normal"), _x(3, 4, 2), expected=_gru_by_loops),
    Case(
        "GRU sequences, mask",
        lambda: GRU(3, return_sequences=True, bias_initializer="normal"),
        _x(3, 4, 2),
        {"mask": MASK},
        expected=_gru_by_loops,
    ),
    Case(
        "GRU reset before",
        lambda: GRU(3, return_sequences=True, bias_initializer="normal", reset_after=False),
        _x(3, 4, 2),
        {"mask": MASK},
        expected=_gru_by_loops,
    ),
    Case(
        "GRU backwards, states, no bias",
        lambda: GRU(2, go_backwards=True, return_state=True, use_bias=False),
        _x(3, 4, 2),
        {"initial_state": _state(3, 2), "mask": MASK},
    ),
    Case(
        "StackedRNNCells",
        lambda: StackedRNNCells([LSTMCell(3, bias_initializer="normal"), GRUCell(2, bias_initializer="normal")]),
        _arrays((4, 2), (4, 3), (4, 3), (4, 2)),
        expected=_stacked_cells_by_loops,
    ),
    Case(
        "RNN stacked cells, mask, states",
        lambda: RNN([LSTMCell(3), SimpleRNNCell(2)], return_sequences=True, return_state=True),
        _x(3, 4, 2),
        {"initial_state": [_state(3, 3), _state(3, 3), _state(3, 2)], "mask": MASK},
    ),
    Case(
        "RNN stacked cells, dropout",
        lambda: RNN([GRUCell(3, dropout=0.3, seed=1), LSTMCell(2, recurrent_dropout=0.3, seed=2)]),
        _x(3, 4, 2),
        training=True,
        same_alone=False,
        notes="dropout masks differ from row to row",
    ),
    Case(
        "Bidirectional",
        lambda: Bidirectional(GRU(2, bias_initializer="normal", return_sequences=True)),
        _x(3, 4, 2),
        expected=_both_ways_by_loops,
    ),
    Case("Bidirectional sum, last output, mask", lambda: Bidirectional(LSTM(2), merge_mode="sum"), _x(3, 4, 2), {"mask": MASK}),
    Case("Bidirectional ave", lambda: Bidirectional(SimpleRNN(2, return_sequences=True), merge_mode="ave"), _x(3, 4, 2), {"mask": MASK}),
    Case("Bidirectional mul", lambda: Bidirectional(LSTM(2, return_sequences=True), merge_mode="mul"), _x(3, 4, 2), {"mask": MASK}),
    Case(
        "Bidirectional unmerged, states",
        lambda: Bidirectional(LSTM(2, return_sequences=True, return_state=True), merge_mode=None),
        _x(3, 4, 2),
        {"initial_state": [_state(3, 2)] * 4, "mask": MASK},
    ),
    Case("TimeDistributed", lambda: TimeDistributed(Dense(3, activation="tanh")), _x(2, 4, 3), expected=_dense_at_each_step),
    Case("TimeDistributed four axes", lambda: TimeDistributed(SimpleRNN(2)), _x(2, 3, 4, 2)),
    Case(
        "TimeDistributed of a layer with moving statistics",
        lambda: TimeDistributed(BatchNormalization()),
        _x(4, 3, 2),
        training=True,
        same_alone=False,
        notes="statistics cross the batch",
    ),
]
