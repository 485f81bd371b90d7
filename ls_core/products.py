"""matmul: the one place where LS multiplies matrices. On NumPy by the pool of threads, on CUDA by our own calls of cuBLAS.

After a product of its own threads OpenBLAS keeps them asking for the next one for up to 100 ms, each on a core that the pool then
lacks: a convolutional net's step took twice as long on two cores. So BLAS uses one thread, and each thread of the pool
makes some rows or columns, or some of a batch's products. ``ls_core.cuda.cublas`` says why CUDA's are not CuPy's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .backend import get_xp
from .blas import blas_threads, can_set_blas_threads
from .kernel import kernel
from .threads import run_blocks, split
from .types import Array

SMALL = 1 << 18  # multiplications up to which OpenBLAS uses one thread anyway
SHARE = 1 << 21  # multiplications that a thread must have to be worth it
NARROW = 16  # rows or columns, likewise


@kernel
def matmul(a: Array, b: Array, out: Array | None = None) -> Array:
    """The matrix product ``a @ b``, computed as LS computes its own: what a layer of one's own should call.

    ``y[..., m, n] = sum_k a[..., m, k] b[..., k, n]``

    Parameters
    ----------
    a, b : arrays (..., M, K) and (..., K, N)
        Of one backend. The leading axes are broadcast; an array of one axis counts as in ``numpy.matmul``. Transposed and other
        views are as good as the arrays themselves.
    out : array (..., M, N), optional
        Where to write the product. It shares no memory with a or b.

    Returns
    -------
    array (..., M, N)
        ``out`` where it was given.

    Raises
    ------
    ValueError
        The sizes of K differ, or the leading axes can't be broadcast.

    Notes
    -----
    It gives what ``a @ b`` gives. What differs is by whom: on NumPy large products go to LS' pool of threads, whose cores
    BLAS' own threads would take away; on CUDA they follow ``use_matmul_precision``, and can be captured in a CUDA graph,
    which CuPy's cannot. Within a kernel's ``backward``:  da = dy b^T,  db = a^T dy  (``b.swapaxes(-1, -2)`` with leading axes).

    Source: NumPy, ``numpy.matmul``.

    Examples
    --------
    >>> matmul(np.array([[1., 2., 3.]]), np.ones((3, 2)))
    array([[6., 6.]])
    >>> matmul(np.ones((5, 4, 3)), np.ones((3, 2))).shape
    (5, 4, 2)
    """
    return get_xp(a).matmul(a, b, out=out)


@matmul.override("numpy")
def matmul_threads(a: Array, b: Array, out: Array | None = None) -> Any:
    # the sizes' product is no less than the work, and quick to tell
    if out is None and type(b) is np.ndarray and a.size * b.size > SMALL and a.ndim > 1 and b.ndim > 1:
        work = max(a.size * b.shape[-1], b.size * a.shape[-2])
        if work > SMALL and can_set_blas_threads():
            return multiply_all((a, b))[0] if a.ndim == b.ndim == 2 else _batches(a, b, work)
    return np.matmul(a, b, out)


def multiply_all(*pairs: tuple[Array, Array]) -> list[Any]:
    """``a @ b`` for each pair (a, b) of NumPy matrices. The threads meet once, at the end.

    Each thread makes some rows or columns of each product: so that all read the smaller factor.

    >>> multiply_all((np.ones((2, 3)), np.ones((3, 1))))
    [array([[3.],
           [3.]])]
    """
    work = sum(a.size * b.shape[1] for a, b in pairs)
    if work <= SMALL or not can_set_blas_threads():
        return [np.matmul(a, b) for a, b in pairs]
    products = [np.empty((len(a), b.shape[1]), _type_of(a, b)) for a, b in pairs]
    parts = len(split(work, SHARE))

    def part(k: int, _: int) -> None:
        for (a, b), c in zip(pairs, products, strict=True):
            longer = max(c.shape)
            i, j = (longer * edge // parts if longer >= NARROW * parts else longer * (edge > 0) for edge in (k, k + 1))
            if c.shape[0] == longer:
                np.matmul(a[i:j], b, out=c[i:j])
            else:
                np.matmul(a, b[:, i:j], out=c[:, i:j])

    with blas_threads(1):
        run_blocks(part, [(k, k + 1) for k in range(parts)])
    return products


def _type_of(a: Array, b: Array) -> Any:
    """The type of ``a @ b``: float32 for bfloat16, whose products NumPy does not know."""
    return a.dtype if a.dtype == b.dtype and a.dtype.kind in "fc" else np.matmul(a[..., :0, :], b[..., :, :0]).dtype


def _batches(a: Array, b: Array, work: int) -> Any:
    """``a @ b`` with leading axes, of which each thread makes some of the first."""
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    if shape[:-2] == (1,) * (len(shape) - 2):
        return multiply_all((a.reshape(a.shape[-2:]), b.reshape(b.shape[-2:])))[0].reshape(shape)
    product = np.empty(shape, _type_of(a, b))

    def rows(x: Array, i: int, j: int) -> Array:
        return x if x.ndim < len(shape) or len(x) == 1 else x[i:j]

    with blas_threads(1):
        run_blocks(lambda i, j: np.matmul(rows(a, i, j), rows(b, i, j), out=product[i:j]), split(shape[0], -(-shape[0] * SHARE // work)))
    return product


__all__ = ["matmul", "multiply_all"]
