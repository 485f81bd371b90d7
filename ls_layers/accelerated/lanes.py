"""Transforms of small squares, written as vectors of LLVM. Needs Numba.

``square(f, n)`` makes a compiled function that applies f to every column and then to every row of an n x n square of
pixels. f takes n vectors and returns a tuple of vectors; it is written with +, - and * alone, so it works on NumPy
arrays as well, and the same formula can be tested there. A vector holds ``LANES`` channels of one pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .tiles import VECTOR_BYTES

LANES = VECTOR_BYTES // 4  # float32
_VECTOR = ir.VectorType(ir.FloatType(), LANES)


class _Lanes:
    """A vector in a register: each operation on it becomes an instruction."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def _of(self, other: Any) -> Any:
        return other.value if isinstance(other, _Lanes) else ir.Constant(_VECTOR, [float(other)] * LANES)

    def __add__(self, other: Any) -> _Lanes:
        return _Lanes(self.builder, self.builder.fadd(self.value, self._of(other), flags=("contract",)))

    def __sub__(self, other: Any) -> _Lanes:
        return _Lanes(self.builder, self.builder.fsub(self.value, self._of(other), flags=("contract",)))

    def __rmul__(self, other: float) -> _Lanes:
        return _Lanes(self.builder, self.builder.fmul(self.value, self._of(other), flags=("contract",)))


def square(f: Callable[..., tuple[Any, ...]], n: int) -> Any:
    """``g(to, to_row, to_column, given, row, column, bias)`` for pointers ``to``, ``given`` and ``bias`` and the steps between pixels.

    to[i * to_row + j * to_column] = bias + f over i of (f over j of given[i * row + j * column]), LANES numbers each.
    """

    @intrinsic
    def transform(context: Any, to: Any, to_row: Any, to_column: Any, given: Any, row: Any, column: Any, bias: Any) -> Any:
        def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            to, to_row, to_column, given, row, column, bias = arguments
            whole = ir.IntType(64)

            def at(base: Any, i: int, i_step: Any, j: int, j_step: Any) -> Any:
                base = builder.gep(builder.gep(base, [builder.mul(i_step, whole(i))]), [builder.mul(j_step, whole(j))])
                return builder.bitcast(base, _VECTOR.as_pointer())

            def load(base: Any, i: int, j: int) -> _Lanes:
                return _Lanes(builder, builder.load(at(base, i, row, j, column), align=4))

            columns = [f(*(load(given, i, j) for i in range(n))) for j in range(n)]
            added = load(bias, 0, 0)
            for i, pixels in enumerate(zip(*columns, strict=True)):
                for j, vector in enumerate(f(*pixels)):
                    builder.store((vector + added).value, at(to, i, to_row, j, to_column), align=4)
            return target.get_dummy_value()

        return types.void(to, types.intp, types.intp, given, types.intp, types.intp, bias), generate

    return transform


__all__ = ["LANES", "square"]
