"""LSTM, GRU and SimpleRNN on CUDA: all time steps in one launch, or for each a product with cuBLAS and one launch for all gates.

B batch, T time steps, I inputs, U units. What forward saves is what the references save.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.cuda import Source, contiguous, each_grid, override
from ls_core.products import matmul
from ls_core.types import Array

from ...gru import gru_backward, gru_forward
from ...lstm import lstm_backward, lstm_forward
from ...simple_rnn import simple_rnn_backward, simple_rnn_forward

SOURCE = Source(__file__, "recurrent.cu")
SEQUENCE = Source(__file__, "recurrent_sequence.cu")
# The whole sequence in one launch: a block of threads has ROWS samples, so a small batch keeps few multiprocessors busy, yet each step
# costs a read of the recurrent weights (UNITS: 590 KB at most) and no launch. With more rows or units cuBLAS' products win.
ROWS, UNITS, MOST_ROWS = 4, 192, 512


def in_one_launch(batch: int, units: int) -> bool:
    """Whether all time steps go in one launch."""
    return units <= UNITS and batch <= MOST_ROWS


def _grid(batch: int, columns: int) -> tuple[tuple[int], tuple[int]]:
    """Blocks and threads for all time steps: a thread for each column of the recurrent weights, in whole warps."""
    return (-(-batch // ROWS),), (-(-columns // 32) * 32,)


def _begin(x: Array, W: Array, U: Array, b: Array | None, mask: Array | None) -> tuple[Any, ...]:
    """x time first (T, B, I), the gates' x W (T, B, GU) in one product; U, bias and mask as kernels take them."""
    xp = get_xp(x)
    B, T, I = x.shape
    xt = xp.ascontiguousarray(x.transpose(1, 0, 2))
    gates = matmul(xt.reshape(T * B, I), W).reshape(T, B, U.shape[1])
    return (xt, gates, *contiguous(xp, U, b, mask))


@override(lstm_forward)
def lstm_forward_cuda(
    x: Array, h0: Array, c0: Array, W: Array, U: Array, b: Array | None, mask: Array | None
) -> tuple[Array, Array, Array, Any]:
    xp = get_xp(x)
    (B, T, _), n = x.shape, U.shape[0]
    xt, gates, U, b, mask = _begin(x, W, U, b, mask)
    hs = xp.empty((T + 1, B, n), dtype=gates.dtype)
    cs, tanh_c = xp.empty_like(hs), xp.empty_like(hs[1:])
    hs[0], cs[0] = h0, c0
    if in_one_launch(B, n):
        SEQUENCE.run("lstm_steps_forward", hs.dtype, *_grid(B, 4 * n), gates, U, b, mask, hs, cs, tanh_c, B, n, T)
    else:
        product = xp.empty_like(gates[0])  # (B, 4U)
        for t in range(T):
            matmul(hs[t], U, out=product)
            SOURCE.run("lstm_step_forward", hs.dtype, *each_grid(B * n), gates, product, b, mask, hs, cs, tanh_c, t, B, n, T)
    return hs[1:], hs[T], cs[T], (xt, gates, hs, cs, tanh_c)


@override(lstm_backward)
def lstm_backward_cuda(
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
    xp = get_xp(dhT)
    xt, gates, hs, cs, tanh_c = saved
    (T, B, _), n = xt.shape, U.shape[0]
    dhs, mask = contiguous(xp, dhs, mask)
    product, dc = xp.array(dhT, order="C"), xp.array(dcT, order="C")  # copies: both are written to
    held, dz = xp.zeros((B, n), dtype=dc.dtype), xp.empty(gates.shape, dtype=dc.dtype)
    if in_one_launch(B, n):
        turned = xp.ascontiguousarray(U.T)  # (4U, U)
        given = (gates, cs, tanh_c, mask, dhs, turned, product, held, dc, dz, truncate or 0)
        SEQUENCE.run("lstm_steps_backward", dz.dtype, *_grid(B, 4 * n), *given, B, n, T)
    else:
        for t in reversed(range(T)):
            SOURCE.run("lstm_step_backward", dz.dtype, *each_grid(B * n), gates, cs, tanh_c, mask, dhs, product, held, dc, dz, t, B, n, T)
            matmul(dz[t], U.T, out=product)
            if truncate and t and t % truncate == 0:
                for each in (product, held, dc):
                    each.fill(0)
    dx, dW, dU, db = _products(xt, hs, dz, dz, W, input_gradient)
    return dx, product + held, dc, dW, dU, db[0] if has_bias else None


@override(gru_forward)
def gru_forward_cuda(x: Array, h0: Array, W: Array, U: Array, b: Array | None, mask: Array | None) -> tuple[Array, Array, Any]:
    xp = get_xp(x)
    (B, T, _), n = x.shape, U.shape[0]
    xt, gates, U, b, mask = _begin(x, W, U, b, mask)
    hs = xp.empty((T + 1, B, n), dtype=gates.dtype)
    qs = xp.empty_like(hs[1:])
    hs[0] = h0
    if in_one_launch(B, n):
        SEQUENCE.run("gru_steps_forward", hs.dtype, *_grid(B, 3 * n), gates, U, b, mask, hs, qs, B, n, T)
    else:
        product = xp.empty_like(gates[0])  # (B, 3U)
        for t in range(T):
            matmul(hs[t], U, out=product)
            SOURCE.run("gru_step_forward", hs.dtype, *each_grid(B * n), gates, product, b, mask, hs, qs, t, B, n, T)
    return hs[1:], hs[T], (xt, gates, hs, qs)


@override(gru_backward)
def gru_backward_cuda(
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
    xp = get_xp(dhT)
    xt, gates, hs, qs = saved
    (T, B, _), n = xt.shape, U.shape[0]
    dhs, mask = contiguous(xp, dhs, mask)
    product, held = xp.array(dhT, order="C"), xp.zeros((B, n), dtype=dhT.dtype)
    dax = xp.empty(gates.shape, dtype=dhT.dtype)
    dah = xp.empty_like(dax)
    if in_one_launch(B, n):
        turned = xp.ascontiguousarray(U.T)  # (3U, U)
        given = (gates, hs, qs, mask, dhs, turned, product, held, dax, dah, truncate or 0)
        SEQUENCE.run("gru_steps_backward", dax.dtype, *_grid(B, 3 * n), *given, B, n, T)
    else:
        for t in reversed(range(T)):
            SOURCE.run("gru_step_backward", dax.dtype, *each_grid(B * n), gates, hs, qs, mask, dhs, product, held, dax, dah, t, B, n, T)
            matmul(dah[t], U.T, out=product)
            if truncate and t and t % truncate == 0:
                for each in (product, held):
                    each.fill(0)
    dx, dW, dU, db = _products(xt, hs, dax, dah, W, input_gradient)
    return dx, product + held, dW, dU, xp.stack(db) if has_bias else None


@override(simple_rnn_forward)
def simple_rnn_forward_cuda(x: Array, h0: Array, W: Array, U: Array, b: Array | None, mask: Array | None) -> tuple[Array, Array, Any]:
    xp = get_xp(x)
    (B, T, _), n = x.shape, U.shape[0]
    xt, a, U, b, mask = _begin(x, W, U, b, mask)
    hs = xp.empty((T + 1, B, n), dtype=a.dtype)
    hs[0] = h0
    if in_one_launch(B, n):
        SEQUENCE.run("simple_rnn_steps_forward", hs.dtype, *_grid(B, n), a, U, b, mask, hs, B, n, T)
    else:
        product = xp.empty_like(a[0])  # (B, U)
        for t in range(T):
            matmul(hs[t], U, out=product)
            SOURCE.run("simple_rnn_step_forward", hs.dtype, *each_grid(B * n), a, product, b, mask, hs, t, B, n, T)
    return hs[1:], hs[T], (xt, hs)


@override(simple_rnn_backward)
def simple_rnn_backward_cuda(
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
    xp = get_xp(dhT)
    xt, hs = saved
    (T, B, _), n = xt.shape, U.shape[0]
    dhs, mask = contiguous(xp, dhs, mask)
    product, held = xp.array(dhT, order="C"), xp.zeros((B, n), dtype=dhT.dtype)
    da = xp.empty((T, B, n), dtype=dhT.dtype)
    if in_one_launch(B, n):
        turned = xp.ascontiguousarray(U.T)  # (U, U)
        SEQUENCE.run("simple_rnn_steps_backward", da.dtype, *_grid(B, n), hs, mask, dhs, turned, product, held, da, truncate or 0, B, n, T)
    else:
        for t in reversed(range(T)):
            SOURCE.run("simple_rnn_step_backward", da.dtype, *each_grid(B * n), hs, mask, dhs, product, held, da, t, B, n, T)
            matmul(da[t], U.T, out=product)
            if truncate and t and t % truncate == 0:
                for each in (product, held):
                    each.fill(0)
    dx, dW, dU, db = _products(xt, hs, da, da, W, input_gradient)
    return dx, product + held, dW, dU, db[0] if has_bias else None


def _products(xt: Array, hs: Array, dax: Array, dah: Array, W: Array, input_gradient: bool) -> tuple[Array, ...]:
    """All steps' rows in one product each, from the gradients of x W and of h U: dx, dW, dU, the sums of both."""
    T, B, I = xt.shape
    rows, columns = T * B, W.shape[1]
    dax, dah = dax.reshape(rows, columns), dah.reshape(rows, columns)
    dx = matmul(dax, W.T).reshape(T, B, I).transpose(1, 0, 2) if input_gradient else None  # (B, T, I)
    dW = matmul(xt.reshape(rows, I).T, dax)  # (I, GU)
    dU = matmul(hs[:-1].reshape(rows, hs.shape[2]).T, dah)  # (U, GU)
    return dx, dW, dU, (dax.sum(axis=0), dah.sum(axis=0))  # (GU,) each
