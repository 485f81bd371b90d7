"""Optimizer: the base of every optimiser. What all share stands here, an update's own formula in its own file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from ls_core.layer import snake_case
from ls_core.parameter import Parameter, RowGradient, put_rows, take_rows
from ls_core.registry import Configurable, deserialize, serialize
from ls_core.types import Array

from .clipping import Gradient, clipped
from .flat import Layout
from .memory import Memory, State
from .schedules.schedule import as_rate
from .together import move_averages, update_together


class Optimizer(Configurable):
    """The base of every optimiser: write ``make_state`` and ``update``, the rest is here.

    Each ``apply`` does, in Keras' order: unscale, accumulate, clip, decay the weights, update, average,
    constrain; then it drops every gradient.

    Parameters
    ----------
    learning_rate : float or schedule
        A schedule is a function of the number of ``apply`` calls so far. ``lr`` is another name for it.
    weight_decay : float, optional
        Before each update ``value *= 1 - weight_decay * learning_rate`` (decoupled decay, Loshchilov and Hutter 2019).
    clipnorm, clipvalue, global_clipnorm : float, optional
        One of: bound on each gradient's norm, on each element's size, on the norm of all gradients together.
    use_ema : bool
        Keep an exponential moving average of every Parameter, with ``ema_momentum``; every
        ``ema_overwrite_frequency`` updates (None: when ``finalize_variable_values`` is called) the Parameter takes it.
    loss_scale_factor : float, optional
        ``scale_loss`` multiplies by it, ``apply`` divides the gradients by it.
    gradient_accumulation_steps : int, optional
        Update at every n-th ``apply`` only, with the mean of the n gradients. One that is missing counts as 0 (Keras forgets
        the others of a variable whose last one is missing).
    name : str, optional
    rate_multipliers : dict of str to float, optional
        Parameter groups with their own rates: ``{'embedding': 0.1}`` gives a tenth of the rate to every Parameter
        whose path matches the regular expression; the first that matches counts.
    schedules : dict of str to schedule, optional
        Schedules of other hyperparameters: ``{'momentum': CosineDecay(0.95, 1000)}`` sets ``momentum`` before each step.
    lazy_rows : bool
        How a RowGradient (an Embedding's) is applied. True: only the rows it names change, their state included, and
        only they decay; momentum and the like stand still elsewhere (PyTorch's SparseAdam). That is exact where a zero
        gradient changes nothing (SGD without momentum, Adagrad). False: as the dense gradient, which is Keras' result.

    Notes
    -----
    ``update`` works in place on ``value`` and the state's arrays, with Python floats as constants. With
    ``elementwise = True`` (the default) it gets small Parameters joined in flat arrays, and maybe some rows of one, so
    every state array has value's shape and no element may look at another. With ``takes_row_gradients = True`` it gets a
    RowGradient as it is, for which the dense gradient would otherwise be made.

    Source: Keras 3, ``keras.optimizers.Optimizer``.

    Examples
    --------
    An optimiser of one's own:

    >>> class SignMomentum(Optimizer):
    ...     def __init__(self, learning_rate=0.1, momentum=0.5, **options):
    ...         super().__init__(learning_rate, **options)
    ...         self.momentum = momentum
    ...     def make_state(self, value):
    ...         return {'m': np.zeros_like(value)}
    ...     def update(self, value, grad, state, rate):
    ...         state['m'] *= self.momentum
    ...         state['m'] += grad
    ...         value -= rate * np.sign(state['m'])
    >>> weight = Parameter(np.array([1.0, 2.0]))
    >>> optimizer = SignMomentum(lr=0.25, clipvalue=1.0)
    >>> for _ in range(2):
    ...     weight.accumulate(np.array([3.0, -0.5]))
    ...     optimizer.apply([weight])
    >>> weight.value, optimizer.state(weight), optimizer.iterations
    (array([0.5, 2.5]), {'m': array([ 1.5 , -0.75])}, 2)
    """

    registry_kind = "optimizer"
    elementwise = True
    takes_row_gradients = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "update" in cls.__dict__ and "takes_row_gradients" not in cls.__dict__:
            cls.takes_row_gradients = False  # an update of its own says for itself what it takes

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        lr: Any = None,
        rate_multipliers: dict[str, float] | None = None,
        schedules: dict[str, Any] | None = None,
        lazy_rows: bool = True,
    ) -> None:
        label = type(self).__name__
        if lr is not None and (self._arguments[0] or "learning_rate" in self._arguments[1]):
            raise TypeError(f"{label}: lr and learning_rate are two names of one argument; give one of them")
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(f"{label}: clipnorm, clipvalue and global_clipnorm exclude each other; give one of them")
        if gradient_accumulation_steps is not None and gradient_accumulation_steps < 2:
            raise ValueError(f"{label}: gradient_accumulation_steps is 2 or more, or None, not {gradient_accumulation_steps!r}")
        if not 0 <= ema_momentum <= 1:
            raise ValueError(f"{label}: ema_momentum lies between 0 and 1, not {ema_momentum!r}")
        if ema_overwrite_frequency is not None and ema_overwrite_frequency < 1:
            raise ValueError(f"{label}: ema_overwrite_frequency is 1 or more, or None, not {ema_overwrite_frequency!r}")
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum, self.ema_overwrite_frequency = use_ema, ema_momentum, ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.name = name or snake_case(label)
        self.rate_multipliers = dict(rate_multipliers or {})
        self.schedules = {key: deserialize("schedule", each) for key, each in (schedules or {}).items()}
        self.lazy_rows = lazy_rows
        self._learning_rate = as_rate(learning_rate if lr is None else lr, label)
        self.averages_in_use = False  # between two calls of swap_averages
        self._steps = 0
        self._memory, self._layout = Memory({}), Layout()
        self._no_decay: set[Parameter] = set()
        self._no_decay_names: re.Pattern[str] | None = None

    # --- what an optimiser's author writes -----------------------------------------------------------

    def make_state(self, value: Array) -> State:
        """The arrays that are remembered between updates of ``value``, by name; default: none."""
        return {}

    def update(self, value: Array, grad: Array, state: State, rate: float) -> None:
        """One step: change ``value`` and the arrays of ``state`` in place; ``grad`` is read only.

        ``self.iterations`` counts the updates made before this one.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def make_state_of(self, parameter: Parameter) -> State:
        """``make_state`` where the choice depends on the Parameter, by its name or rank."""
        return self.make_state(parameter.value)

    def is_elementwise(self, parameter: Parameter) -> bool:
        """Whether ``update`` may get some of this Parameter's rows, or the Parameter joined with others."""
        return self.elementwise

    def decay_of(self, parameter: Parameter) -> float:
        """The weight decay of one Parameter; 0 where it is excluded."""
        return self.weight_decay if self.weight_decay and self.decays(parameter) else 0.0

    def decays(self, parameter: Parameter) -> bool:
        """Whether the Parameter is not among those that ``exclude_from_weight_decay`` named."""
        named = self._no_decay_names is not None and self._no_decay_names.search(parameter.name)
        return not named and parameter not in self._no_decay

    # --- the step -------------------------------------------------------------------------------------

    def apply(self, parameters: Iterable[Parameter]) -> None:
        """Update the trainable Parameters by their gradients, and drop the gradients of all.

        A Parameter without a gradient stands still; one that is listed twice (tied weights) is updated once.

        Raises
        ------
        ValueError
            No trainable Parameter has a gradient.
        """
        parameters = list(dict.fromkeys(parameters))
        trainable = [p for p in parameters if p.trainable]
        touched = [p for p in trainable if p.grad is not None]
        if not touched:
            raise ValueError(
                f"{self}: none of the {len(parameters)} Parameters ({len(trainable)} trainable) has a gradient; "
                "call backward first, and see that something is trainable"
            )
        for name, schedule in self.schedules.items():
            if not hasattr(self, name):
                raise ValueError(f"{self}: schedules names {name!r}, which is no hyperparameter of {type(self).__name__}")
            setattr(self, name, schedule(self._steps))
        work, factor = self._take_gradients(touched, trainable)
        rate = self.learning_rate
        factors = update_together(touched[0].value, self, work, factor, rate) if work else {}
        for run in self._layout.runs(self, work):
            run.update(self, work, factors, rate)
        for parameter, gradient in work.items():  # those that are not joined
            gradient = clipped(gradient, factors.get(parameter), self.clipvalue)
            self._update_parameter(parameter, gradient, rate * self.rate_multiplier(parameter))
        if self.use_ema:
            self._average(trainable)
        for parameter in touched:
            if parameter.constraint is not None:
                parameter.value[...] = parameter.constraint(parameter.value)
        for parameter in parameters:
            parameter.drop_grad()
        self._steps += 1

    def _take_gradients(self, touched: list[Parameter], trainable: list[Parameter]) -> tuple[dict[Parameter, Gradient], float]:
        """The gradients to update by (none between the accumulated steps), and what to multiply them by."""
        factor = 1.0 if self.loss_scale_factor is None else 1.0 / self.loss_scale_factor
        count = self.gradient_accumulation_steps
        if not count:
            return {p: p.grad for p in touched}, factor
        for p in touched:
            self._memory.accumulate(p)
        if (self._steps + 1) % count:
            return {}, factor
        found = {p: self._memory.find("accumulated", p) for p in trainable}  # those of earlier steps too, in one fixed order
        self._memory.accumulated.clear()
        return {p: gradient for p, gradient in found.items() if gradient is not None}, factor / count

    def _update_parameter(self, parameter: Parameter, gradient: Gradient, rate: float) -> None:
        value, state, decay = parameter.value, self.state(parameter), self.decay_of(parameter)
        if not isinstance(gradient, RowGradient):
            self.update_arrays(value, gradient, state, rate, decay)
        elif not (self.lazy_rows and self.is_elementwise(parameter)):
            self.update_arrays(value, gradient if self.takes_row_gradients else gradient.to_dense(), state, rate, decay)
        else:
            rows = gradient.rows  # each once, so that writing back loses nothing
            few = {name: take_rows(array, rows) for name, array in state.items()}
            few_values = take_rows(value, rows)
            self.update_arrays(few_values, gradient.values, few, rate, decay)
            put_rows(value, rows, few_values)
            for name, array in few.items():
                put_rows(state[name], rows, array)

    def update_arrays(self, value: Array, grad: Gradient, state: State, rate: float, decay: float) -> None:
        """Decay and update of arrays: a Parameter's, some of its rows, or flat ones of many Parameters."""
        if grad.dtype != value.dtype:
            grad = grad.astype(value.dtype)
        if decay:
            value *= 1.0 - decay * rate
        self.update(value, grad, state, rate)

    # --- rates and groups -----------------------------------------------------------------------------

    @property
    def iterations(self) -> int:
        """The number of updates made; with accumulation, of ``apply`` calls divided by its steps."""
        return self._steps // (self.gradient_accumulation_steps or 1)

    @property
    def learning_rate(self) -> float:
        """The rate of the next step; settable to a number or a schedule."""
        given = self._learning_rate
        return float(given(self._steps)) if callable(given) else given

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        new = as_rate(value, type(self).__name__)
        if callable(self._learning_rate) and not callable(new):
            raise TypeError(f"{self}: the learning rate follows a schedule, so a number can't be set; set another schedule")
        self._learning_rate = new

    lr = learning_rate

    def rate_multiplier(self, parameter: Parameter) -> float:
        """What ``rate_multipliers`` says of the Parameter: the factor of the first pattern that its path matches, else 1."""
        for pattern, factor in self.rate_multipliers.items():
            if re.search(pattern, parameter.path):
                return factor
        return 1.0

    def exclude_from_weight_decay(self, var_list: Iterable[Parameter] | None = None, var_names: Iterable[str] | None = None) -> None:
        """No weight decay for these Parameters, and for those whose name matches one of the regular expressions.

        >>> optimizer = Optimizer(weight_decay=0.01)
        >>> optimizer.exclude_from_weight_decay(var_names=['bias', 'gamma', 'beta'])
        >>> optimizer.decay_of(Parameter(np.zeros(2), name='bias')), optimizer.decay_of(Parameter(np.zeros(2), name='kernel'))
        (0.0, 0.01)
        """
        names = list(var_names or [])
        self._no_decay = set(var_list or ())
        self._no_decay_names = re.compile("|".join(names)) if names else None

    def scale_loss(self, loss: Array) -> Array:
        """The loss (or its gradient) times ``loss_scale_factor``."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    # --- moving averages --------------------------------------------------------------------------------

    def _average(self, trainable: list[Parameter]) -> None:
        share = 1.0 - self.ema_momentum
        averages, values = [], []
        for p in self._layout.average(trainable, self._memory, share) if self.iterations else trainable:
            average = self._memory.find("average", p)
            if average is None or self.iterations == 0:
                self._memory.average[p] = p.value.copy()
            else:
                averages.append(average)
                values.append(p.value)
        if values:
            move_averages(values[0], averages, values, share)
        if self.ema_overwrite_frequency and (self.iterations + 1) % self.ema_overwrite_frequency == 0:
            self.finalize_variable_values(trainable)

    def finalize_variable_values(self, var_list: Iterable[Parameter]) -> None:
        """Give the Parameters their moving averages (``use_ema``), unless they have them; called at the end of training."""
        for parameter in [] if self.averages_in_use else var_list:
            average = self._memory.find("average", parameter)
            if average is not None:
                parameter.value[...] = average

    def swap_averages(self, var_list: Iterable[Parameter]) -> None:
        """Exchange the Parameters' values and their moving averages (``use_ema``); a second time puts them back."""
        self.averages_in_use = not self.averages_in_use
        for parameter in var_list:
            average = self._memory.find("average", parameter)
            if average is not None:
                value = parameter.value.copy()
                parameter.value[...] = average
                average[...] = value

    # --- state ------------------------------------------------------------------------------------------

    def state(self, parameter: Parameter) -> State:
        """What is remembered of a Parameter: named arrays, of its backend and dtype."""
        return self._memory.state(parameter, self.make_state_of)

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that is needed to go on: NumPy arrays by name.

        'iterations' (``apply`` calls so far), 'learning_rate' (unless it is a schedule), and '<path>/<name>' for the
        state of each Parameter, '<path>/average' and '<path>/accumulated' (or its '_rows' and '_values') among it.

        Raises
        ------
        ValueError
            Two Parameters have the same path.
        """
        result = {"iterations": np.array(self._steps), **self._memory.to_host()}
        if not callable(self._learning_rate):
            result["learning_rate"] = np.array(self._learning_rate)
        return result

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what ``get_state`` returned; a Parameter gets its part, by its path, when it is next met."""
        self._steps = int(state["iterations"])
        if "learning_rate" in state and not callable(self._learning_rate):
            self._learning_rate = float(state["learning_rate"])
        self._memory, self._layout = Memory({key: np.asarray(value) for key, value in state.items() if "/" in key}), Layout()

    # --- configuration ------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if config.pop("lr", None) is not None or "learning_rate" in config:
            config["learning_rate"] = None
        current = {name: getattr(self, name) for name in config if hasattr(self, name)}
        current["learning_rate"] = self._learning_rate
        return {name: serialize(current.get(name, value)) for name, value in config.items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__} '{self.name}'"


__all__ = ["Optimizer", "State"]
