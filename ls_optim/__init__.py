"""ls_optim: one optimiser per file, the update as a kernel; learning-rate schedules."""

from ls_core.cuda import when_cupy_loads
from ls_core.registry import register_module

from . import accelerated as accelerated
from . import schedules as schedules
from .adadelta import Adadelta as Adadelta
from .adafactor import Adafactor as Adafactor
from .adagrad import Adagrad as Adagrad
from .adam import Adam as Adam
from .adamax import Adamax as Adamax
from .adamw import AdamW as AdamW
from .ftrl import Ftrl as Ftrl
from .lamb import Lamb as Lamb
from .lion import Lion as Lion
from .muon import Muon as Muon
from .nadam import Nadam as Nadam
from .optimizer import Optimizer as Optimizer
from .rmsprop import RMSprop as RMSprop
from .sgd import SGD as SGD

register_module("optimizer", dict(globals()), Optimizer)
when_cupy_loads("ls_optim.cuda")
