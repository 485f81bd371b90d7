"""Circle: l_i = log(1 + sum_j exp(gamma a_j d_j) sum_k exp(-gamma b_k e_k)) over the others j unlike and k like sample i.

B the batch, D the embedding. With the distance s = max(1 - y_i . y_j, 0) and the margin m: unlike ones weigh
a = max(1 + m - s, 0) and count d = 1 - m - s; like ones weigh b = max(m + s, 0) and count e = m - s.
"""

from __future__ import annotations

from typing import Any

from ..backend import get_xp
from ..kernel import kernel
from ..products import matmul
from ..types import Array
from .loss import Loss, function_form, sigmoid


@kernel
def circle_forward(ids: Array, y: Array, gamma: float, margin: float, remove_diagonal: bool) -> tuple[Array, Any]:
    xp = get_xp(y)
    like = ids[:, None] == ids[None, :]  # (B, B)
    unlike = ~like
    if remove_diagonal:
        like = like & ~xp.eye(ids.shape[0], dtype=bool)
    apart = 1.0 - matmul(y, y.T)  # (B, B)
    s = xp.maximum(apart, 0.0)
    a = xp.maximum(1.0 + margin - s, 0.0)
    b = xp.maximum(margin + s, 0.0)
    z_unlike = gamma * a * (1.0 - margin - s)
    z_like = -gamma * b * (margin - s)
    log_unlike, share_unlike = _log_sum_exp(z_unlike, unlike)  # (B,), (B, B)
    log_like, share_like = _log_sum_exp(z_like, like)
    z = log_like + log_unlike  # (B,)
    losses = xp.maximum(z, 0.0) + xp.log1p(xp.exp(-xp.abs(z)))  # log(1 + exp(z)); 0 where no like or no unlike one is there
    return losses, (y, apart, s, a, b, share_like, share_unlike, sigmoid(z))


@kernel
def circle_backward(weights: Array, saved: Any, gamma: float, margin: float) -> Array:
    y, apart, s, a, b, share_like, share_unlike, p = saved
    # 6. losses = log(1 + exp(z)):  dz = sigmoid(z)
    dz = (weights * p)[:, None]  # (B, 1)
    # 5. z = log sum exp(z_like) + log sum exp(z_unlike):  the share of each term
    dz_like, dz_unlike = dz * share_like, dz * share_unlike  # (B, B)
    # 4. z_like = -gamma b (margin - s),  b = max(margin + s, 0)
    ds = dz_like * -gamma * ((b > 0) * (margin - s) - b)
    # 3. z_unlike = gamma a (1 - margin - s),  a = max(1 + margin - s, 0)
    ds = ds + dz_unlike * -gamma * ((a > 0) * (1.0 - margin - s) + a)
    # 2. s = max(apart, 0)
    dapart = ds * (apart > 0)
    # 1. apart = 1 - matmul(y, y.T)
    return matmul(-(dapart + dapart.T), y)  # (B, D)


def _log_sum_exp(z: Array, where: Array) -> tuple[Array, Array]:
    """log sum exp over the entries of each row that ``where`` marks (-inf where it marks none), and each one's share."""
    xp = get_xp(z)
    z = xp.where(where, z, -xp.inf)  # (B, B)
    some = where.any(axis=1)  # (B,)
    top = xp.where(some, z.max(axis=1), 0.0)
    e = xp.exp(z - top[:, None])
    total = e.sum(axis=1) + ~some
    return xp.where(some, xp.log(total) + top, -xp.inf), e / total[:, None]


class Circle(Loss):
    """Pulls embeddings of one class together and pushes those of different classes apart, pair by pair in the batch.

    Parameters
    ----------
    gamma : float
        Scale; default 80.
    margin : float
        Relaxation m; default 0.4.
    remove_diagonal : bool
        A sample is not its own neighbour; default True.
    reduction, name, dtype
        See ``Loss``.

    Notes
    -----
    y_true: class ids (B,) or (B, 1); y_pred: embeddings (B, D) of length 1 (``UnitNormalization``). A sample without a
    like or an unlike neighbour has no loss and does not count in the mean.

    Source: Sun et al. 2020, "Circle Loss: A Unified Perspective of Pair Similarity Optimization", eq. 4 to 8; Keras 3,
    ``keras.losses.Circle``.

    Examples
    --------
    >>> value, gradient = Circle(gamma=2.0).value_and_grad([0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> round(float(value), 4), gradient.shape
    (0.915, (3, 2))
    """

    dense_labels = False

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str = "circle",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.gamma, self.margin = gamma, margin
        self.remove_diagonal = remove_diagonal

    def align(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        if y_pred.ndim != 2 or y_true.shape not in (y_pred.shape[:1], (*y_pred.shape[:1], 1)):
            raise self.mismatch(y_true, y_pred, "It wants class ids (batch,) and embeddings (batch, size).")
        return y_true.reshape(-1), y_pred

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        losses, saved = circle_forward(y_true, y_pred, self.gamma, self.margin, self.remove_diagonal)
        return losses, saved, losses > 0

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        return circle_backward(weights, saved, self.gamma, self.margin)


circle = function_form(Circle)
