"""Rooflines, operations and bytes of the benchmarks, and that they reach every override."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from benchmarks.count import count, held, of_variant
from benchmarks.figure import difference
from benchmarks.machine import tier
from benchmarks.other_subjects import OTHERS
from benchmarks.record import Fresh, compared, record, work_of
from benchmarks.roofline import Roofline, Work, host_roofline
from benchmarks.subjects import SPECS
from ls_core.gradcheck.subject import refill
from ls_core.kernel import KERNELS
from ls_layers.activations.softmax import softmax_forward
from ls_layers.convolution import conv_backward, conv_forward
from ls_layers.dense import dense_backward, dense_forward
from ls_layers.embedding import embedding_forward
from ls_layers.layer_normalization import layer_normalization_forward
from ls_layers.lstm import lstm_forward
from ls_optim.adam import adam_update


def test_the_roofline_of_this_machine() -> None:
    roofline = host_roofline(threads=1, quick=True)
    assert roofline.peak["float32"] > roofline.peak["float64"] > 1e8
    assert roofline.bandwidth(1e9) <= roofline.bandwidth(1e4)
    assert roofline.seconds(Work(1e9, 1e9, 8)) == pytest.approx(1e9 / roofline.peak["float32"])
    assert "float32" in roofline.as_json()["gemm_gflops"]


def test_bandwidths_fall_with_the_size() -> None:
    roofline = Roofline("fake", 1, {}, {10: 5.0, 100: 7.0, 1000: 2.0}, 2.0)
    assert [roofline.bandwidth(n) for n in (1, 10, 99, 100, 500, 1000, 10**6)] == [7.0, 7.0, 7.0, 7.0, 7.0, 2.0, 2.0]


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_operations_and_bytes_are_counted() -> None:
    B, I, O = 32, 20, 10
    x, W, b = normal(B, I), normal(I, O), normal(O)
    work = count(dense_forward.reference, x, W, b)
    assert (work.flops, work.products, work.nbytes) == (2 * B * I * O + B * O, 2 * B * I * O, 4 * (B * I + I * O + O + B * O))
    work = count(dense_backward.reference, normal(B, O), x, W, True, True)
    assert (work.products, work.nbytes) == (4 * B * I * O, 4 * (2 * B * I + 2 * I * O + O + B * O))
    x, W = normal(4, 8, 8, 3), normal(3, 3, 3, 16)
    same = ((1, 1), (1, 1), ((1, 1), (1, 1)), 1)
    work = count(conv_forward.reference, x, W, None, *same, shortcut=4.0)
    assert (work.products, work.nbytes, work.shortcut) == (2 * 4 * 64 * 27 * 16, 4 * (x.size + W.size + 4 * 64 * 16), 4.0)
    assert count(conv_backward.reference, normal(4, 8, 8, 16), x, W, False, *same, True).products == 2 * 2 * 4 * 64 * 27 * 16
    work = count(softmax_forward.reference, normal(8, 10))
    assert (work.flops, work.products, work.nbytes) == (5 * 80, 0, 2 * 4 * 80)  # max, minus, exp, sum, divide
    assert count(
        lstm_forward.reference, normal(2, 5, 3), normal(2, 4), normal(2, 4), normal(3, 16), normal(4, 16), None, None
    ).products == (2 * 2 * 5 * (3 + 4) * 16)
    assert count(embedding_forward.reference, normal(1000, 8), np.arange(6)).nbytes == 6 * 8 + 2 * 4 * 6 * 8  # six rows, not the table
    state = [normal(100), normal(100), normal(100), np.abs(normal(100))]
    assert count(adam_update.reference, *state, None, 1e-3, 0.9, 0.999, 1e-8, 1).nbytes == 4 * 100 * (4 + 3)  # reads four, writes three


def test_what_a_variant_keeps_for_its_backward_is_its_own() -> None:
    x, gamma = normal(64, 32), normal(32)
    work = count(layer_normalization_forward.reference, x, gamma, None, 1e-3)
    lean = of_variant(work, [x, gamma], (x * 2, np.zeros(64, dtype=np.float32)))
    assert work.nbytes - lean.nbytes == x.nbytes
    assert held(np.broadcast_to(normal(1, 4), (5, 4))) == 16
    assert difference(np.array([1e-4]), np.array([2e-4])) == pytest.approx(0.5)


def test_every_kernel_of_the_subjects_can_be_recorded_and_counted() -> None:
    seen = set()
    for spec in (*SPECS, *OTHERS):
        with tier("references"):
            calls = record(spec.prepare(spec.shapes["tiny"]))
        for call in calls:
            seen.add(call.kernel.__name__)
            work = work_of(call, spec.shortcut)
            assert np.isfinite(work.flops)
            if call.mutates:  # each time on arguments of its own
                fresh = Fresh(call)
                fresh.prepare(2)
                for a, b in zip(compared(call.direction, fresh()), compared(call.direction, fresh()), strict=True):
                    np.testing.assert_array_equal(a, b)
    missing = {k.__name__ for name, k in KERNELS.items() if name.startswith("ls_")} - seen
    assert not missing, f"no row of benchmarks/subjects.py or other_subjects.py runs {sorted(missing)}: add one, or they are never timed"


def test_a_part_of_an_argument_that_is_returned_was_not_moved() -> None:
    x = normal(8, 6)
    assert count(lambda a: a[1:, 2:], x).nbytes == 0
    assert count(lambda a: (a[1:], a[1:] * 2), x).nbytes == 2 * 7 * 6 * 4
    work = count(lambda a: a * 2, x)
    assert of_variant(work, [x], x[1:]).nbytes == work.reads


def test_named_tuples_are_filled_again() -> None:
    class Kept(NamedTuple):
        x: object
        steps: int

    assert refill((1, Kept(2, 3)), [4, 5, 6]) == (4, Kept(5, 6))
