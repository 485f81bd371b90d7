"""Overrides of convolutions, pooling, batch normalisation and relu on sizes that reach their blocked, threaded and Winograd paths."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import ls_layers  # registers the overrides
from ls_core import threads
from ls_core.kernel import Kernel
from ls_layers.accelerated import blocks, winograd
from ls_layers.activations.relu import relu_backward, relu_forward
from ls_layers.batch_normalization import batch_normalization_backward, batch_normalization_forward
from ls_layers.convolution import conv_backward, conv_forward
from ls_layers.depthwise_convolution import depthwise_backward, depthwise_forward
from ls_layers.global_pooling import global_average_forward
from ls_layers.pooling import average_pool_backward, average_pool_forward, max_pool_backward, max_pool_forward
from ls_layers.transposed_convolution import conv_transpose_backward, conv_transpose_forward

from .tolerances import assert_close

assert ls_layers.accelerated
TIERS = ["numpy", *(["numba"] if importlib.util.find_spec("numba") else [])]
ONE, TWO, SAME, NONE = (1, 1), (2, 2), ((1, 1), (1, 1)), ((0, 0), (0, 0))


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = threads.thread_count()
    threads.set_thread_count(request.param)
    yield
    threads.set_thread_count(before)


def normal(rng: np.random.Generator, *shape: int, dtype: Any = np.float32) -> Any:
    return rng.normal(size=shape).astype(dtype)


def widened(value: Any) -> Any:
    """``value`` with float64 for float32, in tuples as well."""
    if isinstance(value, tuple):
        return tuple(map(widened, value))
    return value.astype(float) if isinstance(value, np.ndarray) and value.dtype == np.float32 else value


def arrays(value: Any) -> list[Any]:
    """The arrays and numbers in ``value``, in order."""
    return [leaf for each in value for leaf in arrays(each)] if isinstance(value, tuple) else [value]


def compare(kernel: Kernel, tier: str, *arguments: Any) -> Any:
    """The override's result, after it agreed with the reference in float64 and wrote to nothing that it was given."""
    if tier not in kernel.overrides:
        pytest.skip(f"{kernel.__name__} has no override for {tier}")
    given = [a for a in arrays(arguments) if isinstance(a, np.ndarray)]
    before = [a.copy() for a in given]
    got, wanted = kernel.overrides[tier](*arguments), kernel.reference(*widened(arguments))
    for a, b in zip(given, before, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(arrays(got), arrays(wanted), strict=True):
        if isinstance(b, np.ndarray):
            dtype = str(given[0].dtype)
            assert a.dtype == b.dtype or (dtype, b.dtype) == ("float32", np.float64)
            assert_close(a, b, dtype, kernel.__name__)
        else:
            assert a == b
    return got


CONVOLUTIONS = {  # x, W, strides, dilation, pads, groups
    "winograd": ((5, 28, 28, 16), (3, 3, 16, 32), ONE, ONE, SAME, 1),
    "winograd of one image": ((1, 33, 30, 32), (3, 3, 32, 16), ONE, ONE, SAME, 1),
    "winograd without padding": ((3, 14, 14, 32), (3, 3, 32, 16), ONE, ONE, NONE, 1),
    "winograd in bands of an image": ((2, 70, 66, 16), (3, 3, 16, 16), ONE, ONE, SAME, 1),
    "winograd, uneven padding": ((2, 71, 67, 16), (3, 3, 16, 32), ONE, ONE, ((2, 0), (0, 1)), 1),
    "winograd, odd tiles": ((7, 15, 13, 16), (3, 3, 16, 16), ONE, ONE, SAME, 1),
    "winograd, tall": ((3, 300, 7, 16), (3, 3, 16, 16), ONE, ONE, SAME, 1),
    "winograd, many channels": ((2, 12, 12, 192), (3, 3, 192, 160), ONE, ONE, SAME, 1),
    "winograd, channels that fill no vector": ((3, 20, 20, 20), (3, 3, 20, 24), ONE, ONE, SAME, 1),
    "one channel": ((6, 28, 28, 1), (3, 3, 1, 32), ONE, ONE, SAME, 1),
    "three channels": ((4, 32, 32, 3), (3, 3, 3, 16), ONE, ONE, SAME, 1),
    "five by five": ((3, 20, 21, 8), (5, 5, 8, 24), ONE, ONE, ((2, 2), (2, 2)), 1),
    "strides": ((5, 23, 24, 16), (3, 3, 16, 32), TWO, ONE, ((0, 1), (1, 1)), 1),
    "uneven strides": ((5, 23, 24, 16), (3, 2, 16, 32), (1, 3), ONE, NONE, 1),
    "dilation": ((4, 20, 20, 16), (3, 3, 16, 24), ONE, (2, 3), ((2, 2), (3, 3)), 1),
    "groups": ((4, 20, 20, 32), (3, 3, 8, 48), ONE, ONE, SAME, 4),
    "small groups": ((4, 20, 20, 48), (3, 3, 4, 48), ONE, ONE, SAME, 12),
    "small groups and strides": ((4, 21, 20, 48), (3, 3, 4, 72), TWO, ONE, SAME, 12),
    "a filter per group": ((4, 20, 20, 24), (3, 3, 1, 24), ONE, ONE, SAME, 24),
    "groups and strides": ((4, 20, 20, 32), (3, 3, 16, 40), TWO, ONE, SAME, 2),
    "few filters": ((4, 20, 20, 32), (3, 3, 32, 3), ONE, ONE, SAME, 1),
    "few filters, strides": ((4, 21, 20, 32), (3, 3, 32, 3), TWO, ONE, SAME, 1),
    "few tiles": ((1, 12, 8, 64), (3, 3, 64, 64), ONE, ONE, SAME, 1),
    "one by one": ((4, 20, 20, 32), (1, 1, 32, 48), ONE, ONE, NONE, 1),
    "one by one, strides": ((4, 20, 20, 32), (1, 1, 32, 48), TWO, ONE, NONE, 1),
    "one by one, groups": ((4, 20, 20, 32), (1, 1, 8, 32), ONE, ONE, NONE, 4),
    "short rows": ((40, 9, 5, 16), (3, 3, 16, 20), TWO, ONE, SAME, 1),
    "time": ((6, 200, 64), (3, 64, 32), (1,), (1,), ((1, 1),), 1),
    "time, causal": ((6, 101, 24), (4, 24, 36), (1,), (2,), ((6, 0),), 1),
    "time, strides": ((6, 101, 24), (5, 24, 36), (2,), (1,), ((2, 2),), 1),
    "volume": ((3, 9, 10, 11, 8), (3, 2, 3, 8, 16), (1, 1, 1), (1, 1, 1), ((1, 1), (0, 1), (1, 1)), 1),
    "volume, strides": ((3, 9, 10, 11, 8), (3, 2, 3, 8, 16), (2, 1, 2), (1, 1, 1), ((1, 1), (0, 1), (1, 1)), 1),
}


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
def test_convolution(case: Any, dtype: str, tier: str, rng: np.random.Generator) -> None:
    x_shape, W_shape, *geometry = case
    x, b = normal(rng, *x_shape, dtype=dtype), normal(rng, W_shape[-1], dtype=dtype)
    W = normal(rng, *W_shape, dtype=dtype) * 0.2
    z = compare(conv_forward, tier, x, W, b, *geometry)
    dz = normal(rng, *z.shape, dtype=dtype)
    compare(conv_backward, tier, dz, x, W, True, *geometry, True)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", ["winograd", "one channel", "time", "groups"])
def test_convolution_without_what_is_not_wanted(name: str, tier: str, rng: np.random.Generator) -> None:
    """No bias, no gradient of the input."""
    x_shape, W_shape, *geometry = CONVOLUTIONS[name]
    x, W = normal(rng, *x_shape), normal(rng, *W_shape) * 0.2
    z = compare(conv_forward, tier, x, W, None, *geometry)
    dx, _, db = compare(conv_backward, tier, normal(rng, *z.shape), x, W, False, *geometry, False)
    assert dx is None
    assert db is None


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("dtype", ["float16", "complex128"])
def test_other_numbers_take_the_reference(dtype: str, tier: str, rng: np.random.Generator) -> None:
    x, W = normal(rng, 6, 28, 28, 16, dtype=dtype), normal(rng, 3, 3, 16, 16, dtype=dtype)
    y = normal(rng, 6, 14, 14, 16, dtype=dtype)
    for kernel, arguments in (
        (conv_forward, (x, W, None, ONE, ONE, SAME, 1)),
        (conv_backward, (x, x, W, True, ONE, ONE, SAME, 1, True)),
        (average_pool_forward, (x, TWO, TWO, NONE)),
        (relu_forward, (x,)),
        (relu_backward, (x, x)),
        (batch_normalization_forward, (x.reshape(-1, 16), None, None, 1e-3, None)),
    ):
        compare(kernel, tier, *arguments)
    if dtype == "float16":
        y = compare(max_pool_forward, tier, x, TWO, TWO, NONE)
        compare(max_pool_backward, tier, y, x, y, TWO, TWO, NONE)


@pytest.mark.parametrize("tier", TIERS)
def test_views_and_read_only_arrays(tier: str, rng: np.random.Generator) -> None:
    """Channels first comes as a moved view; a broadcast gradient is read-only and not contiguous."""
    x = np.moveaxis(normal(rng, 6, 16, 28, 28), 1, -1)
    W, b = np.asfortranarray(normal(rng, 3, 3, 16, 32) * 0.2), normal(rng, 64)[::2]
    dz = np.broadcast_to(normal(rng, 6, 1, 1, 32), (6, 28, 28, 32))
    x.flags.writeable = W.flags.writeable = False
    compare(conv_forward, tier, x, W, b, ONE, ONE, SAME, 1)
    compare(conv_backward, tier, dz, x, W, True, ONE, ONE, SAME, 1, True)
    compare(conv_backward, tier, dz[:, ::2, ::2], x, W, True, TWO, ONE, SAME, 1, True)
    y = compare(max_pool_forward, tier, x, TWO, TWO, NONE)
    dy = np.broadcast_to(normal(rng, 6, 1, 1, 16), y.shape)
    compare(max_pool_backward, tier, dy, x, y, TWO, TWO, NONE)
    compare(relu_forward, tier, x)
    compare(relu_backward, tier, dz, dz)
    rows = dz.reshape(-1, 32)[:, ::2]
    xhat = compare(batch_normalization_forward, tier, rows, b[:16], b[16:], 1e-3, None)
    compare(batch_normalization_backward, tier, rows[::-1], b[:16], xhat[3])


POOLS = {  # x, sizes, strides, pads
    "halves": ((6, 28, 28, 32), TWO, TWO, NONE),
    "halves, odd lengths": ((5, 27, 29, 20), TWO, TWO, NONE),
    "overlapping": ((5, 28, 27, 24), (3, 3), TWO, SAME),
    "gaps": ((5, 30, 31, 24), TWO, (3, 4), NONE),
    "few channels": ((9, 60, 60, 3), (3, 2), (3, 2), ((1, 0), (0, 1))),
    "time": ((9, 200, 64), (2,), (2,), ((0, 0),)),
    "time, overlapping": ((9, 200, 64), (4,), (1,), ((1, 2),)),
    "volume": ((3, 12, 12, 12, 24), (2, 2, 2), (2, 2, 2), ((0, 0),) * 3),
    "volume, overlapping": ((3, 12, 12, 12, 24), (3, 2, 3), (2, 1, 2), ((1, 1), (0, 1), (1, 1))),
}


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", POOLS.values(), ids=POOLS.keys())
def test_pooling(case: Any, dtype: str, tier: str, rng: np.random.Generator) -> None:
    x_shape, *windows = case
    x = normal(rng, *x_shape, dtype=dtype).round(1)  # so that windows have equal maxima
    y = compare(max_pool_forward, tier, x, *windows)
    dy = normal(rng, *y.shape, dtype=dtype)
    compare(max_pool_backward, tier, dy, x, y, *windows)
    _, count = compare(average_pool_forward, tier, x, *windows)
    compare(average_pool_backward, tier, dy, count, x.shape, *windows)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("case", [POOLS["halves"], POOLS["overlapping"]], ids=["halves", "overlapping"])
def test_pooling_of_what_is_not_finite(case: Any, tier: str, rng: np.random.Generator) -> None:
    """NaN wins, and no gradient reaches it; a window of nothing but -inf has its first element as maximum."""
    x_shape, *windows = case
    x = normal(rng, *x_shape)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[rng.random(x.shape) < 0.4] = -np.inf
    y = max_pool_forward.reference(x, *windows)
    if tier not in max_pool_forward.overrides:
        pytest.skip("no compiled pooling here")
    np.testing.assert_array_equal(max_pool_forward.overrides[tier](x, *windows), y)
    dy = normal(rng, *y.shape)
    compare(max_pool_backward, tier, dy, x, y, *windows)


@pytest.mark.parametrize("tier", TIERS)
def test_pooling_of_whole_numbers(tier: str, rng: np.random.Generator) -> None:
    compare(max_pool_forward, tier, rng.integers(-5, 5, (6, 28, 28, 32)), TWO, TWO, NONE)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(9, 40, 30, 24), (1, 3, 5), (5, 7, 8, 9, 2)])
def test_global_average(shape: tuple[int, ...], dtype: str, tier: str, rng: np.random.Generator) -> None:
    x = normal(rng, *shape, dtype=dtype) + 3
    compare(global_average_forward, tier, x, None)
    compare(global_average_forward, tier, np.moveaxis(x, 1, 0), None)
    compare(global_average_forward, tier, x, rng.random(shape[:-1]) < 0.5)


DEPTHWISE = {  # x, W, strides, dilation, pads
    "three by three": ((5, 28, 28, 32), (3, 3, 32, 1), ONE, ONE, SAME),
    "odd channels": ((5, 28, 28, 21), (3, 3, 21, 1), ONE, ONE, SAME),
    "two kernels per channel": ((5, 20, 20, 24), (3, 3, 24, 2), ONE, ONE, SAME),
    "strides": ((5, 29, 28, 32), (3, 3, 32, 1), TWO, ONE, ((0, 1), (1, 1))),
    "dilation": ((5, 28, 28, 32), (3, 2, 32, 1), ONE, TWO, ((2, 2), (0, 1))),
    "time": ((9, 200, 40), (5, 40, 1), (1,), (1,), ((2, 2),)),
}


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", DEPTHWISE.values(), ids=DEPTHWISE.keys())
def test_depthwise(case: Any, dtype: str, tier: str, rng: np.random.Generator) -> None:
    x_shape, W_shape, *geometry = case
    x, W = normal(rng, *x_shape, dtype=dtype), normal(rng, *W_shape, dtype=dtype)
    z = compare(depthwise_forward, tier, x, W, normal(rng, W_shape[-2] * W_shape[-1], dtype=dtype), *geometry)
    dz = normal(rng, *z.shape, dtype=dtype)
    compare(depthwise_backward, tier, dz, x, W, True, *geometry, True)
    compare(depthwise_backward, tier, dz, x, W, False, *geometry, False)


TRANSPOSED = {  # x, W, strides, dilation, before, outputs
    "strides": ((5, 14, 14, 32), (3, 3, 24, 32), TWO, ONE, (0, 1), (28, 28)),
    "same": ((5, 14, 15, 16), (4, 4, 24, 16), TWO, ONE, ONE, (28, 30)),
    "time": ((5, 100, 32), (3, 24, 32), (1,), (2,), (2,), (100,)),
}


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", TRANSPOSED.values(), ids=TRANSPOSED.keys())
def test_transposed_convolution(case: Any, dtype: str, tier: str, rng: np.random.Generator) -> None:
    x_shape, W_shape, *geometry, outputs = case
    x, W = normal(rng, *x_shape, dtype=dtype), normal(rng, *W_shape, dtype=dtype) * 0.2
    z = compare(conv_transpose_forward, tier, x, W, normal(rng, W_shape[-2], dtype=dtype), *geometry, outputs)
    compare(conv_transpose_backward, tier, normal(rng, *z.shape, dtype=dtype), x, W, True, *geometry, True)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("C", [3, 32, 100])
def test_batch_normalization(C: int, dtype: str, tier: str, rng: np.random.Generator) -> None:
    N = 200_000 // C
    x = normal(rng, N, C, dtype=dtype) * 3 + 5
    for gamma, beta in ((None, None), (normal(rng, C, dtype=dtype), None), (normal(rng, C, dtype=dtype), normal(rng, C, dtype=dtype))):
        saved = compare(batch_normalization_forward, tier, x, gamma, beta, 1e-3, None)[3]
        compare(batch_normalization_backward, tier, normal(rng, N, C, dtype=dtype), gamma, saved)
    x = x[:2000]
    weights = (rng.random((len(x), 1)) < 0.7).astype(dtype)
    saved = compare(batch_normalization_forward, tier, x, gamma, beta, 1e-3, weights)[3]
    compare(batch_normalization_backward, tier, x, gamma, saved)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [0, 7, 300_001, 3_000_001])
def test_relu(count: int, dtype: str, tier: str, rng: np.random.Generator) -> None:
    x = normal(rng, count, dtype=dtype)
    y, _ = compare(relu_forward, tier, x)
    compare(relu_backward, tier, normal(rng, count, dtype=dtype), y)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("C", [64, 512])
def test_winograd_keeps_its_digits(tier: str, C: int, rng: np.random.Generator) -> None:
    """Against float64, on positive inputs as a relu leaves them: a fifth of what the table of tolerances allows."""
    x, W = np.abs(normal(rng, 2, 14, 14, C)), normal(rng, 3, 3, C, 64)
    if tier not in conv_forward.overrides:
        pytest.skip("no compiled convolution here")
    z = conv_forward.overrides[tier](x, W, None, ONE, ONE, SAME, 1)
    wanted = conv_forward.reference(x.astype(float), W.astype(float), None, ONE, ONE, SAME, 1)
    assert np.abs(z - wanted).max() < 4e-6 * np.abs(wanted).max()
    _, dW, _ = conv_backward.overrides[tier](z, x, W, False, ONE, ONE, SAME, 1, False)
    wanted = conv_backward.reference(z.astype(float), x.astype(float), W.astype(float), False, ONE, ONE, SAME, 1, False)[1]
    assert np.abs(dW - wanted).max() < 4e-6 * np.abs(wanted).max()


def test_blocks_sum_in_one_order() -> None:
    """The same bits each time, whichever thread is done first."""
    x = np.random.default_rng(0).normal(size=(64, 5000)).astype(np.float32)

    def total() -> Any:
        return blocks.sum_in_blocks(lambda i, j: [x[i:j].sum(axis=0), None], 64, 100_000)[0]

    first = total()
    assert_close(first, x.sum(axis=0))
    for _ in range(20):
        np.testing.assert_array_equal(total(), first)


def test_winograd_matrices_multiply_polynomials(rng: np.random.Generator) -> None:
    """The transforms of one patch and one kernel give the plain correlation."""
    patch, kernel = rng.normal(size=(6, 6)), rng.normal(size=(3, 3))
    product = (winograd.KERNEL @ kernel.ravel()).reshape(6, 6) * (winograd.INPUT @ patch @ winograd.INPUT.T)
    wanted = [[(patch[i : i + 3, j : j + 3] * kernel).sum() for j in range(4)] for i in range(4)]
    assert_close(winograd.OUTPUT @ product @ winograd.OUTPUT.T, np.array(wanted), "float32")
