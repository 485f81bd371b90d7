"""The less common layers, losses and optimisers, so that every kernel has a row: what benchmarks.kernels measures beside SPECS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import ls_core
import ls_layers
import ls_optim
from ls_core.backend import to_device, to_host
from ls_core.callbacks.parameter_statistics import norm_and_mean
from ls_core.gradcheck.subject import leaves
from ls_core.parameter import add_rows, put_rows, take_rows
from ls_core.random import same_random_numbers, set_keys, uniform_by_key
from ls_core.registry import known_names
from ls_layers.categories import count_backward

from .subjects import FLAT, IMAGES, ROWS, SPECS, STEPS, TOKENS, Pair, Shape, Spec, activation, layer, normal, of_layer, optimizer, shapes

HEIGHTS = shapes((2, 6, 6, 4), (4, 14, 14, 16), (8, 28, 28, 32), (16, 56, 56, 64))
CLASSES = shapes((4, 5), (32, 10), (128, 1000), (4096, 1000))


def share(shape: Shape, seed: int) -> Any:
    """Rows that add up to 1."""
    e = np.exp(np.random.default_rng(seed).normal(size=shape))
    return to_device((e / e.sum(axis=-1, keepdims=True)).astype(np.float32))


def ids(shape: Shape, high: int) -> Any:
    """Whole numbers below ``high``, nowhere the same twice along the last axis."""
    g = np.random.default_rng(1)
    return to_device(np.stack([g.permutation(high)[: shape[-1]] for _ in range(int(np.prod(shape[:-1])))]).reshape(shape))


def loss(name: str, draw: Callable[[Shape], tuple[Any, Any]], sizes: dict[str, Shape] = CLASSES, **options: Any) -> Spec:
    """A loss on the targets and predictions that ``draw`` makes."""

    def prepare(shape: Shape) -> Pair:
        made, (targets, predictions) = getattr(ls_core.losses, name)(**options), draw(shape)

        def both() -> Any:
            return made.value_and_grad(targets, predictions)

        return Pair(lambda: (None, None), lambda cache: both(), lambda: [to_host(a) for a in leaves(both())], inputs=(predictions,))

    return Spec(name + (" of logits" if options.get("from_logits") else ""), sizes, prepare)


def plain(name: str, call: Callable[..., Any], sizes: dict[str, Shape], draw: Callable[[Shape], tuple[Any, ...]]) -> Spec:
    """A kernel that is called by itself."""

    def prepare(shape: Shape) -> Pair:
        given = draw(shape)

        def outcome() -> list[Any]:
            fresh = tuple(a.copy() for a in given)
            result = call(*fresh)
            return [to_host(a) for a in leaves(fresh if result is None else result)]

        return Pair(lambda: (None, None), lambda cache: call(*(a.copy() for a in given)), outcome)

    return Spec(name, sizes, prepare)


def distributions(shape: Shape) -> tuple[Any, Any]:
    return share(shape, 1), share(shape, 2)


def classes(shape: Shape) -> tuple[Any, Any]:
    return ids((*shape[:-1], 1), shape[-1])[..., 0], share(shape, 2)


def logits(shape: Shape) -> tuple[Any, Any]:
    return share(shape, 1), normal(shape, 2)


def keys_of(shape: Shape) -> tuple[Any]:
    return (to_device(np.arange(shape[0], dtype=np.int64)),)


def drawn_by_key(shape: Shape) -> Pair:
    (keys,) = keys_of((1,))

    def draw() -> Any:
        return uniform_by_key(keys, 0, shape, np.dtype("float32"))

    return Pair(lambda: (None, None), lambda cache: draw(), lambda: [to_host(draw())])


def table_and_rows(shape: Shape) -> tuple[Any, ...]:
    return normal(shape, 1), ids((shape[0] // 2,), shape[0]), normal((shape[0] // 2, *shape[1:]), 2)


def without_backward(name: str, sizes: dict[str, Shape], make: Callable[[Any, Shape], Any], draw: Callable[[Shape], Any]) -> Spec:
    """A layer that has no gradient, or as it is at inference."""

    def prepare(shape: Shape) -> Pair:
        ls_core.set_seed(0)
        made, x = make(ls_layers, shape), draw(shape)
        made(x)
        return Pair(lambda: (made(x), None), lambda cache: None, lambda: [to_host(made(x))], made, (x,))

    return Spec(name, sizes, prepare)


def masked_softmax(shape: Shape) -> Pair:
    made, x = ls_layers.Softmax(), normal(shape, 1)
    keep = to_device(np.random.default_rng(2).random(shape) < 0.7)
    return Pair(lambda: (made(x, mask=keep), None), lambda cache: None, lambda: [to_host(made(x, mask=keep))], made, (x,))


def normalized_at_inference(shape: Shape) -> Pair:
    made, x = ls_layers.BatchNormalization(), normal(shape, 1)

    def forward() -> Any:
        return made.forward(x, training=False)

    return of_layer(made, forward, (x,), normal(forward()[0].shape, 7))


def with_states(name: str, states: int) -> Spec:
    """A recurrent layer that is given its states and gives them back."""

    def prepare(shape: Shape) -> Pair:
        ls_core.set_seed(0)
        made = getattr(ls_layers, name)(shape[-1], return_sequences=True, return_state=True)
        x, start = normal(shape, 1), [normal((shape[0], shape[-1]), 2 + i) for i in range(states)]

        def forward() -> Any:
            return made.forward(x, initial_state=start, training=True)

        y, _ = forward()
        return of_layer(made, forward, (x, *start), tuple(normal(a.shape, 7 + i) for i, a in enumerate(y)))

    return Spec(f"{name}, with its states", STEPS, prepare)


def masked_attention(shape: Shape) -> Pair:
    ls_core.set_seed(0)
    made = ls_layers.MultiHeadAttention(max(2, shape[-1] // 32), min(32, shape[-1] // 2), dropout=0.2)
    x, value = normal(shape, 1), normal(shape, 2)
    keep = to_device(np.random.default_rng(3).random((shape[0], shape[1], shape[1])) < 0.9)

    def forward() -> Any:
        with same_random_numbers():
            return made.forward(x, value, attention_mask=keep, training=True)

    y, _ = forward()
    return of_layer(made, forward, (x, value), normal(y.shape, 7))


def _common(name: str) -> bool:
    return name in {spec.name for spec in SPECS} or name == "linear"


_LOSSES = """
    MeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredLogarithmicError Huber CosineSimilarity Poisson
    KLDivergence Hinge SquaredHinge CategoricalHinge Dice Tversky BinaryCrossentropy BinaryFocalCrossentropy CategoricalCrossentropy
    CategoricalFocalCrossentropy
"""
OTHERS = [
    *(activation(name) for name in known_names("activation") if not _common(name)),
    layer("EinsumDense", TOKENS, lambda L, s: L.EinsumDense("btc,cd->btd", (None, s[-1]), bias_axes="d")),
    layer("SwiGLU", TOKENS, lambda L, s: L.SwiGLU(2 * s[-1])),
    layer("PositionEmbedding", TOKENS, lambda L, s: L.PositionEmbedding(s[1])),
    layer("SinusoidalPositionEncoding", TOKENS, lambda L, s: L.SinusoidalPositionEncoding()),
    layer("RotaryEmbedding", TOKENS, lambda L, s: L.RotaryEmbedding()),
    layer("AdditiveAttention", shapes((2, 4, 8), (4, 16, 32), (8, 64, 64), (8, 128, 128)), lambda L, s: L.AdditiveAttention(), inputs=2),
    layer("RNN of a SimpleRNNCell", STEPS, lambda L, s: L.RNN(L.SimpleRNNCell(s[-1], dropout=0.3)), draws=True),
    layer("RNN of a GRUCell", STEPS, lambda L, s: L.RNN(L.GRUCell(s[-1]))),
    layer("RNN of a LSTMCell", STEPS, lambda L, s: L.RNN(L.LSTMCell(s[-1]))),
    layer("LayerNormalization, only scaled", ROWS, lambda L, s: L.LayerNormalization(rms_scaling=True)),
    layer("BatchNormalization, renormalised", HEIGHTS, lambda L, s: L.BatchNormalization(renorm=True)),
    with_states("SimpleRNN", 1),
    with_states("GRU", 1),
    with_states("LSTM", 2),
    layer("MultiHeadAttention, with its scores", TOKENS, lambda L, s: L.MultiHeadAttention(2, 8), inputs=2, return_attention_scores=True),
    Spec("MultiHeadAttention, masked", TOKENS, masked_attention, draws=True),
    layer("AveragePooling2D, overlapping", IMAGES, lambda L, s: L.AveragePooling2D(3, 2, padding="same")),
    layer("MaxPooling2D, overlapping", IMAGES, lambda L, s: L.MaxPooling2D(3, 2, padding="same")),
    Spec("BatchNormalization, at inference", HEIGHTS, normalized_at_inference),
    layer("UnitNormalization", ROWS, lambda L, s: L.UnitNormalization()),
    layer("SpectralNormalization", ROWS, lambda L, s: L.SpectralNormalization(L.Dense(s[-1]))),
    layer("Normalization", ROWS, lambda L, s: L.Normalization(mean=1.0, variance=4.0)),
    layer("PReLU", ROWS, lambda L, s: L.PReLU()),
    layer("ReLU up to 6", ROWS, lambda L, s: L.ReLU(max_value=6.0)),
    Spec("Softmax, masked", ROWS, masked_softmax),
    layer("AlphaDropout", ROWS, lambda L, s: L.AlphaDropout(0.5), draws=True),
    layer("Masking", STEPS, lambda L, s: L.Masking()),
    layer("RepeatVector", ROWS, lambda L, s: L.RepeatVector(4)),
    *(
        layer(name, ROWS, lambda L, s, name=name: getattr(L, name)(), inputs=2)
        for name in ("Average", "Maximum", "Minimum", "Multiply", "Subtract")
    ),
    layer("Concatenate", ROWS, lambda L, s: L.Concatenate(), inputs=2),
    layer("Dot", TOKENS, lambda L, s: L.Dot(axes=2, normalize=True), inputs=2),
    layer("GlobalMaxPooling2D", IMAGES, lambda L, s: L.GlobalMaxPooling2D()),
    layer("AdaptiveAveragePooling2D", HEIGHTS, lambda L, s: L.AdaptiveAveragePooling2D(4)),
    layer("AdaptiveMaxPooling2D", HEIGHTS, lambda L, s: L.AdaptiveMaxPooling2D(4)),
    layer("UpSampling2D bilinear", HEIGHTS, lambda L, s: L.UpSampling2D(2, interpolation="bilinear")),
    layer("ZeroPadding2D", HEIGHTS, lambda L, s: L.ZeroPadding2D(1)),
    layer("Cropping2D", HEIGHTS, lambda L, s: L.Cropping2D(1)),
    layer("Resizing", HEIGHTS, lambda L, s: L.Resizing(2 * s[1], s[2])),
    layer("Rescaling", HEIGHTS, lambda L, s: L.Rescaling(0.5, 1.0)),
    layer("RandomFlip", HEIGHTS, lambda L, s: L.RandomFlip(), draws=True),
    layer("RandomRotation", HEIGHTS, lambda L, s: L.RandomRotation(0.1), draws=True),
    layer("RandomContrast", HEIGHTS, lambda L, s: L.RandomContrast(0.5, value_range=(-9, 9)), draws=True),
    layer("RandomBrightness", HEIGHTS, lambda L, s: L.RandomBrightness(0.1, value_range=(-9, 9)), draws=True),
    without_backward("CategoryEncoding", CLASSES, lambda L, s: L.CategoryEncoding(2 * s[-1]), lambda s: ids(s, 2 * s[-1])),
    without_backward(
        "CategoryEncoding, one-hot", CLASSES, lambda L, s: L.CategoryEncoding(2 * s[-1], "one_hot"), lambda s: ids((*s[:-1], 1), 2 * s[-1])
    ),
    without_backward("Discretization", ROWS, lambda L, s: L.Discretization([-1.0, 0.0, 1.0]), lambda s: normal(s, 1)),
    *(loss(name, distributions) for name in _LOSSES.split()),
    loss("LogCosh", logits),
    loss("BinaryCrossentropy", logits, from_logits=True),
    loss("CategoricalCrossentropy", logits, from_logits=True),
    *(loss(name, classes) for name in ("SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy")),
    loss("Circle", lambda s: (ids((s[0], 1), 4)[:, 0], share(s, 2)), shapes((4, 5), (32, 10), (128, 64), (512, 64))),
    loss(
        "CTC", lambda s: (ids((s[0], s[1] // 4), s[2] - 1) + 1, normal(s, 2)), shapes((2, 8, 5), (4, 20, 20), (16, 60, 30), (32, 200, 100))
    ),
    *(Spec(name, FLAT, optimizer(getattr(ls_optim, name))) for name in ("Adadelta", "Adagrad", "Adamax", "Ftrl", "Lamb", "Lion", "Nadam")),
    *(Spec(name, ROWS, optimizer(getattr(ls_optim, name))) for name in ("Adafactor", "Muon")),
    Spec("SGD with averages", FLAT, optimizer(ls_optim.SGD, use_ema=True)),
    plain("count_backward", count_backward, CLASSES, lambda s: (normal((*s[:-1], 2 * s[-1]), 1), ids(s, 2 * s[-1]))),
    plain("set_keys", lambda keys: set_keys(keys, list(range(len(keys)))), shapes((4,), (8,), (16,), (64,)), keys_of),
    Spec("uniform_by_key", FLAT, drawn_by_key),
    plain("take_rows", lambda table, rows, values: take_rows(table, rows), ROWS, table_and_rows),
    plain("put_rows", put_rows, ROWS, table_and_rows),
    plain("add_rows", add_rows, ROWS, table_and_rows),
    plain("norm_and_mean", norm_and_mean, FLAT, lambda s: (normal(s, 1),)),
]
