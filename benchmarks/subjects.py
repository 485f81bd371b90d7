"""What is measured: layers, losses and optimisers, each at four sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import ls_core
import ls_layers
from ls_core.backend import to_device, to_host
from ls_core.gradcheck.subject import is_float, leaves, refill
from ls_core.kernel import KERNELS
from ls_core.losses import SparseCategoricalCrossentropy
from ls_core.parameter import RowGradient
from ls_core.random import same_random_numbers
from ls_optim import SGD, Adam, RMSprop

Shape = tuple[int, ...]
SIZES = ("tiny", "small", "medium", "large")  # tiny is for tests


@dataclass
class Pair:
    """A forward and its backward, ready to be called again and again."""

    forward: Callable[[], Any]  # -> y, cache
    backward: Callable[[Any], Any]  # cache -> gradients
    outcome: Callable[[], list[Any]]  # y and every gradient of one pass, as NumPy arrays
    layer: Any = None
    inputs: tuple[Any, ...] = ()
    dy: Any = None

    def both(self) -> Any:
        """One forward and backward."""
        y, cache = self.forward()
        return y, self.backward(cache)


@dataclass(frozen=True)
class Spec:
    """One thing to measure. ``prepare(shape)`` makes its Pair on the current backend."""

    name: str
    shapes: dict[str, Shape]
    prepare: Callable[[Shape], Pair]
    shortcut: float = 1.0  # see roofline.Work
    draws: bool = False  # takes random numbers, which differ from backend to backend
    make: Callable[[Any, Shape], Any] | None = None  # the layer, from a namespace with Keras' names
    options: dict[str, Any] = field(default_factory=dict)


def _shapes(*shapes: Shape) -> dict[str, Shape]:
    return dict(zip(SIZES, shapes, strict=True))


def _normal(shape: Shape, seed: int) -> Any:
    return to_device(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def _layer(
    name: str,
    shapes: dict[str, Shape],
    make: Callable[[Any, Shape], Any],
    ids: int = 0,
    inputs: int = 1,
    shortcut: float = 1.0,
    draws: bool = False,
    **options: Any,
) -> Spec:
    """A layer on ``inputs`` random arrays (or ids below ``ids``), in training."""

    def prepare(shape: Shape) -> Pair:
        ls_core.set_seed(0)
        layer = make(ls_layers, shape)
        if ids:
            x = (to_device(np.random.default_rng(1).integers(0, ids, shape)),)
        else:
            x = tuple(_normal(shape, 1 + i) for i in range(inputs))

        def forward() -> Any:
            with same_random_numbers():
                return layer.forward(*x, training=True, **options)

        y, _ = forward()  # builds
        cotangents = [_normal(each.shape, 7 + i) if is_float(each) else None for i, each in enumerate(leaves(y))]
        dy = refill(y, cotangents)

        def backward(cache: Any) -> Any:
            dx = layer.backward(dy, cache)
            for parameter in layer.parameters():
                parameter.drop_grad()
            return dx

        def outcome() -> list[Any]:
            y, cache = forward()
            dx = layer.backward(dy, cache)
            grads = [p.grad.to_dense() if isinstance(p.grad, RowGradient) else p.grad for p in layer.parameters() if p.trainable]
            for parameter in layer.parameters():
                parameter.drop_grad()
            return [to_host(a) for a in [*leaves(y), *leaves(dx), *grads] if a is not None]

        return Pair(forward, backward, outcome, layer, x, dy)

    return Spec(name, shapes, prepare, shortcut, draws, make, options)


def _activation(name: str) -> Spec:
    shapes = _shapes((4, 8), (64, 128), (1024, 512), (8192, 1024))
    return _layer(name, shapes, lambda L, s: L.Activation(name))


def _activations() -> list[str]:
    """The common ones, and every other one that has a faster override."""
    others = [name.rpartition(".")[2] for name, kernel in sorted(KERNELS.items()) if ".activations." in name and kernel.overrides]
    common = ["relu", "gelu", "silu", "sigmoid", "tanh", "softmax"]
    return list(
        dict.fromkeys(common + [name.removesuffix("_forward") for name in others if name.endswith("_forward") and "gelu" not in name])
    )


def _loss(shape: Shape) -> Pair:
    loss = SparseCategoricalCrossentropy(from_logits=True)
    ids = to_device(np.random.default_rng(1).integers(0, shape[-1], shape[:-1]))
    logits = _normal(shape, 2)

    def both() -> Any:
        return loss.value_and_grad(ids, logits)

    return Pair(lambda: (None, None), lambda cache: both(), lambda: [to_host(a) for a in leaves(both())], inputs=(logits,))


def _optimizer(kind: Any, **options: Any) -> Callable[[Shape], Pair]:
    def prepare(shape: Shape) -> Pair:
        gradient = _normal(shape, 2)

        def new() -> tuple[Any, Any]:
            return kind(0.001, **options), ls_core.Parameter(_normal(shape, 1))

        def update(optimizer: Any, parameter: Any) -> None:
            parameter.accumulate(gradient.copy())
            optimizer.apply([parameter])

        def outcome() -> list[Any]:
            optimizer, parameter = new()
            update(optimizer, parameter)
            return [to_host(parameter.value)]

        optimizer, parameter = new()
        return Pair(lambda: (None, None), lambda cache: update(optimizer, parameter), outcome)

    return prepare


_ROWS = _shapes((4, 8), (64, 128), (1024, 256), (8192, 1024))
_IMAGES = _shapes((2, 6, 6, 4), (8, 14, 14, 32), (32, 28, 28, 32), (64, 56, 56, 64))
_STEPS = _shapes((2, 4, 3), (8, 20, 32), (32, 100, 128), (64, 200, 256))
_TOKENS = _shapes((2, 4, 8), (4, 32, 64), (8, 128, 256), (8, 512, 512))
_FLAT = _shapes((64,), (10_000,), (1_000_000,), (10_000_000,))

SPECS = [
    _layer("Dense", _shapes((4, 8), (32, 128), (128, 512), (1024, 1024)), lambda L, s: L.Dense(s[-1])),
    _layer("Dense relu", _shapes((4, 8), (32, 128), (128, 512), (1024, 1024)), lambda L, s: L.Dense(s[-1], activation="relu")),
    _layer("Embedding", _shapes((2, 5), (32, 50), (32, 200), (128, 512)), lambda L, s: L.Embedding(10_000, 128), ids=10_000),
    _layer("ReversibleEmbedding back", _TOKENS, lambda L, s: L.ReversibleEmbedding(5000, s[-1]), reverse=True),
    _layer(
        "Conv1D 3",
        _shapes((2, 8, 4), (8, 50, 64), (32, 200, 128), (64, 400, 128)),
        lambda L, s: L.Conv1D(32, 3, padding="same"),
        shortcut=2.0,
    ),
    _layer("Conv2D 3x3", _IMAGES, lambda L, s: L.Conv2D(s[-1], 3, padding="same"), shortcut=4.0),
    _layer("Conv2D 1x1", _IMAGES, lambda L, s: L.Conv2D(s[-1], 1)),
    _layer("DepthwiseConv2D 3x3", _IMAGES, lambda L, s: L.DepthwiseConv2D(3, padding="same"), shortcut=4.0),
    _layer("MaxPooling2D", _IMAGES, lambda L, s: L.MaxPooling2D(2)),
    _layer("AveragePooling2D", _IMAGES, lambda L, s: L.AveragePooling2D(2)),
    _layer("GlobalAveragePooling2D", _IMAGES, lambda L, s: L.GlobalAveragePooling2D()),
    _layer("UpSampling2D", _IMAGES, lambda L, s: L.UpSampling2D(2)),
    _layer("BatchNormalization", _IMAGES, lambda L, s: L.BatchNormalization()),
    _layer("LayerNormalization", _ROWS, lambda L, s: L.LayerNormalization()),
    _layer("RMSNormalization", _ROWS, lambda L, s: L.RMSNormalization()),
    _layer("GroupNormalization", _IMAGES, lambda L, s: L.GroupNormalization(4)),
    _layer("SimpleRNN", _STEPS, lambda L, s: L.SimpleRNN(s[-1], return_sequences=True)),
    _layer("GRU", _STEPS, lambda L, s: L.GRU(s[-1], return_sequences=True)),
    _layer("LSTM", _STEPS, lambda L, s: L.LSTM(s[-1], return_sequences=True)),
    _layer(
        "MultiHeadAttention",
        _TOKENS,
        lambda L, s: L.MultiHeadAttention(max(2, s[-1] // 32), min(32, s[-1] // 2)),
        inputs=2,
        shortcut=2.0,
        use_causal_mask=True,
    ),
    _layer("Dropout", _ROWS, lambda L, s: L.Dropout(0.5), draws=True),
    _layer("Add", _ROWS, lambda L, s: L.Add(), inputs=2),
    _layer("Conv2DTranspose 3x3", _IMAGES, lambda L, s: L.Conv2DTranspose(s[-1], 3, strides=2, padding="same")),
    _layer("ReLU", _ROWS, lambda L, s: L.ReLU(max_value=6.0)),
    *(_activation(name) for name in _activations()),
    Spec("SparseCategoricalCrossentropy", _shapes((4, 5), (32, 10), (128, 1000), (8192, 5000)), _loss),
    Spec("Adam", _FLAT, _optimizer(Adam)),
    Spec("RMSprop", _FLAT, _optimizer(RMSprop)),
    Spec("SGD momentum", _FLAT, _optimizer(SGD, momentum=0.9)),
]
