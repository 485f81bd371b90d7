"""softmax, log-softmax and sparsemax on CUDA: one launch for each pass."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.cuda import Source, contiguous, override, team_grid
from ls_core.types import Array

from ...activations.log_softmax import log_softmax_backward, log_softmax_forward
from ...activations.softmax import softmax_backward, softmax_forward
from ...activations.sparsemax import sparsemax_backward, sparsemax_forward

SOURCE = Source(__file__, "softmax.cu")


def _run(name: str, axis: int, *arrays: Array) -> Array:
    """A kernel over the rows along ``axis``: the arrays in, one like them out."""
    xp = get_xp(arrays[0])
    rows = contiguous(xp, *(xp.moveaxis(a, axis, -1) for a in arrays))
    out = xp.empty(rows[0].shape, dtype=rows[0].dtype)
    C = out.shape[-1]
    N = out.size // max(C, 1)
    SOURCE.run(name, out.dtype, *team_grid(N, C), *rows, out, N, C)
    return xp.moveaxis(out, -1, axis)


@override(softmax_forward)
def softmax_forward_cuda(x: Array, axis: Any = -1) -> tuple[Array, Array]:
    if not isinstance(axis, int):  # several axes
        return softmax_forward.reference(x, axis)
    y = _run("softmax_forward", axis, x)
    return y, y


@override(softmax_backward)
def softmax_backward_cuda(dy: Array, y: Array, axis: Any = -1) -> Array:
    return _run("softmax_backward", axis, dy, y) if isinstance(axis, int) else softmax_backward.reference(dy, y, axis)


@override(log_softmax_forward)
def log_softmax_forward_cuda(x: Array, axis: int = -1) -> tuple[Array, Array]:
    y = _run("log_softmax_forward", axis, x)
    return y, y


@override(log_softmax_backward)
def log_softmax_backward_cuda(dy: Array, y: Array, axis: int = -1) -> Array:
    return _run("log_softmax_backward", axis, dy, y)


@override(sparsemax_forward)
def sparsemax_forward_cuda(x: Array, axis: int = -1) -> tuple[Array, Array]:
    y = _run("sparsemax_forward", axis, x)
    return y, y


@override(sparsemax_backward)
def sparsemax_backward_cuda(dy: Array, y: Array, axis: int = -1) -> Array:
    return _run("sparsemax_backward", axis, dy, y)
