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
from ls_core.losses import SparseCategoricalCrossentropy
from ls_core.parameter import RowGradient
from ls_core.random import same_random_numbers
from ls_core.testing.tolerances import TOLERANCES, difference
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
    gradients: Callable[[], list[Any]] = list  # of the Parameters that are trained, in one pass, dense, as NumPy arrays

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


def shapes(*shapes: Shape) -> dict[str, Shape]:
    """One for each of SIZES."""
    return dict(zip(SIZES, shapes, strict=True))


def normal(shape: Shape, seed: int) -> Any:
    """Normal numbers in float32, on the current backend."""
    return to_device(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def of_layer(made: Any, forward: Callable[[], Any], x: tuple[Any, ...], dy: Any) -> Pair:
    """A built layer's Pair. ``outcome`` has its moving statistics too, and leaves every Parameter as it was."""

    def backward(cache: Any) -> Any:
        dx = made.backward(dy, cache)
        for parameter in made.parameters():
            parameter.drop_grad()
        return dx

    def whole_pass() -> tuple[list[Any], list[Any], list[Any]]:
        before = [(p, p.value.copy()) for p in made.parameters()]
        y, cache = forward()
        dx = made.backward(dy, cache)
        grads = [p.grad.to_dense() if isinstance(p.grad, RowGradient) else p.grad for p in made.parameters() if p.trainable]
        states = [p.value.copy() for p in made.parameters() if p.state]
        for parameter in made.parameters():
            parameter.drop_grad()
        for p, value in before:
            p.value[...] = value
        return [*leaves(y), *leaves(dx)], grads, states

    def outcome() -> list[Any]:
        given, grads, states = whole_pass()
        return [to_host(a) for a in [*given, *grads, *states] if is_float(a)]

    def gradients() -> list[Any]:
        return [to_host(a) for a in whole_pass()[1]]

    return Pair(forward, backward, outcome, made, x, dy, gradients)


def layer(
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
        made = make(ls_layers, shape)
        if ids:
            x = (to_device(np.random.default_rng(1).integers(0, ids, shape)),)
        else:
            x = tuple(normal(shape, 1 + i) for i in range(inputs))

        def forward() -> Any:
            with same_random_numbers():
                return made.forward(*x, training=True, **options)

        y, _ = forward()  # builds
        cotangents = [normal(each.shape, 7 + i) if is_float(each) else None for i, each in enumerate(leaves(y))]
        dy = refill(y, cotangents)

        return of_layer(made, forward, x, dy)

    return Spec(name, shapes, prepare, shortcut, draws, make, options)


def pass_problem(found: list[Any], expected: list[Any]) -> str | None:
    """What is wrong with the ``outcome`` of a Pair: this sees what a forward keeps for its backward.

    Relative to 1 at least, since some gradients are 0 but for rounding (that of a key's bias in attention).
    """
    if len(found) != len(expected):
        return f"{len(found)} arrays came of the whole pass (outputs, then gradients), the reference gives {len(expected)}"
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        if a.dtype != b.dtype:
            return f"array {i} of the whole pass is {a.dtype}, the reference gives {b.dtype}"
        error = float("inf") if a.shape != b.shape else difference(a, b)
        if error > TOLERANCES.get(str(a.dtype), 0.0):
            return f"array {i} of the whole pass (outputs, then gradients) differs from the reference's by {error:.1e}"
    return None


def activation(name: str) -> Spec:
    """An activation as a layer."""
    return layer(name, shapes((4, 8), (64, 128), (1024, 512), (8192, 1024)), lambda L, s: L.Activation(name))


def _loss(shape: Shape) -> Pair:
    loss = SparseCategoricalCrossentropy(from_logits=True)
    ids = to_device(np.random.default_rng(1).integers(0, shape[-1], shape[:-1]))
    logits = normal(shape, 2)

    def both() -> Any:
        return loss.value_and_grad(ids, logits)

    return Pair(lambda: (None, None), lambda cache: both(), lambda: [to_host(a) for a in leaves(both())], inputs=(logits,))


def optimizer(kind: Any, **options: Any) -> Callable[[Shape], Pair]:
    """Its update of one Parameter, as the backward of a Pair."""

    def prepare(shape: Shape) -> Pair:
        gradient = normal(shape, 2)

        def new() -> tuple[Any, Any]:
            return kind(0.001, **options), ls_core.Parameter(normal(shape, 1))

        def update(known: Any, parameter: Any) -> None:
            parameter.accumulate(gradient.copy())
            known.apply([parameter])

        def outcome() -> list[Any]:  # three updates: a state that is wrong shows in the next one
            known, parameter = new()
            for _ in range(3):
                update(known, parameter)
            return [to_host(parameter.value)]

        known, parameter = new()
        return Pair(lambda: (None, None), lambda cache: update(known, parameter), outcome)

    return prepare


ROWS = shapes((4, 8), (64, 128), (1024, 256), (8192, 1024))
IMAGES = shapes((2, 6, 6, 4), (8, 14, 14, 32), (32, 28, 28, 32), (64, 56, 56, 64))
STEPS = shapes((2, 4, 3), (8, 20, 32), (32, 100, 128), (64, 200, 256))
TOKENS = shapes((2, 4, 8), (4, 32, 64), (8, 128, 256), (8, 512, 512))
FLAT = shapes((64,), (10_000,), (1_000_000,), (10_000_000,))

SPECS = [
    layer("Dense", shapes((4, 8), (32, 128), (128, 512), (1024, 1024)), lambda L, s: L.Dense(s[-1])),
    layer("Dense relu", shapes((4, 8), (32, 128), (128, 512), (1024, 1024)), lambda L, s: L.Dense(s[-1], activation="relu")),
    layer("Embedding", shapes((2, 5), (32, 50), (32, 200), (128, 512)), lambda L, s: L.Embedding(10_000, 128), ids=10_000),
    layer("ReversibleEmbedding back", TOKENS, lambda L, s: L.ReversibleEmbedding(5000, s[-1]), reverse=True),
    layer(
        "Conv1D 3",
        shapes((2, 8, 4), (8, 50, 64), (32, 200, 128), (64, 400, 128)),
        lambda L, s: L.Conv1D(32, 3, padding="same"),
        shortcut=2.0,
    ),
    layer("Conv2D 3x3", IMAGES, lambda L, s: L.Conv2D(s[-1], 3, padding="same"), shortcut=4.0),
    layer("Conv2D 1x1", IMAGES, lambda L, s: L.Conv2D(s[-1], 1)),
    layer("DepthwiseConv2D 3x3", IMAGES, lambda L, s: L.DepthwiseConv2D(3, padding="same"), shortcut=4.0),
    layer("MaxPooling2D", IMAGES, lambda L, s: L.MaxPooling2D(2)),
    layer("AveragePooling2D", IMAGES, lambda L, s: L.AveragePooling2D(2)),
    layer("GlobalAveragePooling2D", IMAGES, lambda L, s: L.GlobalAveragePooling2D()),
    layer("UpSampling2D", IMAGES, lambda L, s: L.UpSampling2D(2)),
    layer("BatchNormalization", IMAGES, lambda L, s: L.BatchNormalization()),
    layer("LayerNormalization", ROWS, lambda L, s: L.LayerNormalization()),
    layer("RMSNormalization", ROWS, lambda L, s: L.RMSNormalization()),
    layer("GroupNormalization", IMAGES, lambda L, s: L.GroupNormalization(4)),
    layer("SimpleRNN", STEPS, lambda L, s: L.SimpleRNN(s[-1], return_sequences=True)),
    layer("GRU", STEPS, lambda L, s: L.GRU(s[-1], return_sequences=True)),
    layer("LSTM", STEPS, lambda L, s: L.LSTM(s[-1], return_sequences=True)),
    layer(
        "MultiHeadAttention",
        TOKENS,
        lambda L, s: L.MultiHeadAttention(max(2, s[-1] // 32), min(32, s[-1] // 2)),
        inputs=2,
        shortcut=2.0,
        use_causal_mask=True,
    ),
    layer("Dropout", ROWS, lambda L, s: L.Dropout(0.5), draws=True),
    layer("Add", ROWS, lambda L, s: L.Add(), inputs=2),
    layer("Conv2DTranspose 3x3", IMAGES, lambda L, s: L.Conv2DTranspose(s[-1], 3, strides=2, padding="same")),
    layer("ReLU", ROWS, lambda L, s: L.ReLU()),
    *(activation(name) for name in ("relu", "gelu", "silu", "sigmoid", "tanh", "softmax")),
    Spec("SparseCategoricalCrossentropy", shapes((4, 5), (32, 10), (128, 1000), (8192, 5000)), _loss),
    Spec("Adam", FLAT, optimizer(Adam)),
    Spec("RMSprop", FLAT, optimizer(RMSprop)),
    Spec("SGD momentum", FLAT, optimizer(SGD, momentum=0.9)),
]
