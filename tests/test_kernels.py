"""Every faster override has its reference's signature and gives what the reference gives, forward and backward."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_layers
import ls_optim
from ls_core.gradcheck.case import Case
from ls_core.gradcheck.subject import is_float, leaves
from ls_core.kernel import KERNELS, Kernel
from ls_core.parameter import sum_rows
from ls_core.testing.trial import Run, Trial
from ls_layers.cases import TABLE

from .tolerances import TOLERANCES, assert_close

PROVIDERS = (ls_layers, ls_optim)  # imported so that KERNELS is full
OVERRIDES = [(name, backend) for name, k in sorted(KERNELS.items()) for backend in k.overrides]


@pytest.mark.parametrize(("name", "backend"), OVERRIDES)
def test_signature(name: str, backend: str) -> None:
    def plain(function: Any) -> list[tuple[str, Any]]:
        return [(p.name, p.default) for p in inspect.signature(function).parameters.values()]

    assert plain(KERNELS[name].overrides[backend]) == plain(KERNELS[name].reference)


def test_an_override_of_another_signature_is_refused() -> None:
    @ls_core.kernel
    def doubled(x: Any, factor: float = 2.0) -> Any:
        return x * factor

    try:
        with pytest.raises(TypeError, match=r"takes \(x\), the reference takes \(x, factor=2\.0\)"):

            @doubled.override("numpy")
            def doubled_fast(x: Any) -> Any:
                return x + x
    finally:
        del KERNELS[f"{doubled.__module__}.{doubled.__qualname__}"]


def agree(got: Run, wanted: Run, dtype: str) -> None:
    for a, b in zip((*got.y, *got.dx, *got.grads), (*wanted.y, *wanted.dx, *wanted.grads), strict=True):
        assert (a is None) == (b is None)
        if is_float(a):
            assert_close(a, b, dtype)


@pytest.mark.parametrize("case", TABLE, ids=[case.name for case in TABLE])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_layers_with_and_without_overrides(case: Case, dtype: str) -> None:
    if "keeps_float32" in case.skip and dtype == "float32":
        return
    trial = Trial(case, dtype)
    fast = trial.run()
    with ls_core.use_references():
        slow = trial.run()
    agree(fast, slow, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("count", [0, 1, 7, 40])
def test_sum_rows(dtype: str, count: int, rng: np.random.Generator) -> None:
    ids, values = rng.integers(0, 5, count), rng.normal(size=(count, 3)).astype(dtype)
    (rows, sums), (wanted_rows, wanted) = sum_rows(ids, values), sum_rows.reference(ids, values)
    np.testing.assert_array_equal(rows, wanted_rows)
    assert_close(sums, wanted, dtype)


def test_every_numpy_override_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above reaches each of them: an override that no case calls is one that nothing proves."""
    reached = {"sum_rows"}
    call = Kernel.__call__

    def recording(self: Kernel, first: Any, *rest: Any, **named: Any) -> Any:
        reached.add(self.__name__)
        return call(self, first, *rest, **named)

    monkeypatch.setattr(Kernel, "__call__", recording)
    for case in TABLE:
        Trial(case).run()
    others = {k.__name__ for name, k in KERNELS.items() if name.startswith(("ls_optim", "ls_core.losses"))}  # in tests of their own
    missing = {KERNELS[name].__name__ for name, backend in OVERRIDES if backend == "numpy"} - reached - others
    assert not missing, f"no layer case runs {sorted(missing)}"


def test_tolerances_grow_with_the_rounding() -> None:
    order = [TOLERANCES[name] for name in ("float64", "float32", "float16", "bfloat16")]
    assert order == sorted(order)
    assert leaves((1, [2, {"a": 3}])) == [1, 2, 3]
