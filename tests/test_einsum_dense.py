"""EinsumDense: errors name the equation; contractions agree with einsum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ls_core.errors import ShapeError
from ls_layers import Dense, EinsumDense
from ls_layers.einsum_dense import contract


@pytest.mark.parametrize(
    ("equation", "output_shape", "bias_axes", "message"),
    [
        ("ab,bc", 3, None, r"EinsumDense 'einsum_dense': equation 'ab,bc': it must have the form 'ab,bc->ac'"),
        ("a...b,bc->a...c", 3, None, r"it must have the form"),
        ("...ab,bc->ac...", 3, None, r"'...' must stand at the same end of the input and the output"),
        ("...ab,bc->ac", 3, None, r"'...' must stand at the same end"),
        ("abb,bc->ac", 3, None, r"a letter stands twice in 'abb'"),
        ("ab,bc->ad", 3, None, r"the output's letter 'd' stands neither in the input nor in the kernel"),
        ("ab,bcd->ac", 3, None, r"the kernel's letter 'd' stands neither in the input nor in the output"),
        ("ab,bc->ac", 3, "b", r"bias_axes names 'b', which is no letter of the output"),
    ],
)
def test_wrong_equations(equation: str, output_shape: Any, bias_axes: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EinsumDense(equation, output_shape, bias_axes=bias_axes)


@pytest.mark.parametrize(
    ("equation", "output_shape", "shape", "message"),
    [
        ("abc,cd->abd", 4, (2, 3, 5), r"output_shape \(4,\) has 1 sizes; without the batch and '...' the output has 2: 'bd'"),
        ("abc,cd->abd", (7, 4), (2, 3, 5), r"the axis 'b' is 3 in the input and 7 in output_shape"),
        ("abc,cd->abd", (None, None), (2, 3, 5), r"the size of axis 'd' is not known; give it in output_shape"),
        ("abc,cd->abd", (None, 4), (None, 3, None), r"the size of axis 'c' is not known"),
        ("abc,cd->abd", (None, 4), (2, 5), r"wants an input of 3 axes, this one has 2"),
        ("...bc,cd->...bd", (None, 4), (5,), r"wants an input of 2 axes, this one has 1"),
    ],
)
def test_wrong_shapes(equation: str, output_shape: Any, shape: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EinsumDense(equation, output_shape).ensure_built(shape)


def test_input_that_does_not_fit_the_kernel() -> None:
    layer = EinsumDense("abc,cd->abd", (None, 4))
    layer(np.ones((2, 3, 5)))
    with pytest.raises(ShapeError, match=r"equation 'abc,cd->abd': axis 2 of the input \('c'\) is 6, its kernel wants 5"):
        layer(np.ones((2, 3, 6)))


@pytest.mark.parametrize("equation", ["ab,bc->ac", "ab,bc->ca", "abc,cd->abd", "abc,bcd->abd", "abc,bcd->dba", "abc,bc->abc", "abc,db->ad"])
def test_contract(equation: str, rng: np.random.Generator) -> None:
    size = dict(zip("abcd", (2, 3, 4, 5), strict=True))
    terms, C = equation.split("->")
    A, B = terms.split(",")
    a, b = (rng.normal(size=[size[c] for c in term]) for term in (A, B))
    assert np.abs(contract(a, A, b, B, C) - np.einsum(equation, a, b)).max() < 1e-14


def test_is_dense(rng: np.random.Generator) -> None:
    x = rng.normal(size=(3, 2, 5))
    dense, einsum = Dense(4), EinsumDense("abc,cd->abd", (None, 4), bias_axes="d")
    wanted = dense(x)
    einsum.ensure_built(x.shape)
    einsum.set_weights(dense.get_weights())
    assert np.abs(einsum(x) - wanted).max() < 1e-6


def test_fans_count_the_letters() -> None:
    layer = EinsumDense("abcd,cde->abe", (None, 60), kernel_initializer="lecun_uniform")
    layer.ensure_built((None, 3, 30, 40))
    limit = (3 / (30 * 40)) ** 0.5
    assert 0.99 * limit < np.abs(layer.kernel.value).max() <= limit
