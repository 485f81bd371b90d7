"""What the benchmarks time in other libraries is what LS computes: layers, and the first steps of every workload."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from benchmarks.layers import given_and_taken
from benchmarks.machine import tier
from benchmarks.peers import PEERS
from benchmarks.steps import BARS, ls_step, torch_step
from benchmarks.subjects import SPECS, Spec
from benchmarks.workloads import WORKLOADS

pytestmark = pytest.mark.judges

LAYERS = [spec for spec in SPECS if spec.make is not None and not spec.draws]


@pytest.fixture(autouse=True)
def _single_precision() -> Iterator[None]:
    """The benchmarks' float type, for Keras too: the other judges set theirs to float64."""
    import keras

    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


def run_peer(name: str, spec: Spec) -> str | None:
    """What is wrong with a peer's layer, or None."""
    shape = spec.shapes["tiny"]
    with tier("references"):
        pair = spec.prepare(shape)
        expected, gradients = given_and_taken(pair.both()), pair.gradients()
    made = PEERS[name](spec, pair, shape)
    if made is None:
        pytest.skip(f"{name} has no {spec.name} here")
    return made.verify(expected, gradients)(made.run())


@pytest.mark.parametrize("spec", LAYERS, ids=[spec.name for spec in LAYERS])
@pytest.mark.parametrize("name", ["PyTorch", "Keras"])
def test_a_peer_computes_the_same(name: str, spec: Spec) -> None:
    assert run_peer(name, spec) is None


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
@pytest.mark.parametrize("spec", LAYERS, ids=[spec.name for spec in LAYERS])
def test_jax_computes_the_same(spec: Spec) -> None:
    assert run_peer("JAX", spec) is None


@pytest.mark.skipif(importlib.util.find_spec("thinc") is None, reason="Thinc is not installed")
@pytest.mark.parametrize("spec", LAYERS[:2], ids=[spec.name for spec in LAYERS[:2]])
def test_thinc_computes_the_same(spec: Spec) -> None:
    assert run_peer("Thinc", spec) is None


@pytest.mark.parametrize("work", WORKLOADS, ids=[work.name for work in WORKLOADS])
def test_the_first_steps_have_the_same_losses(work: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = work.inputs(rng)[:4], work.targets(rng)[:4]
    with tier("numpy"):
        ours, weights = ls_step(work, x, y, lazy=False)
        losses = [ours() for _ in range(3)]
    twins = [torch_step(work, weights, x, y, fused=True)]
    import torch

    assert not torch.backends.cudnn.allow_tf32  # on CUDA PyTorch's step would else be another computation
    if importlib.util.find_spec("jax") is not None:
        from benchmarks.jax_twins import jax_step

        twins.append(jax_step(work.name, weights, x, y))
    for twin in twins:
        theirs = [twin() for _ in range(3)]
        assert theirs[0] == pytest.approx(losses[0], rel=BARS[0][1], abs=BARS[0][1])
        assert theirs == pytest.approx(losses, rel=BARS[1][1], abs=BARS[1][1])
