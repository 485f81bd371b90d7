"""LSClassifier: a network of LS that scikit-learn takes for one of its classifiers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from .network import NetworkEstimator


class LSClassifier(ClassifierMixin, NetworkEstimator):  # type: ignore[misc]
    """A classifier of rows of numbers, dense or sparse, or of texts.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int
        Units of each hidden Dense layer.
    activation : str
        Of the hidden layers; any of LS.
    build : callable, optional
        ``build(n_features, n_outputs)`` returns the network in place of the hidden layers; n_features is None for texts. It
        ends with a softmax over n_outputs units (a regressor's with n_outputs linear ones). Where it is compiled, it learns class
        numbers by its own loss and optimiser.
    solver : str or Optimizer
        Any optimiser of LS; a name gets ``learning_rate_init``.
    alpha : float
        The L2 penalty: alpha / 2 times the sum of the squared kernels, divided by the rows of a batch, is added to the loss
        (a regressor's: to half of its mean squared error).
    dropout : float
        Rate after each hidden layer.
    batch_size : int or 'auto'
        'auto': the rows, 200 at most.
    learning_rate_init : float
    max_iter : int
        Epochs at most.
    shuffle : bool
    random_state : int, RandomState or None
        Of the weights, the order of the rows, dropout and the held-out rows. The random streams of LS stay as they are.
    tol, n_iter_no_change : float, int
        Training ends when the loss has not improved by tol for so many epochs.
    verbose : bool
    early_stopping : bool
        Watch the loss on ``validation_fraction`` of the rows instead, and return to the weights of the best epoch.
    validation_fraction : float
    vocabulary_size, embedding_size : int
        For texts, which pass an Embedding and the mean over their words before the hidden layers.

    Attributes
    ----------
    classes_ : array
        The labels, in the order of predict_proba's columns.
    model_ : Sequential or Model
        Computes in the float type of X (texts: in ``floatx()``).
    n_iter_ : int
        Epochs that ran.
    history_ : dict of str to list of float
    n_features_in_, feature_names_in_
        Not for texts.

    Raises
    ------
    ValueError
        From fit: there is one class only, or what scikit-learn refuses (NaN, other lengths ...).

    Notes
    -----
    Names, order and meaning of the parameters follow scikit-learn's MLPClassifier where it has them. A weight of 2 counts as a row that
    stands twice; the weights' mean is 1 for the optimiser.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> y = np.where(x[:, 0] * x[:, 1] > 0, 'same', 'other')
    >>> model = LSClassifier((16,), learning_rate_init=0.02, random_state=0).fit(x, y)
    >>> model.classes_.tolist(), model.predict([[1.0, 1.0]]).tolist(), model.score(x, y) > 0.95
    (['other', 'same'], ['same'], True)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LSClassifier:
        """Train anew; returns the estimator.

        Parameters
        ----------
        X : array or CSR matrix (n, features), or n texts
        y : array (n,)
        sample_weight : array (n,), optional
        """
        X, y = self._read(X, y)
        check_classification_targets(y)
        self.classes_, ids = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"classification needs two classes or more; y has one class, {self.classes_[0]!r}")
        self._fit(X, ids, sample_weight, "sparse_categorical_crossentropy", len(self.classes_), "softmax", strata=ids)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class: (n, classes), in the order of ``classes_``."""
        return self._outputs(X)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each row: (n,)."""
        best = self._outputs(X).argmax(axis=1)
        found: np.ndarray = self.classes_[best]
        return found
