"""CTC: l = -log of the summed probability of every alignment of a label sequence with the time steps.

B batch, T time steps, C classes (0 is the blank), U the longest label sequence, S = 2 U + 1 states: the labels with a
blank before, between and after them. p_t(s) is the probability of state s's class at step t, all in logarithms.

    alpha_t(s)  all paths up to step t that end in s:     p_t(s) (alpha_{t-1}(s) + alpha_{t-1}(s-1) + [skip s] alpha_{t-1}(s-2))
    beta_t(s)   all ways on from s after step t:          sum over s' in {s, s+1, s+2 if skip s'} of p_{t+1}(s') beta_{t+1}(s')

A state may be skipped to where it is a label that differs from the label before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import get_xp
from ..kernel import kernel
from ..products import matmul
from ..types import Array
from .loss import Loss, function_form
from .sparse_categorical_crossentropy import check_ids, whole_numbers

IMPOSSIBLE = -1e30  # the logarithm of no probability at all: finite, so that differences of two stay numbers


@kernel
def ctc_forward(labels: Array, z: Array) -> tuple[Array, Any]:
    xp = get_xp(z)
    B, T, _ = z.shape
    S = 2 * labels.shape[1] + 1
    z = z - z.max(axis=2, keepdims=True)  # (B, T, C)
    logp = z - xp.log(xp.exp(z).sum(axis=2, keepdims=True))
    states = xp.zeros((B, S), dtype="int64")  # (B, S): blank, label, blank, label, ... blank
    states[:, 1::2] = labels
    skip = xp.zeros((B, S), dtype=bool)
    skip[:, 2:] = (states[:, 2:] != 0) & (states[:, 2:] != states[:, :-2])
    ends = 2 * (labels != 0).sum(axis=1)[:, None]  # (B, 1): the blank after the last label
    last = (xp.arange(S) == ends) | ((xp.arange(S) == ends - 1) & (ends > 0))  # (B, S): where a path may end
    each = xp.take_along_axis(logp, xp.broadcast_to(states[:, None, :], (B, T, S)), axis=2).transpose(1, 0, 2)  # (T, B, S)
    alpha = xp.full((T, B, S), IMPOSSIBLE, dtype=z.dtype)
    alpha[0, :, :2] = each[0, :, :2]  # a path begins with the first blank or the first label
    for t in range(1, T):
        paths = alpha[t - 1]
        paths = xp.logaddexp(paths, _moved(alpha[t - 1], 1))
        paths = xp.logaddexp(paths, xp.where(skip, _moved(alpha[t - 1], 2), IMPOSSIBLE))
        alpha[t] = paths + each[t]
    ending = xp.where(last, alpha[-1], IMPOSSIBLE)
    top = ending.max(axis=1)
    total = top + xp.log(xp.exp(ending - top[:, None]).sum(axis=1))  # (B,)
    losses = xp.where(total < 0.5 * IMPOSSIBLE, xp.inf, -total)
    return losses, (states, skip, last, each, alpha, total, logp)


@kernel
def ctc_backward(weights: Array, states: Array, skip: Array, last: Array, each: Array, alpha: Array, total: Array, logp: Array) -> Array:
    xp = get_xp(weights)
    T = alpha.shape[0]
    beta = xp.where(last, 0.0, IMPOSSIBLE).astype(alpha.dtype)  # (B, S)
    share = xp.empty_like(alpha)  # (T, B, S): the probability that the path is in s at step t, given the labels
    share[-1] = xp.exp(alpha[-1] + beta - total[:, None])
    for t in range(T - 2, -1, -1):
        onward = beta + each[t + 1]
        skipped = xp.where(skip, onward, IMPOSSIBLE)
        beta = xp.logaddexp(xp.logaddexp(onward, _moved(onward, -1)), _moved(skipped, -2))
        share[t] = xp.exp(alpha[t] + beta - total[:, None])
    # 2. losses = -log sum over paths of prod_t p_t(s):  d losses / d logp_t(c) = -(the shares of the states of class c)
    of_class = (states[:, :, None] == xp.arange(logp.shape[2])).astype(alpha.dtype)  # (B, S, C)
    occupied = matmul(share.transpose(1, 0, 2), of_class)  # (B, T, C), sums to 1 over C
    # 1. logp = log softmax(z):  dz = softmax(z) - occupied
    return (xp.exp(logp) - occupied) * weights[:, None, None]


def _moved(x: Array, by: int) -> Array:
    """``x`` (B, S) moved along S by ``by`` states, nothing coming in."""
    xp = get_xp(x)
    moved = xp.full_like(x, IMPOSSIBLE)
    if by > 0:
        moved[:, by:] = x[:, :-by]
    else:
        moved[:, :by] = x[:, -by:]
    return moved


class CTC(Loss):
    """Connectionist temporal classification: the likelihood of a label sequence whose alignment is unknown.

    Parameters
    ----------
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    y_true: labels (B, U), integers 1 .. C - 1, filled up with 0 at the end; y_pred: logits (B, T, C), class 0 the blank.
    The loss is infinite where the labels, with a blank between equal neighbours, need more than T steps.
    Gradient: softmax(logits) less the probability, given the labels, that the path is at that class at that step.

    Raises
    ------
    ValueError
        A label lies outside 0 .. C - 1 (checked where the labels are on the host).

    Source: Graves et al. 2006, "Connectionist Temporal Classification", sections 4.1 and 4.2; Keras 3,
    ``keras.losses.CTC``.

    Examples
    --------
    >>> value, gradient = CTC().value_and_grad([[1]], [[[0.0, 0.0], [0.0, 0.0]]])      # paths -1, 1-, 11 of four
    >>> round(float(value), 4)
    0.2877
    >>> print(gradient.round(4))
    [[[ 0.1667 -0.1667]
      [ 0.1667 -0.1667]]]
    """

    dense_labels = False

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "ctc", dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)

    def align(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        if y_true.ndim != 2 or y_pred.ndim != 3 or y_true.shape[0] != y_pred.shape[0]:
            raise self.mismatch(y_true, y_pred, "It wants labels (batch, length) and logits (batch, time, classes).")
        return whole_numbers(y_true), y_pred

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        check_ids(self, y_true, y_pred.shape[2])
        wide = y_pred.astype(np.float32) if y_pred.dtype == np.float16 else y_pred  # float16 can't hold these sums
        losses, saved = ctc_forward(y_true, wide)
        return losses.astype(y_pred.dtype, copy=False), saved

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return ctc_backward(weights, *saved)


ctc = function_form(CTC)
