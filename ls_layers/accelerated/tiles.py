"""A register tile of a matrix product, written as vectors of LLVM: what compiled products are made of. Needs Numba.

LLVM vectorises the innermost loop alone, and there a product is a sum, which keeps one vector busy where the processor
could add up sixteen. So a tile is written out: ``rows`` x ``VECTORS`` vectors of sums stay in registers while k runs,
each step reads ``VECTORS`` vectors of b and one number of a for each row, and nothing is stored before the end::

    tile8(c, ldc, a, row_step, k_step, b, ldb, length, first)
    # c[i, j] = (0 if first else c[i, j]) + sum over k < length of a[i * row_step + k * k_step] * b[k * ldb + j]

for i < 8 rows and j < WIDTH columns; ``ldc`` and ``ldb`` numbers lie from one row of c or b to the next.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
import numba.np.arrayobj
from llvmlite import ir
from numba import types

from ls_core.accelerated.compiled import intrinsic

ROWS = (8, 4, 2, 1)  # the tiles there are; a number of rows is made of these
VECTORS = 2  # 8 x 2 sums, 2 of b and 1 of a: 19 registers of the 32 that AVX-512 has; AVX2 has 16 and takes 4 rows at once


def _vector_bytes() -> int:
    """The bytes of a register of the processor that Numba compiles for."""
    given = getattr(numba.config, "CPU_FEATURES", None)
    features = given if given is not None else llvmlite.binding.get_host_cpu_features().flatten()
    return 64 if "+avx512f" in features else 32 if "+avx2" in features else 16


VECTOR_BYTES = _vector_bytes()
FULL = 8 if VECTOR_BYTES == 64 else 4  # rows of the largest tile whose sums fit in the registers


@intrinsic
def pointer(context: Any, array: Any, offset: Any) -> Any:
    """Where number ``offset`` of a contiguous array lies."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        make_array: Any = numba.np.arrayobj.make_array
        data = make_array(signature.args[0])(target, builder, arguments[0]).data
        return builder.gep(data, [arguments[1]])

    kind: Any = types.CPointer
    return kind(array.dtype)(array, types.intp), generate


def _make_tile(rows: int) -> Any:
    @intrinsic
    def tile(context: Any, c: Any, ldc: Any, a: Any, row_step: Any, k_step: Any, b: Any, ldb: Any, length: Any, first: Any) -> Any:
        kind, lanes = (ir.FloatType(), VECTOR_BYTES // 4) if c.dtype is types.float32 else (ir.DoubleType(), VECTOR_BYTES // 8)
        vector, whole, bytes_each = ir.VectorType(kind, lanes), ir.IntType(64), c.dtype.bitwidth // 8
        zero = ir.Constant(vector, None)

        def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            c, ldc, a, row_step, k_step, b, ldb, length, first = arguments

            def place(base: Any, *terms: Any) -> Any:  # the pointer to the number at the sum of the terms
                for term in terms:
                    base = builder.gep(base, [ir.Constant(whole, term) if isinstance(term, int) else term])
                return base

            def vectors_at(base: Any) -> list[Any]:
                return [builder.bitcast(place(base, v * lanes), vector.as_pointer()) for v in range(VECTORS)]

            def spread(number: Any) -> Any:  # one number in every lane
                alone = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.IntType(32)(0))
                lane_0 = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
                return builder.shuffle_vector(alone, ir.Constant(vector, ir.Undefined), lane_0)

            before = builder.block
            head, step, after = (builder.append_basic_block(name) for name in ("head", "step", "after"))
            builder.branch(head)

            builder.position_at_end(head)  # while k < length
            k = builder.phi(whole)
            k.add_incoming(whole(0), before)
            sums = [[builder.phi(vector) for _ in range(VECTORS)] for _ in range(rows)]
            for each in (each for row in sums for each in row):
                each.add_incoming(zero, before)
            builder.cbranch(builder.icmp_signed("<", k, length), step, after)

            builder.position_at_end(step)  # sums[i][v] += a[i, k] * b[k, v]
            numbers = place(a, builder.mul(k, k_step))
            many = [builder.load(p, align=bytes_each) for p in vectors_at(place(b, builder.mul(k, ldb)))]
            for i in range(rows):
                one = spread(builder.load(place(numbers, builder.mul(row_step, whole(i)))))
                for v in range(VECTORS):
                    product = builder.fmul(one, many[v], flags=("contract",))
                    sums[i][v].add_incoming(builder.fadd(product, sums[i][v], flags=("contract",)), step)
            k.add_incoming(builder.add(k, whole(1)), step)
            builder.branch(head)

            builder.position_at_end(after)  # c[i] = sums[i] + what is there
            for i in range(rows):
                for p, total in zip(vectors_at(place(c, builder.mul(ldc, whole(i)))), sums[i], strict=True):
                    there = builder.select(first, zero, builder.load(p, align=bytes_each))
                    builder.store(builder.fadd(total, there), p, align=bytes_each)
            return target.get_dummy_value()

        return types.void(c, types.intp, a, types.intp, types.intp, b, types.intp, types.intp, types.boolean), generate

    return tile


@intrinsic
def turn(context: Any, to: Any, ldt: Any, b: Any, ldb: Any) -> Any:
    """to[k * ldt + j] = b[j * ldb + k] for j and k below LANES, the numbers of one vector.

    Swapping the two blocks beside the diagonal, first of 1 x 1 numbers, then of 2 x 2 ..., turns a square of rows.
    """
    kind, lanes = (ir.FloatType(), VECTOR_BYTES // 4) if to.dtype is types.float32 else (ir.DoubleType(), VECTOR_BYTES // 8)
    vector, whole, bytes_each = ir.VectorType(kind, lanes), ir.IntType(64), to.dtype.bitwidth // 8

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        to, ldt, b, ldb = arguments

        def row_at(base: Any, step: Any, i: int) -> Any:
            return builder.bitcast(builder.gep(base, [builder.mul(step, whole(i))]), vector.as_pointer())

        rows = [builder.load(row_at(b, ldb, i), align=bytes_each) for i in range(lanes)]
        size = 1
        while size < lanes:
            upper = [lane if not lane & size else lanes + lane - size for lane in range(lanes)]  # lanes + l is lane l of the second
            lower = [lane + size if not lane & size else lanes + lane for lane in range(lanes)]
            masks = [ir.Constant(ir.VectorType(ir.IntType(32), lanes), picked) for picked in (upper, lower)]
            for i in range(lanes):
                if not i & size:
                    pair = rows[i], rows[i + size]
                    rows[i], rows[i + size] = (builder.shuffle_vector(*pair, mask) for mask in masks)
            size *= 2
        for i, row in enumerate(rows):
            builder.store(row, row_at(to, ldt, i), align=bytes_each)
        return target.get_dummy_value()

    return types.void(to, types.intp, b, types.intp), generate


tile8, tile4, tile2, tile1 = (_make_tile(rows) for rows in ROWS)

__all__ = ["FULL", "ROWS", "VECTORS", "VECTOR_BYTES", "pointer", "tile1", "tile2", "tile4", "tile8", "turn"]
