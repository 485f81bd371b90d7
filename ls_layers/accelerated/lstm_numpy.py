"""LSTM on NumPy; see recurrent_numpy.py. B batch, T time steps, I inputs, U units.

The buffer of a step has six times U rows, ``o i f g c tanh_c``, with c from before the step: so the gates lie together, the
sigmoids do, and ``i f`` stand as ``g c`` do, which they are multiplied by. Keras' order of the gates, i f g o, is this one
rolled by U; the gradients' buffer has Keras'.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.threads import Tasks
from ls_core.types import Array

from ..lstm import lstm_backward, lstm_forward
from .recurrent_numpy import Columns, Gradients, fits, in_pieces, inputs_ahead


@lstm_forward.override("numpy")
def lstm_forward_numpy(
    x: Array, h0: Array, c0: Array, W: Array, U: Array, b: Array | None, mask: Array | None
) -> tuple[Array, Array, Array, Any]:
    if not fits(x, h0, c0, W, U, b):
        return lstm_forward.reference(x, h0, c0, W, U, b, mask)
    (B, T, I), n = x.shape, h0.shape[1]
    half = np.full(4 * n, 0.5, x.dtype)  # sigmoid(z) = (1 + tanh(z / 2)) / 2
    half[3 * n :] = 1.0

    def in_rows(weights: Array) -> Array:  # (..., 4U) -> (4U, ...)
        return np.ascontiguousarray((np.roll(weights, n, axis=-1) * half).T)

    xs = np.empty((T, I, B), x.dtype)
    hs = np.empty((T + 1, n, B), x.dtype)  # hs[t] stands before step t
    steps = np.empty((T, 6 * n, B), x.dtype)
    last, recurrent, terms = np.empty((n, B), x.dtype), np.empty((4 * n, B), x.dtype), np.empty((2 * n, B), x.dtype)
    hs[0], steps[0, 4 * n : 5 * n] = h0.T, c0.T
    with Tasks() as tasks:
        times = inputs_ahead(tasks, x, xs, lambda: (in_rows(W), None if b is None else in_rows(b)), steps[:, : 4 * n])
        pieces = in_pieces(in_rows(U), B)  # of (4U, U)
        products = recurrent.reshape(*pieces.shape[:2], B)
        for t in times:
            step, h = steps[t], hs[t + 1]
            c = steps[t + 1, 4 * n : 5 * n] if t + 1 < T else last
            gates, sigmoids = step[: 4 * n], step[: 3 * n]
            np.matmul(pieces, hs[t], out=products)
            gates += recurrent
            np.tanh(gates, out=gates)
            sigmoids *= 0.5
            sigmoids += 0.5
            np.multiply(step[n : 3 * n], step[3 * n : 5 * n], out=terms)  # i * g, f * c before
            np.add(terms[:n], terms[n:], out=c)
            tanh_c = np.tanh(c, out=step[5 * n :])
            np.multiply(step[:n], tanh_c, out=h)
            if mask is not None:
                h[...] = np.where(mask[:, t], h, hs[t])
                c[...] = np.where(mask[:, t], c, step[4 * n : 5 * n])
    return hs[1:].transpose(0, 2, 1), np.ascontiguousarray(hs[T].T), np.ascontiguousarray(last.T), Columns(xs, hs, steps)


@lstm_backward.override("numpy")
def lstm_backward_numpy(
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
    if not isinstance(saved, Columns):
        return lstm_backward.reference(dhT, dcT, dhs, saved, W, U, mask, has_bias, truncate, input_gradient)
    _, hs, steps = saved
    n = len(U)
    kept_rows = None if mask is None else mask.T[:, None]  # (T, 1, B)
    dh, dc, part = dhT.T.copy(), dcT.T.copy(), np.empty_like(hs[0])  # (U, B)
    pieces = in_pieces(U, dh.shape[1])  # of (U, 4U)
    products = dh.reshape(*pieces.shape[:2], -1)
    every = slice(0, 4 * n)
    with Tasks() as tasks:
        gradients = Gradients(tasks, saved, W, every, every, input_gradient)
        for place, (begin, end) in enumerate(gradients.chunks):
            some = steps[begin:end]  # (steps, 6U, B)
            o, i, _, g, _, tanh_c = (some[:, k * n : (k + 1) * n] for k in range(6))  # (steps, U, B)
            i_f, g_c, f = some[:, n : 3 * n], some[:, 3 * n : 5 * n], some[:, 2 * n : 3 * n]
            # What the chain rule multiplies dh and dc by, for the chunk at once; s' = s (1 - s), tanh' = 1 - tanh^2.
            #   c = f * c before + i * g,  h = o * tanh(c)
            dz = np.empty((end - begin, 4 * n, dh.shape[1]), dh.dtype)  # made into the gradient of i f g o before their activations
            np.multiply((1 - i_f) * i_f, g_c, out=dz[:, : 2 * n])
            np.multiply(1 - g * g, i, out=dz[:, 2 * n : 3 * n])
            np.multiply((1 - o) * o, tanh_c, out=dz[:, 3 * n :])
            through_h = (1 - tanh_c * tanh_c) * o  # (steps, U, B)
            if kept_rows is not None:  # state = where(mask, state, state before)
                kept = kept_rows[begin:end]  # (steps, 1, B)
                dz *= kept
                through_h *= kept
                f = f * kept + ~kept
            for t in reversed(range(begin, end)):
                if dhs is not None:
                    dh += dhs[t].T
                # 3. h = o * tanh(c)
                dzt = dz[t - begin]
                np.multiply(dh, through_h[t - begin], out=part)
                dc += part
                dzt[3 * n :] *= dh
                # 2. c = f * c before + i * g
                dzt[: 3 * n].reshape(3, n, -1)[...] *= dc
                dc *= f[t - begin]
                # 1. gates = W @ x + b + U @ h before
                passed = None if kept_rows is None else dh * ~kept_rows[t]
                np.matmul(pieces, dzt, out=products)
                if passed is not None:
                    dh += passed
                if truncate and t and t % truncate == 0:
                    dh[...] = 0.0
                    dc[...] = 0.0
            gradients.add(place, dz)
    dx, dW, dU, db = gradients.results()
    return dx, np.ascontiguousarray(dh.T), np.ascontiguousarray(dc.T), dW, dU, db if has_bias else None


__all__ = ["lstm_backward_numpy", "lstm_forward_numpy"]
