"""Files and places that a model should not be read from or written to; models in pickles and in threads."""

from __future__ import annotations

import copy
import json
import os
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ls_core import FileError, Input, Layer, Model, NotBuiltError, Sequential, load_model, register_serializable
from ls_layers import LSTM, Bidirectional, Conv1D, Dense, Dropout, Embedding, GlobalMaxPooling1D


def texts() -> Any:
    model = Sequential([Embedding(50, 4), Conv1D(3, 3, padding="same"), GlobalMaxPooling1D(), Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(["a b c", "c d e"] * 5, ["x", "y"] * 5, verbose=0)
    return model


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("files") / "model.safetensors"
    texts().save(path)
    return path.read_bytes()


NASTY: list[Any] = [
    None,
    -1,
    2**70,
    1.5,
    "x",
    "../../x",
    "\ud800",
    [],
    {},
    [[]],
    True,
    {"class_name": "os.system", "config": {}},
    [10**9] * 3,
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list):
        for i in range(len(value)):
            yield from places(value[i], (*path, i))


@pytest.mark.filterwarnings("ignore::UserWarning")  # weights that repeat their outputs otherwise are loaded, with a warning
@pytest.mark.parametrize("nasty", range(len(NASTY)))
def test_whatever_stands_in_the_configuration_is_a_file_error_or_a_model(raw: bytes, nasty: int, tmp_path: Path) -> None:
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    inner = json.loads(header["__metadata__"]["ls"])
    path = tmp_path / "bad.safetensors"
    refused = unnamed = 0
    for place in places(inner):
        changed = copy.deepcopy(inner)
        if not place:
            changed = NASTY[nasty]
        else:
            at = changed
            for name in place[:-1]:
                at = at[name]
            at[place[-1]] = NASTY[nasty]
        header["__metadata__"]["ls"] = json.dumps(changed)
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
        try:
            load_model(path)
        except FileError as error:
            unnamed += str(path) not in str(error)
            refused += 1
    assert refused > 20
    assert not unnamed


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="is a device or a pipe.*Nothing was written"):
        texts().save(pipe)
    assert pipe.is_fifo()


def test_a_link_stays_and_a_file_keeps_its_mode(tmp_path: Path) -> None:
    model, target, link = texts(), tmp_path / "models 1" / "ä.safetensors", tmp_path / "latest"
    target.parent.mkdir()
    model.save(target)
    target.chmod(0o640)
    link.symlink_to(target)
    model.save(link)
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert load_model(link).predict(["a b"]).tobytes() == model.predict(["a b"]).tobytes()


def graph() -> Any:
    a, b = Input((6, 4), name="a"), Input((3,), name="b")
    shared = Dense(3, activation="relu")
    y = Dense(2)(Bidirectional(LSTM(3), merge_mode="sum")(a))
    model = Model([a, b], [y, Dropout(0.5)(shared(shared(b)))])
    model.compile("adam", ["mse", "mse"])
    x = [np.ones((4, 6, 4)), np.ones((4, 3))]
    model.fit(x, [np.zeros((4, 2)), np.zeros((4, 3))], verbose=0)
    return model


def test_a_pickled_model_predicts_and_learns_the_same() -> None:
    model = texts()
    twin = pickle.loads(pickle.dumps(model))
    assert twin.predict(["a b", "d"]).tobytes() == model.predict(["a b", "d"]).tobytes()
    assert twin.predict_labels(["a b c"]) == model.predict_labels(["a b c"])
    other = graph()
    x = [np.random.default_rng(0).normal(size=shape) for shape in ((4, 6, 4), (4, 3))]
    for copied in (pickle.loads(pickle.dumps(other)), copy.deepcopy(other)):
        for one, two in zip(other.predict(x), copied.predict(x), strict=True):
            assert one.tobytes() == two.tobytes()
        before = other.get_weights()
        copied.fit(x, [np.ones((4, 2)), np.ones((4, 3))], verbose=0)
        assert all(np.array_equal(w, now) for w, now in zip(before, other.get_weights(), strict=True))


def test_threads_that_load_do_not_meet(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(raw)
    wanted = load_model(path).predict(["a b"]).tobytes()
    problems: list[Any] = []

    def load() -> None:
        for _ in range(5):
            if load_model(path).predict(["a b"]).tobytes() != wanted:
                problems.append("other bits")

    def build() -> None:
        for _ in range(20):
            try:
                Sequential([Dense(3)]).predict(np.ones((2, 2)))
            except Exception as problem:
                problems.append(problem)

    threads = [threading.Thread(target=f) for f in (load, load, build, build)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


# --- custom classes with layers inside --------------------------------------------------------------------


@register_serializable()
class Stack(Layer):
    """Layers in a list that was appended to, and in a dict."""

    def __init__(self, units: int = 3, **options: Any) -> None:
        super().__init__(**options)
        self.parts: list[Layer] = []
        for _ in range(2):
            self.parts.append(Dense(units, activation="tanh"))
        self.named = {"last": Dense(units)}

    def output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.named["last"].units)

    def forward(self, x: Any, training: bool = False) -> Any:
        caches = []
        for layer in (*self.parts, self.named["last"]):
            x, cache = layer.forward(x, training=training)
            caches.append(cache)
        return x, caches

    def backward(self, dy: Any, saved: Any) -> Any:
        for layer, cache in zip((self.named["last"], *reversed(self.parts)), reversed(saved), strict=True):
            dy = layer.backward(dy, cache)
        return dy


@register_serializable()
class Net(Model):
    """A class derived from Model, with layers as attributes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.stack, self.head = Stack(4), Dense(1)

    def forward(self, x: Any, training: bool = False) -> Any:
        h, first = self.stack.forward(x, training=training)
        y, second = self.head.forward(h, training=training)
        return y, (first, second)

    def backward(self, dy: Any, saved: Any) -> Any:
        return self.stack.backward(self.head.backward(dy, saved[1]), saved[0])


@pytest.mark.parametrize("make", [Net, lambda: Sequential([Stack(), Dense(1)]), lambda: Sequential([Net()])])
def test_layers_within_custom_classes_learn_and_are_loaded(make: Any, tmp_path: Path) -> None:
    model, path = make(), tmp_path / "model.safetensors"
    model.compile("sgd", "mse")
    x, y = np.random.default_rng(0).normal(size=(16, 3)), np.ones((16, 1))
    model.fit(x, y, verbose=0)
    assert len(model.parameters()) == 8
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    assert all(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    model.save(path)
    again = load_model(path)
    assert again.predict(x).tobytes() == model.predict(x).tobytes()
    assert again.loaded_as == "identical"
    again.fit(x, y, verbose=0)


def test_a_derived_model_that_a_file_could_not_build_is_not_written(tmp_path: Path) -> None:
    model = Net()
    model.build((None, 3))
    with pytest.raises(NotBuiltError, match="call it on data, or use save_weights"):
        model.save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_parameters_are_floats() -> None:
    with pytest.raises(TypeError, match="dtype 'int32' is no float type"):
        Dense(2, dtype="int32")(np.ones((2, 3)))


def test_what_is_no_part_of_a_model_is_not_adopted() -> None:
    model = texts()
    assert [type(layer).__name__ for layer in model._flatten()] == ["Sequential", "Embedding", "Conv1D", "GlobalMaxPooling1D", "Dense"]

    class Hidden(Stack):
        def __init__(self) -> None:
            super().__init__()
            self._more = [[Dense(1)], (Dense(2),)]

    assert len(list(Hidden()._flatten())) == 4  # itself, the dict's layer, the two of the nested list; built, also the appended ones
