"""Sparse categorical cross-entropy: l = -log p_y for the class id y, on probabilities p or on logits, p = softmax(z).

N samples (every axis but that of the classes, flattened), C classes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backend import get_xp
from ..kernel import kernel
from ..types import Array
from .loss import Loss, clip_probabilities, function_form


@kernel
def sparse_categorical_crossentropy_forward(ids: Array, p: Array) -> tuple[Array, Any]:
    xp = get_xp(p)
    rows = xp.arange(p.shape[0])
    total = p.sum(axis=1)  # (N,)
    q = p / total[:, None]  # (N, C)
    r, inside = clip_probabilities(q[rows, ids])  # (N,)
    return -xp.log(r), (ids, q, r, inside, total)


@kernel
def sparse_categorical_crossentropy_backward(weights: Array, ids: Array, q: Array, r: Array, inside: Array, total: Array) -> Array:
    xp = get_xp(weights)
    rows = xp.arange(q.shape[0])
    # 3. losses = -log(r)
    dr = -weights / r  # (N,)
    # 2. r = clip(q[rows, ids])
    dq = dr * inside  # (N,), at the id alone
    # 1. q = p / sum_C p:  dp = (dq - sum_C dq q) / total, where dq is 0 but at the id
    dp = xp.repeat((-dq * q[rows, ids] / total)[:, None], q.shape[1], axis=1)  # (N, C)
    dp[rows, ids] += dq / total
    return dp


@kernel
def sparse_categorical_crossentropy_logits_forward(ids: Array, z: Array) -> tuple[Array, Any]:
    xp = get_xp(z)
    shifted = z - z.max(axis=1, keepdims=True)  # (N, C)
    at_id = shifted[xp.arange(z.shape[0]), ids]  # (N,)
    e = xp.exp(shifted, out=shifted)
    total = e.sum(axis=1)  # (N,)
    return xp.log(total) - at_id, (ids, e, total)


@kernel
def sparse_categorical_crossentropy_logits_backward(weights: Array, ids: Array, e: Array, total: Array) -> Array:
    xp = get_xp(weights)
    # losses = log(sum_C exp(z)) - z[ids]:  d losses / dz = softmax(z) - one_hot(ids), softmax(z) = e / total
    dz = e  # (N, C), made in the forward and not needed again
    dz *= (weights / total)[:, None]
    dz[xp.arange(e.shape[0]), ids] -= weights
    return dz


class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy between class ids and predicted distributions: ``-log(p[id])``.

    Parameters
    ----------
    from_logits : bool
        y_pred holds logits rather than probabilities. Default False; probabilities are divided by their sum and kept
        within [1e-7, 1 - 1e-7].
    ignore_class : int, optional
        Samples with this id count neither in the loss nor in its mean (padding, "void" pixels).
    reduction, axis, name, dtype
        See ``Loss``; ``axis`` is that of the classes, default -1.

    Notes
    -----
    y_true: integers (B, ...) or (B, ..., 1), y_pred (B, ..., C). Gradient on logits: softmax(z) - one_hot(id).

    Raises
    ------
    ValueError
        An id lies outside 0 .. C - 1 (checked where the ids are on the host).

    Source: Keras 3, ``keras.losses.SparseCategoricalCrossentropy``.

    Examples
    --------
    >>> loss = SparseCategoricalCrossentropy(from_logits=True)
    >>> value, gradient = loss.value_and_grad([1, 0], [[1.0, 1.0], [3.0, 3.0]])
    >>> round(float(value), 4), gradient.tolist()
    (0.6931, [[0.25, -0.25], [-0.25, 0.25]])
    """

    dense_labels = False

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = from_logits
        self.ignore_class = ignore_class
        self.axis = axis
        self.closing_activation = "softmax" if axis == -1 else None

    def align(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        return align_ids(self, y_true, y_pred, self.axis)

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        xp = get_xp(y_pred)
        shape = y_true.shape
        moved = y_pred if self.axis == -1 else xp.moveaxis(y_pred, self.axis, -1)  # (..., C)
        valid = None
        if self.ignore_class is not None:
            valid = y_true != self.ignore_class
            y_true = y_true * valid
        check_ids(self, y_true, moved.shape[-1])
        rows = moved.reshape(math.prod(shape), moved.shape[-1])  # (N, C)
        forward = sparse_categorical_crossentropy_logits_forward if self.from_logits else sparse_categorical_crossentropy_forward
        losses, saved = forward(y_true.reshape(-1), rows)
        losses = losses.reshape(shape)
        if valid is None:
            return losses, (moved.shape, saved)
        return xp.where(valid, losses, 0.0), (moved.shape, saved), valid

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        moved, inner = saved
        backward = sparse_categorical_crossentropy_logits_backward if self.from_logits else sparse_categorical_crossentropy_backward
        gradient = backward(weights.reshape(-1), *inner).reshape(moved)
        return gradient if self.axis == -1 else get_xp(weights).moveaxis(gradient, -1, self.axis)


sparse_categorical_crossentropy = function_form(SparseCategoricalCrossentropy)


def align_ids(loss: Loss, y_true: Array, y_pred: Array, axis: int) -> tuple[Array, Array]:
    """Class ids in the shape of y_pred without its axis of classes; the error knows one-hot labels."""
    axis %= max(y_pred.ndim, 1)
    before, after = y_pred.shape[:axis], y_pred.shape[axis + 1 :]
    if y_true.shape == (*before, 1, *after):
        y_true = y_true.reshape(before + after)
    if y_true.shape != before + after:
        if y_true.shape == y_pred.shape:
            fix = "These look like one-hot labels: use categorical_crossentropy, or give class ids."
        else:
            fix = f"It wants one class id for each sample: y_true of shape {before + after}."
        raise loss.mismatch(y_true, y_pred, fix)
    return whole_numbers(y_true), y_pred


def whole_numbers(ids: Array) -> Array:
    """Class ids as integers; floats (1.0, 2.0) are converted, and 1.5 on the host is an error."""
    if isinstance(ids, np.ndarray) and ids.dtype.kind == "f" and not (ids == np.floor(ids)).all():
        odd = ids[ids != np.floor(ids)].flat[0]
        raise ValueError(f"class ids are whole numbers, and y_true holds {odd}. For targets that are numbers use a loss such as mse.")
    return ids if ids.dtype.kind == "i" else ids.astype("int64")


def check_ids(loss: Any, ids: Array, classes: int) -> None:
    """Raise for a class id outside 0 .. classes - 1; on a device, where asking would make it wait, nothing is checked."""
    if not isinstance(ids, np.ndarray) or ids.size == 0 or (ids.min() >= 0 and ids.max() < classes):
        return
    where = tuple(int(i[0]) for i in np.nonzero((ids < 0) | (ids >= classes)))
    place = where[0] if len(where) == 1 else where
    raise ValueError(
        f"{loss}: the class id {ids[where]} at position {place} of y_true is outside 0 .. {classes - 1}: "
        f"y_pred has {classes} classes. Widen the model's last layer, or number the labels from 0."
    )
