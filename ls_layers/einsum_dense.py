"""EinsumDense: y = activation(einsum(equation, x, W) + b), each contraction one matrix product.

The equation's own letters name the axes: 'abc,cd->abd' takes x (a, b, c) and W (c, d) to y (a, b, d).
"""

from __future__ import annotations

import math
import re
import string
from typing import Any

from ls_core.errors import ShapeError
from ls_core.initializers import VarianceScaling
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.products import matmul
from ls_core.registry import deserialize
from ls_core.types import Array

from .activated import activated_backward, activated_forward


def contract(a: Array, A: str, b: Array, B: str, C: str) -> Array:
    """``einsum('A,B->C', a, b)`` as one (batched) matrix product; letters within A, B and C are different ones.

    >>> import numpy as np
    >>> contract(np.ones((2, 3)), 'ab', np.ones((3, 4)), 'bc', 'ca').shape
    (4, 2)
    """
    for letter in set(A) - set(B + C):  # letters of one side alone are summed before
        a, A = a.sum(axis=A.index(letter)), A.replace(letter, "")
    for letter in set(B) - set(A + C):
        b, B = b.sum(axis=B.index(letter)), B.replace(letter, "")
    size = {**dict(zip(A, a.shape, strict=True)), **dict(zip(B, b.shape, strict=True))}
    each = "".join(c for c in C if c in A and c in B)  # one product for each of these
    rows = "".join(c for c in C if c in A and c not in B)
    columns = "".join(c for c in C if c in B and c not in A)
    inner = "".join(c for c in A if c in B and c not in C)

    def matrix(x: Array, letters: str, first: str, second: str) -> Array:
        x = x.transpose([letters.index(c) for c in each + first + second])
        return x.reshape([*(size[c] for c in each), *(math.prod(size[c] for c in part) for part in (first, second))])

    y = matmul(matrix(a, A, rows, inner), matrix(b, B, inner, columns))  # (each..., rows, columns)
    found = each + rows + columns
    return y.reshape([size[c] for c in found]).transpose([found.index(c) for c in C])


@kernel
def einsum_dense_forward(x: Array, W: Array, b: Array | None, X: str, K: str, Y: str) -> Array:
    z = contract(x, X, W, K, Y)  # X, K and Y: the letters of x, W and y
    if b is not None:
        z = z + b
    return z


@kernel
def einsum_dense_backward(
    dz: Array, x: Array, W: Array, b: Array | None, X: str, K: str, Y: str, input_gradient: bool
) -> tuple[Array, Array, Array]:
    db = dx = None
    # 2. z = z + b, b broadcast along its axes of size 1 and those it has not
    if b is not None:
        sizes = (1,) * (dz.ndim - b.ndim) + b.shape
        db = dz.sum(axis=tuple(axis for axis, size in enumerate(sizes) if size == 1)).reshape(b.shape)
    # 1. z = einsum('X,K->Y', x, W)
    dW = contract(x, X, dz, Y, K)
    if input_gradient:
        dx = contract(dz, Y, W, K, "".join(c for c in X if c in Y + K))
        for axis, letter in enumerate(X):  # x was summed along the others, so every element there gets the same
            if letter not in Y + K:
                dx = dx[(slice(None),) * axis + (None,)].repeat(x.shape[axis], axis=axis)
    return dx, dW, db


class EinsumDense(Layer):
    """A dense layer whose product is an Einstein sum: ``y = activation(einsum(equation, x, kernel) + bias)``.

    Parameters
    ----------
    equation : str
        ``'ab,bc->ac'``, ``'...ab,bc->...ac'`` or ``'ab...,bc->ac...'``, any letters: input, kernel, output. A letter stands
        once in each. '...' are axes that the kernel does not touch.
    output_shape : int or tuple of int or None
        The output's sizes without the batch axis and without '...'. None takes the input's size.
    activation : str or ActivationFunction, optional
        Default: linear.
    bias_axes : str, optional
        The output's letters along which the bias differs. Default: no bias.
    kernel_initializer, bias_initializer : str or Initializer
        Defaults 'glorot_uniform' and 'zeros'. Fans count the kernel's letters of the input and of the output.
    kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint : optional

    Notes
    -----
    Weights: kernel, and bias with 1 for the axes between those in ``bias_axes``.
    Backward, with dz = activation'(z) dy and the equation X,K->Y:  dkernel = einsum('X,Y->K', x, dz),
    dx = einsum('Y,K->X', dz, kernel),  dbias = dz summed along the other axes.

    Raises
    ------
    ValueError
        The equation has none of the three forms, or contradicts ``output_shape`` or ``bias_axes``.
    ShapeError
        The input does not fit the equation or the kernel.

    Source: Keras 3, ``keras.layers.EinsumDense``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = EinsumDense('abc,cde->abde', output_shape=(None, 4, 5), bias_axes='e')
    >>> y, cache = layer.forward(np.ones((2, 7, 3)))
    >>> y.shape, layer.kernel.shape, layer.bias.shape
    ((2, 7, 4, 5), (3, 4, 5), (5,))
    """

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.equation = equation
        self.partial_output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.activation = deserialize("activation", activation or "linear")
        self.bias_axes = bias_axes
        self.kernel_options = (kernel_initializer, kernel_regularizer, kernel_constraint)
        self.bias_options = (bias_initializer, bias_regularizer, bias_constraint)
        self._letters = self._parse()

    def _parse(self) -> tuple[str, str, str]:
        """The letters of input, kernel and output; '.' stands for the axes of '...'."""
        terms = re.fullmatch(r"([a-zA-Z.]+),([a-zA-Z]+)->([a-zA-Z.]+)", self.equation.replace(" ", "").replace("...", "."))
        if terms is None or any(term.strip(".").count(".") or term.count(".") > 1 for term in terms.groups()):
            raise self._error("it must have the form 'ab,bc->ac', '...ab,bc->...ac' or 'ab...,bc->ac...'")
        X, K, Y = terms.groups()
        if (X[0] == ".", X[-1] == ".") != (Y[0] == ".", Y[-1] == "."):
            raise self._error("'...' must stand at the same end of the input and the output")
        for term in (X, K, Y):
            if len(set(term)) < len(term):
                raise self._error(f"a letter stands twice in '{term}'")
        for letter in Y.replace(".", ""):
            if letter not in X + K:
                raise self._error(f"the output's letter '{letter}' stands neither in the input nor in the kernel")
        for letter in K:
            if letter not in X + Y:
                raise self._error(f"the kernel's letter '{letter}' stands neither in the input nor in the output")
        for letter in self.bias_axes or "":
            if letter not in Y.replace(".", ""):
                raise self._error(f"bias_axes names '{letter}', which is no letter of the output")
        return X, K, Y

    def _error(self, problem: str) -> ValueError:
        return ValueError(f"{self}: equation {self.equation!r}: {problem}.")

    def _spell(self, rank: int) -> tuple[str, str, str]:
        """The three terms for an input of ``rank`` axes, with letters of their own for '...'."""
        X, K, Y = self._letters
        elided = rank - len(X.replace(".", ""))
        if elided < 0 or (elided and "." not in X):
            raise ShapeError(f"{self}: equation {self.equation!r} wants an input of {len(X.replace('.', ''))} axes, this one has {rank}.")
        names = "".join(c for c in string.ascii_letters if c not in X + K + Y)[:elided]
        return X.replace(".", names), K, Y.replace(".", names)

    def _sizes(self, input_shape: Any) -> tuple[str, str, str, dict[str, Any]]:
        """The spelt terms, and the size of every letter (None where it is not known)."""
        X, K, Y = self._spell(len(input_shape))
        size: dict[str, Any] = dict(zip(X, input_shape, strict=True))
        elided = len(X) - len(self._letters[0].replace(".", ""))
        own = Y[max(1, elided) :] if self._letters[2][0] == "." else Y[1 : len(Y) - elided]
        if len(own) != len(self.partial_output_shape):
            raise self._error(
                f"output_shape {self.partial_output_shape} has {len(self.partial_output_shape)} sizes; "
                f"without the batch and '...' the output has {len(own)}: '{own}'"
            )
        for letter, given in zip(own, self.partial_output_shape, strict=True):
            known = size.get(letter)
            if given is not None and known is not None and given != known:
                raise self._error(f"the axis '{letter}' is {known} in the input and {given} in output_shape")
            size[letter] = known if given is None else given
        return X, K, Y, size

    def build(self, input_shape: Any) -> None:
        _, K, Y, size = self._sizes(input_shape)
        unknown = [c for c in K + (self.bias_axes or "") if size.get(c) is None]
        if unknown:
            raise self._error(f"the size of axis '{unknown[0]}' is not known; give it in output_shape or with the input")
        initializer, regularizer, constraint = self.kernel_options
        shape = tuple(size[c] for c in K)
        draw = deserialize("initializer", initializer)
        if isinstance(draw, VarianceScaling):  # its fans: letters of the output count as outputs, the others as inputs
            fans = (math.prod(size[c] for c in K if c not in Y), math.prod(size[c] for c in K if c in Y))
            initializer = lambda shape, **how: draw(fans, **how).reshape(shape)  # noqa: E731
        self.kernel = self.add_weight(shape, initializer, regularizer=regularizer, constraint=constraint, name="kernel")
        self.bias = None
        if self.bias_axes is not None:
            initializer, regularizer, constraint = self.bias_options
            first = min(Y.index(c) for c in self.bias_axes)
            shape = tuple(size[c] if c in self.bias_axes else 1 for c in Y[first:])
            self.bias = self.add_weight(shape, initializer, regularizer=regularizer, constraint=constraint, name="bias")

    def output_shape(self, input_shape: Any) -> Any:
        _, _, Y, size = self._sizes(input_shape)
        return self.activation.output_shape(tuple(size[c] for c in Y))

    def forward(self, x: Array, training: bool = False) -> Any:
        X, K, Y = self._spell(x.ndim)
        W = self.kernel.value
        for axis, letter in enumerate(X):
            if letter in K and W.shape[K.index(letter)] != x.shape[axis]:
                raise ShapeError(
                    f"{self}: equation {self.equation!r}: axis {axis} of the input ('{letter}') is {x.shape[axis]}, "
                    f"its kernel wants {W.shape[K.index(letter)]}.",
                    axis,
                )
        b = None if self.bias is None else self.bias.value
        y, activated = activated_forward(x, lambda x, b: einsum_dense_forward(x, W, b, X, K, Y), b, self.activation)
        return y, (x, activated, (X, K, Y))

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        x, activated, terms = saved
        W, b = self.kernel.value, None if self.bias is None else self.bias.value

        def product_backward(dz: Array, has_bias: bool) -> tuple[Array, Array, Array]:
            return einsum_dense_backward(dz, x, W, b if has_bias else None, *terms, input_gradient)

        dx, dW, db = activated_backward(dy, activated, self.activation, product_backward, b)
        self.kernel.accumulate(dW)
        if self.bias is not None:
            self.bias.accumulate(db)
        return dx
