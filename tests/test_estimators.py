"""LSClassifier and LSRegressor: scikit-learn's own checks, its multi-layer perceptron as a judge, pipelines, texts, weights."""

from __future__ import annotations

import importlib
import pickle
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ls_core
from ls_core import Sequential
from ls_core.random import get_random_state
from ls_core.testing.standin import STANDIN, StandInArray
from ls_layers import Dense, Embedding, GlobalMaxPooling1D
from ls_optim import SGD, Adam

pytest.importorskip("sklearn")

from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from ls_core.estimators import LSClassifier, LSRegressor

QUICK: dict[str, Any] = {"random_state": 0, "hidden_layer_sizes": (16,), "learning_rate_init": 0.02, "max_iter": 40}


CHECKS = [pair for estimator in (LSClassifier(**QUICK), LSRegressor(**QUICK)) for pair in estimator_checks_generator(estimator)]


@pytest.mark.parametrize(("estimator", "check"), CHECKS, ids=[f"{type(e).__name__}-{c.func.__name__}" for e, c in CHECKS])
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    """What check_estimator does, each check a test; no failure is expected."""
    check(estimator)


def data(rows: int = 150, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 4))
    return x, (np.digitize(x[:, 0] + x[:, 1] ** 2, [0.3, 1.3])).astype(int) % classes


# --- against scikit-learn's multi-layer perceptron --------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_the_same_steps_as_the_multi_layer_perceptron(kind: str, weighted: bool) -> None:
    """From the same weights, plain gradient descent on all rows: loss, penalty and sample weights mean the same."""
    x, y = data()
    weights = np.random.default_rng(1).uniform(0.1, 3, size=len(x)) if weighted else None
    ours, judge, rate = (LSClassifier, MLPClassifier, 0.5) if kind == "classifier" else (LSRegressor, MLPRegressor, 0.05)
    options: dict[str, Any] = {"activation": "tanh", "alpha": 5.0, "batch_size": len(x), "random_state": 0, "solver": "sgd"}
    first = ours((5, 4), **options, learning_rate_init=1e-300, max_iter=1).fit(x, y)  # the weights that it begins with
    begin = first.model_.get_weights()
    # half of the squared error is what MLPRegressor descends
    steps = 3
    trained = ours((5, 4), **options, learning_rate_init=rate if kind == "classifier" else rate / 2, max_iter=steps).fit(x, y, weights)
    mlp = judge(hidden_layer_sizes=(5, 4), **options, learning_rate_init=rate, momentum=0, nesterovs_momentum=False)
    mlp.partial_fit(x, y, **({"classes": [0, 1, 2]} if kind == "classifier" else {}))
    mlp.coefs_, mlp.intercepts_ = [w.copy() for w in begin[::2]], [b.copy() for b in begin[1::2]]
    for _ in range(steps):
        mlp.partial_fit(x, y, sample_weight=weights)
    for ours_, theirs in zip(trained.model_.get_weights()[::2], mlp.coefs_, strict=True):
        np.testing.assert_allclose(ours_, theirs, rtol=1e-10, atol=1e-12)
    for before, after in zip(begin[::2], mlp.coefs_, strict=True):
        assert np.abs(after - before).max() > 1e-3
    if kind == "classifier":
        np.testing.assert_allclose(trained.predict_proba(x), mlp.predict_proba(x), rtol=1e-10)
    else:
        np.testing.assert_allclose(trained.predict(x), mlp.predict(x), rtol=1e-9, atol=1e-12)


# --- parameters, seeds, files -----------------------------------------------------------------------


def test_the_random_state_decides_and_the_streams_stay(rng: np.random.Generator) -> None:
    x, y = data()
    before = get_random_state()
    a, b, c = (LSClassifier(**{**QUICK, "random_state": seed, "dropout": 0.3}).fit(x, y).predict_proba(x) for seed in (1, 1, 2))
    assert get_random_state() == before
    assert ls_core.floatx() == "float32"
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-3
    state = np.random.RandomState(1)
    model = LSClassifier(**{**QUICK, "random_state": state}).fit(x, y)
    assert np.abs(model.predict_proba(x) - clone(model).set_params(random_state=state).fit(x, y).predict_proba(x)).max() > 1e-3


def test_clone_takes_the_parameters_and_nothing_else() -> None:
    x, y = data()
    solver = SGD(0.1, momentum=0.9)
    fitted = LSClassifier(**{**QUICK, "solver": solver}).fit(x, y)
    assert solver.iterations == 0
    assert fitted.model_.optimizer.momentum == 0.9
    copy = clone(fitted)
    assert copy.get_params()["hidden_layer_sizes"] == (16,)
    with pytest.raises(NotFittedError):
        copy.predict(x)
    assert copy.set_params(dropout=0.25).dropout == 0.25
    with pytest.raises(ValueError, match="Invalid parameter"):
        copy.set_params(dropuot=0.25)


def test_every_parameter_does_what_it_says() -> None:
    x, y = data()
    model = LSClassifier((8, 4), "tanh", dropout=0.5, max_iter=7, tol=-1.0, batch_size=50, random_state=0, solver="rmsprop").fit(x, y)
    assert [type(layer).__name__ for layer in model.model_.layers] == ["Dense", "Dropout", "Dense", "Dropout", "Dense"]
    assert model.model_.layers[0].activation.name == "tanh"
    assert model.model_.optimizer.iterations == 7 * 3
    assert type(model.model_.optimizer).__name__ == "RMSprop"
    assert model.n_iter_ == len(model.history_["loss"]) == 7
    stopped = LSClassifier(**{**QUICK, "max_iter": 500, "tol": 0.05, "n_iter_no_change": 3}).fit(x, y)
    assert 4 <= stopped.n_iter_ < 100
    assert LSClassifier(5, max_iter=1).fit(x, y).model_.layers[0].units == 5


def test_early_stopping_returns_to_the_best_epoch() -> None:
    x, y = data(80)
    options = {**QUICK, "hidden_layer_sizes": (64,), "max_iter": 300, "validation_fraction": 0.3, "random_state": 0, "tol": 0.0}
    model = LSClassifier(**options, early_stopping=True).fit(x, y)
    values = model.history_["val_loss"]
    assert 10 < len(values) < 300
    assert min(values) < values[-1]
    # the held-out rows are those of train_test_split with the same random state
    test = train_test_split(np.arange(80), test_size=0.3, random_state=np.random.RandomState(0), stratify=y)[1]
    assert model.model_.evaluate(x[test], y[test], verbose=0) == pytest.approx(min(values), rel=1e-6)


def test_a_pickled_estimator_predicts_the_same_bits() -> None:
    x, y = data()
    for model in (LSClassifier(**QUICK).fit(x, y), LSRegressor(**QUICK).fit(x, x[:, :2])):
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
        assert again.model_.loaded_as == "identical"
        assert again.n_iter_ == model.n_iter_
    texts = ["good fine", "bad awful"] * 20
    model = LSClassifier(**QUICK).fit(texts, texts)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(texts), model.predict(texts))


def test_it_computes_in_the_float_type_of_the_data() -> None:
    x, y = data()
    for dtype in (np.float32, np.float64):
        model = LSClassifier(**QUICK).fit(x.astype(dtype), y)
        assert model.predict_proba(x.astype(dtype)).dtype == dtype
        assert {p.dtype for p in model.model_.parameters()} == {np.dtype(dtype)}


# --- weights, targets --------------------------------------------------------------------------------


def test_a_weight_of_two_is_a_row_twice_and_of_zero_no_row() -> None:
    x, y = data(60)
    weights = np.random.default_rng(2).integers(0, 4, size=60)
    options = {**QUICK, "random_state": 0, "shuffle": False, "alpha": 0.5}
    for estimator, target in ((LSClassifier(**options), y), (LSRegressor(**options), x[:, 0] ** 2)):
        weighed = estimator.fit(x, target, sample_weight=weights).predict(x)
        repeated = clone(estimator).fit(np.repeat(x, weights, axis=0), np.repeat(target, weights)).predict(x)
        np.testing.assert_allclose(weighed, repeated, rtol=1e-8)
    small = LSClassifier(**options, batch_size=16)
    some = weights > 0  # in small batches, too
    fewer = clone(small).fit(x[some], y[some]).predict_proba(x)
    np.testing.assert_allclose(small.fit(x, y, some.astype(float)).predict_proba(x), fewer, rtol=1e-9)
    stopped = LSClassifier(**options, early_stopping=True)  # what they are all multiplied by doesn't count
    np.testing.assert_allclose(
        stopped.fit(x, y, weights).history_["val_loss"],
        clone(stopped).set_params(alpha=500.0).fit(x, y, weights * 1000).history_["val_loss"],
    )
    with pytest.raises(ValueError, match="zero"):
        LSClassifier(**QUICK).fit(x, y, sample_weight=np.zeros(60))


def test_several_targets_and_their_shapes() -> None:
    x, _ = data()
    y = np.stack([x[:, 0], x[:, 1] * 2], axis=1)
    model = LSRegressor(**{**QUICK, "max_iter": 200}).fit(x, y)
    assert model.predict(x).shape == (150, 2)
    assert model.score(x, y) > 0.98
    assert LSRegressor(**QUICK).fit(x, y[:, 0]).predict(x).shape == (150,)
    assert LSRegressor(**QUICK).fit(x, y[:, 0].astype(int)).predict(x).dtype == np.float64


# --- scikit-learn's tools ----------------------------------------------------------------------------


def test_pipeline_and_grid_search() -> None:
    x, y = data(120)
    names = np.array(["low", "middle", "high"])[y]
    pipeline = make_pipeline(StandardScaler(), LSClassifier(**{**QUICK, "random_state": 0}))
    grid = {"lsclassifier__learning_rate_init": [1e-5, 0.05], "lsclassifier__hidden_layer_sizes": [(8,)]}
    found = GridSearchCV(pipeline, grid, cv=3).fit(pd.DataFrame(x * 100 + 7, columns=list("abcd")), names)
    assert found.best_params_["lsclassifier__learning_rate_init"] == 0.05
    assert found.best_score_ > 0.8
    assert found.best_estimator_[-1].classes_.tolist() == ["high", "low", "middle"]
    assert cross_val_score(LSRegressor(**QUICK), x, x[:, 0], cv=3).min() > 0.8


def test_sparse_rows_are_what_dense_ones_are() -> None:
    x, y = data(90)
    x = np.where(np.abs(x) < 0.5, 0, x)
    weights = np.random.default_rng(0).uniform(1, 2, size=90)
    options = {**QUICK, "random_state": 0, "shuffle": False, "batch_size": 32}
    for more in ({}, {"early_stopping": True}):
        dense = LSClassifier(**{**options, **more}).fit(x, y, weights)
        sparse = LSClassifier(**{**options, **more}).fit(csr_matrix(x), y, weights)
        np.testing.assert_allclose(dense.predict_proba(x), sparse.predict_proba(csr_matrix(x)), rtol=1e-9)
    assert LSClassifier(**QUICK).fit(csr_matrix(x), y).score(csr_matrix(x), y) > 0.8


TEXTS = ["a good fine day", "what a bad awful day", "so and so"] * 20
LABELS = ["plus", "minus", "zero"] * 20


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, lambda texts: np.array(texts, dtype=object)])
def test_texts(kind: Any) -> None:
    model = LSClassifier(**{**QUICK, "max_iter": 60, "vocabulary_size": 50, "embedding_size": 8}).fit(kind(TEXTS), kind(LABELS))
    assert model.predict(["bad awful day", "good fine"]).tolist() == ["minus", "plus"]
    assert model.score(kind(TEXTS), kind(LABELS)) == 1
    assert not hasattr(model, "n_features_in_")
    with pytest.raises(ValueError, match="was fitted on texts"):
        model.predict(np.zeros((2, 3)))


def test_texts_in_scikit_learns_tools() -> None:
    direct = GridSearchCV(LSClassifier(**QUICK), {"embedding_size": [4, 8]}, cv=2).fit(TEXTS, LABELS)
    assert direct.best_score_ == 1
    assert make_pipeline(TfidfVectorizer(), LSClassifier(**QUICK)).fit(TEXTS, LABELS).score(TEXTS, LABELS) == 1
    lengths = [float(len(text)) / 10 for text in TEXTS]
    assert LSRegressor(**{**QUICK, "max_iter": 400}).fit(TEXTS, lengths).score(TEXTS, lengths) > 0.95
    with pytest.raises(ValueError, match="60 texts, y has 59 rows"):
        LSClassifier(**QUICK).fit(TEXTS, LABELS[1:])


def test_on_a_device() -> None:
    """The stand-in refuses what a GPU refuses; the numbers are the host's."""
    x, y = data(60)
    host = LSClassifier(**QUICK).fit(x, y).predict_proba(x)
    with ls_core.use_backend(STANDIN.name):
        model = LSClassifier(**QUICK).fit(x, y)
        assert isinstance(model.model_.parameters()[0].value, StandInArray)
        np.testing.assert_allclose(model.predict_proba(x), host, rtol=1e-9)
        assert LSClassifier(**QUICK).fit(csr_matrix(x), y, np.ones(60)).predict_proba(csr_matrix(x)).shape == (60, 3)
        assert LSClassifier(**QUICK).fit(TEXTS, LABELS).score(TEXTS, LABELS) == 1


# --- networks of one's own ---------------------------------------------------------------------------


def wide(features: int | None, outputs: int) -> Any:
    return Sequential([Dense(features * 3, activation="relu"), Dense(outputs, activation="softmax")])  # type: ignore[operator]


def compiled(features: int | None, outputs: int) -> Any:
    model = Sequential([Embedding(100, 8), GlobalMaxPooling1D(), Dense(outputs, activation="softmax")])
    model.compile(Adam(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_network_of_ones_own() -> None:
    x, y = data()
    model = LSClassifier(build=wide, learning_rate_init=0.02, max_iter=150).fit(x, y)
    assert [layer.units for layer in model.model_.layers] == [12, 3]
    assert model.score(x, y) > 0.9
    assert pickle.loads(pickle.dumps(model)).score(x, y) == model.score(x, y)
    texts = LSClassifier(build=compiled, max_iter=30).fit(TEXTS, LABELS)
    assert texts.history_["accuracy"][-1] == 1
    assert texts.predict(TEXTS[:2]).tolist() == LABELS[:2]


def test_what_cannot_be_fitted_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = data()
    with pytest.raises(ValueError, match="two classes or more; y has one class"):
        LSClassifier(**QUICK).fit(x, np.zeros(len(x), int))
    with pytest.raises(ValueError, match="no optimizer called 'lbfgs'"):
        LSClassifier(solver="lbfgs").fit(x, y)
    for module in [name for name in sys.modules if name.startswith(("ls_core.estimators", "sklearn"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"pip install 'ls-engine\[sklearn\]'"):
        importlib.import_module("ls_core.estimators")
