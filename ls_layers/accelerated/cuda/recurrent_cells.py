"""LSTMCell and GRUCell on CUDA, as RNN runs them step by step (GRU with ``reset_after=False``, recurrent dropout, stacked cells).

The products are cuBLAS', all gates between them one launch; two where the reset gate acts before its product.
B batch, I inputs, U units. What forward saves is what the references save.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.cuda import Source, contiguous, each_grid, override
from ls_core.types import Array

from ... import activations
from ...gru_cell import gru_cell_backward, gru_cell_forward
from ...lstm_cell import lstm_cell_backward, lstm_cell_forward
from ...recurrent_cell import gate_products_backward, gate_products_forward

SOURCE = Source(__file__, "recurrent_cells.cu")


def _usual(activation: Any, recurrent_activation: Any) -> bool:
    """Whether these are the activations that the kernels compute."""
    usual: Any = activations
    return activation.forward is usual.tanh.forward and recurrent_activation.forward is usual.sigmoid.forward


def _run(name: str, first: Array, *args: Any) -> None:
    """A kernel over the numbers of an array (B, U); ``first`` is that, the other arguments follow."""
    SOURCE.run(name, first.dtype, *each_grid(first.size), *args, first.size, first.shape[1])


@override(lstm_cell_forward)
def lstm_cell_forward_cuda(
    x: Array, h: Array, c: Array, W: Array, U: Array, b: Array | None, masks: Any, activation: Any, recurrent_activation: Any
) -> tuple[Array, Array, Any]:
    if not _usual(activation, recurrent_activation):
        return lstm_cell_forward.reference(x, h, c, W, U, b, masks, activation, recurrent_activation)
    xp = get_xp(x)
    ax, ah = gate_products_forward(x, W, masks[0]), gate_products_forward(h, U, masks[1])  # (B, 4U)
    ax, ah, b, before = contiguous(xp, ax, ah, b, c)
    i, f, g, o, a, new_c, new_h = (xp.empty(c.shape, dtype=c.dtype) for _ in range(7))  # (B, U)
    _run("lstm_cell_forward", c, ax, ah, b, before, i, f, g, o, a, new_c, new_h)
    return new_h, new_c, (x, h, c, i, f, g, o, a, i, f, g, o, a)


@override(lstm_cell_backward)
def lstm_cell_backward_cuda(
    dh: Array, dc: Array, saved: Any, W: Array, U: Array, has_bias: bool, masks: Any, activation: Any, recurrent_activation: Any
) -> tuple[Array, ...]:
    if not _usual(activation, recurrent_activation):
        return lstm_cell_backward.reference(dh, dc, saved, W, U, has_bias, masks, activation, recurrent_activation)
    xp = get_xp(dh)
    x, h, *given = saved[:8]
    dz, dc_before = xp.empty((dh.shape[0], U.shape[1]), dtype=dh.dtype), xp.empty(dh.shape, dtype=dh.dtype)
    _run("lstm_cell_backward", dh, *contiguous(xp, dh, dc, *given), dz, dc_before)
    dh_before, dU = gate_products_backward(dz, h, U, masks[1])
    dx, dW = gate_products_backward(dz, x, W, masks[0])
    return dx, dh_before, dc_before, dW, dU, dz.sum(axis=0) if has_bias else None


@override(gru_cell_forward)
def gru_cell_forward_cuda(
    x: Array,
    h: Array,
    W: Array,
    U: Array,
    b: Array | None,
    reset_after: bool,
    masks: Any,
    activation: Any,
    recurrent_activation: Any,
) -> tuple[Array, Any]:
    if not _usual(activation, recurrent_activation):
        return gru_cell_forward.reference(x, h, W, U, b, reset_after, masks, activation, recurrent_activation)
    xp, n = get_xp(x), U.shape[0]
    z, r, q, g, new_h = (xp.empty(h.shape, dtype=h.dtype) for _ in range(5))  # (B, U)
    columns, masks_h = (U, masks[1]) if reset_after else (U[:, : 2 * n], masks[1][:2])
    ax, ah = gate_products_forward(x, W, masks[0]), gate_products_forward(h, columns, masks_h)  # (B, 3U), (B, 3U) or (B, 2U)
    ax, ah, b, before = contiguous(xp, ax, ah, b, h)
    if reset_after:
        _run("gru_cell_forward", h, ax, ah, b, before, z, r, q, g, new_h)
    else:
        _run("gru_cell_reset_forward", h, ax, ah, b, before, z, r, q)
        (product,) = contiguous(xp, gate_products_forward(q, U[:, 2 * n :], masks[1][2:]))  # (B, U)
        _run("gru_cell_candidate_forward", h, ax, product, b, before, z, g, new_h)
    return new_h, (x, h, z, r, q, g, z, r, g)


@override(gru_cell_backward)
def gru_cell_backward_cuda(
    dh: Array,
    saved: Any,
    W: Array,
    U: Array,
    has_bias: bool,
    reset_after: bool,
    masks: Any,
    activation: Any,
    recurrent_activation: Any,
) -> tuple[Array, ...]:
    if not _usual(activation, recurrent_activation):
        return gru_cell_backward.reference(dh, saved, W, U, has_bias, reset_after, masks, activation, recurrent_activation)
    xp, n = get_xp(dh), U.shape[0]
    x, h, z, r, q, g = saved[:6]
    dh, before, z, r, q, g = contiguous(xp, dh, h, z, r, q, g)
    dax, kept = xp.empty((dh.shape[0], 3 * n), dtype=dh.dtype), xp.empty(dh.shape, dtype=dh.dtype)  # (B, 3U), (B, U)
    if reset_after:
        dah = xp.empty_like(dax)
        _run("gru_cell_backward", dh, dh, before, z, r, q, g, dax, dah, kept)
        dh_product, dU = gate_products_backward(dah, h, U, masks[1])
    else:
        _run("gru_cell_candidate_backward", dh, dh, before, z, g, dax, kept)
        dq, dU_h = gate_products_backward(dax[:, 2 * n :], q, U[:, 2 * n :], masks[1][2:])
        _run("gru_cell_reset_backward", dh, *contiguous(xp, dq), before, r, dax, kept)
        dh_product, dU_zr = gate_products_backward(dax[:, : 2 * n], h, U[:, : 2 * n], masks[1][:2])
        dU = xp.concatenate((dU_zr, dU_h), axis=1)  # (U, 3U)
    dx, dW = gate_products_backward(dax, x, W, masks[0])
    db = None
    if has_bias:
        db = xp.stack((dax.sum(axis=0), dah.sum(axis=0))) if reset_after else dax.sum(axis=0)  # (2, 3U) or (3U,)
    return dx, kept + dh_product, dW, dU, db
