"""check_layer and its kin: is this backward the derivative of that forward?

For a target x (an input or a Parameter), a random direction v and a random cotangent c, with L = sum(c y)::

    central differences    (L(x + h v) - L(x - h v)) / 2h    against    sum(dx v)      h = 1e-5
    complex step           imag L(x + i h v) / h             against    sum(dx v)      h = 1e-30

in float64. A cotangent of ones would be blind: softmax's true dx is then 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..backend import to_device, to_host
from ..layer import Layer
from ..random import same_random_numbers, set_seed
from ..registry import deserialize
from ..types import Array
from .layer_subject import LayerSubject
from .probes import run_check
from .report import GradientError, Report
from .subject import FunctionSubject, LossSubject, Resample, leaves


def check_layer(
    layer: Layer,
    *inputs: Any,
    training: bool = False,
    seed: int = 0,
    step: float = 1e-5,
    tolerance: float | None = None,
    mode: str = "auto",
    backend: str = "numpy",
    resample: Resample | None = None,
    dead: Iterable[str] = (),
    noise: float = 0.1,
    **options: Any,
) -> Report:
    """Check a layer's backward for every float input and every trainable Parameter.

    It works on a float64 copy of the layer: the layer, its gradients and the random streams stay as they were.

    Parameters
    ----------
    layer : Layer
        Built or not. The copy's Parameters get ``noise`` times a normal number, since zeros hide mistakes.
    *inputs : array
        What forward takes. backward must return None for integer ones.
    training : bool
    seed : int
        Of cotangents, directions, initial weights and dropout masks; it stands in every failure message.
    step : float
        h of the central differences.
    tolerance : float, optional
        Bound of the relative error; default: derived from the step and the array sizes, at most 1e-7 for central
        differences and 1e-12 for the complex step.
    mode : {'auto', 'central', 'complex'}
        'auto' does both where the forward runs on complex numbers and is analytic, and says where it does not.
    backend : str
        Where the layer runs; the comparison is made on the host.
    resample : callable, optional
        ``resample(generator)`` returns other inputs, used where these lie on a kink or a tie. Default: they are moved a little.
    dead : names of Parameters
        Those whose gradient is zero by mathematics (a bias before a normalisation).
    **options
        Further keywords of forward: mask, initial_state ...

    Returns
    -------
    Report
        Print it.

    Raises
    ------
    GradientError
        A gradient is wrong, missing, misshapen or not finite; forward is not deterministic; a Parameter is dead.

    Examples
    --------
    >>> from ls_layers import Dense
    >>> report = check_layer(Dense(3, activation='tanh'), np.random.default_rng(0).normal(size=(2, 4)))
    >>> [(row.target, row.mode, row.error < row.tolerance) for row in report.rows][:3]
    [('input', 'central', True), ('input', 'complex', True), ('kernel', 'central', True)]
    """
    if not isinstance(layer, Layer):
        made = f"; make one: {layer.__name__}(...)" if isinstance(layer, type) else ""
        raise TypeError(f"check_layer takes a layer, not {layer!r}{made}")
    if not inputs:
        raise TypeError(f"check_layer takes {layer} and then the inputs of its forward: check_layer(layer, x)")
    if any(not hasattr(leaf, "dtype") and isinstance(leaf, (int, float)) for leaf in leaves(inputs)):
        raise TypeError(f"check_layer takes arrays for the inputs of {layer}; of a list make one with np.array(...)")
    with same_random_numbers():
        set_seed(seed)
        rng = np.random.default_rng(seed)
        subject = LayerSubject(layer, inputs, options, training, noise, rng, backend, resample)
        return run_check(subject, seed, step, tolerance, mode, frozenset(dead))


def check_function(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    *inputs: Any,
    seed: int = 0,
    step: float = 1e-5,
    tolerance: float | None = None,
    mode: str = "auto",
    backend: str = "numpy",
    resample: Resample | None = None,
) -> Report:
    """Check ``forward(*inputs) -> (y, saved)`` against ``backward(dy, saved) -> dx``; else like ``check_layer``.

    >>> check_function(lambda x: (x * x, x), lambda dy, x: 2 * x * dy, np.array([1.0, -2.0])).worst.error < 1e-9
    True
    """
    name = getattr(forward, "__name__", None) or repr(forward)
    subject = FunctionSubject(name, forward, backward, inputs, backend, resample)
    with same_random_numbers():
        return run_check(subject, seed, step, tolerance, mode, frozenset())


def check_activation(activation: Any, x: Array, **how: Any) -> Report:
    """Check an activation function (a name or the object) on ``x``; keywords as for ``check_function``.

    >>> check_activation('tanh', np.array([0.5, -1.0])).worst.error < 1e-9
    True
    """
    found = deserialize("activation", activation)
    report = check_function(found.forward, found.backward, x, **how)
    report.name = f"activation {found.name}"
    return report


def check_loss(
    loss: Any,
    y_true: Array,
    y_pred: Array,
    sample_weight: Array = None,
    *,
    seed: int = 0,
    step: float = 1e-5,
    tolerance: float | None = None,
    mode: str = "auto",
    backend: str = "numpy",
    resample: Resample | None = None,
) -> Report:
    """Check ``loss.value_and_grad(y_true, y_pred, sample_weight)``, and that its value is ``loss(...)``'s.

    ``resample(generator)`` returns ``(y_pred,)``; else like ``check_layer``.
    """
    found = deserialize("loss", loss)
    subject = LossSubject(found, y_true, y_pred, sample_weight, backend, resample)
    with same_random_numbers():
        report = run_check(subject, seed, step, tolerance, mode, frozenset())
    given = [None if a is None else to_device(a, backend) for a in (y_true, y_pred, sample_weight)]
    value, called = (to_host(v) for v in (found.value_and_grad(*given)[0], found(*given)))
    if not np.allclose(value, called, rtol=1e-6, atol=1e-6):
        raise GradientError(f"{subject.name}: value_and_grad's value is {value}, the loss called is {called}")
    return report
