"""Layers in configurations drawn at random against Keras 3, and some odd ones picked by hand.

What Keras refuses is passed over: it is the judge. Each seed must leave enough to compare.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch

import ls_layers

from .keras_judge import compare_layer
from .test_attention import compare_projected

pytestmark = pytest.mark.judges

Configuration = tuple[str, dict[str, Any], np.ndarray, dict[str, Any], bool]  # layer, arguments, input, keywords, training


class Draw:
    """Choices from one seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def of(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def number(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def numbers(self, count: int, low: int, high: int) -> tuple[int, ...]:
        return tuple(self.number(low, high) for _ in range(count))

    def images(self, rank: int, channels: int, first: bool) -> np.ndarray:
        sizes = self.numbers(rank, 1, 7)
        return self.rng.normal(size=(2, channels, *sizes) if first else (2, *sizes, channels))

    def convolution(self) -> Configuration:
        kind, first, rank = self.of("Conv", "Transpose", "Depthwise", "Separable"), self.of(False, True), self.number(1, 2)
        if kind in ("Conv", "Transpose"):
            rank = self.number(1, 3)
        dilation = self.of(1, 1, 2, 3)
        arguments = {
            "kernel_size": self.numbers(rank, 1, 3),
            "strides": self.number(1, 3) if dilation == 1 else 1,
            "dilation_rate": dilation,
            "padding": self.of("same", "valid"),
            "data_format": "channels_first" if first else "channels_last",
            "use_bias": self.of(True, False),
            "activation": self.of(None, "tanh", "silu"),
        }
        channels = self.of(2, 4, 6)  # PyTorch's transposed convolution of one channel has no gradient
        if kind == "Conv":
            arguments |= {"filters": self.of(2, 4, 6), "groups": self.of(1, 1, 2)}
            if rank == 1:
                arguments["padding"] = self.of("same", "valid", "causal")
        elif kind == "Transpose":
            arguments |= {"filters": self.of(1, 3), "output_padding": self.of(None, None, 0, 1)}
        else:
            arguments |= {"depth_multiplier": self.of(1, 2)} | ({"filters": self.of(1, 3)} if kind == "Separable" else {})
        name = f"Conv{rank}DTranspose" if kind == "Transpose" else f"{'' if kind == 'Conv' else kind}Conv{rank}D"
        return name, arguments, self.images(rank, channels, first), {}, False

    def pooling(self) -> Configuration:
        kind, rank, first = self.of("Max", "Average"), self.number(1, 3), self.of(False, True)
        arguments = {
            "pool_size": self.numbers(rank, 1, 3),
            "strides": self.of(None, 1, 2, 3),
            "padding": "valid" if kind == "Average" else self.of("same", "valid"),  # Keras' PyTorch averages over other windows
            "data_format": "channels_first" if first else "channels_last",
        }
        return f"{kind}Pooling{rank}D", arguments, self.images(rank, 3, first), {}, False

    def recurrence(self) -> Configuration:
        name, steps = self.of("LSTM", "GRU", "SimpleRNN"), self.number(1, 5)
        arguments = {
            "units": self.of(1, 3),
            "return_sequences": self.of(True, False),
            "return_state": self.of(True, False),
            "use_bias": self.of(True, False),
            "zero_output_for_mask": self.of(True, False),
            "unroll": self.of(True, False),
            "activation": self.of("tanh", "relu", "linear", "softsign"),
        }
        arguments |= {"recurrent_activation": self.of("sigmoid", "tanh")} if name != "SimpleRNN" else {}
        arguments |= {"reset_after": self.of(True, False)} if name == "GRU" else {}
        arguments |= {"unit_forget_bias": self.of(True, False)} if name == "LSTM" else {}
        call = {"mask": self.rng.random((2, steps)) < 0.6} if self.of(True, False) else {}
        x = self.rng.normal(size=(2, steps, 2))
        if self.of(True, False):
            return name, arguments | {"go_backwards": self.of(True, False)}, x, call, False
        merge = self.of("concat", "sum", "mul", "ave", *(() if arguments["return_state"] else (None,)))
        return "Bidirectional", {"layer": getattr(keras.layers, name)(**arguments), "merge_mode": merge}, x, call, False

    def normalisation(self) -> Configuration:
        name = self.of("BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization", "UnitNormalization")
        shape = self.numbers(self.number(1, 3), 1, 4)
        axes = range(1, len(shape) + 1)
        flags = {"center": self.of(True, False), "scale": self.of(True, False)}
        arguments = {
            "BatchNormalization": {"axis": self.of(-1, *axes), **flags},
            "LayerNormalization": {"axis": self.of([-1], [*axes]), **flags},
            "GroupNormalization": {"axis": self.of(-1, *axes), "groups": self.of(1, -1), **flags},
            "RMSNormalization": {"axis": self.of(-1, len(shape))},
            "UnitNormalization": {"axis": self.of(-1, *axes, [*axes])},
        }[name]
        return name, arguments, self.rng.normal(size=(3, *shape)), {}, self.of(True, False)

    def shape(self) -> Configuration:
        rank, first = self.number(1, 3), self.of(False, True)
        form = {"data_format": "channels_first" if first else "channels_last"}
        sides = {rank: [self.numbers(2, 0, 2) for _ in range(rank)] for rank in (1, 2, 3)}[rank]
        margins: Any = sides[0] if rank == 1 else tuple(sides)
        name = self.of("ZeroPadding", "Cropping", "UpSampling", "GlobalMaxPooling", "GlobalAveragePooling")
        size: Any = self.numbers(rank, 1, 3)
        arguments: dict[str, Any] = {
            "ZeroPadding": {"padding": margins, **form},
            "Cropping": {"cropping": margins, **form},
            "UpSampling": {"size": size, **form} if rank > 1 else {"size": size[0]},
            "GlobalMaxPooling": {"keepdims": self.of(True, False), **form},
            "GlobalAveragePooling": {"keepdims": self.of(True, False), **form},
        }[name]
        if rank == 1 and name == "Cropping":
            arguments.pop("data_format")
            first = False
        return f"{name}{rank}D", arguments, self.images(rank, 2, first), {}, False


FAMILIES = (Draw.convolution, Draw.pooling, Draw.recurrence, Draw.normalisation, Draw.shape)
EACH = 12


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
@pytest.mark.parametrize("seed", range(12))
def test_drawn_at_random(family: Any, seed: int) -> None:
    draw = Draw(seed)
    compared = 0
    for _ in range(EACH):
        name, arguments, x, call, training = family(draw)
        theirs = getattr(keras.layers, name)
        try:
            theirs.from_config(theirs(**arguments).get_config())(torch.tensor(x), training=training, **call)
        except Exception:
            continue
        if name == "Bidirectional":  # a new inner layer: the one above has its weights already
            inner = arguments["layer"]
            arguments = {**arguments, "layer": type(inner).from_config(inner.get_config())}
        compare_layer(getattr(ls_layers, name), theirs, arguments, (x,), call, training)
        compared += 1
    assert compared >= EACH // 3


def x(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=shape)


MASK = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 0]], dtype=bool)

ODD: list[tuple[str, Any, tuple[np.ndarray, ...], dict[str, Any]]] = [
    ("Conv1D", {"filters": 4, "kernel_size": 9, "padding": "same"}, (x(2, 3, 3),), {}),  # a window longer than the input
    ("Conv1D", {"filters": 4, "kernel_size": 2, "padding": "same", "strides": 5}, (x(2, 11, 3),), {}),  # windows with gaps
    ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", "data_format": "channels_first"}, (x(2, 3, 8),), {}),
    ("Conv2D", {"filters": 2, "kernel_size": (1, 5), "strides": (2, 1)}, (x(1, 1, 5, 2),), {}),  # one output
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 2, "strides": 4}, (x(2, 3, 2, 2),), {}),  # a stride past the window
    ("MaxPooling1D", {"pool_size": 2, "strides": 4, "padding": "same"}, (x(2, 9, 3),), {}),
    ("BatchNormalization", {}, (x(1, 3),), {"training": True}),  # a variance of 0
    ("BatchNormalization", {}, (x(2, 5, 3),), {"training": True, "call": {"mask": MASK}}),
    ("LayerNormalization", {"axis": [1, 3]}, (x(2, 3, 4, 2),), {}),  # axes that are not neighbours
    ("LayerNormalization", {}, (x(2, 3, 1),), {}),  # one number has no spread
    ("UnitNormalization", {"axis": (1, 2)}, (x(2, 3, 4),), {}),
    ("LSTM", {"units": 3, "return_state": True, "go_backwards": True}, (x(2, 5, 2),), {"call": {"mask": MASK}}),
    ("LSTM", {"units": 1, "return_state": True, "use_bias": False}, (x(3, 1, 1),), {}),
    ("Bidirectional", lambda k: {"layer": k.LSTM(2, return_sequences=True), "merge_mode": "ave"}, (x(2, 5, 2),), {"call": {"mask": MASK}}),
    (
        "Bidirectional",  # two directions of different kinds
        lambda k: {"layer": k.LSTM(2), "backward_layer": k.GRU(2, go_backwards=True), "merge_mode": "sum"},
        (x(2, 5, 2),),
        {},
    ),
    (
        "RNN",
        lambda k: {"cell": k.StackedRNNCells([k.LSTMCell(2), k.GRUCell(3, reset_after=False)])},
        (x(2, 5, 2),),
        {"call": {"mask": MASK}},
    ),
    ("TimeDistributed", lambda k: {"layer": k.Conv2D(2, 2)}, (x(2, 3, 4, 4, 1),), {}),
    ("TimeDistributed", lambda k: {"layer": k.BatchNormalization()}, (x(2, 3, 4),), {"training": True}),
    ("TimeDistributed", lambda k: {"layer": k.TimeDistributed(k.Dense(2, activation="tanh"))}, (x(2, 3, 4, 2),), {}),
    ("Attention", {"use_scale": True, "score_mode": "concat"}, (x(2, 1, 4), x(2, 5, 4)), {}),
    ("AdditiveAttention", {"use_scale": False}, (x(2, 3, 4), x(2, 3, 4)), {"call": {"use_causal_mask": True}}),
    ("Dot", {"axes": (2, 1), "normalize": True}, (x(2, 3, 4), x(2, 4, 5)), {}),
    ("Add", {}, (x(2, 1, 1), x(2, 3, 4), x(2, 1, 4), x(2, 3, 1)), {}),
    ("Concatenate", {"axis": -2}, (x(2, 3, 4), x(2, 1, 4)), {}),
    ("Reshape", {"target_shape": ()}, (x(3, 1),), {}),
    ("Flatten", {}, (x(4),), {}),
    ("PReLU", {"shared_axes": [1, 2]}, (x(2, 3, 4, 2),), {}),
    ("Softmax", {"axis": (1, 2)}, (x(2, 3, 4),), {}),
    ("Dense", {"units": 1, "activation": "softmax"}, (x(2, 3),), {}),
    ("Dense", {"units": 2}, (x(0, 3),), {}),
    ("Resizing", {"height": 6, "width": 4, "pad_to_aspect_ratio": True, "fill_value": 0.5}, (x(2, 3, 4, 2),), {}),
    ("CenterCrop", {"height": 6, "width": 3}, (x(2, 5, 6, 1),), {}),  # larger than the image along one axis
]


@pytest.mark.parametrize("row", range(len(ODD)), ids=lambda i: f"{i}-{ODD[i][0]}")
def test_odd(row: int) -> None:
    name, arguments, inputs, how = ODD[row]
    if callable(arguments):
        arguments = arguments(keras.layers)
    compare_layer(getattr(ls_layers, name), getattr(keras.layers, name), arguments, inputs, **how)


@pytest.mark.parametrize(
    ("name", "arguments", "inputs", "call"),
    [
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "attention_axes": (2,)}, (x(2, 3, 2, 4), x(2, 3, 5, 4)), {}),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "value_dim": 5, "output_shape": (2, 3)}, (x(2, 3, 4), x(2, 5, 4)), {}),
        ("MultiHeadAttention", {"num_heads": 1, "key_dim": 1, "use_bias": False}, (x(2, 3, 4), x(2, 5, 2), x(2, 5, 3)), {}),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 2}, (x(2, 1, 4), x(2, 1, 4)), {"use_causal_mask": True}),
        ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 1}, (x(2, 3, 4), x(2, 5, 4)), {}),
    ],
)
def test_odd_projections(name: str, arguments: dict[str, Any], inputs: tuple[np.ndarray, ...], call: dict[str, Any]) -> None:
    compare_projected(getattr(ls_layers, name), getattr(keras.layers, name), arguments, inputs, call)
