"""EinsumDense against Keras 3."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import ls_layers

from .keras_judge import compare_layer

pytestmark = pytest.mark.judges

EQUATIONS = [
    ("ab,bc->ac", 4, (3, 5)),
    ("ab,bcd->acd", (4, 2), (3, 5)),
    ("abc,cd->abd", (None, 4), (3, 2, 5)),
    ("abc,cd->abd", (2, 4), (3, 2, 5)),
    ("abc,cde->abde", (None, 2, 3), (3, 2, 5)),
    ("abcd,cde->abe", (None, 3), (2, 3, 2, 4)),
    ("abcd,cdef->abef", (None, 3, 2), (2, 3, 2, 4)),
    ("abc,bcd->abd", (3, 2), (2, 3, 4)),
    ("abc,bcd->ad", 2, (2, 3, 4)),
    ("abc,bd->acd", (None, 3), (2, 4, 5)),
    ("abc,cd->adb", (4, None), (2, 3, 5)),
    ("abc,cd->ad", 3, (2, 4, 5)),
    ("abc,dc->abd", (None, 3), (2, 4, 5)),
    ("abc,c->ab", (None,), (2, 4, 5)),
    ("abc,bc->abc", (4, 5), (2, 4, 5)),
    ("xyz,zw->xyw", (None, 6), (2, 4, 5)),
    ("aBc,cD->aBD", (None, 6), (2, 4, 5)),
    ("...x,xy->...y", 3, (2, 5)),
    ("...x,xy->...y", 3, (2, 4, 5)),
    ("...x,xy->...y", 3, (2, 4, 3, 5)),
    ("...ab,bc->...ac", (None, 3), (2, 4, 5)),
    ("...ab,abc->...c", 3, (2, 3, 4, 5)),
    ("ab...,bc->ac...", 3, (2, 4, 5)),
    ("ab...,bc->ac...", 3, (2, 4, 3, 2)),
    ("ab...,bcd->acd...", (3, 2), (2, 4, 3)),
]


@pytest.mark.parametrize(("equation", "output_shape", "shape"), EQUATIONS)
@pytest.mark.parametrize("biased", ["none", "first", "last", "all"])
def test_equations(equation: str, output_shape: Any, shape: tuple[int, ...], biased: str, rng: np.random.Generator) -> None:
    letters = equation.split("->")[1].replace(".", "")
    own = letters if equation.startswith("...") else letters[1:]
    if biased != "none" and not own:
        return
    bias_axes = {"none": None, "first": own[:1], "last": own[-1:], "all": own}[biased]
    sizes = (output_shape,) if isinstance(output_shape, int) else output_shape
    if bias_axes and None in [size for letter, size in zip(own, sizes, strict=True) if letter in bias_axes]:
        sizes = _known(equation, own, sizes, shape)
    arguments = {"equation": equation, "output_shape": sizes, "bias_axes": bias_axes}
    compare_layer(ls_layers.EinsumDense, keras.layers.EinsumDense, arguments, (rng.normal(size=shape),))
    # Keras' own compute_output_shape says None where the input tells, and swaps the sizes of three elided axes
    real = tuple(keras.layers.EinsumDense(**arguments)(np.zeros(shape)).shape)
    assert ls_layers.EinsumDense(**arguments).output_shape((None, *shape[1:])) == (None, *real[1:])


def _known(equation: str, own: str, sizes: tuple[int | None, ...], shape: tuple[int, ...]) -> tuple[int | None, ...]:
    """Output sizes without None: Keras cannot make a bias along an axis of unknown size, LS can."""
    term = equation.split(",")[0]
    letters = term.replace(".", "")
    found = dict(zip(letters, shape[len(shape) - len(letters) :] if term.startswith("...") else shape, strict=False))
    return tuple(found[letter] if size is None else size for letter, size in zip(own, sizes, strict=True))


@pytest.mark.parametrize("activation", ["relu", "tanh", "softmax", "gelu"])
def test_activation(activation: str, rng: np.random.Generator) -> None:
    arguments = {"equation": "abc,cd->abd", "output_shape": (None, 4), "activation": activation, "bias_axes": "d"}
    compare_layer(ls_layers.EinsumDense, keras.layers.EinsumDense, arguments, (rng.normal(size=(3, 2, 5)),))


@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal", "lecun_uniform"])
@pytest.mark.parametrize(
    ("equation", "output_shape", "shape"), [("abc,cde->abde", (None, 30, 40), (2, 3, 50)), ("abcd,cde->abe", (None, 60), (2, 3, 30, 40))]
)
def test_initial_spread(initializer: str, equation: str, output_shape: Any, shape: tuple[int, ...]) -> None:
    """The fans are those of the equation, not those of the kernel's last two axes."""
    ours = ls_layers.EinsumDense(equation, output_shape, kernel_initializer=initializer)
    theirs = keras.layers.EinsumDense(equation, output_shape, kernel_initializer=initializer)
    ours.ensure_built(shape)
    theirs.build(shape)
    a, b = ours.get_weights()[0], theirs.get_weights()[0]
    assert abs(a.std() / b.std() - 1) < 0.02
