"""Attention on CUDA that stores no scores: within layers, in the CUDA emulator. tests/kernel_rounds.py compares the kernels alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core.gradcheck import check_layer
from ls_core.testing.cuda_emulator import compiler, cuda_kernels
from ls_core.testing.standin import STANDIN, host_syncs
from ls_core.testing.trial import Trial
from ls_layers import MultiHeadAttention
from ls_layers.accelerated.cuda import fused_attention
from ls_layers.cases import TABLE

from .launches import launches
from .tolerances import assert_close

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler: g++ (or $CXX) runs the CUDA sources on the CPU")

CASES = [case for case in TABLE if case.name.startswith(("MultiHeadAttention", "GroupQueryAttention", "Transformer"))]


@pytest.fixture(autouse=True)
def _fused(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fused_attention, "STORED", 0)
    with cuda_kernels():
        yield


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_layers(case: Any) -> None:
    with ls_core.use_references():
        wanted = Trial(case).run()
    device = Trial(case, backend="standin")
    with host_syncs() as waits:
        got = device.run()
    for a, b in zip((*got.y, *got.dx, *got.grads), (*wanted.y, *wanted.dx, *wanted.grads), strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            assert_close(a, b, "float64")
    assert waits == []


@pytest.mark.parametrize("causal", [False, True])
def test_gradients(causal: bool) -> None:
    x = np.random.default_rng(0).normal(size=(1, 3, 3))
    layer = MultiHeadAttention(1, 2, use_bias=False)
    assert check_layer(layer, x, x[:, :2], backend="standin", mode="central", use_causal_mask=causal).worst.error < 1e-7


def both_passes(layer: Any, x: Any, **options: Any) -> list[Any]:
    y, cache = layer.forward(x, x, **options)
    return [y, *layer.backward(y, cache)]


def test_the_mask_is_the_same_whether_scores_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    x = ls_core.to_device(np.random.default_rng(0).normal(size=(2, 40, 8)), "standin")

    def run() -> list[Any]:
        ls_core.set_seed(3)
        with ls_core.use_backend("standin"):
            return both_passes(MultiHeadAttention(2, 4, dropout=0.3, dtype="float64"), x, training=True, use_causal_mask=True)

    fused = run()
    monkeypatch.setattr(fused_attention, "STORED", 1 << 28)
    for a, b in zip(fused, run(), strict=True):
        assert_close(a, b, "float64")


def test_when_scores_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    with ls_core.use_backend("standin"):
        x = ls_core.to_device(np.zeros((1, 40, 8), np.float32))
        layer, wide = MultiHeadAttention(2, 4), MultiHeadAttention(1, 129)

        def stored(layer: Any, limit: int, **options: Any) -> bool:
            monkeypatch.setattr(fused_attention, "STORED", limit)
            with launches() as found:
                layer(x, x, **options)
            assert ("fused_attention_forward" in found) != ("attention_softmax_forward" in found)
            return "attention_softmax_forward" in found

        assert stored(layer, 3200)
        assert not stored(layer, 3199)
        assert stored(layer, 0, return_attention_scores=True)
        assert stored(wide, 0)


def test_no_array_is_as_large_as_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    for name in ("empty", "zeros", "empty_like"):
        make = getattr(STANDIN.xp, name)

        def noting(*args: Any, make: Any = make, **named: Any) -> Any:
            made = make(*args, **named)
            sizes.append(made.size)
            return made

        monkeypatch.setitem(vars(STANDIN.xp), name, noting)
    with ls_core.use_backend("standin"):
        layer, x = MultiHeadAttention(2, 4), ls_core.to_device(np.ones((1, 130, 8), np.float32))
        both_passes(layer, x, use_causal_mask=True)
    assert max(sizes) <= 130 * 8
