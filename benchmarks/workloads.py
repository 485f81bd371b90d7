"""The eight training steps that LS is measured by, each as a model of LS and as its twin in PyTorch.

A workload gives ``make()`` (a compiled LS model), ``inputs`` and ``targets``, and ``twin(weights)``: a PyTorch module that
starts from the same weights and returns logits (or values) for the same loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ls_core import Input, Model, Sequential
from ls_layers import (
    GRU,
    LSTM,
    Add,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    GlobalAveragePooling2D,
    LayerNormalization,
    MaxPooling1D,
    MaxPooling2D,
    MultiHeadAttention,
    PositionEmbedding,
    ReLU,
    ReversibleEmbedding,
)


@dataclass(frozen=True)
class Workload:
    """One training step."""

    name: str
    make: Callable[[], Any]
    inputs: Callable[[np.random.Generator], np.ndarray]
    targets: Callable[[np.random.Generator], np.ndarray]
    twin: Callable[[list[np.ndarray]], Any]
    from_logits: bool = False


def _dense(torch: Any, kernel: np.ndarray, bias: np.ndarray) -> Any:
    layer = torch.nn.Linear(*kernel.shape)
    layer.weight.data = torch.tensor(kernel.T).contiguous()
    layer.bias.data = torch.tensor(bias)
    return layer


def _conv(torch: Any, kernel: np.ndarray, bias: np.ndarray | None, padding: Any) -> Any:
    rank = kernel.ndim - 2
    make = (torch.nn.Conv1d, torch.nn.Conv2d)[rank - 1]
    layer = make(kernel.shape[-2], kernel.shape[-1], kernel.shape[:-2], padding=padding, bias=bias is not None)
    layer.weight.data = torch.tensor(np.moveaxis(kernel, (-1, -2), (0, 1))).contiguous()
    if bias is not None:
        layer.bias.data = torch.tensor(bias)
    return layer


# --- multilayer perceptrons ----------------------------------------------------------------------------


def _mlp(*sizes: int) -> Sequential:
    hidden = [Dense(n, activation="relu") for n in sizes[1:-1]]
    return Sequential([Input((sizes[0],)), *hidden, Dense(sizes[-1], activation="softmax")])


def _mlp_twin(weights: list[np.ndarray]) -> Any:
    import torch

    layers: list[Any] = []
    for i in range(0, len(weights), 2):
        layers += [_dense(torch, weights[i], weights[i + 1]), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


# --- the README's text CNN -------------------------------------------------------------------------------


def _text_cnn() -> Sequential:
    return Sequential(
        [
            Input((200,), dtype="int64"),
            Embedding(input_dim=10000, output_dim=128),
            Conv1D(filters=32, kernel_size=3, padding="same"),
            MaxPooling1D(pool_size=2),
            Flatten(),
            Dense(64, activation="relu"),
            Dense(10, activation="softmax"),
        ]
    )


def _text_cnn_twin(weights: list[np.ndarray]) -> Any:
    import torch

    table, kernel, bias, w1, b1, w2, b2 = weights

    class Twin(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding.from_pretrained(torch.tensor(table), freeze=False)
            self.conv = _conv(torch, kernel, bias, "same")
            # LS flattens (time, channels), PyTorch (channels, time): the same numbers in another order
            order = np.arange(3200).reshape(100, 32).T.ravel()
            self.first, self.second = _dense(torch, w1[order], b1), _dense(torch, w2, b2)

        def forward(self, ids: Any) -> Any:
            h = self.conv(self.table(ids).transpose(1, 2))
            h = torch.nn.functional.max_pool1d(h, 2).flatten(1)
            return self.second(torch.relu(self.first(h)))

    return Twin()


# --- recurrent --------------------------------------------------------------------------------------------


def _lstm() -> Sequential:
    return Sequential([Input((100,), dtype="int64"), Embedding(10000, 128), LSTM(128), Dense(10, activation="softmax")])


def _lstm_twin(weights: list[np.ndarray]) -> Any:
    import torch

    table, kernel, recurrent, bias, w, b = weights

    class Twin(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding.from_pretrained(torch.tensor(table), freeze=False)
            self.lstm = torch.nn.LSTM(128, 128, batch_first=True)  # gates i, f, g, o: Keras' i, f, c, o
            self.lstm.weight_ih_l0.data = torch.tensor(kernel.T).contiguous()
            self.lstm.weight_hh_l0.data = torch.tensor(recurrent.T).contiguous()
            self.lstm.bias_ih_l0.data = torch.tensor(bias)
            self.lstm.bias_hh_l0.data = torch.zeros(512)
            self.lstm.bias_hh_l0.requires_grad_(False)  # Keras has one bias, PyTorch two that add up
            self.out = _dense(torch, w, b)

        def forward(self, ids: Any) -> Any:
            return self.out(self.lstm(self.table(ids))[0][:, -1])

    return Twin()


def _gru() -> Sequential:
    return Sequential([Input((80, 40)), GRU(96, return_sequences=True), GRU(96), Dense(10, activation="softmax")])


def _gru_twin(weights: list[np.ndarray]) -> Any:
    import torch

    def order(a: np.ndarray) -> np.ndarray:  # Keras' gates z, r, h; PyTorch's r, z, n
        z, r, h = np.split(a, 3, axis=-1)
        return np.concatenate([r, z, h], axis=-1)

    def layer(kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> Any:
        gru = torch.nn.GRU(kernel.shape[0], 96, batch_first=True)
        gru.weight_ih_l0.data = torch.tensor(order(kernel).T).contiguous()
        gru.weight_hh_l0.data = torch.tensor(order(recurrent).T).contiguous()
        gru.bias_ih_l0.data, gru.bias_hh_l0.data = torch.tensor(order(bias[0])), torch.tensor(order(bias[1]))
        return gru

    class Twin(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = layer(*weights[:3]), layer(*weights[3:6])
            self.out = _dense(torch, *weights[6:])

        def forward(self, x: Any) -> Any:
            return self.out(self.second(self.first(x)[0])[0][:, -1])

    return Twin()


# --- images --------------------------------------------------------------------------------------------------


def _conv_net() -> Sequential:
    return Sequential(
        [
            Input((28, 28, 1)),
            Conv2D(32, 3, padding="same", activation="relu"),
            Conv2D(64, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            Conv2D(64, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            Flatten(),
            Dense(10, activation="softmax"),
        ]
    )


def _conv_net_twin(weights: list[np.ndarray]) -> Any:
    import torch

    functional = torch.nn.functional
    *convs, w, b = weights
    order = np.arange(7 * 7 * 64).reshape(7, 7, 64).transpose(2, 0, 1).ravel()

    class Twin(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.three = (_conv(torch, convs[i], convs[i + 1], "same") for i in (0, 2, 4))
            self.out = _dense(torch, w[order], b)

        def forward(self, x: Any) -> Any:
            h = torch.relu(self.two(torch.relu(self.one(x.permute(0, 3, 1, 2)))))
            h = torch.relu(self.three(functional.max_pool2d(h, 2)))
            return self.out(functional.max_pool2d(h, 2).flatten(1))

    return Twin()


def _norm_net() -> Sequential:
    def block(filters: int) -> list[Any]:
        return [Conv2D(filters, 3, padding="same", use_bias=False), BatchNormalization(momentum=0.9, epsilon=1e-5), ReLU()]

    return Sequential(
        [
            Input((32, 32, 3)),
            *block(32),
            *block(32),
            MaxPooling2D(2),
            *block(64),
            *block(64),
            GlobalAveragePooling2D(),
            Dense(10, activation="softmax"),
        ]
    )


def _norm_net_twin(weights: list[np.ndarray]) -> Any:
    import torch

    *blocks, w, b = weights

    def block(kernel: np.ndarray, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> list[Any]:
        norm = torch.nn.BatchNorm2d(len(gamma))
        norm.weight.data, norm.bias.data = torch.tensor(gamma), torch.tensor(beta)
        return [_conv(torch, kernel, None, "same"), norm, torch.nn.ReLU()]

    class Twin(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            parts = [block(*blocks[i : i + 5]) for i in range(0, 20, 5)]
            self.body = torch.nn.Sequential(*parts[0], *parts[1], torch.nn.MaxPool2d(2), *parts[2], *parts[3])
            self.out = _dense(torch, w, b)

        def forward(self, x: Any) -> Any:
            return self.out(self.body(x.permute(0, 3, 1, 2)).mean(dim=(2, 3)))

    return Twin()


# --- a small GPT ----------------------------------------------------------------------------------------------


VOCABULARY, WIDTH, HEADS, DEPTH, LENGTH = 5000, 256, 8, 4, 128


def _gpt() -> Model:
    ids = Input((LENGTH,), dtype="int64")
    table = ReversibleEmbedding(VOCABULARY, WIDTH)
    h = table(ids)
    h = PositionEmbedding(LENGTH)(h)  # h + positions
    for _ in range(DEPTH):
        n = LayerNormalization(epsilon=1e-5)(h)
        h = Add()([h, MultiHeadAttention(HEADS, WIDTH // HEADS)(n, n, use_causal_mask=True)])
        n = LayerNormalization(epsilon=1e-5)(h)
        h = Add()([h, Dense(WIDTH)(Dense(4 * WIDTH, activation="relu")(n))])
    return Model(ids, table(LayerNormalization(epsilon=1e-5)(h), reverse=True))


def _gpt_twin(weights: list[np.ndarray]) -> Any:
    import torch

    functional = torch.nn.functional
    table, positions, *rest = weights

    def norm(gamma: np.ndarray, beta: np.ndarray) -> Any:
        layer = torch.nn.LayerNorm(WIDTH)
        layer.weight.data, layer.bias.data = torch.tensor(gamma), torch.tensor(beta)
        return layer

    class Block(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, parts: list[np.ndarray]) -> None:
            super().__init__()
            g1, b1, wq, bq, wk, bk, wv, bv, wo, bo, g2, b2, w1, c1, w2, c2 = parts
            self.before, self.between = norm(g1, b1), norm(g2, b2)
            kernels = np.concatenate([k.reshape(WIDTH, WIDTH) for k in (wq, wk, wv)], axis=1)
            self.qkv = _dense(torch, kernels, np.concatenate([b.ravel() for b in (bq, bk, bv)]))
            self.join = _dense(torch, wo.reshape(WIDTH, WIDTH), bo)
            self.up, self.down = _dense(torch, w1, c1), _dense(torch, w2, c2)

        def forward(self, h: Any) -> Any:
            q, k, v = (
                part.view(*h.shape[:2], HEADS, WIDTH // HEADS).transpose(1, 2) for part in self.qkv(self.before(h)).split(WIDTH, dim=2)
            )
            a = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            h = h + self.join(a.transpose(1, 2).reshape(h.shape))
            return h + self.down(torch.relu(self.up(self.between(h))))

    class Twin(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding.from_pretrained(torch.tensor(table), freeze=False)
            self.positions = torch.nn.Parameter(torch.tensor(positions))
            self.blocks = torch.nn.Sequential(*(Block(rest[i : i + 16]) for i in range(0, 16 * DEPTH, 16)))
            self.last = norm(*rest[-2:])

        def forward(self, ids: Any) -> Any:
            h = self.blocks(self.table(ids) + self.positions)
            return self.last(h) @ self.table.weight.T

    return Twin()


def _normal(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda g: g.normal(size=shape).astype(np.float32)


def _ids(high: int, *shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda g: g.integers(0, high, shape)


# Made before memory is measured: small, and just large enough for the code of large products to be loaded.
WARM_UP = Workload("MLP 64-64-10, batch 128", lambda: _mlp(64, 64, 10), _normal(128, 64), _ids(10, 128), _mlp_twin)
WORKLOADS = [
    Workload("tiny MLP 8-16-3, batch 16", lambda: _mlp(8, 16, 3), _normal(16, 8), _ids(3, 16), _mlp_twin),
    Workload("MLP 784-512-256-10, batch 128", lambda: _mlp(784, 512, 256, 10), _normal(128, 784), _ids(10, 128), _mlp_twin),
    Workload("text CNN, 32 x 200", _text_cnn, _ids(10000, 32, 200), _ids(10, 32), _text_cnn_twin),
    Workload("Embedding-LSTM(128), 32 x 100", _lstm, _ids(10000, 32, 100), _ids(10, 32), _lstm_twin),
    Workload("two GRU(96), 32 x 80 x 40", _gru, _normal(32, 80, 40), _ids(10, 32), _gru_twin),
    Workload("conv net, 64 x 28 x 28 x 1", _conv_net, _normal(64, 28, 28, 1), _ids(10, 64), _conv_net_twin),
    Workload("batch-norm conv net, 32 x 32 x 32 x 3", _norm_net, _normal(32, 32, 32, 3), _ids(10, 32), _norm_net_twin),
    Workload("GPT 4 x 256, 8 x 128 tokens", _gpt, _ids(VOCABULARY, 8, LENGTH), _ids(VOCABULARY, 8, LENGTH), _gpt_twin, from_logits=True),
]
