"""No step makes the host wait for the device: the eight workloads that LS is measured by, and what fit adds to a step.

A step on the stand-in device is forward, joined loss, metrics, backward, penalties, clipping, update and the sums of losses;
each is run by the CUDA kernels where a C++ compiler is at hand, and by the references, of which one waits: ``unique`` for an
Embedding's gradient, in place of which CUDA has a kernel.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_layers
import ls_optim
from benchmarks import workloads
from benchmarks.workloads import WORKLOADS, Workload
from ls_core.losses import SparseCategoricalCrossentropy
from ls_core.testing.cuda_emulator import compiler, cuda_kernels
from ls_core.testing.standin import host_syncs
from ls_core.tracking import LossTracker

from .launches import launches

KERNELS: dict[str, Callable[[], Any]] = {"references": contextlib.nullcontext, "kernels": cuda_kernels}
ROWS = 2  # of each workload's batch: what waits does so whatever the size


@pytest.fixture(params=sorted(KERNELS))
def _computed(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "kernels" and compiler() is None:
        pytest.skip("no C++ compiler: g++ (or $CXX) runs the CUDA sources on the CPU")
    with KERNELS[request.param](), ls_core.use_backend("standin"):
        yield


def but_unique(waits: list[str]) -> list[str]:
    """What the references may not wait for either."""
    return (
        [wait for wait in waits if not wait.startswith("unique")] if ls_core.parameter.sum_rows.overrides.get("standin") is None else waits
    )


def waits_of_a_step(model: Any, x: Any, y: Any, weights: Any = None) -> list[str]:
    """The waits in the second step on data that lies on the device; the first one makes metrics and the optimiser's state."""
    placed = tuple(ls_core.to_device(part) for part in (x if isinstance(x, tuple) else (x,)))
    y, weights = ls_core.to_device(y), None if weights is None else ls_core.to_device(weights)
    model._prepare(tuple(part[:1] for part in placed), training=True)
    tracker = LossTracker(model._objective)
    model.train_step(placed, y, weights, tracker)
    with host_syncs() as waits:
        model.train_step(placed, y, weights, tracker)
    assert np.isfinite(tracker.results()["loss"])
    return but_unique(waits)


@pytest.mark.usefixtures("_computed")
@pytest.mark.parametrize("precision", [None, "bfloat16"])
@pytest.mark.parametrize("work", WORKLOADS, ids=[work.name.split(",")[0] for work in WORKLOADS])
def test_workloads(work: Workload, precision: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if precision is not None:
        pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes, the extra bf16")
    monkeypatch.setattr(workloads, "DEPTH", 2)  # the GPT's blocks and tokens
    monkeypatch.setattr(workloads, "LENGTH", 16)
    g, model = np.random.default_rng(0), work.make()
    x, y = work.inputs(g)[:ROWS], work.targets(g)[:ROWS]
    if work.name.startswith("GPT"):
        x, y = x[:, :16], y[:, :16]
    loss = SparseCategoricalCrossentropy(from_logits=work.from_logits)
    model.compile(ls_optim.Adam(0.001), loss, metrics=["accuracy"], mixed_precision=precision)
    assert waits_of_a_step(model, x, y) == []


@pytest.mark.skipif(compiler() is None, reason="no C++ compiler: g++ (or $CXX) runs the CUDA sources on the CPU")
@pytest.mark.parametrize("work", WORKLOADS, ids=[work.name.split(",")[0] for work in WORKLOADS])
def test_launches_of_an_update(work: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    """One for 40 arrays; clipping by the norm of all takes one more for each 40, and another."""
    monkeypatch.setattr(workloads, "DEPTH", 4)
    monkeypatch.setattr(workloads, "LENGTH", 16)
    updates = ls_optim.Adam(), ls_optim.AdamW(global_clipnorm=1.0)
    updates[1].exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    with cuda_kernels(), ls_core.use_backend("standin"):
        g, model = np.random.default_rng(0), work.make()
        x, y = work.inputs(g)[:ROWS], work.targets(g)[:ROWS]
        x, y = ls_core.to_device(x[:, :16] if work.name.startswith("GPT") else x), ls_core.to_device(y)
        loss = SparseCategoricalCrossentropy(from_logits=work.from_logits)
        for update in updates:
            for _ in range(2):
                z, cache = model.forward(x, training=True)
                model.backward(loss.value_and_grad(y[:, :16] if work.name.startswith("GPT") else y, z)[1], cache, input_gradient=False)
                with launches() as found:
                    update.apply(model.parameters())
            times = -(-sum(p.trainable for p in model.parameters()) // 40)
            norms = ["square_sums"] * times + ["norm_scales"] if update.global_clipnorm else []
            assert found == norms + ["adam_update"] * times


def ids_and_classes() -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(0)
    ids = g.integers(1, 20, (12, 8))
    ids[:, 6:] = 0  # masked
    return ids, g.integers(0, 3, 12)


def masked_model() -> Any:
    """Masks, masks of dropout, moving statistics and penalties in one model."""
    return ls_core.Sequential(
        [
            ls_layers.Embedding(20, 6, mask_zero=True),
            ls_layers.SpatialDropout1D(0.2),
            ls_layers.Bidirectional(ls_layers.LSTM(5, return_sequences=True, dropout=0.1, recurrent_dropout=0.1)),
            ls_layers.BatchNormalization(),
            ls_layers.GRU(5, kernel_regularizer="l2"),
            ls_layers.GaussianNoise(0.1),
            ls_layers.Dense(4, activation="gelu", activity_regularizer="l1", kernel_constraint="max_norm"),
            ls_layers.AlphaDropout(0.1),
            ls_layers.Dense(3, activation="softmax"),
        ]
    )


CLIPS = [{"clipnorm": 1.0}, {"clipvalue": 0.5}, {"global_clipnorm": 1.0}, {"use_ema": True}, {"gradient_accumulation_steps": 2}]


@pytest.mark.usefixtures("_computed")
@pytest.mark.parametrize("options", [{}, *CLIPS, {"weight_decay": 0.01, "lazy_rows": False}], ids=lambda options: "".join(options))
@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_masks_dropout_metrics_and_clipping(optimizer: str, options: dict[str, Any]) -> None:
    model, (x, y) = masked_model(), ids_and_classes()
    metrics, weighted = ["accuracy", ls_core.metrics.SparseTopKCategoricalAccuracy(k=2)], ["sparse_categorical_crossentropy"]
    update = getattr(ls_optim, optimizer)(ls_optim.schedules.CosineDecay(0.01, 100), **options)
    model.compile(update, "sparse_categorical_crossentropy", metrics=metrics, weighted_metrics=weighted)
    assert waits_of_a_step(model, x, y, np.linspace(0.5, 1.5, 12, dtype="float32")) == []


@pytest.mark.usefixtures("_computed")
def test_several_inputs_and_outputs() -> None:
    a, b = ls_core.Input((4,), name="a"), ls_core.Input((3,), name="b")
    h = ls_layers.Concatenate()([ls_layers.Dense(5, activation="tanh")(a), ls_layers.Dropout(0.3)(b)])
    outputs = [ls_layers.Dense(2, activation="softmax", name="kind")(h), ls_layers.Dense(1, name="size")(h)]
    model = ls_core.Model([a, b], outputs)
    model.compile("adam", ["sparse_categorical_crossentropy", "huber"], loss_weights=[1.0, 0.5], metrics=[["accuracy"], ["mae"]])
    g = np.random.default_rng(0)
    placed = tuple(ls_core.to_device(g.normal(size=(6, n)).astype("float32")) for n in (4, 3))
    y = [ls_core.to_device(g.integers(0, 2, 6)), ls_core.to_device(g.normal(size=(6, 1)).astype("float32"))]
    model._prepare(tuple(x[:1] for x in placed), training=True)
    tracker = LossTracker(model._objective)
    model.train_step(placed, y, None, tracker)
    with host_syncs() as waits:
        model.train_step(placed, y, None, tracker)
    assert waits == []


@pytest.mark.usefixtures("_computed")
def test_fit_waits_once_an_epoch_however_many_steps_it_has() -> None:
    """To read the epoch's losses and metrics, and no more often: the batches' numbers are read when a callback asks."""
    model, (x, y) = masked_model(), ids_and_classes()
    model.compile(ls_optim.Adam(0.01, global_clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)

    def waits(batch_size: int) -> list[str]:
        with host_syncs() as found:
            model.fit(x, y, batch_size=batch_size, epochs=1, verbose=0)
        return but_unique(found)

    few, many = waits(6), waits(2)
    assert few == many
    assert len(many) <= 4, many
