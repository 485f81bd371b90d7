"""The contract, first part: gradients, and who may write to which array (layer.py's rules)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import CacheError
from ..gradcheck.case import Case
from ..gradcheck.check import check_layer
from ..gradcheck.layer_subject import kept_arrays
from ..gradcheck.subject import is_float, leaves, refill
from .contract_base import bits, contract, same
from .trial import Run, Trial

# --- gradients -----------------------------------------------------------------------------------


def check_gradients(case: Case, backend: str) -> None:
    """check_layer on the case's layer, built."""
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
    check_gradients(case, "numpy")


@contract
def gradients_on_standin(case: Case) -> None:
    """It is on a device, too."""
    check_gradients(case, "standin")


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
