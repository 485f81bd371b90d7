"""Parameter: an array that training changes, with its gradient; RowGradient: a gradient of a few rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .backend import get_xp, to_host
from .kernel import kernel
from .types import Array


class Parameter:
    """A value and its gradient.

    Parameters
    ----------
    value : array
        The numbers; shape and dtype stay as they are. An optimiser's first step may replace the array by a part of a flat
        one (ls_optim/flat.py): hold on to the Parameter, not to its array.
    name : str
        The parameter's name within its layer ('kernel', 'bias', ...).
    trainable : bool
        Whether an optimiser may change it. Layers set this when they are frozen.
    state : bool
        True for what a layer remembers and no gradient reaches (moving statistics, the state of a
        stateful RNN); never trainable.
    regularizer, constraint : optional
        Applied by the training loop and the optimiser.

    Notes
    -----
    ``grad`` is None, an array of value's shape, or a ``RowGradient``. ``accumulate`` owns a fresh
    gradient the first time and adds afterwards; ``drop_grad`` forgets it, no zero-fill.

    >>> p = Parameter(np.zeros(2)); p.accumulate(np.ones(2)); p.accumulate(np.ones(2)); p.grad
    array([2., 2.])
    """

    __slots__ = ("value", "grad", "trainable", "name", "path", "state", "regularizer", "constraint", "__weakref__")

    def __init__(
        self,
        value: Array,
        name: str = "parameter",
        trainable: bool = True,
        *,
        state: bool = False,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> None:
        self.value = value if hasattr(value, "dtype") else np.asarray(value)
        self.grad: Array | RowGradient | None = None
        self.name = name
        self.path = name
        self.state = state
        self.trainable = trainable and not state
        self.regularizer = regularizer
        self.constraint = constraint

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def size(self) -> int:
        return int(self.value.size)

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    def accumulate(self, gradient: Array | RowGradient) -> None:
        """Add ``gradient``; the first one is kept itself, so it must be a fresh array. A frozen Parameter ignores it."""
        if not self.trainable:
            return
        if gradient.shape != self.value.shape:
            turned = tuple(gradient.shape) == tuple(self.value.shape)[::-1]
            raise ValueError(
                f"the gradient of parameter '{self.path}' has shape {gradient.shape}, the parameter has {self.value.shape}; "
                + ("it is probably transposed" if turned else "a sum over the broadcast axes is probably missing")
            )
        if self.grad is None:
            self.grad = gradient
        elif isinstance(self.grad, RowGradient):
            self.grad = self.grad + gradient
        elif isinstance(gradient, RowGradient):
            gradient.add_to(self.grad)
        else:
            self.grad += gradient

    def drop_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def assign(self, value: Any) -> None:
        """Copy new numbers in; shape and dtype stay.

        Raises
        ------
        ValueError
            The shapes differ.
        """
        xp = get_xp(self.value)
        new = value if isinstance(value, type(self.value)) else xp.asarray(to_host(value))
        if new.shape != self.value.shape:
            raise ValueError(f"parameter '{self.path}' has shape {self.value.shape}, the new value {new.shape}")
        self.value[...] = new

    def numpy(self) -> np.ndarray:
        """The value on the host; the array itself, not a copy, where it already lives there."""
        return to_host(self.value)

    def __repr__(self) -> str:
        kind = "state" if self.state else "trainable" if self.trainable else "frozen"
        return f"<Parameter {self.path} {tuple(self.shape)} {self.dtype} {kind}>"


class RowGradient:
    """The gradient of a table of which a step touched few rows.

    Parameters
    ----------
    rows : integer array (n,)
        The touched rows, each once. On a device, where the shape can't depend on the data, some places are unused: row -1.
    values : array (n, ...)
        The gradient of each of them; 0 for an unused place.
    shape : tuple
        The whole table's shape; ``values.shape[1:] == shape[1:]``.
    """

    __slots__ = ("rows", "values", "shape")

    def __init__(self, rows: Array, values: Array, shape: tuple[int, ...]) -> None:
        self.rows = rows
        self.values = values
        self.shape = shape

    @property
    def dtype(self) -> Any:
        return self.values.dtype

    def to_dense(self) -> Array:
        """The gradient with a row for every row of the table, most of them zero."""
        dense = get_xp(self.values).zeros(self.shape, dtype=self.values.dtype)
        put_rows(dense, self.rows, self.values)
        return dense

    def astype(self, dtype: Any) -> RowGradient:
        """The same in another type of numbers."""
        return RowGradient(self.rows, self.values.astype(dtype), self.shape)

    def add_to(self, dense: Array) -> None:
        """Add to a dense gradient in place."""
        add_rows(dense, self.rows, self.values)

    def __add__(self, other: Array | RowGradient) -> Array | RowGradient:
        if isinstance(other, RowGradient):
            xp = get_xp(self.values)
            rows = xp.concatenate((self.rows, other.rows))
            values = xp.concatenate((self.values, other.values))
            rows, values = sum_rows(rows, values)
            return RowGradient(rows, values, self.shape)
        total = other.copy()
        self.add_to(total)
        return total

    def __mul__(self, factor: Any) -> RowGradient:
        return RowGradient(self.rows, self.values * factor, self.shape)

    def __repr__(self) -> str:
        return f"<RowGradient {self.values.shape[0]} of {self.shape[0]} rows>"


def dense_gradient(gradient: Array | RowGradient) -> Array:
    """The gradient as an array.

    >>> dense_gradient(RowGradient(np.array([1]), np.array([[2.0]]), (3, 1))).tolist()
    [[0.0], [2.0], [0.0]]
    """
    return gradient.to_dense() if isinstance(gradient, RowGradient) else gradient


@kernel
def take_rows(table: Array, rows: Array) -> Array:
    """The rows (n, ...) of a table; for a RowGradient's unused places zeros."""
    return table[rows]


@kernel
def put_rows(table: Array, rows: Array, values: Array) -> None:
    """Write ``values`` (n, ...) over rows of a table, each named once."""
    table[rows] = values


@kernel
def add_rows(table: Array, rows: Array, values: Array) -> None:
    """Add ``values`` (n, ...) to rows of a table, each named once, so that this indexed sum loses nothing."""
    table[rows] += values


@kernel
def sum_rows(ids: Array, values: Array) -> tuple[Array, Array]:
    """Add up the rows of ``values`` (n, ...) that share an id (n,): -> rows (u,), sums (u, ...)."""
    xp = get_xp(values)
    rows, where = xp.unique(ids, return_inverse=True)
    wide = "float32" if values.dtype.itemsize == 2 else values.dtype  # CuPy adds no bfloat16 at places
    sums = xp.zeros((rows.shape[0], *values.shape[1:]), dtype=wide)
    xp.add.at(sums, where, values.astype(wide, copy=False))
    return rows, sums.astype(values.dtype, copy=False)


_FEW = 8  # ids that stand at most so often are added up together, others one by one


@sum_rows.override("numpy")
def _sum_rows_sorted(ids: Array, values: Array) -> tuple[Array, Array]:
    # np.add.at visits one element after the other, and reduceat takes a microsecond and more for each run of equal
    # ids. Most ids stand once or a few times: all second places are added at once, then all third ones, and so on.
    if ids.size == 0:
        return ids, values
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    counts = np.diff(starts, append=ids.size)
    sums = np.take(values, order[starts], axis=0)
    left = np.flatnonzero((counts > 1) & (counts <= _FEW))
    place = 1
    while left.size:
        sums[left] += np.take(values, order[starts[left] + place], axis=0)
        place += 1
        left = left[counts[left] > place]
    for i in np.flatnonzero(counts > _FEW):  # padding, frequent words
        sums[i] = np.take(values, order[starts[i] : starts[i] + counts[i]], axis=0).sum(axis=0)
    return ordered[starts], sums
