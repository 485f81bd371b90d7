"""LSRegressor: a network of LS that scikit-learn takes for one of its regressors."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from .network import NetworkEstimator


class LSRegressor(RegressorMixin, NetworkEstimator):  # type: ignore[misc]
    """A regressor of one number or several by the mean squared error. Parameters and attributes are those of LSClassifier.

    Targets far from the range of -1 to 1 are learned sooner when they are scaled
    (``sklearn.compose.TransformedTargetRegressor``), as with scikit-learn's MLPRegressor.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> model = LSRegressor((32,), learning_rate_init=0.02, random_state=0).fit(x, x[:, 0] ** 2)
    >>> model.predict([[1.0, 0.0], [2.0, 0.0]]).round().tolist(), model.score(x, x[:, 0] ** 2) > 0.95
    ([1.0, 4.0], True)
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LSRegressor:
        """Train anew; returns the estimator.

        Parameters
        ----------
        X : array or CSR matrix (n, features), or n texts
        y : array (n,) or (n, targets)
        sample_weight : array (n,), optional
        """
        X, y = self._read(X, y, multi_output=True, y_numeric=True)
        self._one_target = y.ndim == 1
        targets = y.reshape(len(y), -1).astype(np.float64 if self.reads_texts_ else X.dtype)
        self._fit(X, targets, sample_weight, "mse", targets.shape[1], None, strata=None)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The targets of each row: (n,), or (n, targets) where fit got several."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._one_target else outputs
