"""tanh and sigmoid for compiled loops, without a branch or a call, so that LLVM makes vectors of them. Needs Numba."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from llvmlite import ir
from numba import types

from ls_core.accelerated.compiled import intrinsic, jit

_LN2 = Fraction("0.693147180559945309417232121458176568")


@intrinsic
def tanh(context: Any, x: Any) -> Any:
    """tanh(x) of a float32 or float64; small x keep their digits, and NaN stays NaN.

    With e = exp(2 x) - 1, tanh(x) = e / (e + 2). With n the integer nearest to 2 x / ln 2 and r = 2 x - n ln 2, e is
    2^n (exp(r) - 1) + 2^n - 1: near 0, n is 0 and nothing cancels. The polynomial's terms r^k / k! vanish below the last
    bit since |r| <= 0.35. The error is below 4 units of the last place.
    """
    single = x is types.float32
    kind, whole, bits, bias = (ir.FloatType(), ir.IntType(32), 23, 127) if single else (ir.DoubleType(), ir.IntType(64), 52, 1023)
    terms, split, bound = (8, 2**9, 10.0) if single else (14, 2**20, 20.0)  # tanh is 1 to the last bit beyond the bound
    first = Fraction(round(_LN2 * split), split)  # so few bits that n times it is exact

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (x,) = arguments

        def call(name: str, *given: Any) -> Any:
            wanted = ir.FunctionType(kind, [kind] * len(given))
            return builder.call(builder.module.declare_intrinsic(f"llvm.{name}", [kind], wanted), given)

        for limit, side in ((bound, ">"), (-bound, "<")):
            x = builder.select(builder.fcmp_ordered(side, x, kind(limit)), kind(limit), x)
        n = call("rint", builder.fmul(x, kind(2 / math.log(2))))
        r = call("fma", n, kind(-float(first)), builder.fadd(x, x))
        r = call("fma", n, kind(-float(_LN2 - first)), r)
        y = kind(1 / math.factorial(terms))
        for k in reversed(range(1, terms)):
            y = call("fma", y, r, kind(1 / math.factorial(k)))
        y = builder.fmul(y, r)
        power = builder.bitcast(builder.shl(builder.add(builder.fptosi(n, whole), whole(bias)), whole(bits)), kind)  # 2^n
        e = call("fma", y, power, builder.fsub(power, kind(1.0)))
        return builder.fdiv(e, builder.fadd(e, kind(2.0)))

    return x(x), generate


@jit
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2."""
    half = type(x)(0.5)
    return half + half * tanh(half * x)


__all__ = ["sigmoid", "tanh"]
