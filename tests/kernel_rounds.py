"""Rounds: a forward and its backward by their kernels alone, on random shapes, for one backend after the other.

A round is a function of a ``Place``, which makes arrays; the same seed makes the same numbers on every backend, so what two
backends return can be compared. test_cuda_sources.py runs them on the emulator, test_gpu.py on a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from unittest import mock

import numpy as np
import pytest

import ls_core
import ls_optim
from ls_core.backend import to_device
from ls_core.losses.binary_crossentropy import binary_crossentropy_logits_backward, binary_crossentropy_logits_forward
from ls_core.losses.categorical_crossentropy import (
    categorical_crossentropy_logits_backward,
    categorical_crossentropy_logits_forward,
)
from ls_core.losses.sparse_categorical_crossentropy import (
    sparse_categorical_crossentropy_logits_backward,
    sparse_categorical_crossentropy_logits_forward,
)
from ls_core.parameter import RowGradient, put_rows, sum_rows, take_rows
from ls_core.random import keep_scaled, set_keys, uniform_by_key
from ls_layers import activations
from ls_layers.accelerated.cuda import winograd
from ls_layers.accelerated.cuda.recurrent import UNITS
from ls_layers.activated import activated_backward, activated_forward
from ls_layers.attention_core import (
    additive_attention_backward,
    additive_attention_forward,
    scaled_dot_product_attention_backward,
    scaled_dot_product_attention_forward,
)
from ls_layers.batch_normalization import (
    batch_normalization_backward,
    batch_normalization_forward,
    batch_normalization_inference_backward,
    batch_normalization_inference_forward,
)
from ls_layers.convolution import conv_backward, conv_forward
from ls_layers.depthwise_convolution import depthwise_backward, depthwise_forward
from ls_layers.embedding import embedding_backward, embedding_forward
from ls_layers.group_normalization import group_normalization_backward, group_normalization_forward
from ls_layers.gru import gru_backward, gru_forward
from ls_layers.gru_cell import gru_cell_backward, gru_cell_forward
from ls_layers.layer_normalization import layer_normalization_backward, layer_normalization_forward
from ls_layers.lstm import lstm_backward, lstm_forward
from ls_layers.lstm_cell import lstm_cell_backward, lstm_cell_forward
from ls_layers.pooling import average_pool_backward, average_pool_forward, max_pool_backward, max_pool_forward
from ls_layers.rms_normalization import rms_normalization_backward, rms_normalization_forward
from ls_layers.simple_rnn import simple_rnn_backward, simple_rnn_forward
from ls_layers.windows import count_windows, gather, scatter
from ls_optim.adadelta import adadelta_update
from ls_optim.adagrad import adagrad_update
from ls_optim.adam import adam_update
from ls_optim.adamax import adamax_update
from ls_optim.ftrl import ftrl_update
from ls_optim.lion import lion_update
from ls_optim.nadam import nadam_update
from ls_optim.rmsprop import rmsprop_update
from ls_optim.sgd import sgd_update

from .tolerances import assert_close

HALF = ("float16", "bfloat16") if find_spec("ml_dtypes") else ("float16",)
if "bfloat16" in HALF:
    import ml_dtypes as ml_dtypes  # which tells NumPy the name
ALL = ("float64", "float32", *HALF)
WIDE = ("float64", "float32")


class Place:
    """Makes arrays of one float type on one backend, from numbers that depend on the seed alone.

    ``rounded``: to numbers that this type holds too.
    """

    def __init__(self, backend: str, dtype: str, seed: int, rounded: str | None = None) -> None:
        self.backend, self.dtype, self.rng, self.rounded = backend, dtype, np.random.default_rng(seed), rounded

    def put(self, x: np.ndarray) -> Any:
        if self.rounded and x.dtype.kind == "f":
            x = x.astype(self.rounded).astype(x.dtype)
        return to_device(x, self.backend)

    def size(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def row(self, low: int = 1) -> int:
        """The length of a row: for a warp, or for a whole block of threads."""
        return self.size(low, 70) if self.flip() else self.size(1025, 1500)

    def flip(self) -> bool:
        return bool(self.rng.random() < 0.5)

    def normal(self, *shape: int, by: float = 1.0) -> Any:
        """Normal numbers times ``by``; on CuPy bfloat16 times 0.3 would be float32."""
        return self.put((self.rng.normal(size=shape) * by).astype(self.dtype))

    def positive(self, *shape: int, by: float = 1.0) -> Any:
        return self.put((self.rng.uniform(0.5, 2.0, size=shape) * by).astype(self.dtype))

    def ids(self, count: int, high: int) -> Any:
        return self.put(self.rng.integers(0, high, count))

    def mask(self, *shape: int) -> Any:
        return self.put(self.rng.random(shape) < 0.7)

    def keep(self, *shape: int) -> Any:
        return self.put((self.rng.random(shape) < 0.75).astype(self.dtype) * np.dtype(self.dtype).type(4 / 3))

    def maybe(self, make: Callable[..., Any], *shape: int) -> Any:
        """None half of the time; the numbers that follow are the same in both cases."""
        made = make(*shape)
        return made if self.flip() else None


Round = Callable[[Place], list[Any]]
ROUNDS: dict[str, tuple[Round, tuple[str, ...]]] = {}


def round_of(*types: str) -> Callable[[Round], Round]:
    def listed(function: Round) -> Round:
        ROUNDS[function.__name__] = (function, types)
        return function

    return listed


def _activation(name: str, **named: float) -> None:
    both = getattr(activations, name)
    back = {key: value for key, value in named.items() if name in ("elu", "celu", "leaky_relu")}

    def run(at: Place) -> list[Any]:
        shape = (at.size(1, 9), at.size(1, 700))
        # On a grid that float16 holds: a kink is hit exactly or clearly missed.
        y, saved = both.forward(at.put((at.rng.normal(size=shape) * 200).round().astype(at.dtype) / 64), **named)
        return [y, both.backward(at.normal(*shape), saved, **back)]

    ROUNDS[f"{name} {named or ''}".strip()] = (run, ALL)


def _biased(name: str) -> None:
    """A bias of one axis or two, and the function after it; the product only stands for one."""
    both = getattr(activations, name)

    def run(at: Place) -> list[Any]:
        columns = (at.size(1, 3), at.size(1, 40)) if at.flip() else (at.size(1, 90),)
        shape = (at.size(1, 200), *columns)
        x, b = (at.put((at.rng.normal(size=part) * 60).round().astype(at.dtype) / 64) for part in (shape, columns))
        y, saved = activated_forward(x, lambda x, b: x * 1 if b is None else x + b, b, both)

        def product_backward(dz: Any, has_bias: bool) -> Any:
            return dz, dz[0], dz.astype("float64").sum(axis=0).astype(dz.dtype) if has_bias else None

        return [y, *activated_backward(at.normal(*shape), saved, both, product_backward, b)]

    ROUNDS[f"bias and {name}"] = (run, ALL)


_PLAIN = """
    celu elu exponential gelu gelu_tanh hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu log_sigmoid mish relu relu6 selu
    sigmoid silu soft_shrink softplus softsign sparse_plus sparse_sigmoid squareplus tanh tanh_shrink threshold
"""
for _name in _PLAIN.split():
    _activation(_name)
for _name in _PLAIN.split():
    _biased(_name)
_activation("elu", alpha=0.5)
_activation("celu", alpha=2.0)
_activation("leaky_relu", negative_slope=0.01)
_activation("soft_shrink", threshold=0.25)
_activation("squareplus", b=2.0)
_activation("threshold", threshold=0.5, default_value=-1.0)


@round_of(*ALL)
def softmax(at: Place) -> list[Any]:
    axis = at.size(-2, 1)
    shape = (at.size(1, 12), at.row()) if axis % 2 else (at.row(), at.size(1, 12))
    x, dy = at.normal(*shape), at.normal(*shape)
    y, saved = activations.softmax.forward(x, axis)
    log_y, log_saved = activations.log_softmax.forward(x, axis)
    results = [y, activations.softmax.backward(dy, saved, axis), log_y, activations.log_softmax.backward(dy, log_saved, axis)]
    # Numbers apart enough that none is at the edge of the support in one type and not in another.
    order = np.argsort(at.rng.random(shape), axis=axis)
    x = at.put((order * 0.0625 + 100).clip(0, 164).astype(at.dtype))
    y, saved = activations.sparsemax.forward(x, axis)
    return [*results, y, activations.sparsemax.backward(dy, saved, axis)]


@round_of(*ALL)
def glu(at: Place) -> list[Any]:
    axis, shape = at.size(-3, 2), tuple(2 * at.size(1, 9) for _ in range(3))
    y, saved = activations.glu.forward(at.normal(*shape), axis)
    return [y, activations.glu.backward(at.normal(*y.shape), saved, axis)]


@round_of(*ALL)
def masks(at: Place) -> list[Any]:
    drawn = to_device(at.rng.random((at.size(1, 9), at.size(1, 300))).astype("float32"), at.backend)
    return [keep_scaled(drawn, rate, np.dtype(at.dtype)) for rate in (0.0, 0.3, 1.0)]


@round_of(*WIDE)
def draws_by_keys(at: Place) -> list[Any]:
    values = [int(key) for key in at.rng.integers(-(2**63), 2**63, at.size(1, 20))]
    keys = to_device(np.zeros(len(values), "int64"), at.backend)
    set_keys(keys, values)
    return [keys, *(uniform_by_key(keys, i, (at.size(1, 9), at.size(0, 300)), np.dtype(at.dtype)) for i in (0, len(values) - 1))]


@round_of(*WIDE)
def crossentropy(at: Place) -> list[Any]:
    N, C = at.size(1, 30), at.row(2)
    losses, saved = sparse_categorical_crossentropy_logits_forward(at.ids(N, C), at.normal(N, C) * 3)
    return [losses, sparse_categorical_crossentropy_logits_backward(at.positive(N), *saved)]


@round_of(*WIDE)
def crossentropy_of_distributions(at: Place) -> list[Any]:
    shape = (*((at.size(1, 5), at.size(1, 7)) if at.flip() else (at.size(1, 30),)), at.row(2))
    t, z = at.positive(*shape), at.normal(*shape) * 3
    losses, saved = categorical_crossentropy_logits_forward(t, z, -1)
    results = [losses, categorical_crossentropy_logits_backward(at.positive(*shape[:-1]), *saved, -1)]
    if len(shape) == 3:  # an axis that the kernels leave to the references
        losses, saved = categorical_crossentropy_logits_forward(t, z, 1)
        results += [losses, categorical_crossentropy_logits_backward(at.positive(shape[0], shape[2]), *saved, 1)]
    return results


@round_of(*WIDE)
def binary_crossentropy(at: Place) -> list[Any]:
    shape = (at.size(1, 5), at.size(1, 7), at.row(2)) if at.flip() else (at.size(1, 30), at.size(1, 3))
    t, z = at.mask(*shape).astype(at.dtype), at.normal(*shape) * 3
    results = []
    for axis in (-1, 0):  # the kernels leave all but the last axis to the references
        losses, saved = binary_crossentropy_logits_forward(t, z, axis)
        weights = at.positive(*(shape[:-1] if axis else shape[1:]))
        results += [losses, binary_crossentropy_logits_backward(weights, *saved, axis)]
    return results


@round_of(*WIDE)
def group_normalization(at: Place) -> list[Any]:
    B, S, G = at.size(1, 4), at.size(1, 300) if at.flip() else at.size(1, 9), at.size(1, 5)
    C = G * at.size(1, 12)
    gamma, beta = at.maybe(at.normal, C), at.maybe(at.normal, C)
    y, saved = group_normalization_forward(at.normal(B, S, C) + 3, gamma, beta, G, 1e-3)
    return [y, *group_normalization_backward(at.normal(B, S, C), gamma, saved)]


@round_of(*WIDE)
def layer_normalization(at: Place) -> list[Any]:
    N, C = at.size(1, 150), at.row()
    gamma, beta = at.maybe(at.normal, C), at.maybe(at.normal, C)
    y, saved = layer_normalization_forward(at.normal(N, C) + 3, gamma, beta, 1e-3)
    return [y, *layer_normalization_backward(at.normal(N, C), gamma, saved)]


@round_of(*WIDE)
def rms_normalization(at: Place) -> list[Any]:
    B, T, C = at.size(1, 5), at.size(1, 30), at.size(1, 90)
    scale = at.normal(C)
    y, saved = rms_normalization_forward(at.normal(B, T, C), scale, 1e-6)
    return [y, *rms_normalization_backward(at.normal(B, T, C), scale, saved)]


@round_of(*WIDE)
def batch_normalization(at: Place) -> list[Any]:
    N, C = at.size(1, 400), at.size(1, 50)
    gamma, beta = at.maybe(at.normal, C), at.maybe(at.normal, C)
    x, dy = at.normal(N, C) * 2 + 5, at.normal(N, C)
    weights = at.maybe(at.mask, N, C if at.flip() else 1)
    weights = None if weights is None else (weights * (0 if at.size(0, 9) == 0 else 1)).astype(at.dtype)  # now and then all is masked
    y, mean, variance, saved = batch_normalization_forward(x, gamma, beta, 1e-3, weights)
    results = [y, mean, variance, *batch_normalization_backward(dy, gamma, saved)]
    y, saved = batch_normalization_inference_forward(x, at.normal(C), at.positive(C), gamma, beta, 1e-3)
    return [*results, y, *batch_normalization_inference_backward(dy, gamma, saved)]


def units(at: Place) -> int:
    """So few that all time steps go in one launch, or so many that each has its own."""
    return at.size(1, 40) + (UNITS if at.size(0, 2) == 0 else 0)


@round_of(*ALL)
def lstm(at: Place) -> list[Any]:
    B, T, I, U = at.size(1, 9), at.size(1, 6), at.size(1, 5), units(at)
    W, U_, b, mask = at.normal(I, 4 * U), at.normal(U, 4 * U, by=U**-0.5), at.maybe(at.normal, 4 * U), at.maybe(at.mask, B, T)
    hs, h, c, saved = lstm_forward(at.normal(B, T, I), at.normal(B, U), at.normal(B, U), W, U_, b, mask)
    dhs, truncate = at.maybe(at.normal, T, B, U), [None, 2][at.size(0, 1)]
    grads = lstm_backward(at.normal(B, U), at.normal(B, U), dhs, saved, W, U_, mask, b is not None, truncate, True)
    return [hs, h, c, *grads]


@round_of(*ALL)
def gru(at: Place) -> list[Any]:
    B, T, I, U = at.size(1, 9), at.size(1, 6), at.size(1, 5), units(at)
    W, U_, b, mask = at.normal(I, 3 * U), at.normal(U, 3 * U, by=U**-0.5), at.maybe(at.normal, 2, 3 * U), at.maybe(at.mask, B, T)
    hs, h, saved = gru_forward(at.normal(B, T, I), at.normal(B, U), W, U_, b, mask)
    dhs, truncate = at.maybe(at.normal, T, B, U), [None, 2][at.size(0, 1)]
    return [hs, h, *gru_backward(at.normal(B, U), dhs, saved, W, U_, mask, b is not None, truncate, True)]


@round_of(*ALL)
def simple_rnn(at: Place) -> list[Any]:
    B, T, I, U = at.size(1, 9), at.size(1, 6), at.size(1, 5), units(at)
    W, U_, b, mask = at.normal(I, U), at.normal(U, U, by=U**-0.5), at.maybe(at.normal, U), at.maybe(at.mask, B, T)
    hs, h, saved = simple_rnn_forward(at.normal(B, T, I), at.normal(B, U), W, U_, b, mask)
    dhs, truncate = at.maybe(at.normal, T, B, U), [None, 2][at.size(0, 1)]
    return [hs, h, *simple_rnn_backward(at.normal(B, U), dhs, saved, W, U_, mask, b is not None, truncate, True)]


def _drop(at: Place, gates: int, *shapes: tuple[int, int]) -> tuple[tuple[Any, ...], ...]:
    """Dropout masks like x and like h: none, one for all gates of x, or one for each gate of both."""
    drawn = [tuple(at.keep(*shape) for _ in range(gates)) for shape in shapes]
    return (((), ()), (drawn[0][:1], ()), tuple(drawn))[at.size(0, 2)]


@round_of(*ALL)
def lstm_cell(at: Place) -> list[Any]:
    B, I, U = at.size(1, 5), at.size(1, 5), at.size(1, 40)
    W, U_, b, masks = at.normal(I, 4 * U), at.normal(U, 4 * U, by=0.3), at.maybe(at.normal, 4 * U), _drop(at, 4, (B, I), (B, U))
    how = masks, activations.tanh, activations.sigmoid
    h, c, saved = lstm_cell_forward(at.normal(B, I), at.normal(B, U), at.normal(B, U), W, U_, b, *how)
    return [h, c, *lstm_cell_backward(at.normal(B, U), at.normal(B, U), saved, W, U_, b is not None, *how)]


@round_of(*ALL)
def gru_cell(at: Place) -> list[Any]:
    B, I, U = at.size(1, 5), at.size(1, 5), at.size(1, 40)
    results = []
    for reset_after, bias in ((True, (2, 3 * U)), (False, (3 * U,))):
        W, U_, b, masks = at.normal(I, 3 * U), at.normal(U, 3 * U, by=0.3), at.maybe(at.normal, *bias), _drop(at, 3, (B, I), (B, U))
        how = reset_after, masks, activations.tanh, activations.sigmoid
        h, saved = gru_cell_forward(at.normal(B, I), at.normal(B, U), W, U_, b, *how)
        results += [h, *gru_cell_backward(at.normal(B, U), saved, W, U_, b is not None, *how)]
    return results


@round_of(*ALL)
def embedding(at: Place) -> list[Any]:
    V, D, n = at.size(1, 30), at.size(1, 300), at.size(1, 600)
    ids = at.ids(n, V)
    table = at.normal(V, D)
    y = embedding_forward(table, ids)
    gradient = RowGradient(*embedding_backward(at.normal(n, D), ids), (V, D))
    twice = gradient + RowGradient(*sum_rows(at.ids(n, V), at.normal(n, D)), (V, D))
    added = table.copy()
    gradient.add_to(added)
    changed = table.copy()
    put_rows(changed, gradient.rows, take_rows(table, gradient.rows) + gradient.values)
    return [y, gradient.to_dense(), twice.to_dense(), added, changed]


def _windows(at: Place, dilated: bool) -> tuple[Any, ...]:
    """Lengths, outputs, sizes, strides, dilation and pads of one to three axes."""
    rank = at.size(1, 3)
    sizes = tuple(at.size(1, 3) for _ in range(rank))
    strides = tuple(at.size(1, 3) for _ in range(rank))
    dilation = tuple(at.size(1, 2) if dilated else 1 for _ in range(rank))
    pads = tuple((at.size(0, size - 1), at.size(0, size - 1)) for size in sizes)
    lengths = tuple((size - 1) * d + at.size(1, 5) for size, d in zip(sizes, dilation, strict=True))
    return lengths, count_windows(lengths, sizes, strides, dilation, pads), sizes, strides, dilation, pads


@round_of(*ALL)
def windows(at: Place) -> list[Any]:
    lengths, outputs, sizes, strides, dilation, pads = _windows(at, dilated=True)
    lead, C = (at.size(1, 2), at.size(1, 2)), at.size(1, 40)
    before = tuple(pad[0] for pad in pads)
    results = [gather(at.normal(*lead, *lengths, C), outputs, sizes, strides, dilation, before)]
    results.append(scatter(at.normal(*lead, *outputs, math.prod(sizes), C), lengths, sizes, strides, dilation, before))
    back, zero = tuple(-d for d in dilation), tuple(-b for b in before)  # as the products before the windows want them
    ones = (1,) * len(sizes)
    results.append(gather(at.normal(*lead, *lengths, C), lengths, sizes, ones, back, zero))
    results.append(scatter(at.normal(*lead, *lengths, math.prod(sizes), C), lengths, sizes, ones, back, zero))
    return results


@round_of("float32")
def convolution_3x3(at: Place) -> list[Any]:
    """So small that only a threshold of 0 takes Winograd's way."""
    B, C, F = at.size(2, 3), at.size(16, 40), at.size(16, 40)
    pads = tuple((at.size(0, 3), at.size(0, 3)) for _ in range(2))
    H, W_ = (at.size(10, 17) for _ in range(2))
    x, W, b = at.normal(B, H, W_, C), at.normal(3, 3, C, F) / C**0.5, at.maybe(at.normal, F)
    with mock.patch.object(winograd, "COLUMNS", 0):
        z = conv_forward(x, W, b, (1, 1), (1, 1), pads, 1)
        dz = at.normal(*z.shape)
        options = (W, b is not None, (1, 1), (1, 1), pads, 1)
        return [z, *conv_backward(dz, x, *options, True), *conv_backward(dz, x, *options, False)]


@round_of(*ALL)
def pooling(at: Place) -> list[Any]:
    lengths, outputs, sizes, strides, _, pads = _windows(at, dilated=False)
    B, C = at.size(1, 3), at.size(1, 40)
    host = at.rng.normal(size=(B, *lengths, C)).round().astype(at.dtype)  # many equal maxima
    host.reshape(-1)[0] = np.nan if at.flip() else 0
    x, dy = at.put(host), at.normal(B, *outputs, C)
    y = max_pool_forward(x, sizes, strides, pads)
    average, count = average_pool_forward(x, sizes, strides, pads)
    results = [y, max_pool_backward(dy, x, y, sizes, strides, pads), average, count]
    return [*results, average_pool_backward(dy, count, x.shape, sizes, strides, pads)]


@round_of(*ALL)
def depthwise(at: Place) -> list[Any]:
    lengths, outputs, sizes, strides, dilation, pads = _windows(at, dilated=True)
    B, C, M = at.size(1, 3), at.size(1, 20), at.size(1, 3)
    W, b = at.normal(*sizes, C, M), at.maybe(at.normal, C * M)
    x, dz = at.normal(B, *lengths, C), at.normal(B, *outputs, C * M)
    z = depthwise_forward(x, W, b, strides, dilation, pads)
    return [z, *depthwise_backward(dz, x, W, b is not None, strides, dilation, pads, True)]


@round_of(*ALL)
def attention(at: Place) -> list[Any]:
    lead = tuple(at.size(1, 3) for _ in range(at.size(1, 2)))
    G = at.size(1, 2)
    H, T, S, D = G * at.size(1, 2), at.size(1, 9), at.size(1, 40), at.size(1, 6)
    q, k, v = at.normal(*lead, H, T, D), at.normal(*lead, G, S, D), at.normal(*lead, G, S, D)
    shape = [size if at.flip() else 1 for size in (*lead, H, T, S)]
    bias, keep = at.maybe(at.normal, *shape), at.maybe(at.keep, *lead, H, T, S)
    causal, scores = at.flip() and bias is None, at.flip()
    y, p, saved = scaled_dot_product_attention_forward(q, k, v, bias, 0.4, causal, keep, scores)
    dscores = at.normal(*lead, H, T, S) if scores else None
    return [y, p, *scaled_dot_product_attention_backward(at.normal(*lead, H, T, D), dscores, saved)]


@round_of(*ALL)
def additive_attention(at: Place) -> list[Any]:
    lead = tuple(at.size(1, 3) for _ in range(at.size(1, 2)))
    T, S, D, V = at.size(1, 9), at.size(1, 40), at.size(1, 40), at.size(1, 5)
    q, k, v, weights = at.normal(*lead, T, D), at.normal(*lead, S, D), at.normal(*lead, S, V), at.normal(D)
    bias = at.maybe(at.normal, *(size if at.flip() else 1 for size in (*lead, T, S)))
    keep, dscores = at.maybe(at.keep, *lead, T, S), at.maybe(at.normal, *lead, T, S)
    y, p, saved = additive_attention_forward(q, k, v, weights, bias, keep)
    return [y, p, *additive_attention_backward(at.normal(*lead, T, V), dscores, saved)]


@round_of(*ALL)
def fused_attention(at: Place) -> list[Any]:
    """Whatever the number of scores, none is stored."""
    lead = tuple(at.size(1, 2) for _ in range(at.size(1, 2)))
    G = at.size(1, 2)
    H, T, S, D, V = (
        G * at.size(1, 2),
        at.size(1, 70),
        at.size(1, 70),
        at.size(1, 128 if at.flip() else 9),
        at.size(1, 128 if at.flip() else 9),
    )
    q, k, v = at.normal(*lead, H, T, D), at.normal(*lead, G, S, D), at.normal(*lead, G, S, V)
    q, scale = (q.swapaxes(-1, -3).copy().swapaxes(-1, -3) if at.flip() else q), 1 / math.sqrt(D)
    shape = [size if at.flip() else 1 for size in (*lead, H, T, S)]
    bias, keep = at.maybe(at.normal, *shape), at.maybe(at.keep, *lead, H, T, S)
    causal = at.flip()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("ls_layers.accelerated.cuda.fused_attention"), "STORED", 0)
        y, p, saved = scaled_dot_product_attention_forward(q, k, v, bias, scale, causal, keep, False)
    return [y, p, *scaled_dot_product_attention_backward(at.normal(*lead, H, T, V), None, saved)]


@round_of(*ALL)
def updates(at: Place) -> list[Any]:
    shape = (at.size(1, 40), at.size(1, 60))
    results = []

    def step(update: Any, state: tuple[Any, ...], *how: Any) -> None:
        w = at.normal(*shape)
        update(w, at.normal(*shape), *state, *how)
        results.extend([w, *state])

    for amsgrad in (False, True):
        m, v, v_max = at.normal(*shape), at.positive(*shape), at.positive(*shape)
        step(adam_update, (m, v, v_max if amsgrad else None), 0.01, 0.9, 0.999, 1e-7, 3)
    for momentum, nesterov in ((0.0, False), (0.9, False), (0.9, True)):
        step(sgd_update, (at.normal(*shape) if momentum else None,), 0.1, momentum, nesterov)
    for centered, momentum in ((False, 0.0), (True, 0.5)):
        v, mean, m = at.positive(*shape) + 1, at.positive(*shape, by=0.1), at.normal(*shape)
        step(rmsprop_update, (v, mean if centered else None, m if momentum else None), 0.01, 0.9, momentum, 1e-7)
    step(nadam_update, (at.normal(*shape), at.positive(*shape)), 0.01, 0.9, 0.999, 1e-7, 3, 0.5, 0.6, 0.2)
    step(adamax_update, (at.normal(*shape), at.positive(*shape)), 0.01, 0.9, 0.999, 1e-7, 3)
    step(adagrad_update, (at.positive(*shape),), 0.1, 1e-7)
    step(adadelta_update, (at.positive(*shape), at.positive(*shape)), 0.1, 0.95, 1e-7)
    step(lion_update, (at.normal(*shape),), 0.01, 0.9, 0.99)
    step(ftrl_update, (at.positive(*shape), at.normal(*shape)), 0.1, -0.5, 0.2, 0.01, 0.1, 0.5)
    return results


def _options(at: Place, turn: int) -> dict[str, Any]:
    clips = [{}, {"clipnorm": 2.0}, {"clipvalue": 0.5}, {"global_clipnorm": 3.0}]
    others = [{}, {"weight_decay": 0.1}, {"use_ema": True, "weight_decay": 0.1}, {"rate_multipliers": {"p1": 0.5}, "lazy_rows": False}]
    return {**clips[(at.size(0, 3) + turn) % 4], **others[(at.size(0, 3) + turn // 4) % 4], "loss_scale_factor": 2.0}


def _apply(name: str, **named: Any) -> None:
    """Two steps with Parameters of many sizes, more than one launch takes, and a table of which rows have a gradient."""

    def run(at: Place) -> list[Any]:
        optimizer = getattr(ls_optim, name)(learning_rate=0.01, **named, **_options(at, len(name + str(named))))
        optimizer.exclude_from_weight_decay(var_names=["p2"])
        shapes = [(), (0,), (at.size(1, 70), at.size(1, 70)), *((at.size(1, 30),) for _ in range(at.size(0, 45)))]
        parameters = [ls_core.Parameter(at.positive(*shape), name=f"p{i}") for i, shape in enumerate(shapes)]
        V, D = at.size(5, 30), at.size(1, 300)
        table = ls_core.Parameter(at.positive(V, D), name="table")
        for _ in range(2):
            for p in parameters:
                p.accumulate(at.normal(*p.shape))
            rows = np.append(at.rng.permutation(V)[:4], -1)  # and an unused place
            values = at.rng.normal(size=(5, D)).astype(at.dtype)
            values[4] = 0
            if at.backend == "numpy":
                rows, values = rows[:4], values[:4]
            table.accumulate(RowGradient(at.put(rows), at.put(values), (V, D)))
            optimizer.apply([*parameters, table])
        everything = [*parameters, table]
        averages = [optimizer._memory.average[p] for p in everything if optimizer.use_ema]
        return [p.value for p in everything] + [a for p in everything for a in optimizer.state(p).values()] + averages

    ROUNDS[f"apply {name} {named or ''}".strip()] = (run, WIDE)


for _name in ("Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lion", "Nadam", "RMSprop", "SGD", "Lamb"):
    _apply(_name)
_apply("Adam", amsgrad=True)
_apply("SGD", momentum=0.9, nesterov=True)
_apply("RMSprop", centered=True, momentum=0.5)


def wanted(name: str, dtype: str, seed: int) -> list[Any]:
    """What a round gives by the references on NumPy; of half types in float32, from numbers that they hold."""
    place = Place("numpy", "float32", seed, dtype) if dtype in HALF else Place("numpy", dtype, seed)
    with ls_core.use_references():
        results = ROUNDS[name][0](place)
    with np.errstate(over="ignore"):
        return [r.astype(dtype) if dtype in HALF and r is not None and r.dtype == np.float32 else r for r in results]


def agree(got: list[Any], wanted: list[Any], dtype: str) -> None:
    """Raise AssertionError unless both are the same to the tolerance of ``dtype``."""
    for i, (a, b) in enumerate(zip(got, wanted, strict=True)):
        assert (a is None) == (b is None), f"result {i}"
        if b is not None:
            assert a.dtype == b.dtype, f"result {i}"
            assert_close(a, b, dtype, f"results {i}")


def launch_all(name: str) -> None:
    """A round twice on the stand-in device: with rows for blocks and for warps, sums of rows in any order and in a fixed one."""
    ROUNDS[name][0](Place("standin", "float32", 3))
    with ls_core.use_deterministic():
        ROUNDS[name][0](Place("standin", "float32", 4))


CASES = [(name, dtype) for name, (_, types) in ROUNDS.items() for dtype in types]
