"""GRU on NumPy; see recurrent_numpy.py. B batch, T time steps, I inputs, U units.

The buffer of a step has four times U rows, ``z r g q`` with q = U_h h + b'_h, which the reset gate multiplies. The gradients' has
them as ``h z r g``: the first three belong to the product with h (Keras' order rolled by U), the last three to the one with x.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.threads import Tasks
from ls_core.types import Array

from ..gru import gru_backward, gru_forward
from .recurrent_numpy import Columns, Gradients, fits, in_pieces, inputs_ahead


@gru_forward.override("numpy")
def gru_forward_numpy(x: Array, h0: Array, W: Array, U: Array, b: Array | None, mask: Array | None) -> tuple[Array, Array, Any]:
    if not fits(x, h0, W, U, b):
        return gru_forward.reference(x, h0, W, U, b, mask)
    n = len(U)
    half = np.full(3 * n, 0.5, x.dtype)  # sigmoid(z) = (1 + tanh(z / 2)) / 2
    half[2 * n :] = 1.0
    bias = bias_q = None
    if b is not None:
        bias = b[0] * half
        bias[: 2 * n] += b[1, : 2 * n] * 0.5
        bias_q = b[1, 2 * n :, None]
    B, T, I = x.shape
    xs = np.empty((T, I, B), x.dtype)
    hs = np.empty((T + 1, n, B), x.dtype)  # hs[t] stands before step t
    steps = np.empty((T, 4 * n, B), x.dtype)
    recurrent, term = np.empty((3 * n, B), x.dtype), np.empty((n, B), x.dtype)
    hs[0] = h0.T
    with Tasks() as tasks:
        times = inputs_ahead(tasks, x, xs, lambda: (np.ascontiguousarray((W * half).T), bias), steps[:, : 3 * n])
        pieces = in_pieces(np.ascontiguousarray((U * half).T), B)  # of (3U, U)
        products = recurrent.reshape(*pieces.shape[:2], B)
        for t in times:
            step, before, h = steps[t], hs[t], hs[t + 1]
            sigmoids, g, q = step[: 2 * n], step[2 * n : 3 * n], step[3 * n :]
            np.matmul(pieces, before, out=products)
            sigmoids += recurrent[: 2 * n]
            np.tanh(sigmoids, out=sigmoids)
            sigmoids *= 0.5
            sigmoids += 0.5
            np.add(recurrent[2 * n :], 0.0 if bias_q is None else bias_q, out=q)
            g += np.multiply(step[n : 2 * n], q, out=term)
            np.tanh(g, out=g)
            np.subtract(before, g, out=h)  # z h + (1 - z) g = z (h - g) + g
            h *= step[:n]
            h += g
            if mask is not None:
                h[...] = np.where(mask[:, t], h, before)
    return hs[1:].transpose(0, 2, 1), np.ascontiguousarray(hs[T].T), Columns(xs, hs, steps)


@gru_backward.override("numpy")
def gru_backward_numpy(
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
    if not isinstance(saved, Columns):
        return gru_backward.reference(dhT, dhs, saved, W, U, mask, has_bias, truncate, input_gradient)
    _, hs, steps = saved
    n = len(U)
    kept_rows = None if mask is None else mask.T[:, None]  # (T, 1, B)
    dh, recurrent = dhT.T.copy(), np.empty_like(hs[0])  # (U, B)
    pieces = in_pieces(np.roll(U, n, axis=1), dh.shape[1])  # of (U, 3U)
    products = recurrent.reshape(*pieces.shape[:2], -1)
    with Tasks() as tasks:
        gradients = Gradients(tasks, saved, W, slice(n, 4 * n), slice(0, 3 * n), input_gradient)
        for place, (begin, end) in enumerate(gradients.chunks):
            z, r, g, q = (steps[begin:end, k * n : (k + 1) * n] for k in range(4))  # (steps, U, B)
            # What the chain rule multiplies dh by, for the chunk at once; s' = s (1 - s), tanh' = 1 - tanh^2.
            #   g = tanh(x part + r * q),  h = z * h before + (1 - z) * g
            dz = np.empty((end - begin, 4 * n, dh.shape[1]), dh.dtype)  # made into the gradient of h z r g before their activations
            of_q, of_z, of_r, of_g = (dz[:, k * n : (k + 1) * n] for k in range(4))
            np.multiply(1 - z, 1 - g * g, out=of_g)
            np.multiply(of_g, r, out=of_q)
            np.multiply(of_q, q * (1 - r), out=of_r)
            np.multiply(hs[begin:end] - g, z * (1 - z), out=of_z)
            if kept_rows is not None:  # h = where(mask, h, h before)
                kept = kept_rows[begin:end]  # (steps, 1, B)
                dz *= kept
                z = z * kept + ~kept
            for t in reversed(range(begin, end)):
                if dhs is not None:
                    dh += dhs[t].T
                # 2. g = tanh(x part + r * q),  h = z * h before + (1 - z) * g
                dzt = dz[t - begin]
                dzt.reshape(4, n, -1)[...] *= dh
                dh *= z[t - begin]
                # 1. z, r, q = U @ h before + b'
                np.matmul(pieces, dzt[: 3 * n], out=products)
                dh += recurrent
                if truncate and t and t % truncate == 0:
                    dh[...] = 0.0
            gradients.add(place, dz)
    dx, dW, dU, db = gradients.results()
    bias = np.stack((db[n:], np.roll(db[: 3 * n], -n))) if has_bias else None  # (2, 3U)
    return dx, np.ascontiguousarray(dh.T), dW, np.roll(dU, -n, axis=1), bias


__all__ = ["gru_backward_numpy", "gru_forward_numpy"]
