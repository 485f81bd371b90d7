"""Search for good hyperparameters on Optuna (the extra 'tune'), which is imported when a search begins."""

from .pruning import PruningCallback
from .result import SearchResult
from .running import search
from .study import open_study

__all__ = ["PruningCallback", "SearchResult", "open_study", "search"]
