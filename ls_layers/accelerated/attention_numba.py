"""Scaled dot-product attention, compiled: the scores stay in the cache, and the backward makes them again.

What the forward keeps is therefore not the reference's (..., H, T, S) but two numbers for each row of it.
B batch, H heads of the queries, G of keys and values, T queries, S keys, D and V features of a key and a value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..attention_core import scaled_dot_product_attention_backward, scaled_dot_product_attention_forward


class Kept(tuple[Any, ...]):
    """What the compiled forward saved; other tuples are the reference's."""

    __slots__ = ()


@scaled_dot_product_attention_forward.override("numba")
def attention_forward_compiled(
    q: Array, k: Array, v: Array, bias: Array, scale: float, causal: bool, keep: Array, return_scores: bool
) -> tuple[Array, Array, Any]:
    arrays = [each for each in (q, k, v, bias, keep) if each is not None]
    alike = q.dtype.char in "fd" and all(each.dtype == q.dtype for each in arrays)
    if return_scores or not alike or any(x.ndim != 4 or 0 in x.shape for x in (q, k, v)):
        return _plain_forward(q, k, v, bias, scale, causal, keep, return_scores)
    from .attention_compiled import forward

    (B, H, T, D), (_, G, S, V) = q.shape, v.shape
    q, k, v = (_in_panels(x) for x in (q, k, v))
    given = *_given(bias, (B, H, T, S), q), *_given(keep, (B, H, T, S), q)
    y = np.empty((B, T, H, v.shape[3]), q.dtype)
    kept = np.empty((B, H, T, 2), q.dtype)
    run_blocks(lambda begin, end: forward(y, kept, q, k, v, *given, scale, causal, begin, end), split(B * G))
    return _out_of_panels(y, V), None, Kept((q, k, v, given, kept, scale, causal, (D, V)))


@scaled_dot_product_attention_backward.override("numba")
def attention_backward_compiled(dy: Array, dscores: Array, saved: Any) -> tuple[Array, Array, Array]:
    if not isinstance(saved, Kept):
        return _plain_backward(dy, dscores, saved)
    from .attention_compiled import backward

    q, k, v, given, kept, scale, causal, (D, V) = saved
    dy = _in_panels(dy.astype(q.dtype, copy=False))
    dq, dk, dv = np.empty_like(q), np.zeros_like(k), np.zeros_like(v)
    run_blocks(
        lambda begin, end: backward(dq, dk, dv, dy, q, k, v, *given, kept, scale, causal, begin, end),
        split(k.shape[0] * k.shape[2]),
    )
    return _out_of_panels(dq, D), _out_of_panels(dk, D), _out_of_panels(dv, V)


def _plain_forward(*arguments: Any) -> Any:
    plain = scaled_dot_product_attention_forward
    return plain.overrides.get("numpy", plain.reference)(*arguments)


def _plain_backward(*arguments: Any) -> Any:
    plain = scaled_dot_product_attention_backward
    return plain.overrides.get("numpy", plain.reference)(*arguments)


def _given(x: Array, shape: tuple[int, ...], like: Array) -> tuple[Array, bool]:
    """``x``, or zeros in its place (without memory of their own), so that there is one compiled function for all; and which it is."""
    return np.broadcast_to(like.dtype.type(0) if x is None else x, shape), x is not None


def _in_panels(x: Array) -> Array:
    """(B, H, T, D) as a contiguous (B, T, H, D), which projections make; D is filled up with zeros to whole panels."""
    from .products import width_of

    x = x.transpose(0, 2, 1, 3)  # a view of what a projection made
    over = -x.shape[3] % width_of.py_func(x)
    return np.pad(x, [(0, 0)] * 3 + [(0, over)]) if over else np.ascontiguousarray(x)


def _out_of_panels(y: Array, size: int) -> Array:
    """Undo ``_in_panels``: a view."""
    return y[..., :size].transpose(0, 2, 1, 3)


__all__ = ["attention_backward_compiled", "attention_forward_compiled"]
