"""Loss: per-sample losses with their hand-written gradient, and the reduction to one number.

::

    value = loss(y_true, y_pred, sample_weight=None)                              # 0-d
    value, gradient = loss.value_and_grad(y_true, y_pred, sample_weight=None)     # gradient: of y_pred's shape and dtype

A subclass writes two methods, each usually one kernel:

- ``per_sample(y_true, y_pred) -> losses, saved``: the losses, one for each sample (B,) or each step (B, T), and what
  the gradient needs (a third value: a mask of the losses that count);
- ``per_sample_gradient(weights, saved) -> dy_pred``: the gradient of sum(weights * losses) with respect to y_pred.

``weights`` has the losses' shape and holds the sample weights, the mask and the 1/N of the reduction. Both methods run
once per call, so the gradient may overwrite what ``per_sample`` made and saved, never y_true or y_pred.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend import backend_of, floatx, get_xp, is_array, to_device
from ..errors import ShapeError
from ..layer import snake_case
from ..registry import Configurable, form_of
from ..types import Array

EPSILON = 1e-7  # Keras' fuzz factor: probabilities are kept this far from 0 and 1, divisors from 0
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss(Configurable):
    """The base of every loss.

    Parameters
    ----------
    name : str, optional
        Default: the class name in snake_case.
    reduction : {'sum_over_batch_size', 'mean', 'sum', 'mean_with_sample_weight', 'none', None}
        'sum_over_batch_size' and 'mean': the weighted sum divided by the number of losses; 'mean_with_sample_weight':
        divided by the sum of the weights; 'none' and None: the weighted losses themselves (their gradient is then that
        of their sum).
    dtype : str, optional
        Float type to compute in; default: that of y_pred. The gradient always has y_pred's.

    Notes
    -----
    ``sample_weight`` has the losses' shape, or fewer axes, which are then the first ones: (B,) weighs the rows of
    losses (B, T). ``mask`` (booleans of the losses' shape) leaves losses out; the means then count only what is left.

    Source: Keras 3, ``keras.losses.Loss``.

    Examples
    --------
    >>> class Squares(Loss):
    ...     def per_sample(self, y_true, y_pred):
    ...         error = y_pred - y_true                                     # (B, C)
    ...         return (error * error).sum(axis=-1), error
    ...     def per_sample_gradient(self, weights, error):
    ...         return 2.0 * error * weights[:, None]                       # losses = sum_C error^2
    >>> value, gradient = Squares().value_and_grad(np.zeros((2, 1)), np.array([[1.0], [3.0]]))
    >>> float(value), gradient
    (5.0, array([[1.], [3.]]))
    """

    registry_kind = "loss"
    closing_activation: str | None = None  # 'softmax' or 'sigmoid', where from_logits (with_logits()) takes it into the loss
    dense_labels = True  # y_true has y_pred's dtype; False: it stays as it came

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None) -> None:
        if reduction not in REDUCTIONS:
            raise ValueError(f"{type(self).__name__}: reduction is one of {REDUCTIONS}, not {reduction!r}")
        self.name = name or snake_case(type(self).__name__)
        self.reduction = reduction
        self.dtype = None if dtype is None else str(np.dtype(dtype))

    # --- what a loss's author writes -------------------------------------------------------------

    def per_sample(self, y_true: Array, y_pred: Array) -> Any:
        """losses, saved (and a mask, where some losses do not count)."""
        raise NotImplementedError(f"{type(self).__name__} has no per_sample")

    def per_sample_gradient(self, weights: Array, saved: Any) -> Array:
        """The gradient of sum(weights * losses) with respect to y_pred: a fresh array."""
        raise NotImplementedError(f"{type(self).__name__} has no per_sample_gradient")

    def align(self, y_true: Array, y_pred: Array) -> tuple[Array, Array]:
        """Both with the same number of axes, after a check that their shapes fit; default: equal shapes."""
        y_true, y_pred = same_rank(y_true, y_pred)
        if y_true.shape != y_pred.shape:
            raise self.mismatch(y_true, y_pred, "They must be equal.")
        return y_true, y_pred

    # --- what a loss's user calls ----------------------------------------------------------------

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> Array:
        """The loss, a 0-d array (reduction 'none': the weighted losses)."""
        result = self.per_sample(*self._prepare(y_true, y_pred))
        return reduce_losses(result[0], sample_weight, _both(mask, result), self.reduction)[0]

    def value_and_grad(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> tuple[Array, Array]:
        """The loss and its gradient with respect to y_pred, a fresh array of y_pred's shape and dtype."""
        y_pred = _float_array(y_pred)
        result = self.per_sample(*self._prepare(y_true, y_pred))
        value, weights = reduce_losses(result[0], sample_weight, _both(mask, result), self.reduction)
        gradient = self.per_sample_gradient(weights, result[1])
        return value, gradient.reshape(y_pred.shape).astype(y_pred.dtype, copy=False)

    def with_logits(self) -> Loss:
        """The same loss on logits, which joins it with ``closing_activation``.

        Raises
        ------
        ValueError
            The loss has no such form.
        """
        if self.closing_activation is None:
            raise ValueError(f"{self} has no form on logits: its closing_activation is None")
        return type(self).from_config({**self.get_config(), "from_logits": True})

    def mismatch(self, y_true: Array, y_pred: Array, fix: str) -> ShapeError:
        """The error for shapes that do not fit."""
        return ShapeError(f"{self}: y_true has shape {tuple(y_true.shape)}, y_pred has {tuple(y_pred.shape)}. {fix}")

    def _prepare(self, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
        if y_true is None:
            raise ValueError(f"{self}: there are no targets. Give y; a generator gives pairs (x, y).")
        y_pred = _float_array(y_pred)
        if self.dtype is not None:
            y_pred = y_pred.astype(self.dtype, copy=False)
        y_true = to_device(y_true if is_array(y_true) else np.asarray(y_true), backend_of(y_pred))
        if self.dense_labels:
            y_true = y_true.astype(y_pred.dtype, copy=False)
        return self.align(y_true, y_pred)

    def __repr__(self) -> str:
        return f"{type(self).__name__} '{self.name}'"


def _float_array(y_pred: Any) -> Array:
    y_pred = y_pred if is_array(y_pred) else np.asarray(y_pred, dtype=floatx())
    return y_pred if y_pred.dtype.kind in "fc" else y_pred.astype(floatx())


def _both(mask: Any, result: tuple[Any, ...]) -> Any:
    """The mask given by the caller and the one that per_sample returned, in one."""
    own = result[2] if len(result) == 3 else None
    if mask is None or own is None:
        return own if mask is None else mask
    return _first_axes(to_device(mask, backend_of(own)).astype(bool), own.ndim) & own


def same_rank(a: Array, b: Array) -> tuple[Array, Array]:
    """Drop or add a last axis of size 1 where the numbers of axes differ by one: (B,) and (B, 1) become (B, 1) both.

    >>> [x.shape for x in same_rank(np.ones(3), np.ones((3, 1)))], [x.shape for x in same_rank(np.ones((3, 2, 1)), np.ones((3, 2)))]
    ([(3, 1), (3, 1)], [(3, 2), (3, 2)])
    """
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return (a, b[..., None]) if b.ndim == 1 else (a[..., 0], b)
    if b.ndim == a.ndim + 1 and b.shape[-1] == 1:
        return (a[..., None], b) if a.ndim == 1 else (a, b[..., 0])
    return a, b


def _first_axes(weight: Array, ndim: int) -> Array:
    """``weight`` with axes of size 1 appended up to ``ndim``: its own axes are the first ones."""
    return weight.reshape(weight.shape + (1,) * (ndim - weight.ndim)) if 0 < weight.ndim < ndim else weight


def divide_no_nan(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0.

    >>> divide_no_nan(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    array([0. , 0.5])
    """
    return a / (b + (b == 0)) * (b != 0)


def apply_mask(sample_weight: Any, mask: Array, dtype: Any, reduction: str | None = "sum") -> Array:
    """Sample weights of ``dtype`` that leave out what ``mask`` (booleans) does not keep.

    For the reductions that divide by the number of losses the kept ones weigh total / kept, so that the mean is one
    over the kept alone.

    >>> apply_mask(None, np.array([True, False]), 'float64', 'mean'), apply_mask(np.array([2.0, 2.0]), np.array([True, False]), 'float64')
    (array([2., 0.]), array([2., 0.]))
    """
    kept = mask.astype(bool).astype(dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        kept = kept * divide_no_nan(float(kept.size), kept.sum())
    if sample_weight is None:
        return kept
    kept, sample_weight = same_rank(kept, to_device(sample_weight, backend_of(kept)).astype(dtype, copy=False))
    ndim = max(kept.ndim, sample_weight.ndim)
    return _first_axes(kept, ndim) * _first_axes(sample_weight, ndim)


def reduce_losses(losses: Array, sample_weight: Any, mask: Any, reduction: str | None) -> tuple[Array, Array]:
    """The reduced loss, and its derivative with respect to each of the losses (of their shape)."""
    xp, dtype = get_xp(losses), losses.dtype
    if mask is not None:
        sample_weight = apply_mask(sample_weight, to_device(mask, backend_of(losses)), dtype, reduction)
    aligned, weight = losses, xp.ones(losses.shape, dtype=dtype)
    if sample_weight is not None:
        aligned, weight = same_rank(losses, _array_like(sample_weight, losses))
        weight = _first_axes(weight, aligned.ndim)
    if not _fits(weight.shape, aligned.shape):
        raise ShapeError(
            f"sample_weight has shape {tuple(weight.shape)}, the losses {tuple(losses.shape)}; "
            "give one weight for each sample, or one for each loss."
        )
    value = weighted = aligned if sample_weight is None else aligned * weight
    if reduction == "sum":
        value = weighted.sum()
    elif reduction == "mean_with_sample_weight" and sample_weight is not None:
        total = weight.sum()
        value, weight = divide_no_nan(weighted.sum(), total), divide_no_nan(weight, total)
    elif reduction not in ("none", None):
        value = weighted.mean() if weighted.size else weighted.sum()  # mean adds float16 up in float32
        weight = weight * (1.0 / max(weighted.size, 1))
    return value, _sum_to(weight, weighted.shape, aligned.shape).reshape(losses.shape)


def _fits(weight: tuple[int, ...], losses: tuple[int, ...]) -> bool:
    """Whether weights go with losses: axis by axis equal, or one of them 1; a single loss of a whole batch takes any."""
    if not losses:
        return True
    return len(weight) <= len(losses) and all(
        1 in (w, n) or w == n for w, n in zip(weight, losses[len(losses) - len(weight) :], strict=True)
    )


def _array_like(sample_weight: Any, losses: Array) -> Array:
    given = sample_weight if is_array(sample_weight) else np.asarray(sample_weight)
    return to_device(given, backend_of(losses)).astype(losses.dtype, copy=False)


def _sum_to(weight: Array, full: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """``weight`` broadcast to ``full``, then summed over the axes along which the losses of ``shape`` were broadcast."""
    if weight.shape == full == shape:
        return weight
    weight = get_xp(weight).broadcast_to(weight, full)
    extra = len(full) - len(shape)
    axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(shape) if n == 1 and full[i + extra] != 1)
    return weight.sum(axis=axes).reshape(shape) if axes else weight


def labels_to_signs(y_true: Array) -> Array:
    """Labels that are all 0 or 1 become -1 or 1; others stay. Decided on the device, so nothing waits for it.

    >>> labels_to_signs(np.array([0.0, 1.0])), labels_to_signs(np.array([-1.0, 1.0]))
    (array([-1.,  1.]), array([-1.,  1.]))
    """
    binary = ((y_true == 0) | (y_true == 1)).all()
    return y_true + (y_true - 1.0) * binary  # 2 y - 1, or y


def function_form(cls: Any) -> Callable[..., Array]:
    """The loss as a function of (y_true, y_pred) and the class's own arguments: the losses before any reduction.

    ``compile`` and files take it for the class.
    """
    own = [p for p in inspect.signature(cls).parameters.values() if p.name not in ("reduction", "name", "dtype")]
    data = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("y_true", "y_pred")]
    signature = inspect.Signature([*data, *own])

    @form_of(cls)
    def function(*arguments: Any, **options: Any) -> Array:
        bound = signature.bind(*arguments, **options).arguments
        y_true, y_pred = bound.pop("y_true"), bound.pop("y_pred")
        return cls(**bound, reduction=None)(y_true, y_pred)

    function.__name__ = function.__qualname__ = snake_case(cls.__name__)
    function.__doc__ = f"``{cls.__name__}`` before its reduction: one loss for each sample."
    function.__module__ = cls.__module__
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), without overflow."""
    xp = get_xp(z)
    e = xp.exp(-xp.abs(z))
    return xp.where(z >= 0, 1.0, e) / (1.0 + e)


def clip_probabilities(p: Array) -> tuple[Array, Array]:
    """``p`` kept within [1e-7, 1 - 1e-7], and where it was so already (there its derivative passes).

    float16 has no number between 1 - 5e-4 and 1, so its upper bound is the last one below 1.
    """
    top = 1.0 - max(EPSILON, float(np.finfo(p.dtype).epsneg))
    return get_xp(p).clip(p, EPSILON, top), (p.real >= EPSILON) & (p.real <= top)
