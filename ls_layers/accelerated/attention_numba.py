"""Scaled dot-product attention, compiled: the scores stay in the cache, and the backward makes them again.

What the forward keeps is therefore not the reference's (..., H, T, S) but two numbers for each row of it.
B batch, H heads of the queries, G of keys and values, T queries, S keys, D and V features of a key and a value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.kernel import Kernel
from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..attention_core import scaled_dot_product_attention_backward, scaled_dot_product_attention_forward
from .blocks import plain

LEAST = 1 << 15  # scores that a thread must have to be worth it
FEW, SMALL = 16, 1 << 10  # queries, and scores of a head, below which the panels would mostly hold zeros


class Kept(tuple[Any, ...]):
    """What the compiled forward saved; other tuples are the reference's."""

    __slots__ = ()


@scaled_dot_product_attention_forward.override("numba")
def attention_forward_compiled(
    q: Array, k: Array, v: Array, bias: Array, scale: float, causal: bool, keep: Array, return_scores: bool
) -> tuple[Array, Array, Any]:
    arrays = [each for each in (q, k, v, bias, keep) if each is not None]
    alike = q.dtype.char in "fd" and all(each.dtype == q.dtype for each in arrays)
    fits = alike and not return_scores and all(x.ndim == 4 and 0 not in x.shape for x in (q, k, v))
    if not fits or q.shape[2] < FEW or q.shape[2] * k.shape[2] < SMALL:
        return _otherwise(scaled_dot_product_attention_forward, q, k, v, bias, scale, causal, keep, return_scores)
    from .attention_compiled import forward

    (B, H, T, D), (S, V) = q.shape, v.shape[2:]
    q, k, v = (_in_panels(x) for x in (q, k, v))
    given = *_given(bias, (B, H, T, S), q), *_given(keep, (B, H, T, S), q)
    y = np.empty((B, T, H, v.shape[3]), q.dtype)
    kept = np.empty((B, H, T, 2), q.dtype)
    run_blocks(lambda begin, end: forward(y, kept, q, k, v, *given, scale, causal, begin, end), _units(q, k))
    return _out_of_panels(y, V), None, Kept((q, k, v, given, kept, scale, causal, (D, V)))


@scaled_dot_product_attention_backward.override("numba")
def attention_backward_compiled(dy: Array, dscores: Array, saved: Any) -> tuple[Array, Array, Array]:
    if not isinstance(saved, Kept):
        return _otherwise(scaled_dot_product_attention_backward, dy, dscores, saved)
    from .attention_compiled import backward

    q, k, v, given, kept, scale, causal, (D, V) = saved
    dy = _in_panels(dy.astype(q.dtype, copy=False))
    dq, dk, dv = np.empty_like(q), np.zeros_like(k), np.zeros_like(v)
    run_blocks(
        lambda begin, end: backward(dq, dk, dv, dy, q, k, v, *given, kept, scale, causal, begin, end),
        _units(q, k),
    )
    return _out_of_panels(dq, D), _out_of_panels(dk, D), _out_of_panels(dv, V)


def _otherwise(kernel: Kernel, *arguments: Any) -> Any:
    """What NumPy arrays get where compiled code does not fit."""
    return kernel.overrides.get("numpy", kernel.reference)(*arguments)


def _units(q: Array, k: Array) -> list[tuple[int, int]]:
    """Each thread's heads of keys and values, of all examples; q (B, T, H, D), k (B, S, G, D)."""
    (B, T, H, _), (_, S, G, _) = q.shape, k.shape
    return split(B * G, LEAST * G // (T * S * H))


def _given(x: Array, shape: tuple[int, ...], like: Array) -> tuple[Array, bool]:
    """``x``, or zeros in its place (without memory of their own), so that there is one compiled function for all; and which it is."""
    return np.broadcast_to(like.dtype.type(0) if x is None else x, shape), x is not None


def _in_panels(x: Array) -> Array:
    """(B, H, T, D) as a contiguous (B, T, H, D), which projections make; D is filled up with zeros to whole panels."""
    from .products import width_of

    x = x.transpose(0, 2, 1, 3)  # a view of what a projection made
    over = -x.shape[3] % width_of.py_func(x)
    return np.pad(x, [(0, 0)] * 3 + [(0, over)]) if over else plain(x)


def _out_of_panels(y: Array, size: int) -> Array:
    """Undo ``_in_panels``: a view."""
    return y[..., :size].transpose(0, 2, 1, 3)


__all__ = ["attention_backward_compiled", "attention_forward_compiled"]
