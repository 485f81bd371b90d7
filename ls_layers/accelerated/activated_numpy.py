"""A product and its activation on NumPy: relu is applied where the product lies, so no second array is written."""

from __future__ import annotations

from math import inf
from typing import Any

from ls_core.activation import ActivationFunction
from ls_core.threads import run_blocks, split
from ls_core.types import Array

from ..activated import Product, activated_forward
from ..activations import relu
from .blocks import LEAST


@activated_forward.override("numpy")
def activated_forward_in_place(x: Array, product: Product, b: Array | None, activation: ActivationFunction) -> tuple[Array, Any]:
    z = product(x, b)
    if activation is not relu or z.dtype.kind != "f" or not z.flags.c_contiguous:
        return activation.forward(z)
    if z.size < LEAST:
        z.clip(0.0, inf, out=z)
    else:
        flat = z.reshape(-1)
        run_blocks(lambda i, j: flat[i:j].clip(0.0, inf, out=flat[i:j]), split(z.size, LEAST))
    return z, z
