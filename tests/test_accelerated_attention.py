"""Every tier of overrides of attention, layer and RMS normalisation, tied projection and loss on logits, at sizes that make blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core.losses import SparseCategoricalCrossentropy
from ls_core.threads import set_thread_count, thread_count
from ls_layers.attention_core import scaled_dot_product_attention_backward, scaled_dot_product_attention_forward
from ls_layers.layer_normalization import layer_normalization_backward, layer_normalization_forward
from ls_layers.reversible_embedding import project_backward, project_forward
from ls_layers.rms_normalization import rms_normalization_backward, rms_normalization_forward

from .tolerances import assert_close

TIERS = ["numpy", pytest.param("numba", marks=pytest.mark.skipif(find_spec("numba") is None, reason="needs the extra 'fast'"))]


@pytest.fixture(params=TIERS)
def tier(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each tier of overrides, with three threads."""
    before = thread_count()
    set_thread_count(3)
    with ls_core.use_accelerator(request.param == "numba"):
        yield request.param
    set_thread_count(before)


def compare(function: Callable[[], Any], dtype: str) -> None:
    """The overrides' results are the references', in their dtype and with nothing of the arguments changed."""
    got = function()
    with ls_core.use_references():
        wanted = function()
    for a, b in zip(got, wanted, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == b.dtype == dtype
            assert_close(a, b, dtype)


def frozen(*arrays: Any) -> None:
    """Make it an error to write to the arrays."""
    for array in arrays:
        if array is not None:
            array.flags.writeable = False


# --- attention -----------------------------------------------------------------------------------------------------

# B, H, G, T, S, D, V
SIZES = [
    (3, 4, 4, 65, 65, 8, 8),
    (2, 4, 2, 37, 151, 20, 7),
    (4, 4, 1, 151, 70, 33, 64),
    (3, 2, 2, 5, 3, 3, 40),
    (1, 2, 2, 256, 256, 32, 32),
]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("options", ["plain", "causal", "masked", "dropped", "scores"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_attention(sizes: tuple[int, ...], options: str, dtype: str, tier: str, rng: np.random.Generator) -> None:
    B, H, G, T, S, D, V = sizes

    def draw(*shape: int) -> Any:  # heads behind time in memory, as the projections leave them
        return rng.normal(size=shape).astype(dtype).transpose(0, 2, 1, 3)

    q, k, v, dy = draw(B, T, H, D), draw(B, S, G, D), draw(B, S, G, V), draw(B, T, H, V)
    bias = keep = dscores = None
    if options in ("masked", "scores"):
        bias = (rng.random((B, 1, T, S)) < 0.3).astype(dtype) * np.dtype(dtype).type(-0.7 * 3.38953e38)
        bias[0, 0, T // 2] = bias.min()  # a query that may look nowhere
    if options in ("dropped", "scores"):
        keep = (rng.random((B, H, T, S)) < 0.8).astype(dtype) * 1.25
    if options == "scores":
        dscores = rng.normal(size=(B, H, T, S)).astype(dtype)
    frozen(q, k, v, dy, bias, keep, dscores)

    def both() -> Any:
        y, p, saved = scaled_dot_product_attention_forward(
            q, k, v, bias, D**-0.5, options in ("causal", "dropped"), keep, options == "scores"
        )
        return y, p, *scaled_dot_product_attention_backward(dy, dscores, saved)

    compare(both, dtype)


def test_attention_on_other_layouts_types_and_ranks(tier: str, rng: np.random.Generator) -> None:
    q, k, v, dy = rng.normal(size=(4, 2, 3, 40, 24))[..., ::2]  # numbers that lie apart
    for dtype, axes in (("float64", 4), ("float16", 4), ("complex128", 4), ("float32", 5), ("float64", 0)):
        shape = {4: q.shape, 5: (2, 1, 3, 40, 12), 0: (2, 3, 0, 12)}[axes]
        some = [
            np.broadcast_to(each.astype(dtype), q.shape)[:, :, : shape[-2]].reshape(shape) if axes else each[:, :, :0]
            for each in (q, k, v, dy)
        ]

        def both(some: list[Any] = some) -> Any:
            y, _, saved = scaled_dot_product_attention_forward(*some[:3], None, 0.3, True, None, False)
            return y, *scaled_dot_product_attention_backward(some[3], None, saved)

        compare(both, dtype)


def test_attention_shows_nan_where_it_belongs(tier: str, rng: np.random.Generator) -> None:
    q, k, v = rng.normal(size=(3, 2, 2, 128, 8))
    q[1, 1, 100, 3] = np.nan
    y, _, saved = scaled_dot_product_attention_forward(q, k, v, None, 1.0, True, None, False)
    assert np.isnan(y[1, 1, 100]).all()
    assert np.isnan(y).sum() == 8
    dq, dk, _ = scaled_dot_product_attention_backward(np.ones_like(y), None, saved)
    assert np.isnan(dq).sum() == 8
    assert np.isnan(dk).sum() == np.isnan(dk[1, 1]).sum() > 0


# --- normalisations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 100, 257), (3, 5), (700, 130), (2, 1), (0, 6)])
@pytest.mark.parametrize("weights", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_layer_normalization(shape: tuple[int, ...], weights: tuple[bool, bool], dtype: str, tier: str, rng: np.random.Generator) -> None:
    x, dy = rng.normal(size=(2, *shape)).astype(dtype)
    x += 3
    gamma, beta = (rng.normal(size=shape[-1]).astype(dtype) if given else None for given in weights)
    frozen(x, dy, gamma, beta)

    def both() -> Any:
        y, saved = layer_normalization_forward(x, gamma, beta, 1e-3)
        return y, *layer_normalization_backward(dy, gamma, saved)

    compare(both, dtype)


@pytest.mark.parametrize("shape", [(4, 100, 257), (3, 5), (700, 130), (0, 6)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rms_normalization(shape: tuple[int, ...], dtype: str, tier: str, rng: np.random.Generator) -> None:
    x, dy, scale = *rng.normal(size=(2, *shape)).astype(dtype), rng.normal(size=shape[-1]).astype(dtype)
    frozen(x, dy, scale)

    def both() -> Any:
        y, saved = rms_normalization_forward(x, scale, 1e-6)
        return y, *rms_normalization_backward(dy, scale, saved)

    compare(both, dtype)


def test_a_row_apart_in_memory_is_normalised_alike(tier: str, rng: np.random.Generator) -> None:
    x = rng.normal(size=(400, 2, 300)).astype("float32")[:, 1, ::2]
    gamma = rng.normal(size=300).astype("float32")[::2]

    def both() -> Any:
        y, saved = layer_normalization_forward(x, gamma, None, 1e-3)
        return y, *layer_normalization_backward(x, gamma, saved)

    compare(both, "float32")


# --- the tied output layer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("batch", "rows", "columns"), [((4, 40), 333, 65), ((2,), 7, 5), ((150,), 40, 128), ((0, 3), 4, 2)])
@pytest.mark.parametrize("soft_cap", [None, 3.0])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_tied_projection(
    batch: tuple[int, ...], rows: int, columns: int, soft_cap: float | None, dtype: str, tier: str, rng: np.random.Generator
) -> None:
    x, W, dz = (rng.normal(size=shape).astype(dtype) for shape in ((*batch, columns), (rows, columns), (*batch, rows)))
    frozen(x, W, dz)

    def both() -> Any:
        z, t = project_forward(x, W, soft_cap)
        return z, t, *project_backward(dz, x, W, t)

    compare(both, dtype)


# --- the loss ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 33, 500), (3, 7), (200, 1), (5, 70001)])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "none"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_sparse_crossentropy_on_logits(shape: tuple[int, ...], reduction: str, dtype: str, tier: str, rng: np.random.Generator) -> None:
    z = (rng.normal(size=shape) * 5).astype(dtype)
    z[0] += 60 if dtype == "float16" else 1000  # exp of it overflows
    ids, weight = rng.integers(0, shape[-1], shape[:-1]), rng.random(shape[:-1])
    loss = SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    frozen(z, ids, weight)
    compare(lambda: loss.value_and_grad(ids, z, weight), dtype)


def test_the_loss_of_impossible_and_unknown_logits(tier: str) -> None:
    z = np.zeros((4, 300))
    z[0, 5], z[1, 7], z[2, :] = np.nan, -np.inf, -np.inf
    z[3, 2] = 800.0
    loss = SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    with np.errstate(invalid="ignore"):
        value, gradient = loss.value_and_grad(np.array([1, 7, 3, 2]), z)
    assert np.isnan(value[[0, 2]]).all()
    assert (value[1], value[3]) == (np.inf, 0.0)
    assert gradient[1, 7] == -1.0
    assert np.abs(gradient[3]).max() == 0.0
