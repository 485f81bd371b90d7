"""SimpleRNN, LSTM and GRU on NumPy: each thread runs the reference on its rows of the batch.

Rows know nothing of each other, so the threads meet once, at the end; within, BLAS uses one thread and the products of a
step are too small for more anyway. B batch, T time steps, I inputs, U units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..gru import gru_backward, gru_forward
from ..lstm import lstm_backward, lstm_forward
from ..simple_rnn import simple_rnn_backward, simple_rnn_forward

LEAST = 8  # rows that a thread must have to be worth it


class Parts(list[tuple[int, int, Any]]):
    """What forward saved: for each part of the batch (begin, end, what the reference saved of it)."""


def forward_in_parts(reference: Callable[..., Any], x: Array, states: tuple[Array, ...], weights: Any, mask: Array | None) -> Any:
    """-> hs (T, B, U), the last states, Parts."""
    blocks = split(len(x), LEAST)
    if len(blocks) == 1:
        return reference(x, *states, *weights, mask)
    results: dict[int, Any] = {}

    def part(begin: int, end: int) -> None:
        rows = slice(begin, end)
        results[begin] = reference(x[rows], *(s[rows] for s in states), *weights, None if mask is None else mask[rows])

    run_blocks(part, blocks)
    hs, *last, saved = zip(*(results[begin] for begin, _ in blocks), strict=True)
    parts = Parts((begin, end, each) for (begin, end), each in zip(blocks, saved, strict=True))
    return (np.concatenate(hs, axis=1), *(np.concatenate(each) for each in last), parts)


def backward_in_parts(
    reference: Callable[..., Any],
    d_states: tuple[Array, ...],
    dhs: Array | None,
    saved: Any,
    W: Array,
    U: Array,
    mask: Array | None,
    *how: Any,
) -> tuple[Array, ...]:
    """-> dx, the gradients of the first states, and those of the weights, which are sums over the parts."""
    if not isinstance(saved, Parts):
        return reference(*d_states, dhs, saved, W, U, mask, *how)
    results: dict[int, Any] = {}
    kept = {begin: each for begin, _, each in saved}

    def part(begin: int, end: int) -> None:
        rows = slice(begin, end)
        d_rows = None if dhs is None else dhs[:, rows]
        results[begin] = reference(*(d[rows] for d in d_states), d_rows, kept[begin], W, U, None if mask is None else mask[rows], *how)

    run_blocks(part, [(begin, end) for begin, end, _ in saved])
    columns = list(zip(*(results[begin] for begin, _, _ in saved), strict=True))
    of_rows, of_weights = columns[: 1 + len(d_states)], columns[1 + len(d_states) :]
    joined = [None if each[0] is None else np.concatenate(each) for each in of_rows]
    summed = [None if each[0] is None else sum(each[1:], start=each[0]) for each in of_weights]
    return (*joined, *summed)


@simple_rnn_forward.override("numpy")
def simple_rnn_forward_rows(x: Array, h0: Array, W: Array, U: Array, b: Array | None, mask: Array | None) -> tuple[Array, Array, Any]:
    return forward_in_parts(simple_rnn_forward.reference, x, (h0,), (W, U, b), mask)


@simple_rnn_backward.override("numpy")
def simple_rnn_backward_rows(
    dhT: Array,
    dhs: Array | None,
    saved: Any,
    W: Array,
    U: Array,
    mask: Array | None,
    has_bias: bool,
    truncate: int | None,
    input_gradient: bool,
) -> tuple[Array, ...]:
    return backward_in_parts(simple_rnn_backward.reference, (dhT,), dhs, saved, W, U, mask, has_bias, truncate, input_gradient)


@gru_forward.override("numpy")
def gru_forward_rows(x: Array, h0: Array, W: Array, U: Array, b: Array | None, mask: Array | None) -> tuple[Array, Array, Any]:
    return forward_in_parts(gru_forward.reference, x, (h0,), (W, U, b), mask)


@gru_backward.override("numpy")
def gru_backward_rows(
    dhT: Array,
    dhs: Array | None,
    saved: Any,
    W: Array,
    U: Array,
    mask: Array | None,
    has_bias: bool,
    truncate: int | None,
    input_gradient: bool,
) -> tuple[Array, ...]:
    return backward_in_parts(gru_backward.reference, (dhT,), dhs, saved, W, U, mask, has_bias, truncate, input_gradient)


@lstm_forward.override("numpy")
def lstm_forward_rows(
    x: Array, h0: Array, c0: Array, W: Array, U: Array, b: Array | None, mask: Array | None
) -> tuple[Array, Array, Array, Any]:
    return forward_in_parts(lstm_forward.reference, x, (h0, c0), (W, U, b), mask)


@lstm_backward.override("numpy")
def lstm_backward_rows(
    dhT: Array,
    dcT: Array,
    dhs: Array | None,
    saved: Any,
    W: Array,
    U: Array,
    mask: Array | None,
    has_bias: bool,
    truncate: int | None,
    input_gradient: bool,
) -> tuple[Array, ...]:
    return backward_in_parts(lstm_backward.reference, (dhT, dcT), dhs, saved, W, U, mask, has_bias, truncate, input_gradient)


__all__ = ["Parts", "backward_in_parts", "forward_in_parts"]
