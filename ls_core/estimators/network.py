"""NetworkEstimator: what the classifier and the regressor share."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..backend import floatx, floatx_scope
from ..callbacks.early_stopping import EarlyStopping
from ..checkpoint import load_model
from ..random import same_random_numbers, set_seed
from ..registry import lookup
from ..sequential import Sequential
from .rows import SparseRows, read_texts

FLOATS = (np.float64, np.float32)
PREDICTED_AT_ONCE = 1024  # rows


class NetworkEstimator(BaseEstimator):  # type: ignore[misc]
    """A network with the parameters of scikit-learn's multi-layer perceptron; see LSClassifier."""

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        activation: Any = "relu",
        *,
        build: Any = None,
        solver: Any = "adam",
        alpha: float = 0.0001,
        dropout: float = 0.0,
        batch_size: Any = "auto",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 0.0001,
        verbose: Any = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        vocabulary_size: int = 10000,
        embedding_size: int = 64,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.build = build
        self.solver = solver
        self.alpha = alpha
        self.dropout = dropout
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.vocabulary_size = vocabulary_size
        self.embedding_size = embedding_size

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # --- what comes in ---------------------------------------------------------------------------

    def _read(self, X: Any, y: Any, **options: Any) -> tuple[Any, Any]:
        """X as texts, an array or a CSR matrix, and y, for ``fit``."""
        texts = read_texts(X)
        self.reads_texts_ = texts is not None
        if texts is not None:
            if hasattr(self, "n_features_in_"):
                del self.n_features_in_
            y = validate_data(self, "no_validation", y, **options)
            if len(y) != len(texts):
                raise ValueError(f"X has {len(texts)} texts, y has {len(y)} rows; each sample needs a row in both")
            return texts, y
        read: tuple[Any, Any] = validate_data(self, X, y, accept_sparse="csr", dtype=FLOATS, **options)
        return read

    def _outputs(self, X: Any) -> np.ndarray:
        """The network's outputs for X."""
        check_is_fitted(self)
        if self.reads_texts_:
            column = read_texts(X)
            if column is None:
                raise ValueError(f"this {type(self).__name__} was fitted on texts; X is to be a list, array or Series of str")
        else:
            column = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        outputs: np.ndarray = self.model_.predict(SparseRows(column) if issparse(column) else column, PREDICTED_AT_ONCE, verbose=0)
        return outputs

    # --- training --------------------------------------------------------------------------------

    def _fit(self, X: Any, y: np.ndarray, sample_weight: Any, loss: str, outputs: int, activation: str | None, strata: Any) -> None:
        """Train ``model_``. y: class numbers (n,) or targets (n, outputs); strata: what a split keeps the shares of."""
        random = check_random_state(self.random_state)
        weights, total = None, float(X.shape[0])
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, X if not self.reads_texts_ else y, dtype=y.dtype if y.dtype.kind == "f" else None)
            kept = np.flatnonzero(weights)  # a row without weight is no row
            if not len(kept):
                raise ValueError("sample_weight is zero everywhere, so there is no row to fit")
            X, y, weights, strata = X[kept], y[kept], weights[kept], None if strata is None else strata[kept]
            total = float(weights.sum())
        held_out = None
        if self.early_stopping:
            share = {"test_size": self.validation_fraction, "random_state": random, "stratify": strata}
            train, test = train_test_split(np.arange(X.shape[0]), **share)
            held_out = (X[test], y[test], *([] if weights is None else [weights[test] / weights[test].mean()]))
            X, y, weights = X[train], y[train], None if weights is None else weights[train]
            total = float(len(train) if weights is None else weights.sum())
        if weights is not None:
            weights = weights / weights.mean()
        rows = X.shape[0]
        size = min(200, rows) if self.batch_size == "auto" else int(self.batch_size)
        watched = "val_loss" if self.early_stopping else "loss"
        stop = EarlyStopping(watched, self.tol, self.n_iter_no_change, restore_best_weights=self.early_stopping)
        with same_random_numbers(), floatx_scope(floatx() if self.reads_texts_ else str(X.dtype)):
            set_seed(random.randint(2**31 - 1))
            share = self.alpha * rows / (total * min(size, rows))  # of the penalty in a batch's mean loss
            model = self._network(X, outputs, activation, share if loss == "mse" else share / 2)
            if model.optimizer is None:
                model.compile(self._optimizer(), loss)
            history = model.fit(
                **_data(X, y, weights),
                batch_size=size,
                epochs=self.max_iter,
                shuffle=self.shuffle,
                validation_data=None if held_out is None else _pack(held_out),
                callbacks=[stop],
                verbose=int(self.verbose),
            )
        self.model_, self.history_, self.n_iter_ = model, history.history, len(history.epoch)

    def _network(self, X: Any, outputs: int, activation: str | None, penalty: float) -> Any:
        """The layers; ``penalty`` times the sum of the squared kernels is added to the loss."""
        if self.build is not None:
            return self.build(None if self.reads_texts_ else X.shape[1], outputs)
        dense, dropout = lookup("layer", "Dense"), lookup("layer", "Dropout")
        regularizer = {"class_name": "L2", "config": {"l2": penalty}} if penalty else None
        layers = []
        if self.reads_texts_:
            layers = [
                lookup("layer", "Embedding")(self.vocabulary_size, self.embedding_size, mask_zero=True),
                lookup("layer", "GlobalAveragePooling1D")(),
            ]
        sizes = [self.hidden_layer_sizes] if isinstance(self.hidden_layer_sizes, (int, np.integer)) else self.hidden_layer_sizes
        for units in sizes:
            layers.append(dense(int(units), activation=self.activation, kernel_regularizer=regularizer))
            if self.dropout:
                layers.append(dropout(self.dropout))
        return Sequential([*layers, dense(outputs, activation=activation, kernel_regularizer=regularizer)])

    def _optimizer(self) -> Any:
        if isinstance(self.solver, str):
            return lookup("optimizer", self.solver)(learning_rate=self.learning_rate_init)
        return type(self.solver).from_config(self.solver.get_config())  # the parameter stays as it was given

    # --- pickling: the model travels as its file ---------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "model_" in state:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model")
                self.model_.save(path)
                state["model_"] = path.read_bytes()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if isinstance(state.get("model_"), bytes):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model")
                path.write_bytes(state["model_"])
                self.model_ = load_model(path)


def _data(X: Any, y: Any, weights: Any) -> dict[str, Any]:
    """The arguments of ``fit``; sparse rows bring their targets along."""
    if issparse(X):
        return {"x": _pack((X, y) if weights is None else (X, y, weights))}
    return {"x": X, "y": y, "sample_weight": weights}


def _pack(parts: tuple[Any, ...]) -> Any:
    return SparseRows(*parts) if issparse(parts[0]) else parts
