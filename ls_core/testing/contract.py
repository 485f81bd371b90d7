"""The contract that every layer keeps, as checks of one ``Case``: what its author wrote down is enough for all of them.

>>> from ls_core.testing.contract import CHECKS, check_case
>>> from ls_core.gradcheck import Case
>>> from ls_layers import Dense
>>> check_case(Case('Dense', lambda: Dense(2), lambda g: (g.normal(size=(3, 4)),)))
>>> len(CHECKS) > 15
True

Each check is a function of the case that raises AssertionError. ``Case.skip`` names those that do not apply.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import floatx_scope, to_host
from ..checkpoint import load_model, load_weights, save_weights
from ..errors import CacheError
from ..gradcheck.case import Case
from ..gradcheck.check import check_layer
from ..gradcheck.subject import is_float, leaves, refill
from ..graph import shape_options
from ..layer import Layer
from ..random import same_random_numbers
from ..registry import deserialize, serialize
from ..sequential import Sequential
from .standin import host_syncs
from .tolerances import TOLERANCES, assert_close, difference
from .trial import Run, Trial, kept_arrays

Check = Callable[[Case], None]
CHECKS: dict[str, Check] = {}


def contract(check: Check) -> Check:
    """Add ``check`` to CHECKS."""
    CHECKS[check.__name__] = check
    return check


def check_case(case: Case) -> None:
    """Every check that applies to ``case``."""
    for name, check in CHECKS.items():
        if name not in case.skip:
            check(case)


def same(got: Run, wanted: Run, dtype: str = "float64") -> None:
    """Both runs gave the same arrays, to the table's tolerance."""
    for kind, ours, theirs in (
        ("output", got.y, wanted.y),
        ("input gradient", got.dx, wanted.dx),
        ("weight gradient", got.grads, wanted.grads),
    ):
        assert len(ours) == len(theirs), f"{len(ours)} {kind}s, wanted {len(theirs)}"
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if (a is None) != (b is None):  # a weight that nothing reached has no gradient, which stands for zeros
                present = b if a is None else a
                assert kind == "weight gradient", f"{kind} {i} is {'missing' if a is None else 'superfluous'}"
                assert not to_host(present).any(), f"{kind} {i} is there on one side only"
            elif is_float(a):
                assert_close(a, b, dtype, f"{kind} {i}")


def bits(arrays: list[Any]) -> list[bytes]:
    """The exact contents of arrays."""
    return [to_host(a).tobytes() if to_host(a).dtype.kind in "biufc" else repr(a).encode() for a in arrays]


# --- gradients -----------------------------------------------------------------------------------


def _gradients(case: Case, backend: str) -> None:
    trial = Trial(case, noise=0.0)
    if case.differentiable and trial.numeric:
        check_layer(
            trial.layer,
            *trial.inputs,
            training=case.training,
            resample=case.inputs,
            dead=case.dead,
            backend=backend,
            **trial.options,
        )


@contract
def gradients(case: Case) -> None:
    """backward is the derivative of forward."""
    _gradients(case, "numpy")


@contract
def gradients_on_standin(case: Case) -> None:
    """It is on a device, too."""
    _gradients(case, "standin")


# --- ownership (layer.py) --------------------------------------------------------------------------


@contract
def writes_to_nothing(case: Case) -> None:
    """forward writes to no input, backward neither to dy nor to the cache nor to a Parameter (rule 1)."""
    trial = Trial(case)
    weights = [p.value for p in trial.layer.parameters() if not p.state]
    before = bits(trial.arrays + weights)
    y, cache = trial.forward()
    assert bits(trial.arrays + weights) == before, "forward wrote to an input or a Parameter"
    if not case.differentiable:
        return
    dy = trial.cotangent(y)
    kept = kept_arrays(cache) + [each for each in leaves(dy) if each is not None] + leaves(y) + weights
    before = bits(kept)
    trial.layer.backward(dy, cache)
    assert bits(kept) == before, "backward wrote to dy, to an array of the cache, to y or to a Parameter"


@contract
def gradients_are_fresh(case: Case) -> None:
    """What accumulate gets is the Parameter's own: no view of dy, the cache, or another gradient (rule 3)."""
    trial = Trial(case)
    if not case.differentiable:
        return
    y, cache = trial.forward()
    dy = trial.cotangent(y)
    others = [each for each in (*kept_arrays(cache), *leaves(dy), *leaves(y), *trial.arrays) if isinstance(each, np.ndarray)]
    others += [p.value for p in trial.layer.parameters()]
    dx = trial.layer.backward(dy, cache)
    others += [each for each in leaves(dx) if isinstance(each, np.ndarray)]
    for p in trial.layer.parameters():
        grad: Any = getattr(p.grad, "values", p.grad)
        if grad is not None:
            assert not any(np.shares_memory(grad, other) for other in others), f"the gradient of {p.name} shares memory with another array"
            others.append(grad)


@contract
def two_caches(case: Case) -> None:
    """Used twice before any backward, a layer gives two caches that know nothing of each other (rule 4)."""
    trial = Trial(case)
    if not case.differentiable:
        return
    wanted = trial.run()
    y, first = trial.forward()
    y2, second = trial.forward(refill(trial.inputs, [leaf * 0.5 if is_float(leaf) else leaf for leaf in leaves(trial.inputs)]))
    dx = trial.layer.backward(trial.cotangent(y), first)
    same(Run(leaves(y), leaves(dx), trial.take_grads()), wanted)
    trial.layer.backward(trial.cotangent(y2), second)


@contract
def cache_is_consumed(case: Case) -> None:
    """A second backward on one cache is a clear error (rule 4)."""
    trial = Trial(case)
    if not case.differentiable:
        return
    y, cache = trial.forward()
    trial.layer.backward(trial.cotangent(y), cache)
    try:
        trial.layer.backward(trial.cotangent(y), cache)
    except CacheError:
        return
    raise AssertionError("a second backward on the same cache went through")


@contract
def accumulates(case: Case) -> None:
    """Two backwards without dropping the gradients give their sum (rule 3)."""
    trial = Trial(case)
    if not case.differentiable:
        return
    once = trial.run()
    for _ in range(2):
        y, cache = trial.forward()
        trial.layer.backward(trial.cotangent(y), cache)
    twice = trial.take_grads()
    same(Run([], [], twice), Run([], [], [None if g is None else 2 * g for g in once.grads]))


@contract
def skips_input_gradient(case: Case) -> None:
    """``input_gradient=False`` leaves the Parameters' gradients as they are."""
    trial = Trial(case)
    if case.differentiable:
        same(Run([], [], trial.run(input_gradient=False).grads), Run([], [], trial.run().grads))


@contract
def frozen(case: Case) -> None:
    """A frozen layer accumulates nothing and passes the same gradient on."""
    trial = Trial(case)
    if not case.differentiable or case.training:  # in training, a frozen BatchNormalization computes something else
        return
    wanted = trial.run()
    trial.layer.trainable = False
    got = trial.run()
    assert all(g is None for g in got.grads), "a frozen Parameter got a gradient"
    same(Run([], got.dx, []), Run([], wanted.dx, []))


@contract
def missing_cotangents(case: Case) -> None:
    """Of several outputs any dy may be None, which stands for zeros."""
    trial = Trial(case)
    y, _ = trial.forward()
    if not case.differentiable or not isinstance(y, (tuple, list)) or len(y) < 2:
        return
    dy = trial.cotangent(y)
    for i, each in enumerate(dy):
        if is_float(each):
            gone, zero = list(dy), list(dy)
            gone[i], zero[i] = None, each * 0
            same(trial.run(dy=type(dy)(gone)), trial.run(dy=type(dy)(zero)))


# --- arrays of every kind --------------------------------------------------------------------------


@contract
def non_contiguous(case: Case) -> None:
    """Inputs and dy in any memory layout give the same."""
    trial = Trial(case)
    if not trial.numeric:
        return
    wanted = trial.run()

    def scattered(x: Any) -> Any:
        if not isinstance(x, np.ndarray) or x.ndim == 0:
            return x
        wide = np.zeros((*x.shape[::-1], 2), dtype=x.dtype)
        wide[..., 1] = x.T
        return wide[..., 1].T

    def scatter(value: Any) -> Any:
        return refill(value, [scattered(leaf) for leaf in leaves(value)])

    y, _ = trial.forward()
    dy = scatter(trial.cotangent(y)) if case.differentiable else None
    same(trial.run(scatter(trial.inputs), scatter(trial.options), dy), wanted)


@contract
def zero_length_batch(case: Case) -> None:
    """A batch of nothing gives nothing: the right shapes, and gradients of zero."""
    trial = Trial(case)
    full = trial.run()
    got = trial.run(trial.rows(trial.inputs, slice(0, 0)), trial.rows(trial.options, slice(0, 0)))
    for a, b in zip(got.y + got.dx, full.y + full.dx, strict=True):
        if b is not None and b.ndim and b.shape[0] == trial.batch:
            assert a.shape == (0, *b.shape[1:]), f"shape {a.shape} for an empty batch, {b.shape} for {trial.batch} rows"
    for a, b in zip(got.grads, full.grads, strict=True):
        if b is not None and a is not None:
            assert a.shape == b.shape
            assert np.isfinite(a).all()
            assert not a.any(), "a gradient from an empty batch is not zero"


@contract
def keeps_float32(case: Case) -> None:
    """float32 stays float32 through both passes, and agrees with float64 (rule 6)."""
    single, double = Trial(case, "float32"), Trial(case, "float64")
    for p, q in zip(double.layer.parameters(), single.layer.parameters(), strict=True):
        if p.dtype.kind == "f":
            p.value = q.value.astype(np.float64)
    double.states = [(p, p.value.copy()) for p in double.layer.parameters() if p.state]
    double.inputs = refill(double.inputs, [a.astype(np.float64) if is_float(a) else a for a in leaves(single.inputs)])
    got = single.run()
    for name, a in got.floats():
        assert a.dtype == np.float32, f"{name} is {a.dtype} in a float32 layer"
    for p in single.layer.parameters():
        assert p.dtype.kind != "f" or p.dtype == np.float32, f"Parameter {p.name} is {p.dtype}"
    same(got, double.run(), "float32")


@contract
def same_alone(case: Case) -> None:
    """A batch gives what its rows give one by one."""
    trial = Trial(case)
    if not case.same_alone or trial.draws:
        return
    whole = trial.run()
    y, _ = trial.forward()
    for i in range(trial.batch):
        row = slice(i, i + 1)
        dy = trial.rows(trial.cotangent(y), row) if case.differentiable else None
        alone = trial.run(trial.rows(trial.inputs, row), trial.rows(trial.options, row), dy)
        for a, b in zip(alone.y + alone.dx, whole.y + whole.dx, strict=True):
            if is_float(b) and b.ndim and b.shape[0] == trial.batch:
                assert_close(a, b[row], what=f"row {i} alone and in its batch")


# --- configuration, weights, shapes, values ----------------------------------------------------------


def _same_layer(case: Case, trial: Trial, twin: Layer, what: str) -> None:
    with floatx_scope("float64"):
        if not twin.built:
            twin._build_on(trial.inputs)
        twin(*trial.inputs, training=case.training, **trial.options)
    twin.set_weights(trial.layer.get_weights())
    wanted = trial.run()
    mine, trial.layer = trial.layer, twin
    states, trial.states = trial.states, [(p, p.value.copy()) for p in twin.parameters() if p.state]
    same(trial.run(), wanted)
    trial.layer, trial.states = mine, states
    assert [p.name for p in twin.parameters()] == [p.name for p in mine.parameters()], what


@contract
def config_round_trip(case: Case) -> None:
    """``from_config(get_config())`` through JSON, with the weights, is the same layer."""
    trial = Trial(case)
    config = json.loads(json.dumps(trial.layer.get_config(), allow_nan=False))
    twin = type(trial.layer).from_config(config)
    assert json.loads(json.dumps(twin.get_config())) == config
    _same_layer(case, trial, twin, "from_config")
    _same_layer(case, trial, deserialize("layer", json.loads(json.dumps(serialize(trial.layer)))), "deserialize")


@contract
def weights_file(case: Case) -> None:
    """Weights saved to a file come back bit for bit."""
    trial, twin = Trial(case), Trial(case, noise=0.5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_weights(trial.layer, path)
        load_weights(twin.layer, path)
    assert bits(twin.layer.get_weights()) == bits(trial.layer.get_weights())


@contract
def model_file(case: Case) -> None:
    """A Sequential of the layer survives save and load."""
    trial = Trial(case)
    if len(trial.inputs) != 1 or case.options or isinstance(trial.inputs[0], (list, tuple)):
        return
    model = Sequential([trial.layer])
    wanted = model.forward(*trial.inputs)[0]
    model.ensure_built(tuple(trial.inputs[0].shape))
    model._input_shape_seen = tuple(trial.inputs[0].shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        loaded = load_model(path)
    for a, b in zip(leaves(loaded.forward(*trial.inputs)[0]), leaves(wanted), strict=True):
        if is_float(a):
            assert_close(a, b, what="outputs of the loaded model")


@contract
def output_shape(case: Case) -> None:
    """``output_shape`` agrees with the real shape, for a known and for an unknown batch."""
    trial = Trial(case)
    y, _ = trial.forward()
    real = [tuple(each.shape) for each in leaves(y) if hasattr(each, "shape")]
    for unknown in (False, True):

        def shape_of(x: Any, unknown: bool = unknown) -> Any:
            if isinstance(x, (list, tuple)):
                return [shape_of(each, unknown) for each in x]
            return (None, *x.shape[1:]) if unknown else tuple(x.shape)

        shapes = [shape_of(x) for x in trial.inputs if x is not None]
        said = trial.layer.output_shape(shapes[0] if len(shapes) == 1 else shapes, **shape_options(trial.layer, trial.options))
        said = [tuple(s) for s in said] if isinstance(said, list) else [tuple(said)]
        if unknown:
            assert all(len(s) == len(r) for s, r in zip(said, real, strict=True)), f"output_shape says {said}, the outputs have {real}"
            assert all(a in (None, b) for s, r in zip(said, real, strict=True) for a, b in zip(s, r, strict=True)), (said, real)
        else:
            assert said == real, f"output_shape says {said}, the outputs have {real}"


@contract
def expected(case: Case) -> None:
    """The independent forward of the case gives the same."""
    if case.expected is None:
        return
    trial = Trial(case, noise=0.0)
    y, _ = trial.forward()
    trial.rewind()
    for a, b in zip(leaves(y), leaves(case.expected(trial.layer, *trial.inputs, **trial.options)), strict=True):
        if b is not None:
            assert difference(a, np.asarray(b)) <= TOLERANCES["float64"], f"forward {a}, expected {b}"


@contract
def calls_alike(case: Case) -> None:
    """``layer(x)`` is forward without the cache; the same seed gives the same bits, weights included."""
    trial, again = Trial(case), Trial(case)
    y, _ = trial.forward()
    trial.rewind()
    with same_random_numbers():
        called = trial.layer(*trial.inputs, training=case.training, **trial.options)
    other, _ = again.forward()
    assert bits(leaves(y)) == bits(leaves(called)), "layer(x) differs from forward(x)"
    assert bits(leaves(y)) == bits(leaves(other)), "the same seed gave other numbers"


@contract
def on_standin(case: Case) -> None:
    """Both passes run on a device, give what NumPy gives, and never make the host wait (rule 7)."""
    if not Trial(case).numeric:
        return
    host, device = Trial(case), Trial(case, backend="standin")
    with host_syncs() as waits:
        y, cache = device.forward()
        if case.differentiable:
            dy = device.cotangent(y)
            dx = device.layer.backward(dy, cache)
    for each in leaves(y):
        assert not isinstance(each, np.ndarray), "the output is not on the device"
    same(Run(leaves(y), leaves(dx) if case.differentiable else [], device.take_grads() if case.differentiable else []), host.run())
    waits = [wait for wait in waits if "parameter.py" not in wait]  # a row gradient has as many rows as there are different ids
    assert not waits or "no_waits" in case.skip, f"the host waits for the device: {', '.join(waits[:3])}"
