"""Recompute: the same bits for less memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import Input, Model, Recompute, Sequential, load_model
from ls_core.recompute import compare_recompute
from ls_core.summary import cache_bytes
from ls_layers import (
    LSTM,
    ActivityRegularization,
    Add,
    BatchNormalization,
    Dense,
    Dropout,
    Embedding,
    GaussianNoise,
    GlobalAveragePooling1D,
    MultiHeadAttention,
)


def block() -> Sequential:
    layers = [Dense(16, activation="relu"), BatchNormalization(), Dropout(0.4), ActivityRegularization(l2=0.01), GaussianNoise(0.1)]
    return Sequential([*layers, Dense(8, activation="tanh")], name="block")


def trained(wrap: Any, rows: int = 32) -> tuple[list[bytes], list[float]]:
    ls_core.set_seed(3)
    rng = np.random.default_rng(0)
    model = Sequential([Dense(8), wrap(block()), Dense(3, activation="softmax")], name="model")
    model.compile("adam", "sparse_categorical_crossentropy")
    history = model.fit(rng.normal(size=(rows, 5)), rng.integers(0, 3, rows), batch_size=8, epochs=3, verbose=0)
    return [w.tobytes() for w in model.get_weights()], history.history["loss"]


def test_training_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    # a wrapper that only passes on gives the inner streams the same names
    class Plain(Recompute):
        def forward(self, *inputs: Any, mask: Any = None, training: bool = False, **options: Any) -> Any:
            return self.layer.forward(*inputs, training=training)

        def backward(self, dy: Any, saved: Any, input_gradient: bool = True) -> Any:
            return self.layer.backward(dy, saved, input_gradient)

    def plain(layer: Any) -> Any:
        return Plain(layer, name="recompute")

    assert trained(Recompute) == trained(plain)


def test_only_the_inputs_are_kept() -> None:
    x = np.ones((64, 8), "float32")
    inner = block()
    layer = Recompute(inner)
    _, cache = layer.forward(x, training=True)
    _, plain = inner.forward(x, training=True)
    # beside x, the 2 x 16 moving statistics that the second forward begins from
    assert cache_bytes(cache) <= x.nbytes + 4 * 4 * 16 + 64
    assert cache_bytes(plain) > 8 * x.nbytes


def test_moving_statistics_and_streams_move_once() -> None:
    def run(wrap: bool) -> Any:
        ls_core.set_seed(0)
        inner = block()
        layer = Recompute(inner) if wrap else inner
        x = np.random.default_rng(1).normal(size=(16, 4))
        y, cache = layer.forward(x, training=True)
        dx = layer.backward(np.ones_like(y), cache)
        state = [p.value.copy() for p in inner.parameters() if p.state]
        grads = [p.grad for p in inner.parameters() if p.grad is not None]
        last = [s["state"] for n, s in sorted(ls_core.get_random_state()["streams"].items()) if n.endswith(("mask", "noise"))]
        return state, grads, dx.shape, last

    wrapped, plain = run(True), run(False)
    assert all(np.shares_memory(a, b) is False for a, b in zip(wrapped[0], plain[0], strict=True))
    for a, b in zip(wrapped[0], plain[0], strict=True):
        np.testing.assert_allclose(a, b, atol=0.05)  # the streams have other names, so other masks
    ls_core.set_seed(0)
    layer = Recompute(block())
    x = np.ones((4, 4))
    layer.forward(x, training=True)
    streams = ls_core.get_random_state()["streams"]
    y, cache = layer.forward(x, training=True)
    moved = ls_core.get_random_state()["streams"]
    assert moved != streams
    statistics = [p.value.copy() for p in layer.parameters() if p.state]
    layer.backward(np.ones_like(y), cache)
    assert ls_core.get_random_state()["streams"] == moved
    for p, value in zip([p for p in layer.parameters() if p.state], statistics, strict=True):
        assert (p.value == value).all()


def test_the_first_call_within_training_is_recomputed_too() -> None:
    x = np.random.default_rng(0).normal(size=(5, 3))
    layer = Recompute(Sequential([Dense(4), Dropout(0.5), Dense(2)]))
    y, cache = layer.forward(x, training=True)
    seen: list[Any] = []
    inner = layer.layer
    forward = inner.forward
    inner.__dict__["forward"] = lambda *a, **o: seen.append(forward(*a, **o)) or seen[-1]
    layer.backward(np.ones_like(y), cache)
    np.testing.assert_array_equal(seen[0][0], y)


def test_stateful_layers_begin_where_they_began() -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 3))

    def run(wrap: bool) -> Any:
        ls_core.set_seed(1)
        inner = LSTM(3, stateful=True, kernel_initializer="ones", recurrent_initializer="ones")
        layer = Recompute(inner) if wrap else inner
        for _ in range(2):
            y, cache = layer.forward(x, training=True)
        dx = layer.backward(np.ones_like(y), cache)
        return [dx, *(p.grad for p in inner.parameters()), *(s.value for s in inner.states)]

    for a, b in zip(run(True), run(False), strict=True):
        np.testing.assert_array_equal(a, b)


def test_in_a_graph_with_masks_and_several_inputs(tmp_path: Any) -> None:
    ids = Input((6,), dtype="int32")
    h = Recompute(Sequential([Embedding(20, 8, mask_zero=True)], name="words"))(ids)
    attended = Recompute(MultiHeadAttention(2, 4))(h, h)
    model = Model(ids, Dense(2, activation="softmax")(GlobalAveragePooling1D()(Add()([h, attended]))))
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    x = rng.integers(1, 20, (12, 6))
    x[:, 4:] = 0
    before = model.predict(x)
    np.testing.assert_allclose(before, model.predict(np.where(x == 0, 0, x)), rtol=1e-6)
    assert model.fit(x, rng.integers(0, 2, 12), epochs=2, verbose=0).history["loss"][-1] > 0
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert again.loaded_as == "identical"
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


def test_the_mask_of_a_sequential_inside_reaches_the_next_layer() -> None:
    x = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    words = Embedding(5, 3, mask_zero=True)
    plain = Sequential([words, GlobalAveragePooling1D()])
    y = plain(x)
    inner = Sequential([words])
    np.testing.assert_allclose(Sequential([Recompute(inner), GlobalAveragePooling1D()])(x), y, rtol=1e-6)


def test_time_and_memory_are_measured() -> None:
    found = compare_recompute(block(), np.ones((32, 8)))
    assert found.recomputed_bytes < found.plain_bytes / 3
    assert found.plain_seconds > 0
    assert "ms a step" in str(found)
    with pytest.raises(TypeError, match="wraps a layer"):
        Recompute(3)
