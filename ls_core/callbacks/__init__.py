"""Callbacks under Keras 3's names."""

from ..registry import register_module
from .callback import Callback, CallbackList
from .early_stopping import EarlyStopping
from .history import History
from .progress import ProgressBar

__all__ = ["Callback", "CallbackList", "EarlyStopping", "History", "ProgressBar"]

register_module("callback", dict(globals()), Callback)
