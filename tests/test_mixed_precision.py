"""Half-precision compute with float32 Parameters: what is kept, what is scaled, what an overflow does."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import NonFiniteError, Sequential, load_model
from ls_core.callbacks import BackupAndRestore, Callback
from ls_core.parameter import dense_gradient
from ls_layers import (
    LSTM,
    ActivityRegularization,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalMaxPooling1D,
    LayerNormalization,
    MaxPooling2D,
)
from ls_optim import SGD, Adam


def blobs(rows: int = 96) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.arange(rows) % 3
    return (rng.normal(size=(rows, 8)) * 0.3 + np.eye(8)[y] * 2).astype("float32"), y


def small(mixed_precision: str | None = "float16", optimizer: Any = None) -> Sequential:
    layers = [Dense(16, activation="relu", kernel_regularizer="l2"), BatchNormalization(), Dropout(0.2), Dense(3, activation="softmax")]
    model = Sequential(layers)
    model.compile(optimizer or Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"], mixed_precision=mixed_precision)
    return model


def test_it_learns_as_well_and_the_parameters_stay_float32() -> None:
    histories = []
    for precision in ("float16", None):
        ls_core.set_seed(0)
        model = small(precision)
        if model._precision is not None:
            model._precision.scale = 64.0  # the first gradients are too large for 2**15, which would leave out a step
        histories.append(model.fit(*blobs(), epochs=6, batch_size=16, verbose=0, validation_split=0.25).history)
        assert {w.dtype for w in model.get_weights()} == {np.dtype("float32")}
    half, whole = histories
    np.testing.assert_allclose(half["loss"], whole["loss"], rtol=0.02)
    assert half["loss"] != whole["loss"]
    assert half["val_accuracy"][-1] == whole["val_accuracy"][-1] == 1.0


def test_the_layers_compute_in_float16() -> None:
    seen: list[Any] = []

    class Look(ls_core.Layer):
        def forward(self, x: Any, training: bool = False) -> Any:
            seen.append((training, x.dtype))
            return x, None

        def backward(self, dy: Any, saved: Any) -> Any:
            seen.append(("back", dy.dtype))
            return dy

    model = Sequential([Dense(4), Look(), Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", mixed_precision="float16")
    model.fit(*blobs(8), epochs=1, verbose=0)
    assert seen[-2:] == [(True, np.dtype("float16")), ("back", np.dtype("float16"))]
    assert model.predict(blobs(4)[0]).dtype == np.float32


def linear(rate: float, scale: float, x: float, y: float) -> tuple[Sequential, Any]:
    model = Sequential([Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(SGD(rate), "mse", mixed_precision="float16")
    model._precision.scale = scale  # type: ignore[union-attr]
    model.train_on_batch(np.full((1, 1), x, "float32"), np.full((1, 1), y, "float32"))
    return model, model.get_weights()[0].item()


def test_updates_that_float16_would_swallow_add_up() -> None:
    # y = x w, so dw = 2 (x w - y) x = 2 * 0.5; 1 - 1e-5 is 1 in float16
    _, weight = linear(1e-5, 1.0, 1.0, 0.5)
    assert weight == pytest.approx(1 - 1e-5, abs=6e-8)


def test_gradients_below_float16_are_saved_by_the_scale() -> None:
    # dw = 2 (1 - 0.9995) * 2**-14 ... below the smallest float16 of 6e-8
    wanted = 2 * (2.0**-14 - 2.0**-14 * (1 + 2.0**-10)) * 2.0**-14
    assert abs(wanted) < 6e-8
    _, lost = linear(1e6, 1.0, 2.0**-14, 2.0**-14 * (1 + 2.0**-10))
    _, kept = linear(1e6, 2.0**15, 2.0**-14, 2.0**-14 * (1 + 2.0**-10))
    assert lost == 1.0
    assert kept - 1 == pytest.approx(-wanted * 1e6, rel=1e-2)


def test_an_overflow_leaves_the_step_out_and_halves_the_scale() -> None:
    model, weight = linear(0.1, 2.0**40, 1.0, 0.0)
    assert weight == 1.0
    precision: Any = model._precision
    assert precision.scale == 2.0**39
    assert model.optimizer.iterations == 0
    history = model.fit(np.ones((1, 1)), np.zeros((1, 1)), epochs=40, verbose=0).history
    assert precision.scale <= 2.0**15
    assert np.isfinite(history["loss"]).all()
    assert abs(model.get_weights()[0].item()) < 0.1
    precision.good_steps, precision.scale = 1999, 8.0
    model.train_on_batch(np.ones((1, 1)), np.zeros((1, 1)))
    assert (precision.scale, precision.good_steps) == (16.0, 0)


def test_what_no_scale_can_save_is_told() -> None:
    model = small()
    x, y = blobs(16)
    x[0, 0] = np.nan
    with pytest.raises(NonFiniteError, match="input 0"):
        model.fit(x, y, epochs=100, batch_size=16, verbose=0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_texts_recurrent_layers_and_row_gradients(dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 50, (60, 8))
    y = (x == 7).any(axis=1).astype(int)
    for body in ([LSTM(8)], [Conv1D(8, 3, activation="relu"), GlobalMaxPooling1D()]):
        model = Sequential([Embedding(50, 8), *body, Dense(2, activation="softmax")])
        model.compile(Adam(0.02), "sparse_categorical_crossentropy", mixed_precision=dtype)
        losses = model.fit(x, y, epochs=15, batch_size=20, verbose=0).history["loss"]
        assert losses[-1] < 0.5 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_pictures_of_digits(dtype: str) -> None:
    """1,500 pictures of 8 x 8 from scikit-learn: the curve of float32, and as many digits told apart."""
    digits = pytest.importorskip("sklearn.datasets", reason="scikit-learn brings the pictures").load_digits()
    x, y = (digits.images[..., None] / 16).astype("float32"), digits.target
    histories = []
    for precision in (dtype, None):
        ls_core.set_seed(0)
        model = Sequential([Conv2D(16, 3, activation="relu"), MaxPooling2D(2), Flatten(), Dropout(0.2), Dense(10, activation="softmax")])
        model.compile(Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"], mixed_precision=precision)
        data = (x[1500:], y[1500:])
        histories.append(model.fit(x[:1500], y[:1500], epochs=8, batch_size=50, validation_data=data, verbose=0).history)
    half, whole = histories
    np.testing.assert_allclose(half["loss"], whole["loss"], rtol=0.05)
    assert half["loss"][-1] < 0.15 * half["loss"][0]
    assert half["val_accuracy"][-1] > whole["val_accuracy"][-1] - 0.02 > 0.8


def test_it_is_saved_resumed_and_refused(tmp_path: Path) -> None:
    model = small()
    model.fit(*blobs(), epochs=1, verbose=0)
    model.save(tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors")._precision.dtype == "float16"
    ls_core.assert_resumable(model, blobs())

    class Crash(Callback):
        place = 4

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if self.model._precision.scale < 2.0**20:
                raise KeyError

    def run(*callbacks: Callback) -> list[bytes]:
        ls_core.set_seed(0)
        fresh = small()
        fresh._precision.scale = 2.0**30  # type: ignore[union-attr]
        fresh.fit(*blobs(), epochs=2, batch_size=8, verbose=0, callbacks=callbacks)
        return [w.tobytes() for w in fresh.get_weights()]

    whole = run()
    with pytest.raises(KeyError):
        run(BackupAndRestore(tmp_path / "run.ckpt", save_freq=1), Crash())
    assert run(BackupAndRestore(tmp_path / "run.ckpt", save_freq=1)) == whole
    with pytest.raises(ValueError, match="'float16', 'bfloat16' or None, not 'float8'"):
        small("float8")


def gradients(model: Sequential, x: Any, y: Any, mixed_precision: str | None, loss: str) -> list[np.ndarray]:
    """Of one step, which changes nothing."""
    found: list[np.ndarray] = []
    model.compile(SGD(0.0), loss, mixed_precision=mixed_precision)
    model.gradient_watchers = (lambda parameters: found.extend(ls_core.to_host(dense_gradient(p.grad)) for p in parameters if p.trainable),)
    model.train_on_batch(x, y)
    return found


def assert_near(got: list[np.ndarray], wanted: list[np.ndarray], bound: float) -> None:
    assert len(got) == len(wanted) > 0
    for a, b in zip(got, wanted, strict=True):
        assert a.dtype == b.dtype == np.float32
        assert np.abs(a - b).max() <= bound * np.abs(b).max()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_penalties_on_activities_are_scaled_too(dtype: str) -> None:
    model = Sequential([Dense(6, activation="tanh", activity_regularizer="l2"), Dense(3), ActivityRegularization(l1=0.2, l2=0.1)])
    x, y = np.random.default_rng(0).normal(size=(2, 8, 3)).astype("float32")
    wanted, wanted_loss = gradients(model, x, y, None, "mse"), model.evaluate(x, y, verbose=0)
    assert_near(gradients(model, x, y, dtype, "mse"), wanted, 0.02)
    assert model.train_on_batch(x, y) == pytest.approx(wanted_loss, rel=0.01)


# --- bfloat16 -------------------------------------------------------------------------------------------------------------

ROUNDING = 2.0**-8  # relative, of one rounding


def text_net() -> tuple[Sequential, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    layers = [Embedding(30, 6), Conv1D(8, 3, activation="gelu"), LayerNormalization(), LSTM(5), Dense(3, activation="softmax")]
    return Sequential(layers), rng.integers(0, 30, (12, 9)), rng.integers(0, 3, 12)


def dense_net() -> tuple[Sequential, np.ndarray, np.ndarray]:
    return Sequential([Dense(16, activation="relu"), BatchNormalization(), Dense(3, activation="softmax")]), *blobs(24)


@pytest.mark.parametrize("backend", ["numpy", "standin"])
@pytest.mark.parametrize("make", [dense_net, text_net])
def test_bfloat16_gradients(make: Any, backend: str) -> None:
    with ls_core.use_backend(backend):
        model, x, y = make()
        wanted = gradients(model, x, y, None, "sparse_categorical_crossentropy")
        got = gradients(model, x, y, "bfloat16", "sparse_categorical_crossentropy")
    assert_near(got, wanted, 10 * ROUNDING)  # a few roundings, one after the other
    assert any((a != b).any() for a, b in zip(got, wanted, strict=True))


@pytest.mark.parametrize("backend", ["numpy", "standin"])
def test_bfloat16_learns_as_well(backend: str) -> None:
    histories = []
    for precision in ("bfloat16", None):
        ls_core.set_seed(0)
        with ls_core.use_backend(backend):
            model = small(precision)
            histories.append(model.fit(*blobs(), epochs=6, batch_size=16, verbose=0, validation_split=0.25).history)
        assert {w.dtype for w in model.get_weights()} == {np.dtype("float32")}
    half, whole = histories
    np.testing.assert_allclose(half["loss"], whole["loss"], rtol=0.02)
    assert half["loss"] != whole["loss"]
    assert half["val_accuracy"][-1] == whole["val_accuracy"][-1] == 1.0


@pytest.mark.parametrize("backend", ["numpy", "standin"])
def test_layers_are_given_and_hand_on_bfloat16(backend: str) -> None:
    seen: list[np.ndarray] = []

    class Look(ls_core.Layer):
        def forward(self, x: Any, training: bool = False) -> Any:
            seen.append(x)
            return x, None

        def backward(self, dy: Any, saved: Any) -> Any:
            seen.append(dy)
            return dy

    with ls_core.use_backend(backend):
        model = Sequential([Look(), Dense(4, activation="gelu"), Look(), Dense(3, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy", mixed_precision="bfloat16")
        model.fit(*blobs(8), epochs=1, verbose=0)
        *_, x, h, dh = seen
        for array in (x, h, dh):
            assert str(array.dtype) == {"numpy": "float32", "standin": "bfloat16"}[backend]
            host = ls_core.to_host(array).astype("float32")
            np.testing.assert_array_equal(host, host.astype("bfloat16").astype("float32"))
        assert model.predict(blobs(4)[0]).dtype == np.float32


def test_bfloat16_is_never_scaled_and_has_float32s_range() -> None:
    model = Sequential([Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(SGD(1e-12), "mse", mixed_precision="bfloat16")
    model.train_on_batch(np.full((1, 1), 2.0**20, "float32"), np.zeros((1, 1), "float32"))  # dw = 2**41, beyond float16
    assert model._precision.get_state() == {"scale": 1.0, "good_steps": 0}  # type: ignore[union-attr]
    assert model.get_weights()[0].item() == pytest.approx(1 - 1e-12 * 2.0**41)
    with pytest.raises(NonFiniteError, match="input 0"):
        model.train_on_batch(np.full((1, 1), np.nan), np.zeros((1, 1)))


def test_bfloat16_is_saved_and_resumed(tmp_path: Path) -> None:
    model = small("bfloat16")
    model.fit(*blobs(), epochs=1, verbose=0)
    model.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded._precision.dtype == "bfloat16"
    for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True):
        assert (a.dtype, a.tobytes()) == (np.dtype("float32"), b.tobytes())
    assert any((w != w.astype("bfloat16").astype("float32")).any() for w in model.get_weights()), "the masters have all their digits"
    ls_core.assert_resumable(model, blobs())


def test_bfloat16_needs_ml_dtypes_and_cupy_14(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(ImportError, match=r"ls-engine\[bf16\]"):
        small("bfloat16")
    monkeypatch.undo()
    model = small("bfloat16")
    model._all_parameters = [ls_core.Parameter(np.zeros(1))]
    old = SimpleNamespace(name="cupy", xp=SimpleNamespace(__version__="13.6.0"))
    monkeypatch.setattr("ls_core.mixed_precision.backend_of", lambda x: old)
    with pytest.raises(ValueError, match=r"CuPy 14.0.0 or later, this is 13.6.0"):
        model._precision.check(model)  # type: ignore[union-attr]


@pytest.mark.parametrize(("precision", "waits"), [("float16", 1), ("bfloat16", 0)])
def test_waits_of_a_step_on_a_device(precision: str, waits: int) -> None:
    from ls_core.testing.standin import host_syncs

    with ls_core.use_backend("standin"):
        model = Sequential([Dense(4, activation="tanh"), Dense(3, activation="softmax")])
        model.compile(SGD(0.1), "sparse_categorical_crossentropy", mixed_precision=precision)
        x, y = blobs(8)
        model.train_on_batch(x, y)
        tracker = ls_core.tracking.LossTracker(model._objective)
        batch = ((ls_core.to_device(x),), ls_core.to_device(y), None)
        with host_syncs() as found:
            model.train_step(*batch, tracker)
        assert len(found) == waits
