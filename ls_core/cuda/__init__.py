"""CUDA: how kernels written in CUDA C++ are compiled, launched and put in place of references. See docs/cuda.md.

The families of kernels: here matrix products (cuBLAS'), sums of rows, cross-entropy and dropout masks, in
``ls_layers.accelerated.cuda`` those of layers, in ``ls_optim.cuda`` the updates.
"""

from .launch import Source, column_grid, contiguous, each_grid, team_grid
from .overrides import FLOATS, OVERRIDES, SINGLE_AND_DOUBLE, Kept, override, register_for, when_cupy_loads

__all__ = [
    "FLOATS",
    "Kept",
    "OVERRIDES",
    "SINGLE_AND_DOUBLE",
    "Source",
    "column_grid",
    "contiguous",
    "each_grid",
    "override",
    "register_for",
    "team_grid",
    "when_cupy_loads",
]

when_cupy_loads("ls_core.cuda.products", "ls_core.cuda.rows", "ls_core.cuda.crossentropy", "ls_core.cuda.masks")
