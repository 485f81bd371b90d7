"""Model files: round trips, and everything that a bad file or a bad disk can do."""

from __future__ import annotations

import errno
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import FileError, Input, Layer, Model, NotBuiltError, Sequential, load_model, losses, metrics
from ls_layers import LSTM, Add, BatchNormalization, Conv1D, Conv2D, Dense, Embedding, Flatten, MaxPooling1D
from ls_optim import Adam

TEXTS, LABELS = ["good fine nice day", "bad awful poor day"] * 10, ["plus", "minus"] * 10


def trained() -> Sequential:
    model = Sequential([Embedding(50, 4), Conv1D(4, 3, padding="same"), MaxPooling1D(2), Flatten(), Dense(2, activation="softmax")])
    model.compile(Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(TEXTS, LABELS, epochs=2, verbose=0)
    return model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    trained().save(path)
    return path


def test_a_loaded_model_predicts_the_same_bits_in_a_new_process(tmp_path: Path) -> None:
    model = trained()
    path = tmp_path / "model.safetensors"
    model.save(path)
    code = f"import ls_core, sys; m = ls_core.load_model({str(path)!r}); sys.stdout.write(m.predict(['a nice day']).tobytes().hex())"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert there == model.predict(["a nice day"]).tobytes().hex()


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("loss", [losses.Huber(0.5), losses.mean_absolute_error, "mse"], ids=["object", "function", "name"])
def test_the_loss_and_the_metrics_travel_with_the_model(loss: Any, several: bool, tmp_path: Path) -> None:
    x = Input((3,))
    model = Model(x, [Dense(2, name="a")(x), Dense(1, name="b")(x)] if several else Dense(2)(x))
    model.compile("sgd", loss, metrics=[metrics.MeanSquaredError(name="mine"), "mae"])
    rng = np.random.default_rng(0)
    x, a, b = rng.normal(size=(6, 3)), rng.normal(size=(6, 2)), rng.normal(size=(6, 1))
    y = [a, b] if several else a
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.evaluate(x, y, verbose=0, return_dict=True) == model.evaluate(x, y, verbose=0, return_dict=True)
    assert again.fit(x, y, shuffle=False, verbose=0).history == model.fit(x, y, shuffle=False, verbose=0).history


def test_training_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    model = trained()
    path = tmp_path / "model.safetensors"
    model.save(path)
    again = load_model(path)
    assert again.label_index.classes == ["minus", "plus"]
    assert again.optimizer.iterations == model.optimizer.iterations
    for each in (model, again):
        each.fit(TEXTS, LABELS, epochs=1, verbose=0, shuffle=False)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_graphs_custom_layers_and_shared_weights_survive(tmp_path: Path) -> None:
    @ls_core.register_serializable()
    class Double(Layer):
        def __init__(self, factor: float = 2.0, **options: Any) -> None:
            super().__init__(**options)
            self.factor = factor

        def forward(self, x: Any, training: bool = False) -> Any:
            return x * self.factor, None

        def backward(self, dy: Any, saved: Any) -> Any:
            return dy * self.factor

    a, b = Input((3,), name="a"), Input((3,), name="b")
    shared = Dense(2, activation="tanh")
    model = Model({"a": a, "b": b}, Double(3.0)(Add()([shared(a), shared(b)])))
    path = tmp_path / "graph.safetensors"
    model.save(path)
    again = load_model(path)
    x = {"a": np.ones((2, 3), "float32"), "b": np.zeros((2, 3), "float32")}
    np.testing.assert_array_equal(again(x), model(x))
    assert len(again.parameters()) == 2


def test_tied_weights_are_saved_once_and_tied_again(tmp_path: Path) -> None:
    model = Sequential([Dense(3, name="a"), Dense(3, name="b")])
    model(np.ones((2, 3), "float32"))
    model.layers[1].kernel = model.layers[0].kernel
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.zeros((4, 3)), epochs=1, verbose=0)
    path = tmp_path / "tied.safetensors"
    model.save(path)
    again = load_model(path)
    assert len(again.parameters()) == len(model.parameters()) == 3
    assert again.layers[1].kernel is again.layers[0].kernel
    assert again.loaded_as == "identical"

    def elsewhere(header: Any, ls: Any) -> None:
        ls["ties"] = {"b/kernel": "a/__dict__"}

    rebuild(path, elsewhere)
    with pytest.raises(FileError):
        load_model(path)


def test_float64_and_weights_alone(tmp_path: Path) -> None:
    ls_core.set_floatx("float64")
    model = Sequential([Dense(2)])
    model(np.ones((1, 3)))
    model.save(tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors").get_weights()[0].dtype == np.float64
    model.save_weights(tmp_path / "w.safetensors")
    other = Sequential([Dense(2)])
    other(np.ones((1, 3)))
    other.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    wider = Sequential([Dense(3)])
    wider(np.ones((1, 3)))
    with pytest.raises(FileError, match=r"shape \(3, 2\).*\(3, 3\)"):
        wider.load_weights(tmp_path / "w.safetensors")
    with pytest.raises(FileError, match="without a model"):
        load_model(tmp_path / "w.safetensors")


# --- writing ---------------------------------------------------------------------------------------------


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no_such_folder does not exist"):
        trained().save(tmp_path / "no_such_folder" / "m.safetensors")


def test_an_unbuilt_model_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="has not seen its input shape"):
        Sequential([Dense(2)]).save(tmp_path / "m.safetensors")


def test_a_full_disk_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()

    def full(*args: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ls_core.checkpoint.write_tensor_file", full)
    with pytest.raises(OSError, match="No space left.*older file there is as it was"):
        trained().save(file)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_really_full_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.mkstemp", lambda **options: (os.open("/dev/full", os.O_WRONLY), str(tmp_path / "part")))
    with pytest.raises(OSError, match="could not write.*No space left"):
        trained().save(tmp_path / "m.safetensors")
    assert os.listdir(tmp_path) == []


def test_an_unregistered_class_is_told_before_anything_is_written(tmp_path: Path) -> None:
    class Own(Layer):
        def forward(self, x: Any, training: bool = False) -> Any:
            return x, None

        def backward(self, dy: Any, saved: Any) -> Any:
            return dy

    model = Sequential([Own()])
    model(np.ones((1, 2)))
    with pytest.raises(TypeError, match="register_serializable"):
        model.save(tmp_path / "m.safetensors")
    assert os.listdir(tmp_path) == []


# --- reading: truncated, oversized, foreign, hostile -------------------------------------------------------


def rebuild(file: Path, change: Any) -> None:
    """Rewrite the file's header by ``change(header, ls)``; the data stay."""
    raw = file.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    ls = json.loads(header["__metadata__"]["ls"])
    change(header, ls)
    header["__metadata__"]["ls"] = json.dumps(ls)
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])


@pytest.mark.parametrize("keep", [0, 5, 8, 100, -1, -1000])
def test_truncated(file: Path, keep: int) -> None:
    raw = file.read_bytes()
    file.write_bytes(raw[:keep] if keep >= 0 else raw[: len(raw) + keep])
    with pytest.raises(FileError, match="truncated"):
        load_model(file)


def test_data_behind_the_end(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(FileError, match="data behind"):
        load_model(file)


def test_a_foreign_file(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "f"
    for content in (b"PK\x03\x04" + b"0" * 100, b"hello", b"\x08\0\0\0\0\0\0\0 {}     "):
        path.write_bytes(content)
        with pytest.raises(FileError):
            load_model(path)
    save_file({"a": np.ones(3, "float32")}, str(path))
    with pytest.raises(FileError, match="not one that LS wrote"):
        load_model(path)
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "missing")


def big_units(header: Any, ls: Any) -> None:
    ls["model"]["config"]["layers"][-1]["config"]["units"] = 10**12


def big_vocabulary(header: Any, ls: Any) -> None:
    ls["model"]["config"]["layers"][0]["config"]["input_dim"] = 10**12


def overlapping(header: Any, ls: Any) -> None:
    names = [n for n in header if n.startswith("weights/")]
    header[names[0]]["data_offsets"] = header[names[1]]["data_offsets"]
    header[names[0]]["shape"] = header[names[1]]["shape"]


def huge_shape(header: Any, ls: Any) -> None:
    name = next(n for n in header if n.startswith("weights/"))
    header[name]["shape"] = [2**61, 2**61]


def negative_shape(header: Any, ls: Any) -> None:
    name = next(n for n in header if n.startswith("weights/"))
    header[name]["shape"] = [-1, -200]


def extra_weight(header: Any, ls: Any) -> None:
    ls["model"]["config"]["layers"].pop(1)


def other_format(header: Any, ls: Any) -> None:
    ls["format"] = "ls-model-99"


def wrong_config(header: Any, ls: Any) -> None:
    ls["model"]["config"]["layers"][-1]["config"]["unitz"] = 3


def no_layers(header: Any, ls: Any) -> None:
    del ls["model"]["config"]["layers"]


def wrong_dtype(header: Any, ls: Any) -> None:
    name = next(n for n in header if n.startswith("weights/"))
    header[name]["dtype"] = "O"


@pytest.mark.parametrize(
    "change",
    [big_units, big_vocabulary, overlapping, huge_shape, negative_shape, extra_weight, other_format, wrong_config, no_layers, wrong_dtype],
)
def test_a_hostile_header_is_refused_before_memory_is_taken(file: Path, change: Any) -> None:
    rebuild(file, change)
    with pytest.raises(FileError):
        load_model(file)


def test_a_configuration_that_asks_for_memory_is_refused(tmp_path: Path) -> None:
    from ls_layers import GlobalAveragePooling1D, RepeatVector

    for model in (
        Sequential([Input((4,)), RepeatVector(3), GlobalAveragePooling1D()]),
        Sequential([Input((4,)), Sequential([RepeatVector(3), GlobalAveragePooling1D()])]),
    ):
        path = tmp_path / "m.safetensors"
        model.save(path)
        assert load_model(path).loaded_as == "identical"

        def change(header: Any, ls: Any) -> None:
            layers = ls["model"]["config"]["layers"]
            inner = layers[0] if layers[0]["class_name"] == "RepeatVector" else layers[0]["config"]["layers"][0]
            inner["config"]["n"] = 10**10

        rebuild(path, change)
        with pytest.raises(FileError, match="makes 8.0e\\+10 numbers"):
            load_model(path)


def test_a_class_outside_the_registry_is_never_imported(file: Path) -> None:
    def change(header: Any, ls: Any) -> None:
        ls["model"]["config"]["layers"][-1] = {"class_name": "os>system", "module": "os", "config": {"command": "true"}}

    rebuild(file, change)
    with pytest.raises(ValueError, match="no layer called"):
        load_model(file)


def test_a_header_that_lies_about_its_length(file: Path) -> None:
    raw = file.read_bytes()
    file.write_bytes(struct.pack("<Q", 2**63) + raw[8:])
    with pytest.raises(FileError, match="truncated"):
        load_model(file)


def test_json_that_is_none(file: Path) -> None:
    raw = file.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    for text in (b'{"a": NaN}', b'{"a": 1, "a": 2}', b"[]", b"{" * 5000, b'{"\xff": 1}'):
        padded = text.ljust(length)
        file.write_bytes(raw[:8] + padded + raw[8 + length :])
        with pytest.raises(FileError):
            load_model(file)


# --- checksums and the probe -------------------------------------------------------------------------------


def test_the_safetensors_package_reads_the_file(file: Path) -> None:
    from safetensors.numpy import load_file

    model = load_model(file)
    found = load_file(file)
    for p in model.parameters():
        np.testing.assert_array_equal(found[f"weights/{p.path.partition('/')[2]}"], p.value)


@pytest.mark.parametrize("where", [-1, -100, -2000])
def test_a_flipped_bit_is_found(file: Path, where: int) -> None:
    raw = bytearray(file.read_bytes())
    raw[where] ^= 4
    file.write_bytes(raw)
    with pytest.raises(FileError, match="corrupted: the checksum of tensor '"):
        load_model(file)


def make_text_model() -> Sequential:
    layer = ls_core.text.TextVectorization(output_sequence_length=6)
    layer.adapt(TEXTS)
    model = Sequential([layer, Embedding(50, 4), Flatten(), Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(np.array(TEXTS, dtype=object), np.arange(20) % 2, epochs=1, verbose=0)
    return model


def make_graph() -> Model:
    a, b = Input((3,), name="a"), Input((5,), dtype="int32", name="b")
    model = Model([a, b], Add()([Dense(4)(a), Dense(4)(Flatten()(Embedding(7, 2)(b)))]))
    model.compile("adam", "mse")
    return model


def make_half() -> Sequential:
    model = Sequential([Input((8, 8, 1)), Conv2D(4, 3, activation="relu"), BatchNormalization(), Flatten(), Dense(2)])
    model.as_type("float16")
    return model


@pytest.mark.parametrize("make", [trained, make_text_model, make_graph, make_half])
def test_a_sound_file_is_identical(make: Any, tmp_path: Path) -> None:
    model = make()
    state = ls_core.get_random_state()
    remembered = [p.value.copy() for p in model.parameters()]
    model.save(tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors").loaded_as == "identical"
    assert ls_core.get_random_state()["streams"] == state["streams"]
    for p, value in zip(model.parameters(), remembered, strict=True):
        np.testing.assert_array_equal(p.value, value)


def test_a_stateful_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = Sequential([LSTM(3, stateful=True)])
    x = np.ones((4, 5, 2), "float32")
    model(x)
    before = [state.value.copy() for state in model.layers[0].states]
    model.save(tmp_path / "m.safetensors")
    again = load_model(tmp_path / "m.safetensors")
    assert again.loaded_as == "identical"
    assert again.layers[0].states == []
    for state, value in zip(model.layers[0].states, before, strict=True):
        np.testing.assert_array_equal(state.value, value)


def test_rounding_is_told_from_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Sequential([Dense(6, name="first"), Dense(4, activation="tanh", name="second"), Dense(2, name="third")])
    model(np.ones((1, 3), "float32"))
    path = tmp_path / "m.safetensors"
    model.save(path)
    forward = Dense.forward

    def changed(factor: float) -> Any:
        def other(self: Any, x: Any, training: bool = False) -> Any:
            y, cache = forward(self, x, training=training)
            return (y * factor if self.name == "second" else y), cache.saved

        return ls_core.protocol.with_protocol_forward(other)

    monkeypatch.setattr(Dense, "forward", changed(1 + 1e-6))
    assert load_model(path).loaded_as == "within rounding"
    monkeypatch.setattr(Dense, "forward", changed(1.01))
    with pytest.warns(UserWarning, match="the first layer whose output differs is 'second'"):
        assert load_model(path).loaded_as == "different"


def test_a_vectorisation_that_changed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.safetensors"
    trained().save(path)
    tokens = ls_core.text.TextVectorization.tokens
    monkeypatch.setattr(ls_core.text.TextVectorization, "tokens", lambda self, texts: [row[::-1] for row in tokens(self, texts)])
    with pytest.warns(UserWarning, match="vectorization of input 0 makes other ids"):
        assert load_model(path).loaded_as == "different"


def test_a_model_whose_inputs_can_not_be_guessed_is_saved_all_the_same(tmp_path: Path) -> None:
    @ls_core.register_serializable()
    class Picky(Layer):
        def forward(self, x: Any, training: bool = False) -> Any:
            if (x != 7).any():
                raise ValueError("only sevens")
            return x, None

        def backward(self, dy: Any, saved: Any) -> Any:
            return dy

    model = Sequential([Picky(), Dense(2)])
    model(np.full((1, 3), 7.0, "float32"))
    model.save(tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors").loaded_as == "not probed"


def test_a_probe_that_is_none(file: Path) -> None:
    for bad in ({"texts": 3}, {"texts": {}, "layers": [["a"]]}, [], {"texts": {}, "layers": [["a", 1]] * 99}):
        rebuild(file, lambda header, ls, bad=bad: ls.update(probe=bad))
        with pytest.raises(FileError, match="its probe is none"):
            load_model(file)
