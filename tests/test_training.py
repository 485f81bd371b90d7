"""The training loop: what it minimises, measures, returns and refuses."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ls_core
from ls_core import Input, Model, NonFiniteError, Sequential
from ls_core.callbacks import Callback, EarlyStopping
from ls_core.data import ArrayDataset, DataLoader, IterableDataset
from ls_layers import Activation, Add, Concatenate, Conv1D, Dense, Dropout, Embedding, Flatten, GlobalAveragePooling1D, MaxPooling1D
from ls_optim import SGD, Adam


def blobs(rows: int = 96, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(rows) % classes
    return rng.normal(size=(rows, 4)) * 0.3 + np.eye(4)[y] * 2, y


def small(classes: int = 3, **compiled: Any) -> Sequential:
    model = Sequential([Dense(8, activation="tanh"), Dense(classes, activation="softmax")])
    model.compile(**{"optimizer": Adam(0.01), "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **compiled})
    return model


# --- fit ---------------------------------------------------------------------------------------------


def test_fit_learns_and_the_history_says_so() -> None:
    x, y = blobs()
    history = small().fit(x, y, epochs=20, validation_split=0.25, verbose=0)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history.epoch == list(range(20))
    assert history.history["val_accuracy"][-1] == 1.0
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]


def test_one_step_is_worked_by_hand() -> None:
    # z = x w, mean squared error over one row: w <- w - rate * 2 (z - y) x
    model = Sequential([Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(SGD(0.1), "mse")
    loss = model.train_on_batch(np.array([[1.0, 2.0]]), np.array([[1.0]]))
    assert loss == pytest.approx(4.0)
    np.testing.assert_allclose(model.get_weights()[0][:, 0], [1 - 0.1 * 2 * 2 * 1, 1 - 0.1 * 2 * 2 * 2], rtol=1e-6)


def test_the_loss_is_the_mean_over_rows_not_over_batches() -> None:
    x, y = blobs(10)
    model = small(optimizer=SGD(0.0))
    whole = model.evaluate(x, y, batch_size=10)
    parts = model.evaluate(x, y, batch_size=4)
    history = model.fit(x, y, batch_size=4, epochs=1, verbose=0).history
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    np.testing.assert_allclose(history["loss"][0], whole[0], rtol=1e-5)


def test_same_seed_same_bits_twice() -> None:
    def run() -> list[np.ndarray]:
        ls_core.set_seed(5)
        model = Sequential([Dense(8, activation="relu"), Dropout(0.5), Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(*blobs(), epochs=2, verbose=0)
        return model.get_weights()

    for a, b in zip(run(), run(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_results_do_not_depend_on_unrelated_calls() -> None:
    def run(disturb: bool) -> list[np.ndarray]:
        ls_core.set_seed(5)
        if disturb:
            Dense(7)(np.ones((2, 3)))
            Dropout(0.5).forward(np.ones((9, 9)), training=True)
        model = Sequential([Dense(8), Dropout(0.5), Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        for _ in range(2):
            model.fit(*blobs(), epochs=1, verbose=0)
            if disturb:
                model.predict(blobs()[0])
                model.evaluate(*blobs())
                Dropout(0.1).forward(np.ones((5, 5)), training=True)
                np.random.default_rng().normal()
        return model.get_weights()

    for a, b in zip(run(False), run(True), strict=True):
        assert a.tobytes() == b.tobytes()


def test_two_models_trained_in_either_order_are_the_same() -> None:
    def run(order: tuple[int, int]) -> list[list[np.ndarray]]:
        ls_core.set_seed(1)
        models = [small(), small()]
        for i in order:
            models[i].fit(*blobs(), epochs=1, verbose=0)
        return [model.get_weights() for model in models]

    first, second = run((0, 1)), run((1, 0))
    assert all((a == b).all() for m, n in zip(first, second, strict=True) for a, b in zip(m, n, strict=True))
    assert not (first[0][0] == first[1][0]).all()


def test_validation_data_and_frequency() -> None:
    x, y = blobs()
    history = small().fit(x, y, epochs=4, validation_data=(x[:10], y[:10]), validation_freq=2, verbose=0).history
    assert len(history["val_loss"]) == 2


def test_generators_and_steps() -> None:
    x, y = blobs(96)

    def forever() -> Any:
        while True:
            for i in range(0, 96, 16):
                yield x[i : i + 16], y[i : i + 16]

    history = small().fit(forever(), epochs=6, steps_per_epoch=6, validation_data=(x, y), verbose=0)
    assert history.history["val_accuracy"][-1] > 0.9


def test_data_loader_and_dataset() -> None:
    x, y = blobs(96)
    loader = DataLoader(ArrayDataset(x, y), batch_size=16, shuffle=True)
    model = small()
    assert model.fit(loader, epochs=10, verbose=0).history["accuracy"][-1] > 0.9
    assert model.evaluate(loader)[1] > 0.9
    again = small()
    assert (
        again.fit(ArrayDataset(x, y), batch_size=16, epochs=10, validation_data=ArrayDataset(x, y), verbose=0).history["val_accuracy"][-1]
        > 0.9
    )
    assert again.evaluate(ArrayDataset(x, y))[1] > 0.9


def test_lists_series_and_frames_give_the_same_as_arrays() -> None:
    x, y = blobs(40)
    results = []
    for a, b in ((x, y), (x.tolist(), y.tolist()), (pd.DataFrame(x, columns=list("abcd")), pd.Series(y))):
        ls_core.set_seed(0)
        results.append(small().fit(a, b, epochs=2, verbose=0).history["loss"])
    assert results[0] == results[1] == results[2]


def test_integers_meet_a_dense_layer_as_floats() -> None:
    model = small()
    model.fit(np.arange(24).reshape(6, 4), np.array([0, 1, 2, 0, 1, 2]), epochs=1, verbose=0)
    assert {w.dtype for w in model.get_weights()} == {np.dtype("float32")}
    assert model.predict(np.arange(8).reshape(2, 4)).dtype == np.float32


def test_class_weight_and_sample_weight_weigh_alike() -> None:
    x, y = blobs(30)
    losses = []
    for options in ({"class_weight": {0: 2.0, 1: 0.5}}, {"sample_weight": np.array([2.0, 0.5, 1.0])[y]}):
        ls_core.set_seed(0)
        losses.append(small().fit(x, y, epochs=3, verbose=0, **options).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
    ls_core.set_seed(0)
    assert losses[0] != small().fit(x, y, epochs=3, verbose=0).history["loss"]


def test_the_joined_loss_is_the_loss_on_probabilities() -> None:
    x, y = blobs(30)
    model = small()
    joined = model.evaluate(x, y)[0]
    p = model.predict(x)
    apart = ls_core.losses.SparseCategoricalCrossentropy()(y, p)
    np.testing.assert_allclose(joined, apart, rtol=1e-5)
    binary = Sequential([Dense(1, activation="sigmoid")])
    binary.compile("sgd", "binary_crossentropy")
    np.testing.assert_allclose(
        binary.evaluate(x, (y > 0).reshape(-1, 1)),
        ls_core.losses.BinaryCrossentropy()((y > 0).reshape(-1, 1), binary.predict(x)),
        rtol=1e-5,
    )


def test_joining_survives_probabilities_that_round_to_zero() -> None:
    model = Sequential([Dense(2, activation="softmax", kernel_initializer="identity")])
    model.compile(SGD(0.1), "sparse_categorical_crossentropy")
    assert model.evaluate(np.array([[0.0, 300.0]]), np.array([0])) == pytest.approx(300.0)  # clipping would say 16
    model.train_on_batch(np.array([[0.0, 300.0]]), np.array([0]))
    assert np.isfinite(model.get_weights()[0]).all()


def test_regularisers_and_activity_penalties_are_in_the_loss() -> None:
    x, y = blobs(12)
    model = Sequential([Dense(3, activation="softmax", kernel_regularizer="l2", name="last")])
    model.compile(SGD(0.0), "sparse_categorical_crossentropy")
    value = model.evaluate(x, y)
    kernel = model.get_weights()[0]
    bare = ls_core.losses.SparseCategoricalCrossentropy()(y, model.predict(x))
    assert value == pytest.approx(float(bare) + 0.01 * float((kernel**2).sum()), rel=1e-5)


def test_a_masked_padding_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 20, (12, 5))
    model = Sequential([Embedding(20, 4, mask_zero=True), GlobalAveragePooling1D(), Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    padded = np.concatenate([ids, np.zeros((12, 3), int)], axis=1)
    np.testing.assert_allclose(model.predict(ids), model.predict(padded), rtol=1e-5)


class Twins(ls_core.Layer):
    """As many outputs as inputs, whose masks it lets through; ``outputs`` of them."""

    supports_masking = True

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def output_shape(self, input_shape: Any) -> Any:
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        return [shape] * self.outputs if self.outputs > 1 else shape

    def forward(self, *x: Any, training: bool = False) -> Any:
        return ((x[0],) * self.outputs if self.outputs > 1 else x[0]), None


@pytest.mark.parametrize(
    ("inputs", "outputs", "masked"), [(1, 2, [True, False]), (2, 1, [True]), (2, 2, [True, True]), (2, 3, [True, True, False])]
)
def test_masks_go_to_the_outputs_in_order(inputs: int, outputs: int, masked: list[bool]) -> None:
    ids = Input((4,), dtype="int32")
    y = Twins(outputs)([Embedding(9, 3, mask_zero=True)(ids) for _ in range(inputs)])
    model = Model(ids, y if outputs > 1 else [y])
    _, cache = model.forward(np.array([[1, 2, 0, 0]]))
    assert [mask is not None for mask in cache.mask] == masked


@pytest.mark.parametrize("kind", ["array", "loader", "unknown length"])
def test_epochs_of_some_steps_go_through_all_the_data(kind: str) -> None:
    x = np.arange(10.0).reshape(10, 1)
    seen: list[list[int]] = []

    class Look(Dense):
        def forward(self, x: Any, training: bool = False) -> Any:
            if training:
                seen.append([int(v) for v in x[:, 0]])
            return super().forward(x, training=training)

        def backward(self, dy: Any, saved: Any, input_gradient: bool = True) -> Any:
            return super().backward(dy, saved, input_gradient)

    model = Sequential([Look(1)])
    model.compile(SGD(0.0), "mse")
    data: Any = (x, x) if kind == "array" else (DataLoader(ArrayDataset(x, x), 3),)
    if kind == "unknown length":
        data = (DataLoader(IterableDataset(lambda: zip(x, x, strict=True)), 3),)
    held_out = data if kind == "array" else data[0]
    model.fit(*data, batch_size=3, epochs=5, steps_per_epoch=3, shuffle=False, verbose=0, validation_data=held_out, validation_steps=1)
    first, rest = [[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[9]]  # an epoch ends with the data, as in Keras
    assert seen == first + rest + first + rest + first


# --- several inputs and outputs ------------------------------------------------------------------------


def two_headed() -> Model:
    a, b = Input((3,), name="a"), Input((2,), name="b")
    shared = Dense(4, activation="tanh", name="shared")
    joined = Concatenate()([shared(a), Dense(4)(b)])
    kind = Dense(3, activation="softmax", name="kind")(joined)
    value = Dense(1, name="value")(Add()([shared(a), Dense(4)(joined)]))
    return Model([a, b], [kind, value])


def test_several_outputs_with_losses_weights_and_metrics() -> None:
    rng = np.random.default_rng(0)
    model = two_headed()
    model.compile(
        "adam",
        {"kind": "sparse_categorical_crossentropy", "value": "mse"},
        loss_weights={"value": 0.5},
        metrics={"kind": ["accuracy"]},
    )
    x = {"a": rng.normal(size=(20, 3)), "b": rng.normal(size=(20, 2))}
    y = {"kind": rng.integers(0, 3, 20), "value": rng.normal(size=(20, 1))}
    history = model.fit(x, y, epochs=3, validation_split=0.2, verbose=0).history
    assert {"loss", "kind_loss", "value_loss", "kind_accuracy", "val_loss", "val_kind_accuracy"} <= set(history)
    np.testing.assert_allclose(history["loss"][0], history["kind_loss"][0] + 0.5 * history["value_loss"][0], rtol=1e-5)
    kinds, values = model.predict(x)
    assert kinds.shape == (20, 3)
    assert values.shape == (20, 1)
    np.testing.assert_allclose(kinds.sum(axis=1), 1.0, rtol=1e-5)
    listed = model.predict([x["a"], x["b"]])
    np.testing.assert_array_equal(listed[0], kinds)


def test_gradients_add_where_a_value_fans_out() -> None:
    from ls_core.gradcheck import check_layer

    ls_core.set_floatx("float64")
    rng = np.random.default_rng(0)
    x = Input((4,))
    h = Dense(4, activation="tanh")(x)
    model = Model(x, Add()([h, Dense(4)(h), Activation("tanh")(h)]))
    assert check_layer(model, rng.normal(size=(3, 4))).worst.error < 1e-7
    shared = Dense(4, activation="tanh")
    twice = Model(x, shared(shared(x)))
    assert len(twice.parameters()) == 2
    assert check_layer(twice, rng.normal(size=(3, 4))).worst.error < 1e-7


def test_a_model_round_trips_through_its_configuration() -> None:
    model = two_headed()
    copy = Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    rng = np.random.default_rng(0)
    inputs = (rng.normal(size=(2, 3)).astype("float32"), rng.normal(size=(2, 2)).astype("float32"))
    for a, b in zip(model(*inputs), copy(*inputs), strict=True):
        np.testing.assert_array_equal(a, b)


def test_frozen_layers_stay_as_they_are() -> None:
    x, y = blobs()
    model = small()
    model.fit(x, y, epochs=1, verbose=0)
    model.layers[0].trainable = False
    before = model.get_weights()
    model.fit(x, y, epochs=1, verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[2] != after[2]).any()


# --- callbacks -----------------------------------------------------------------------------------------


def test_callbacks_see_every_moment_in_order() -> None:
    seen: list[str] = []

    class Watch(Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            seen.append("begin")

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            seen.append(f"epoch {epoch}")

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(f"batch {batch} {logs['loss'] > 0}")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append(f"end {sorted(logs)}")

        def on_train_end(self, logs: Any = None) -> None:
            seen.append("over")

    x, y = blobs(8)
    small(metrics=[]).fit(x, y, batch_size=4, epochs=1, callbacks=[Watch()], verbose=0)
    assert seen == ["begin", "epoch 0", "batch 0 True", "batch 1 True", "end ['loss']", "over"]


def test_early_stopping_restores_the_best_weights() -> None:
    x, y = blobs(60)
    noise = np.random.default_rng(1).permutation(y)
    model = small(optimizer=Adam(0.05))
    stop = EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True)
    history = model.fit(x, noise, epochs=200, validation_split=0.5, callbacks=[stop], verbose=0).history
    assert len(history["loss"]) < 200
    half = len(x) // 2
    assert model.evaluate(x[half:], noise[half:])[0] == pytest.approx(min(history["val_loss"]), rel=1e-5)


def test_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = blobs(8)
    small().fit(x, y, epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert "accuracy" in lines[0]
    small().fit(x, y, epochs=2, verbose=0)
    assert capsys.readouterr().out == ""


def test_ctrl_c_stops_after_the_batch_and_keeps_everything(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = blobs(64)

    class Press(Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if len(self.model.epochs_seen) == 2 and batch == 1:
                signal.raise_signal(signal.SIGINT)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.epochs_seen.append(epoch)

    model = small()
    model.epochs_seen = []
    before = signal.getsignal(signal.SIGINT)
    history = model.fit(x, y, epochs=50, batch_size=16, callbacks=[Press()], verbose=0)
    assert history.interrupted
    assert history.epoch == [0, 1]
    assert len(history.history["loss"]) == 2
    assert signal.getsignal(signal.SIGINT) is before
    assert np.isfinite(model.predict(x)).all()
    assert "Ctrl-C" in capsys.readouterr().err
    assert len(model.fit(x, y, epochs=1, verbose=0).epoch) == 1


# --- what is refused -------------------------------------------------------------------------------------


def test_fit_before_compile() -> None:
    with pytest.raises(RuntimeError, match="compile before fit"):
        Sequential([Dense(2)]).fit(np.ones((2, 2)), np.ones(2))


def test_lengths_that_differ() -> None:
    with pytest.raises(ValueError, match="100 rows.*99"):
        small().fit(np.ones((100, 4)), np.zeros(99, int))


@pytest.mark.parametrize("fraction", [1.0, 0.999, -0.1, 1.5])
def test_a_validation_split_that_leaves_nothing(fraction: float) -> None:
    with pytest.raises(ValueError, match="validation_split"):
        small().fit(*blobs(10), validation_split=fraction)


def test_a_loss_that_does_not_fit_the_last_layer() -> None:
    x, y = blobs(8)
    for last, loss, hint in (
        (Dense(3), "sparse_categorical_crossentropy", "activation='softmax'"),
        (Dense(1, activation="sigmoid"), "sparse_categorical_crossentropy", "binary_crossentropy"),
        (Dense(1), "binary_crossentropy", "activation='sigmoid'"),
        (Dense(3, activation="softmax"), ls_core.losses.SparseCategoricalCrossentropy(from_logits=True), "from_logits"),
    ):
        model = Sequential([last])
        model.compile("sgd", loss)
        with pytest.raises(ValueError, match=hint):
            model.fit(x, y, verbose=0)
    model = small(loss="categorical_crossentropy")
    with pytest.raises(ValueError, match="sparse_categorical_crossentropy|one-hot"):
        model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match="9"):
        small().fit(x, np.array([0, 1, 2, 0, 1, 2, 0, 9]), verbose=0)


def test_a_nan_loss_names_the_first_layer_and_spares_the_weights() -> None:
    class Spoil(ls_core.Layer):
        def forward(self, x: Any, training: bool = False) -> Any:
            return x * (float("nan") if training else 1.0), None

        def backward(self, dy: Any, saved: Any) -> Any:
            return dy

    x, y = blobs(8)
    model = Sequential([Dense(4, name="first"), Spoil(name="spoiler"), Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(NonFiniteError, match="first layer with a non-finite value is Spoil 'spoiler'"):
        model.fit(x, y, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    x[3, 2] = np.nan
    with pytest.raises(NonFiniteError, match="input 0"):
        small().fit(x, y, verbose=0)


def test_a_wrong_axis_is_named_with_its_origin() -> None:
    inner = Dense(5, name="head")
    inner.build((None, 7))
    inner.built = True
    model = Sequential([Conv1D(6, 3, name="conv"), inner])
    with pytest.raises(ls_core.ShapeError, match=r"Dense 'head'.*is 6.*wants 7.*Conv1D 'conv'"):
        model(np.ones((2, 9, 4)))
    with pytest.raises(ls_core.ShapeError, match="Conv1D"):
        Sequential([Conv1D(6, 3)])(np.ones((2, 9)))


def test_unknown_names_are_answered_with_close_ones() -> None:
    for part, call in (
        ("adamw", lambda: Sequential([Dense(1)]).compile("adma", "mse")),
        ("mse|mean_squared", lambda: Sequential([Dense(1)]).compile("adam", "mean_squared_eror")),
        ("relu", lambda: Dense(3, activation="rleu")),
    ):
        with pytest.raises(ValueError, match=f"(?i){part}|did you mean"):
            call()
    with pytest.raises(ValueError, match="outputs are"):
        two_headed().compile("adam", {"kindd": "mse"})


def test_an_output_that_needs_another_input() -> None:
    a, b = Input((2,), name="a"), Input((2,), name="b")
    with pytest.raises(ValueError, match="'b'"):
        Model(a, Add()([a, b]))


# --- text ------------------------------------------------------------------------------------------------


def classifier(classes: int = 2) -> Sequential:
    model = Sequential([Embedding(100, 8), Conv1D(4, 3, padding="same"), MaxPooling1D(2), Flatten(), Dense(classes, activation="softmax")])
    model.compile(Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


TEXTS = pd.DataFrame({"text": ["good fine nice day", "bad awful poor day"] * 20, "label": ["plus", "minus"] * 20})


def test_a_pandas_column_of_strings_in_labels_out() -> None:
    model = classifier()
    history = model.fit(TEXTS["text"], TEXTS["label"], epochs=12, validation_split=0.2, verbose=0).history
    assert history["val_accuracy"][-1] == 1.0
    assert model.label_index.classes == ["minus", "plus"]
    assert model.predict_labels(["a nice day", "poor day"]) == ["plus", "minus"]
    assert model.predict(["a nice day"]).shape == (1, 2)
    assert model.evaluate(TEXTS["text"], TEXTS["label"])[1] == 1.0


def test_the_vocabulary_is_learned_from_the_training_part_alone() -> None:
    frame = TEXTS.copy()
    frame.loc[frame.index[-4:], "text"] = "leaking words everywhere here"
    model = classifier()
    model.fit(frame["text"], frame["label"], epochs=1, validation_split=0.2, verbose=0)
    assert "leaking" not in model.vectorizations[0].get_vocabulary()
    assert "nice" in model.vectorizations[0].get_vocabulary()


def test_bad_texts_and_labels_are_named() -> None:
    frame = TEXTS.copy()
    frame.loc[3, "text"] = None
    with pytest.raises(ValueError, match=r"missing.*position 3.*dropna"):
        classifier().fit(frame["text"], frame["label"], verbose=0)
    frame = TEXTS.copy()
    frame.loc[5, "label"] = np.nan
    with pytest.raises(ValueError, match="missing.*position 5"):
        classifier().fit(frame["text"], frame["label"], verbose=0)
    with pytest.raises(ValueError, match="two classes"):
        classifier().fit(TEXTS["text"], pd.Series(["same"] * 40), verbose=0)
    with pytest.raises(ValueError, match="two classes"):
        classifier().fit(TEXTS["text"], pd.Series([1] * 40), verbose=0)
    with pytest.raises(ValueError, match="3 classes.*2 units"):
        classifier().fit(TEXTS["text"], pd.Series(["a", "b", "c", "a"] * 10), verbose=0)
    model = classifier()
    model.fit(TEXTS["text"], TEXTS["label"], epochs=1, verbose=0)
    with pytest.raises(ValueError, match="'neutral'.*known.*'minus', 'plus'"):
        model.evaluate(["nice day"], ["neutral"])
    with pytest.raises(ValueError, match="learned no vocabulary"):
        classifier().predict(["nice day"])
    with pytest.raises(ValueError, match="begin with an Embedding"):
        small().fit(TEXTS["text"], TEXTS["label"], verbose=0)


def test_ids_outside_input_dim_are_named() -> None:
    model = classifier()
    ids = np.full((4, 6), 7)
    ids[2, 3] = 100
    with pytest.raises(ValueError, match=r"id 100 at place \(2, 3\).*input_dim=100"):
        model(ids)


def test_summary_tells_shapes_parameters_and_kept_bytes() -> None:
    model = Sequential([Input((4,)), Dense(8, activation="relu", name="first"), Dense(2, name="second")])
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    text = lines[0]
    first = next(line for line in text.splitlines() if line.startswith("first"))
    assert "(?, 8)" in first
    assert "40" in first.split()
    assert "16 B" not in first  # its own output is kept for relu: 32 bytes, and the input: 16
    assert "48 B" in first
    assert "58 parameters" in text
