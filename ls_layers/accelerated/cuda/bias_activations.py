"""A bias and its activation on CUDA: one launch forward; backward one for dz and the bias' gradient, summed in a fixed order.

N rows, C columns: the axes that the bias has, joined.
"""

from __future__ import annotations

from typing import Any

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.cuda import Kept, Source, column_grid, contiguous, each_grid, override
from ls_core.types import Array

from ... import activations
from ...activated import Product, ProductBackward, activated_backward, activated_forward
from .activations import FROM_X, FROM_Y, parameters

SOURCE = Source(__file__, "bias_activations.cu")
NAMES = {getattr(activations, name).forward: name for name in (*FROM_Y, *FROM_X)}


@override(activated_forward)
def activated_forward_cuda(x: Array, product: Product, b: Array | None, activation: ActivationFunction) -> tuple[Array, Any]:
    name = NAMES.get(activation.forward)
    if b is None or name is None:
        return activation.forward(product(x, b))
    z = product(x, None)
    if z.dtype != b.dtype or z.shape[z.ndim - b.ndim :] != b.shape:  # a bias that is broadcast within its own axes
        return activation.forward(z + b)
    xp = get_xp(z)
    p, q = parameters(activation.forward)
    z, b = contiguous(xp, z, b)
    y = xp.empty(z.shape, dtype=z.dtype)
    SOURCE.run(f"{name}_bias_forward", z.dtype, *each_grid(z.size), z, b, y, z.size, b.size, p, q)
    return y, Kept((z, b) if name in FROM_X else (y, None))


@override(activated_backward, keeps=True)
def activated_backward_cuda(
    dy: Array, saved: Any, activation: ActivationFunction, product_backward: ProductBackward, bias: Array | None
) -> tuple[Array, Array, Array]:
    assert bias is not None
    xp, name = get_xp(dy), NAMES[activation.forward]
    p, q = parameters(activation.forward if name in FROM_X else activation.backward)
    kept, added = saved
    dy, kept = contiguous(xp, dy, kept)
    C = bias.size
    N = dy.size // C
    blocks, threads, chunk = column_grid(N, C)
    dz = xp.empty(dy.shape, dtype=dy.dtype)
    sums = xp.empty((blocks[1], C), dtype="float32" if dy.dtype.itemsize == 2 else dy.dtype)
    SOURCE.run(f"{name}_bias_backward", dy.dtype, blocks, threads, dy, kept, added, dz, sums, N, C, chunk, p, q)
    db = sums[0] if blocks[1] == 1 else sums.sum(axis=0)
    dx, dW, _ = product_backward(dz, False)
    return dx, dW, db.astype(dy.dtype, copy=False).reshape(bias.shape)
