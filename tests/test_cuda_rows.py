"""Rows on CUDA: longer ones than registers hold, and those with infinities or NaN, against the references."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core.losses.categorical_crossentropy import categorical_crossentropy_logits_forward
from ls_core.losses.sparse_categorical_crossentropy import sparse_categorical_crossentropy_logits_forward
from ls_core.testing.cuda_emulator import compiler, cuda_kernels
from ls_core.testing.cuda_watch import watching
from ls_layers import activations
from ls_layers.attention_core import scaled_dot_product_attention_backward, scaled_dot_product_attention_forward
from ls_layers.group_normalization import group_normalization_backward, group_normalization_forward
from ls_layers.layer_normalization import layer_normalization_backward, layer_normalization_forward

from .tolerances import assert_close

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C++ compiler: g++ (or $CXX) runs the CUDA sources on the CPU")
Put = Callable[[np.ndarray], Any]


@pytest.fixture(autouse=True)
def emulated() -> Iterator[None]:
    with cuda_kernels(), watching():
        yield


def _activation(name: str) -> Callable[[Put, int], list[Any]]:
    def run(put: Put, C: int) -> list[Any]:
        rng = np.random.default_rng(0)
        both = getattr(activations, name)
        y, saved = both.forward(put(rng.normal(size=(2, C))), -1)
        return [y, both.backward(put(rng.normal(size=(2, C))), saved, -1)]

    return run


def _layer_normalization(put: Put, C: int) -> list[Any]:
    rng = np.random.default_rng(0)
    x, dy, gamma = put(rng.normal(size=(2, C))), put(rng.normal(size=(2, C))), put(rng.normal(size=C))
    y, saved = layer_normalization_forward(x, gamma, None, 1e-3)
    return [y, *layer_normalization_backward(dy, gamma, saved)[:2]]


def _group_normalization(put: Put, C: int) -> list[Any]:
    rng = np.random.default_rng(0)
    x, dy, gamma = put(rng.normal(size=(1, C, 4))), put(rng.normal(size=(1, C, 4))), put(rng.normal(size=4))
    y, saved = group_normalization_forward(x, gamma, None, 2, 1e-3)
    return [y, *group_normalization_backward(dy, gamma, saved)[:2]]


def _attention(put: Put, C: int) -> list[Any]:
    rng = np.random.default_rng(0)
    q, k, v, bias = (put(rng.normal(size=shape)) for shape in ((1, 1, 2, 3), (1, 1, C, 3), (1, 1, C, 3), (1, 1, 1, C)))
    keep = put((rng.random((1, 1, 2, C)) < 0.75) / 0.75)
    y, p, saved = scaled_dot_product_attention_forward(q, k, v, bias, 0.5, False, keep, True)
    return [y, p, *scaled_dot_product_attention_backward(put(rng.normal(size=(1, 1, 2, 3))), None, saved)[:3]]


def _crossentropy(put: Put, C: int) -> list[Any]:
    rng = np.random.default_rng(0)
    z = put(rng.normal(size=(2, C)))
    losses, _ = categorical_crossentropy_logits_forward(put(rng.random(size=(2, C)) / C), z, -1)
    return [losses, sparse_categorical_crossentropy_logits_forward(put(np.array([1, C - 1])), z)[0]]


ROWS = {name: _activation(name) for name in ("softmax", "log_softmax", "sparsemax")}
ROWS |= {f.__name__: f for f in (_layer_normalization, _group_normalization, _attention, _crossentropy)}


@pytest.mark.parametrize("C", [4096, 4097])
@pytest.mark.parametrize("name", ROWS)
def test_long_rows(name: str, C: int) -> None:
    """In double a block of threads holds 4096 numbers."""
    got = ROWS[name](lambda a: ls_core.to_device(a, "standin"), C)
    for a, b in zip(got, ROWS[name](lambda a: a, C), strict=True):
        assert_close(a, b)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("C", [5, 70, 1500])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_rows_with_infinities(name: str, C: int) -> None:
    """-inf counts for nothing wherever it stands; a row of nothing else, inf and NaN give what the references give."""
    both, rows = getattr(activations, name), np.random.default_rng(0).normal(size=(7, C))
    rows[0, 0], rows[1, -1], rows[2, 1:], rows[3], rows[4, 2], rows[5, 3] = -np.inf, -np.inf, -np.inf, -np.inf, np.inf, np.nan
    rows[6, :3] = -np.inf, np.inf, -np.inf
    ids = np.array([1, 0, 0, 0, 1, 1, 1])
    for function in (lambda x, _: both.forward(x, -1)[0], lambda x, ids: sparse_categorical_crossentropy_logits_forward(ids, x)[0]):
        got = function(*(ls_core.to_device(a, "standin") for a in (rows, ids))).get()
        wanted = function(rows, ids)
        np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
        np.testing.assert_allclose(got, wanted, rtol=1e-12)
