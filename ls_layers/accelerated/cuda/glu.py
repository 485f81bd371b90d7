"""glu on CUDA: one launch for each pass. Backward makes the gate again from x."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.cuda import Source, contiguous, each_grid, override
from ls_core.types import Array

from ...activations.glu import glu_backward, glu_forward

SOURCE = Source(__file__, "glu.cu")


@override(glu_forward)
def glu_forward_cuda(x: Array, axis: int = -1) -> tuple[Array, Any]:
    if x.shape[axis] % 2:
        return glu_forward.reference(x, axis)  # which says what is wrong
    xp = get_xp(x)
    (x,) = contiguous(xp, xp.moveaxis(x, axis, -1))
    y = xp.empty((*x.shape[:-1], x.shape[-1] // 2), dtype=x.dtype)
    SOURCE.run("glu_forward", x.dtype, *each_grid(y.size), x, y, y.size, y.shape[-1])
    return xp.moveaxis(y, -1, axis), (x,)  # no Kept: a layer hands it on as its own, and its backward takes that for what it kept


@override(glu_backward, types=None)
def glu_backward_cuda(dy: Array, saved: Any, axis: int = -1) -> Array:
    if len(saved) > 1:  # the reference ran forward
        return glu_backward.reference(dy, saved, axis)
    xp = get_xp(dy)
    (x,) = saved
    (dy,) = contiguous(xp, xp.moveaxis(dy.astype(x.dtype, copy=False), axis, -1))
    dx = xp.empty(x.shape, dtype=x.dtype)
    SOURCE.run("glu_backward", x.dtype, *each_grid(dy.size), dy, x, dx, dy.size, dy.shape[-1])
    return xp.moveaxis(dx, -1, axis)
