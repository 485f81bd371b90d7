"""Callbacks under Keras 3's names, and our own."""

from ..registry import register_module
from .backup_and_restore import BackupAndRestore
from .callback import Callback, CallbackList
from .csv_logger import CSVLogger
from .early_stopping import EarlyStopping
from .history import History
from .hyperparameter_scheduler import HyperparameterScheduler
from .json_lines_logger import JSONLinesLogger
from .lambda_callback import LambdaCallback
from .learning_rate_scheduler import LearningRateScheduler
from .model_checkpoint import ModelCheckpoint
from .parameter_statistics import ParameterStatistics
from .plot_history import PlotHistory
from .progress import ProgressBar
from .reduce_lr_on_plateau import ReduceLROnPlateau
from .sanity_check import SanityCheck
from .swap_ema_weights import SwapEMAWeights
from .tensorboard import TensorBoard
from .terminate_on_nan import TerminateOnNaN
from .trigger import Trigger, Triggered
from .wandb_callback import WandbCallback

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "HyperparameterScheduler",
    "JSONLinesLogger",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ParameterStatistics",
    "PlotHistory",
    "ProgressBar",
    "ReduceLROnPlateau",
    "SanityCheck",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
    "Trigger",
    "Triggered",
    "WandbCallback",
]

register_module("callback", dict(globals()), Callback)
