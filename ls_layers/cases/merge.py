"""Rows for the layers that join inputs: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..add import Add
from ..average import Average
from ..concatenate import Concatenate
from ..dot import Dot
from ..maximum import Maximum
from ..minimum import Minimum
from ..multiply import Multiply
from ..subtract import Subtract


def _normal(*shapes: tuple[int, ...]) -> Any:
    return lambda g: tuple(g.normal(size=shape) for shape in shapes)


def _apart(*shapes: tuple[int, ...]) -> Any:
    """Inputs that are nowhere closer to each other than 0.1: no ties, no kinks."""

    def inputs(g: np.random.Generator) -> tuple[np.ndarray, ...]:
        ranks = g.permuted(np.tile(np.arange(len(shapes))[:, None], (1, math.prod(shapes[0]))), axis=0)
        return tuple(
            (0.5 * rank + 0.3 * g.uniform(size=rank.shape) - 0.5).reshape(shape) for rank, shape in zip(ranks, shapes, strict=True)
        )

    return inputs


def _element_by_element(join: Callable[..., float]) -> Any:
    def expected(layer: Any, *inputs: np.ndarray, **options: Any) -> np.ndarray:
        rank = max(x.ndim for x in inputs)
        raised = [x.reshape(x.shape[:1] + (1,) * (rank - x.ndim) + x.shape[1:]) for x in inputs]
        y = np.empty(tuple(max(sizes) for sizes in zip(*(x.shape for x in raised), strict=True)))
        for place in np.ndindex(y.shape):
            numbers = []
            for x in raised:
                here = tuple(0 if x.shape[axis] == 1 else i for axis, i in enumerate(place))
                numbers.append(float(x[here]))
            y[place] = join(*numbers)
        return y

    return expected


def _product(*numbers: float) -> float:
    result = 1.0
    for n in numbers:
        result *= n
    return result


def _dot_of_matrices(layer: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    y = np.zeros((a.shape[0], a.shape[2], b.shape[1]))
    for i, m, n, k in np.ndindex(*y.shape, a.shape[1]):
        y[i, m, n] += a[i, k, m] * b[i, n, k]
    return y


def _cosine(layer: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([[sum(x * y for x, y in zip(p, q, strict=True)) / (sum(p**2) * sum(q**2)) ** 0.5] for p, q in zip(a, b, strict=True)])


def _joined(layer: Any, *inputs: np.ndarray) -> np.ndarray:
    return np.array([[[n for x in inputs for n in x[b, t]] for t in range(inputs[0].shape[1])] for b in range(len(inputs[0]))])


_MASKS = {
    "mask": [
        np.array([[True, True, False], [True, False, False]]),
        np.array([[True, False, False], [True, True, False]]),
    ]
}


def _masked_product(layer: Any, a: np.ndarray, b: np.ndarray, mask: Any) -> np.ndarray:
    y = np.zeros_like(a)
    for i, t, c in np.ndindex(a.shape):
        kept = [float(x[i, t, c]) for x, m in zip((a, b), mask, strict=True) if m[i, t]]
        y[i, t, c] = _product(*kept) if kept else 0.0
    return y


def _masked_maximum(layer: Any, a: np.ndarray, b: np.ndarray, mask: Any) -> np.ndarray:
    y = np.zeros_like(a)
    for i, t, c in np.ndindex(a.shape):
        y[i, t, c] = max([x[i, t, c] for x, m in zip((a, b), mask, strict=True) if m[i, t]] or [a[i, t, c]])
    return y


_TWO, _THREE = [(2, 3, 2)] * 2, [(2, 3, 2)] * 3
CASES = [
    Case("Add", Add, _normal(*_THREE), expected=_element_by_element(lambda *n: sum(n))),
    Case("Add, broadcast", Add, _normal((2, 3, 4), (2, 4), (2, 1, 1)), expected=_element_by_element(lambda *n: sum(n))),
    Case("Subtract", Subtract, _normal(*_TWO), expected=_element_by_element(lambda a, b: a - b)),
    Case("Subtract, broadcast", Subtract, _normal((2, 1, 4), (2, 3, 1)), expected=_element_by_element(lambda a, b: a - b)),
    Case("Multiply", Multiply, _normal(*_THREE), expected=_element_by_element(_product)),
    Case("Multiply, broadcast", Multiply, _normal((2, 3, 4), (2, 4), (2, 3, 1)), expected=_element_by_element(_product)),
    Case(
        "Multiply, masks", Multiply, _normal(*_TWO), options=_MASKS, same_alone=False, expected=_masked_product, notes="masks are per batch"
    ),
    Case("Average", Average, _normal(*_THREE), expected=_element_by_element(lambda *n: sum(n) / len(n))),
    Case("Average, broadcast", Average, _normal((2, 3, 4), (2, 1, 4)), expected=_element_by_element(lambda *n: sum(n) / len(n))),
    Case("Maximum", Maximum, _apart(*_THREE), expected=_element_by_element(max)),
    Case("Maximum, broadcast", Maximum, _normal((2, 3, 2), (2, 2)), expected=_element_by_element(max)),
    Case("Maximum, masks", Maximum, _apart(*_TWO), options=_MASKS, same_alone=False, expected=_masked_maximum, notes="masks are per batch"),
    Case("Minimum", Minimum, _apart(*_THREE), expected=_element_by_element(min)),
    Case("Minimum, broadcast", Minimum, _normal((2, 1, 2), (2, 3, 1)), expected=_element_by_element(min)),
    Case("Concatenate", Concatenate, _normal((2, 3, 2), (2, 3, 1), (2, 3, 4)), expected=_joined),
    Case("Concatenate along time", lambda: Concatenate(axis=1), _normal((2, 3, 2), (2, 1, 2))),
    Case("Dot", lambda: Dot(axes=(1, 2)), _normal((2, 3, 4), (2, 5, 3)), expected=_dot_of_matrices),
    Case("Dot of vectors, normalized", lambda: Dot(axes=1, normalize=True), _normal((3, 4), (3, 4)), expected=_cosine),
    Case("Dot, four axes", lambda: Dot(axes=(2, -1), normalize=True), _normal((2, 2, 3, 2), (2, 4, 3))),
]
