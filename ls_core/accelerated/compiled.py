"""What compiled kernels share: how they are compiled, sums over a row, and an exp that vectorises. Needs Numba.

``jit`` compiles a function that lets go of the interpreter's lock and whose code stays on disk for the next process. It
keeps the order of a sum as it is written, and so adds one number after the other; ``jit_sums`` gives leave to keep a
whole vector of partial sums, which is ten times faster. ``jit_apart`` is for functions of arrays that do not overlap, which
LLVM cannot know: a loop over more than three or four would otherwise stay scalar.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numba.core.compiler
import numba.extending
from llvmlite import ir
from numba import njit, types


class _Apart(numba.core.compiler.CompilerBase):
    """Numba's compiler, told that no two arguments overlap."""

    def define_pipelines(self) -> list[Any]:
        self.state.flags.noalias = True
        passes: Any = numba.core.compiler.DefaultPassBuilder
        return [passes.define_nopython_pipeline(self.state)]


Decorator = Callable[[Callable[..., Any]], Any]  # to a type checker, with or without Numba
jit: Decorator = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
jit_sums: Decorator = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
jit_apart: Decorator = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"}, pipeline_class=_Apart)
intrinsic: Decorator = numba.extending.intrinsic

_LN2 = Fraction("0.693147180559945309417232121458176568")


@intrinsic
def exp(context: Any, x: Any) -> Any:
    """exp(x) of a float32 or float64 without a branch or a call, so that a loop over it becomes vectors.

    With n the integer nearest to x / ln 2 and r = x - n ln 2, exp(x) = 2^n exp(r): the polynomial's terms r^k / k! vanish
    below the last bit since |r| <= 0.35, and 2^n is added to the exponent. The error is below 2 units of the last place;
    what would be denormal is 0.
    """
    single = x is types.float32
    kind, whole, bits = (ir.FloatType(), ir.IntType(32), 23) if single else (ir.DoubleType(), ir.IntType(64), 52)
    terms, split = (8, 2**9) if single else (14, 2**20)
    low, high = (-87.33, 88.72) if single else (-708.39, 709.78)
    first = Fraction(round(_LN2 * split), split)  # so few bits that n times it is exact

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (x,) = arguments

        def call(name: str, *given: Any) -> Any:
            wanted = ir.FunctionType(kind, [kind] * len(given))
            return builder.call(builder.module.declare_intrinsic(f"llvm.{name}", [kind], wanted), given)

        n = call("rint", builder.fmul(x, kind(1 / math.log(2))))
        r = call("fma", n, kind(-float(first)), x)
        r = call("fma", n, kind(-float(_LN2 - first)), r)
        y = kind(1 / math.factorial(terms - 1))
        for k in reversed(range(terms - 1)):
            y = call("fma", y, r, kind(1 / math.factorial(k)))
        exponent = builder.shl(builder.fptosi(n, whole), whole(bits))
        y = builder.bitcast(builder.add(builder.bitcast(y, whole), exponent), kind)
        y = builder.select(builder.fcmp_ordered("<", x, kind(low)), kind(0.0), y)
        y = builder.select(builder.fcmp_ordered(">", x, kind(high)), kind(math.inf), y)
        return builder.select(builder.fcmp_unordered("uno", x, x), x, y)

    return x(x), generate


@intrinsic
def larger(context: Any, x: Any, y: Any) -> Any:
    """The larger of two numbers, NaN where one is NaN."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        return builder.call(builder.module.declare_intrinsic("llvm.maximum", [kind], ir.FunctionType(kind, [kind] * 2)), arguments)

    return x(x, x), generate


@jit_sums
def total(x: Any) -> Any:
    """x[0] + x[1] + ... of an array with one axis."""
    result = x.dtype.type(0)
    for i in range(x.size):
        result += x[i]
    return result


@jit_sums
def dot(x: Any, y: Any) -> Any:
    """x[0] y[0] + x[1] y[1] + ..., as many as x has."""
    result = x.dtype.type(0)
    for i in range(x.size):
        result += x[i] * y[i]
    return result


@jit
def largest(x: Any) -> Any:
    """The largest number of an array with one axis, and one number at least."""
    result = x[0]
    for i in range(x.size):
        result = larger(result, x[i])
    return result


__all__ = ["dot", "exp", "intrinsic", "jit", "jit_apart", "jit_sums", "larger", "largest", "total"]
