"""The gradient x^T (y - t) y^T for dL/dW, which some texts print, is wrong in shape and in value; see docs/gradcheck.md."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ls_core import Layer, Parameter
from ls_core.gradcheck import GradientError, check_function, check_layer


def printed(x: Any, y: Any, t: Any) -> Any:
    """As printed."""
    return x.T @ (y - t) @ y.T


def derived(x: Any, y: Any, t: Any) -> Any:
    """dL/dW_io = sum_b x_bi (y - t)_bo."""
    return x.T @ (y - t)


class HalfSquares(Layer):
    """L = 1/2 sum (x W - t)^2."""

    def __init__(self, t: np.ndarray, formula: Any) -> None:
        super().__init__()
        self.t = t
        self.formula = formula

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], self.t.shape[1]), name="kernel")

    def forward(self, x: Any, training: bool = False) -> Any:
        y = x @ self.kernel.value  # (B, O)
        return 0.5 * ((y - self.t) ** 2).sum(), (x, y)

    def backward(self, dL: Any, saved: Any) -> Any:
        x, y = saved
        self.kernel.accumulate(dL * self.formula(x, y, self.t))
        return dL * (y - self.t) @ self.kernel.value.T


def data(B: int, I: int, O: int) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(0)
    return g.normal(size=(B, I)), g.normal(size=(B, O))


def test_its_shape_is_wrong() -> None:
    x, t = data(B=4, I=3, O=2)
    W = np.random.default_rng(1).normal(size=(3, 2))
    assert printed(x, x @ W, t).shape == (3, 4)  # (I, B), where dL/dW has W's shape (I, O)
    with pytest.raises(ValueError, match=r"the gradient of parameter .* has shape \(3, 4\), the parameter has \(3, 2\)"):
        check_layer(HalfSquares(t, printed), x)
    with pytest.raises(ValueError, match="has shape"):
        Parameter(W).accumulate(printed(x, x @ W, t))


def test_its_value_is_wrong_where_the_shape_happens_to_fit() -> None:
    x, t = data(B=2, I=3, O=2)  # as many rows as outputs
    with pytest.raises(GradientError, match="the gradient of kernel is wrong"):
        check_layer(HalfSquares(t, printed), x)
    x, t = data(B=1, I=1, O=1)  # one number each: x (y - t) y, off by the factor y
    with pytest.raises(GradientError, match="the gradient of kernel is wrong"):
        check_layer(HalfSquares(t, printed), x)


@pytest.mark.parametrize("sizes", [(4, 3, 2), (2, 3, 2), (1, 1, 1)])
def test_the_derived_one_passes(sizes: tuple[int, int, int]) -> None:
    x, t = data(*sizes)
    report = check_layer(HalfSquares(t, derived), x)
    assert report.error("complex") < 1e-14


def test_with_an_activation_its_derivative_comes_in_by_elements() -> None:
    x, t = data(4, 3, 2)

    def forward(W: Any) -> Any:
        y = np.tanh(x @ W)
        return 0.5 * ((y - t) ** 2).sum(), y

    W = np.random.default_rng(1).normal(size=(3, 2))
    check_function(forward, lambda dL, y: dL * x.T @ ((y - t) * (1 - y * y)), W)
    with pytest.raises(GradientError):
        check_function(forward, lambda dL, y: dL * x.T @ (y - t), W)
