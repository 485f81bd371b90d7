"""LSClassifier and LSRegressor: models of LS as scikit-learn estimators (the extra 'sklearn')."""

try:
    import sklearn as sklearn
except ImportError as problem:
    raise ImportError("ls_core.estimators needs scikit-learn: pip install 'ls-engine[sklearn]'") from problem

from .classifier import LSClassifier
from .regressor import LSRegressor

__all__ = ["LSClassifier", "LSRegressor"]
