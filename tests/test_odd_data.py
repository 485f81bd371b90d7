"""What fit, evaluate and predict make of odd data: what is refused, how it is told, and what is let through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import ls_core
from ls_core import Input, Model, Sequential
from ls_layers import LSTM, Conv1D, Dense, MaxPooling1D
from ls_optim import SGD


def line(**compiled: Any) -> Sequential:
    model = Sequential([Dense(1)])
    model.compile(**{"optimizer": SGD(0.01), "loss": "mse", **compiled})
    return model


def classes(loss: str = "sparse_categorical_crossentropy", **compiled: Any) -> Sequential:
    model = Sequential([Dense(3, activation="softmax")])
    model.compile("sgd", loss, **compiled)
    return model


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, True])
def test_a_batch_size_that_is_none(batch_size: Any) -> None:
    x, y = np.ones((4, 2)), np.ones((4, 1))
    for call in (
        lambda: line().fit(x, y, batch_size=batch_size),
        lambda: line().evaluate(x, y, batch_size=batch_size),
        lambda: line().predict(x, batch_size=batch_size),
    ):
        with pytest.raises(ValueError, match="batch_size is a positive integer, not"):
            call()


def test_missing_targets_are_told() -> None:
    with pytest.raises(ValueError, match="no targets. Give y"):
        line().fit(np.ones((4, 2)), verbose=0)
    with pytest.raises(ValueError, match="pairs \\(x, y\\)"):
        line().fit((np.ones((4, 2)) for _ in range(2)), verbose=0)


def test_complex_numbers_are_no_features() -> None:
    with pytest.raises(TypeError, match="complex numbers; give real and imaginary part"):
        line().fit(np.ones((4, 2)) * 1j, np.ones(4), verbose=0)


def test_a_set_has_no_order() -> None:
    with pytest.raises(TypeError, match="a set has no order"):
        line().fit({1.0, 2.0}, [1.0, 2.0], verbose=0)


def test_a_column_of_numbers_is_one_feature() -> None:
    x = np.arange(8.0)
    for model in (line(), Sequential([Input((1,)), Dense(1)])):
        model.compile(SGD(0.01), "mse")
        model.fit(pd.Series(x), 2 * x, verbose=0)
        assert model.predict(x).shape == (8, 1)
        np.testing.assert_array_equal(model.predict(x), model.predict(x[:, None]))
    wide = Sequential([Input((3,)), Dense(1)])
    with pytest.raises(ValueError, match=r"rows of shape \(3,\).*A single row is x\[None\]"):
        wide.predict(np.ones(3))


def test_class_weight_is_a_dict() -> None:
    with pytest.raises(TypeError, match="class_weight is a dict"):
        classes().fit(np.ones((4, 2)), [0, 1, 2, 1], class_weight=[1.0, 2.0, 3.0], verbose=0)


def test_targets_that_do_not_fit_their_loss() -> None:
    x = np.ones((4, 2))
    with pytest.raises(TypeError, match="measures distances between numbers, and y holds texts, such as 'a'"):
        line().fit(x, ["a", "b", "a", "b"], verbose=0)
    with pytest.raises(ValueError, match="class ids are whole numbers, and y_true holds 0.5"):
        classes().fit(x, [0.5, 1, 2, 1], verbose=0)
    always_one = Sequential([Dense(1, activation="softmax")])
    always_one.compile("sgd", "binary_crossentropy")
    with pytest.raises(ValueError, match="softmax over 1 unit, which is 1 whatever comes in"):
        always_one.fit(x, [0, 1, 0, 1], verbose=0)


def test_a_missing_label_is_dropped_not_filled() -> None:
    with pytest.raises(ValueError, match=r"subset=\['label'\]\)\.$"):
        classes().fit(np.ones((3, 2)), pd.Series(["a", None, "b"]), verbose=0)


def test_an_unknown_metric_is_told_by_compile() -> None:
    with pytest.raises(ValueError, match="no metric called 'acuracy'"):
        classes(metrics=["acuracy"])


def test_a_metric_and_a_weighted_one_of_the_same_name() -> None:
    x, y = np.ones((4, 2)), np.ones((4, 1))
    history = line(metrics=["mae"], weighted_metrics=["mae"]).fit(x, y, sample_weight=np.arange(4.0), verbose=0).history
    assert list(history) == ["loss", "mae", "weighted_mae"]


def pairs(count: int) -> Any:
    for _ in range(count):
        yield np.ones((2, 2)), np.ones((2, 1))


def test_a_generator_that_ends_early_ends_the_run() -> None:
    with pytest.warns(UserWarning, match="ended after 5 batches, and another epoch was asked for"):
        history = line().fit(pairs(5), epochs=3, verbose=0)
    assert len(history.history["loss"]) == 1  # no epoch without a batch, whose loss would read 0
    with pytest.warns(UserWarning, match="ended after 5 batches, and 3 batches an epoch"):
        history = line().fit(pairs(5), steps_per_epoch=3, epochs=4, verbose=0)
    assert len(history.history["loss"]) == 2
    assert len(line().fit(pairs(6), steps_per_epoch=3, epochs=2, verbose=0).history["loss"]) == 2


def test_a_validation_generator_is_read_once() -> None:
    with pytest.warns(UserWarning, match="another epoch"), pytest.raises(ValueError, match="no batch to evaluate"):
        line().fit(np.ones((4, 2)), np.ones((4, 1)), validation_data=pairs(2), epochs=2, verbose=0)


def test_sizes_that_come_from_numpy() -> None:
    ids = np.array([0, 3, 1])
    model = Sequential([Conv1D(np.int64(2), np.int32(3)), MaxPooling1D((np.int64(2),)), LSTM(ids.max()), Dense(ids.max() + 1)])
    assert model(np.ones((2, 8, 1))).shape == (2, 4)
    assert all(type(v) is int for v in (model.layers[0].filters, *model.layers[1].pool_size, model.layers[3].units))
    twin = Sequential.from_config(model.get_config())
    assert twin.output_shape((None, 8, 1)) == (None, 4)
    for wrong in (True, 2.0, np.float64(2), 0):
        with pytest.raises(ValueError, match="units is a positive integer"):
            Dense(wrong)


def test_validation_in_some_epochs() -> None:
    x, y = np.ones((4, 2)), np.ones((4, 1))
    for frequency, times in ((1, 4), (2, 2), (3, 1), ([1, 3, 4], 3), ((7,), 0)):
        history = line().fit(x, y, validation_data=(x, y), validation_freq=frequency, epochs=4, verbose=0)
        assert len(history.history.get("val_loss", [])) == times
        assert history.params["verbose"] == 0


# --- odd layers and models ------------------------------------------------------------------------------


def two_outputs(*losses: Any) -> Model:
    a = Input((3,), name="a")
    model = Model(a, [Dense(2, activation="softmax", name="kind")(a), Dense(1, name="price")(a)])
    model.compile("sgd", list(losses) or ["sparse_categorical_crossentropy", "mse"])
    return model


def test_targets_of_several_outputs() -> None:
    x, kinds = np.ones((4, 3)), np.array([0, 1, 0, 1])
    with pytest.raises(ValueError, match="outputs kind, price, and y is one array"):
        two_outputs().fit(x, kinds, verbose=0)
    with pytest.raises(ValueError, match=r"output 'price' has a loss and no targets; give y\['price'\]"):
        two_outputs().fit(x, {"kind": kinds}, verbose=0)
    with pytest.raises(ValueError, match="wants probabilities, but Dense 'price' ends with linear"):
        two_outputs("mse", "sparse_categorical_crossentropy").fit(x, [np.ones((4, 2)), kinds], verbose=0)
    assert "loss" in two_outputs("sparse_categorical_crossentropy", None).fit(x, {"kind": kinds}, verbose=0).history


def test_what_is_no_array_is_told() -> None:
    layer = Dense(2)
    with pytest.raises(TypeError, match=r"Dense 'dense' takes arrays, and a float came; of a list make one"):
        layer([[1.0, 2.0]])
    with pytest.raises(TypeError, match="a DataFrame came; take its .to_numpy()"):
        layer.forward(pd.DataFrame({"a": [1.0]}))


def test_functions_without_a_derivative() -> None:
    with pytest.raises(TypeError, match=r"is no activation of LS: it has no backward.*ActivationFunction\(name, forward, backward\)"):
        Dense(2, activation=lambda z: z * z)
    with pytest.raises(TypeError, match="is no regularizer of LS: it has no gradient"):
        Dense(2, kernel_regularizer=0.1).build((None, 3))


def test_an_initializer_may_be_a_function() -> None:
    layer = Dense(2, kernel_initializer=lambda shape, dtype=None: np.full(shape, 0.5, dtype))
    layer.build((None, 3))
    assert layer.kernel.value.tolist() == [[0.5, 0.5]] * 3
    with pytest.raises(ValueError, match=r"initializer of 'kernel' gave shape \(2,\), it was asked for \(3, 2\)"):
        Dense(2, kernel_initializer=lambda shape, dtype=None: np.zeros(2)).build((None, 3))


def test_models_that_are_none() -> None:
    model = Sequential([Dense(2)])
    with pytest.raises(ValueError, match="can't stand in itself"):
        model.add(model)
    with pytest.raises(ValueError, match="can't stand in itself"):
        model.add(Sequential([model]))
    with pytest.raises(ValueError, match="needs inputs and outputs"):
        Model(Input((3,)))
    wrong: Any = np.ones(3)
    with pytest.raises(TypeError, match="what layers called on them returned, not array"):
        Model(Input((3,)), wrong)


def test_an_input_with_its_batch() -> None:
    assert Input(batch_shape=(8, 3)).shape == (8, 3)
    assert ls_core.Sequential([Input(batch_shape=(None, 3)), Dense(2)]).output_shape((None, 3)) == (None, 2)


def test_what_numpy_refuses_names_the_layer() -> None:
    from ls_core import ShapeError
    from ls_layers import MultiHeadAttention, Rescaling

    with pytest.raises(ShapeError, match=r"^MultiHeadAttention 'multi_head_attention' got inputs of shape \(2, 3, 4\), \(3, 5, 4\): "):
        MultiHeadAttention(2, 3)(np.ones((2, 3, 4)), np.ones((3, 5, 4)))
    model = Sequential([Dense(3), Rescaling([1.0, 2.0], name="scale")])
    with pytest.raises(ShapeError, match=r"^Rescaling 'scale' got inputs of shape \(4, 3\): .*could not be broadcast"):
        model(np.ones((4, 2)))
    from ls_layers import Embedding

    with pytest.raises(ValueError, match=r"^Embedding 'embedding': id 9 at place"):  # says it itself: nothing is added on the way out
        Sequential([Sequential([Embedding(5, 2)])])(np.array([[9]]))


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": -1}, {"epochs": 1.5}, {"epochs": "2"}, {"steps_per_epoch": 0}, {"validation_freq": 0}, {"validation_steps": -2}],
)
def test_counts_of_fit(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^{name} is "):
        line().fit(np.ones((4, 2)), np.ones(4), validation_data=(np.ones((4, 2)), np.ones(4)), verbose=0, **wrong)


@pytest.mark.parametrize("parts", [1, 4])
def test_validation_data_is_a_pair_or_three(parts: int) -> None:
    with pytest.raises(ValueError, match=r"validation_data is \(x, y\) or"):
        line().fit(np.ones((4, 2)), np.ones(4), validation_data=(np.ones((4, 2)),) * parts, verbose=0)


def test_one_callback_needs_no_list() -> None:
    from ls_core.callbacks import EarlyStopping

    stop: Any = EarlyStopping("loss", patience=0, min_delta=1e9)
    assert len(line().fit(np.ones((4, 2)), np.ones(4), epochs=9, callbacks=stop, verbose=0).epoch) < 9
