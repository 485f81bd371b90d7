"""The core of attention, shared by every attention layer: y = softmax(scores) v, the scores by product or by tanh.

... leading axes (the batch), H heads of the queries, G heads of keys and values (G divides H: query heads H/G g ...
H/G (g + 1) - 1 attend to head g), T queries, S keys, D features of queries and keys, V features of values.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.products import matmul
from ls_core.types import Array


@kernel
def scaled_dot_product_attention_forward(
    q: Array, k: Array, v: Array, bias: Array, scale: float, causal: bool, keep: Array, return_scores: bool
) -> tuple[Array, Array, Any]:
    """-> y (..., H, T, V), p (..., H, T, S) if ``return_scores`` else None, saved.

    q (..., H, T, D), k (..., G, S, D), v (..., G, S, V). ``bias`` (broadcasts to (..., H, T, S); no gradient) is added to
    the scores, large and negative where a query must not look; ``causal``: query i looks at keys 0 ... i alone;
    ``keep`` (..., H, T, S): a dropout mask for p. None where there is none.
    """
    G = k.shape[-3]
    p = ungroup(matmul(group(q * scale, G), k.swapaxes(-1, -2)), q.shape[-3])  # (..., H, T, S), the scores so far
    softmax_in_place(p, bias, causal)
    kept = p if keep is None else p * keep  # (..., H, T, S)
    y = ungroup(matmul(group(kept, G), v), q.shape[-3])  # (..., H, T, V)
    return y, p if return_scores else None, (q, k, v, p, keep, scale)


@kernel
def scaled_dot_product_attention_backward(dy: Array, dscores: Array, saved: Any) -> tuple[Array, Array, Array]:
    """-> dq, dk, dv. ``dscores``: the gradient of p where forward returned it, else None."""
    q, k, v, p, keep, scale = saved
    G = k.shape[-3]
    # 4. y = matmul(kept, v)
    kept = p if keep is None else p * keep  # (..., H, T, S)
    dv = matmul(group(kept, G).swapaxes(-1, -2), group(dy, G))  # (..., G, S, V)
    dkept = ungroup(matmul(group(dy, G), v.swapaxes(-1, -2)), q.shape[-3])  # (..., H, T, S)
    # 3. p = softmax(s), 2. s += bias
    ds = group(softmax_gradient(dkept, p, keep, dscores), G)  # (..., G, HT/G, S)
    # 1. s = matmul(q * scale, k^T)
    dq = ungroup(matmul(ds, k), q.shape[-3])  # (..., H, T, D)
    dq *= scale
    dk = matmul(ds.swapaxes(-1, -2), group(q, G))  # (..., G, S, D)
    dk *= scale
    return dq, dk, dv


@kernel
def additive_attention_forward(q: Array, k: Array, v: Array, weights: Array, bias: Array, keep: Array) -> tuple[Array, Array, Any]:
    """-> y (..., T, V), p (..., T, S), saved. Scores: s_ij = sum_d weights_d tanh(q_id + k_jd); weights (D,)."""
    t = get_xp(q).tanh(q[..., :, None, :] + k[..., None, :, :])  # (..., T, S, D)
    p = matmul(t, weights)  # (..., T, S)
    softmax_in_place(p, bias, causal=False)
    y = matmul(p if keep is None else p * keep, v)  # (..., T, V)
    return y, p, (t, v, weights, p, keep)


@kernel
def additive_attention_backward(dy: Array, dscores: Array, saved: Any) -> tuple[Array, Array, Array, Array]:
    """-> dq, dk, dv, dweights."""
    t, v, weights, p, keep = saved
    # 4. y = matmul(p * keep, v)
    dv = matmul((p if keep is None else p * keep).swapaxes(-1, -2), dy)  # (..., S, V)
    # 3. p = softmax(s)
    ds = softmax_gradient(matmul(dy, v.swapaxes(-1, -2)), p, keep, dscores)[..., None]  # (..., T, S, 1)
    # 2. s = matmul(t, weights)
    dweights = (t * ds).reshape(-1, weights.shape[0]).sum(axis=0)  # (D,)
    dz = 1 - t * t  # (..., T, S, D)
    dz *= weights
    dz *= ds
    # 1. t = tanh(q_i + k_j)
    return dz.sum(axis=-2), dz.sum(axis=-3), dv, dweights


def group(x: Array, G: int) -> Array:
    """(..., H, T, D) as (..., G, HT/G, D), so that one product serves all query heads that share a key head."""
    H, T, D = x.shape[-3:]
    return x if G == H else x.reshape(*x.shape[:-3], G, H // G * T, D)


def ungroup(x: Array, H: int) -> Array:
    """Undo ``group``."""
    G, R, D = x.shape[-3:]
    return x if G == H else x.reshape(*x.shape[:-3], H, R * G // H, D)


def softmax_in_place(s: Array, bias: Array, causal: bool) -> None:
    """Turn scores (..., T, S) into softmax(scores + bias) over the keys; ``s`` is written to."""
    xp = get_xp(s)
    if bias is not None:
        s += bias
    if causal:
        s += causal_mask(xp, s.shape[-2], s.shape[-1], s.real.dtype)
    if s.size:  # no keys, no maximum
        s -= s.max(axis=-1, keepdims=True)
        xp.exp(s, out=s)
        s /= s.sum(axis=-1, keepdims=True)


def softmax_gradient(dkept: Array, p: Array, keep: Array, dscores: Array) -> Array:
    """ds (..., T, S) from the gradient of p * keep, which is written to, and of p itself."""
    # 2. kept = p * keep
    dp = dkept
    if keep is not None:
        dp *= keep
    if dscores is not None:
        dp += dscores
    # 1. p = softmax(s), dp_i/ds_j = p_i (delta_ij - p_j); where a bias masked a key p is 0, and so is ds
    dp *= p
    dp -= p * dp.sum(axis=-1, keepdims=True)
    return dp


def lowest(dtype: Any) -> float:
    """What Keras 3 adds to a masked score: far below any score, and with room left to add one."""
    return -0.7 * 65500.0 if dtype.itemsize == 2 else -0.7 * 3.38953e38


def causal_mask(xp: Any, T: int, S: int, dtype: Any) -> Array:
    """(T, S): 0 where key j is not after query i, ``lowest`` elsewhere."""
    return (xp.arange(T)[:, None] < xp.arange(S)).astype(dtype) * lowest(dtype)


__all__ = [
    "additive_attention_backward",
    "additive_attention_forward",
    "scaled_dot_product_attention_backward",
    "scaled_dot_product_attention_forward",
]
