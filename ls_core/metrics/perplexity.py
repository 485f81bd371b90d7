"""Perplexity: exp of the mean cross-entropy per token."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import losses
from ..backend import get_xp
from ..losses.loss import apply_mask, divide_no_nan
from ..types import Array
from .metric import Metric, as_weight, untouched


class Perplexity(Metric):
    """``exp(sum(weights * -log p(token)) / sum(weights))`` over all tokens so far: how many tokens it hesitates between.

    Parameters
    ----------
    from_logits : bool
        y_pred holds logits rather than probabilities.
    mask_token_id : int, optional
        Tokens with this id (padding) are left out.
    dtype, name
        See ``Metric``.

    Notes
    -----
    y_true: token ids (B, T), y_pred (B, T, V). Every token counts the same, also where sequences have different lengths.
    0 before the first token.

    Source: KerasHub, ``keras_hub.metrics.Perplexity``.

    Examples
    --------
    >>> metric = Perplexity()
    >>> float(metric([[1, 3]], np.full((1, 2, 4), 0.25)).round(4))
    4.0
    """

    def __init__(self, from_logits: bool = False, mask_token_id: int | None = None, dtype: Any = None, name: str = "perplexity") -> None:
        super().__init__(dtype, name)
        self.mask_token_id = mask_token_id
        self.loss = losses.SparseCategoricalCrossentropy(from_logits, reduction=None, dtype=dtype)

    def reset_state(self) -> None:
        self.total: Array = 0.0
        self.count: Array = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = self.arrays(y_true, y_pred)
        values = self.loss(y_true, y_pred)  # (B, T)
        weight = as_weight(sample_weight, values)
        if self.mask_token_id is not None:
            weight = apply_mask(weight, y_true.reshape(values.shape) != self.mask_token_id, values.dtype)
        self.total = self.total + (values * weight).sum(dtype=np.float64)
        self.count = self.count + weight.sum(dtype=np.float64)

    def result(self) -> Any:
        if untouched(self.total):
            return 0.0
        return get_xp(self.total).exp(divide_no_nan(self.total, self.count)) * (self.count > 0)
