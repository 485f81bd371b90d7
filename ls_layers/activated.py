"""What Dense and the convolutions end with: a product, its bias and the activation after it.

::

    z = product(x, b)          # b None: without a bias
    y = activation(z)

As one pair of kernels, so that a device may leave the bias out of the product and add it on the way through the activation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ls_core.activation import ActivationFunction
from ls_core.kernel import kernel
from ls_core.types import Array

Product = Callable[[Array, "Array | None"], Array]  # (x, b) -> z, b added along the last axes
ProductBackward = Callable[[Array, bool], "tuple[Array, Array, Array]"]  # (dz, whether there is a bias) -> dx, dW, db


@kernel
def activated_forward(x: Array, product: Product, b: Array | None, activation: ActivationFunction) -> tuple[Array, Any]:
    """-> y, and what backward needs."""
    z = product(x, b)
    return activation.forward(z)


@kernel
def activated_backward(
    dy: Array, saved: Any, activation: ActivationFunction, product_backward: ProductBackward, bias: Array | None
) -> tuple[Array, Array, Array]:
    """-> dx, dW, db."""
    # 2. y = activation(z)
    dz = activation.backward(dy, saved)
    # 1. z = product(x, b)
    return product_backward(dz, bias is not None)


__all__ = ["Product", "ProductBackward", "activated_backward", "activated_forward"]
