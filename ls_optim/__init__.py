"""ls_optim: one optimiser per file, the update as a kernel; learning-rate schedules."""

from ls_core.registry import register_module

from .adam import Adam as Adam
from .optimizer import Optimizer as Optimizer
from .rmsprop import RMSprop as RMSprop
from .sgd import SGD as SGD

register_module("optimizer", dict(globals()), Optimizer)
