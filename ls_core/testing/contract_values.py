"""The contract, second part: arrays of every kind, configuration, files, shapes, values, devices."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import floatx_scope
from ..checkpoint import load_model, load_weights, save_weights
from ..gradcheck.case import Case
from ..gradcheck.subject import is_float, leaves, refill
from ..graph import shape_options
from ..layer import Layer
from ..random import same_random_numbers
from ..registry import deserialize, serialize
from ..sequential import Sequential
from .contract_base import bits, contract, same
from .standin import host_syncs
from .tolerances import TOLERANCES, assert_close, difference
from .trial import Run, Trial

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
def keeps_float16(case: Case) -> None:
    """float16 stays float16 through both passes."""
    with floatx_scope("float16"):
        found = Trial(case, "float16").run().floats()
    for name, a in found:
        assert a.dtype == np.float16, f"{name} is {a.dtype} in a float16 layer"


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
    if Trial(case).numeric:
        with host_syncs() as waits:
            compare_backends(case, "standin", waits)


def compare_backends(case: Case, backend: str, waits: list[str] | None = None) -> None:
    """Both passes on ``backend`` and on NumPy; ``waits`` is what ``host_syncs`` fills meanwhile."""
    host, device = Trial(case), Trial(case, backend=backend)
    if waits is not None:
        waits.clear()
    y, cache = device.forward()
    dx = device.layer.backward(device.cotangent(y), cache) if case.differentiable else []
    # A row gradient has as many rows as there are different ids, which the host must know.
    found = [wait for wait in waits or [] if "parameter.py" not in wait]
    assert not found or "no_waits" in case.skip, f"the host waits for the device: {', '.join(found[:3])}"
    for each in leaves(y):
        assert not isinstance(each, np.ndarray), "the output is not on the device"
    if backend == "standin" or not host.draws:  # a real device has random numbers of its own
        same(Run(leaves(y), leaves(dx), device.take_grads() if case.differentiable else []), host.run())
