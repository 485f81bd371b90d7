"""Schedules: numbers that change with the step, for learning rates and other hyperparameters."""

from ls_core.registry import register_module

from .cosine_decay import CosineDecay as CosineDecay
from .cosine_decay_restarts import CosineDecayRestarts as CosineDecayRestarts
from .exponential_decay import ExponentialDecay as ExponentialDecay
from .inverse_time_decay import InverseTimeDecay as InverseTimeDecay
from .linear_warmup import LinearWarmup as LinearWarmup
from .noam import Noam as Noam
from .one_cycle import OneCycle as OneCycle
from .piecewise_constant_decay import PiecewiseConstantDecay as PiecewiseConstantDecay
from .polynomial_decay import PolynomialDecay as PolynomialDecay
from .schedule import LearningRateSchedule as LearningRateSchedule
from .warmup_stable_decay import WarmupStableDecay as WarmupStableDecay

register_module("schedule", dict(globals()), LearningRateSchedule)
