"""On a CUDA device: every override against its reference, gradients in double, no waits, the same bits, whole training runs.

Skipped where no device answers; ``LS_REQUIRE_GPU=1`` makes that a failure. The layers' own comparisons and gradient checks
on CuPy stand in test_contract.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_layers
from ls_core.cuda import OVERRIDES
from ls_core.gradcheck.loss_cases import LOSS_CASES
from ls_core.gradcheck.subject import is_float
from ls_core.gradcheck.table import check_activation_row, check_loss_row
from ls_core.registry import known_names
from ls_core.testing.trial import Trial
from ls_layers.cases import TABLE

from .device_models import image_model, text_model, training_step
from .kernel_rounds import CASES, ROUNDS, Place, agree, wanted
from .tolerances import assert_close, difference

pytestmark = pytest.mark.gpu

MODELS = {"text": text_model, "image": image_model}


@pytest.fixture(autouse=True)
def _device() -> None:
    ls_core.backend.find_backend("cupy")


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("name", "dtype"), CASES)
@pytest.mark.filterwarnings("ignore:overflow encountered in exp:RuntimeWarning")
def test_kernels(name: str, dtype: str, seed: int) -> None:
    agree(ROUNDS[name][0](Place("cupy", dtype, seed)), wanted(name, dtype, seed), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_rows_and_long_ones(dtype: str) -> None:
    """More blocks than run at once, and rows of many rounds."""
    for shape in ((100_000, 33), (3, 1_000_003)):
        x = np.random.default_rng(0).normal(size=shape).astype(dtype)
        moved = ls_core.to_device(x, "cupy")
        for function in (ls_layers.activations.softmax, ls_layers.activations.gelu):
            wanted, wanted_saved = function.forward(x)
            y, saved = function.forward(moved)
            assert_close(y, wanted, dtype)
            assert_close(function.backward(moved, saved), function.backward(x, wanted_saved), dtype)


def test_the_overrides_are_in_force() -> None:
    import cupy

    assert OVERRIDES
    assert all(kernel._table[cupy.ndarray] is function for kernel, function in OVERRIDES)


@pytest.mark.parametrize("case", TABLE, ids=[case.name for case in TABLE])
def test_layers_in_single_precision(case: Any) -> None:
    """test_contract.py does double precision, and the gradient checks."""
    host = Trial(case, "float32")
    if not host.numeric or "keeps_float32" in case.skip or host.draws:
        return
    with ls_core.use_references():
        wanted = host.run()
    got = Trial(case, "float32", backend="cupy").run()
    for a, b in zip((*got.y, *got.dx, *got.grads), (*wanted.y, *wanted.dx, *wanted.grads), strict=True):
        assert (a is None) == (b is None)
        if is_float(b):
            assert_close(a, b, "float32")


@pytest.mark.parametrize("case", TABLE, ids=[case.name for case in TABLE])
def test_layers_in_bfloat16(case: Any) -> None:
    """Near what float32 gives: a few roundings of 2^-8, one after the other."""
    pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes, the extra bf16")
    host = Trial(case, "float32")
    if not host.numeric or "keeps_float32" in case.skip or host.draws:
        return
    with ls_core.use_references():
        wanted = host.run()
    got = Trial(case, "bfloat16", backend="cupy").run()
    for a, b in zip((*got.y, *got.dx, *got.grads), (*wanted.y, *wanted.dx, *wanted.grads), strict=True):
        assert (a is None) == (b is None)
        if b is not None and is_float(b):
            assert difference(a.astype("float32"), b) < 0.1


@pytest.mark.parametrize("case", LOSS_CASES, ids=[case.name for case in LOSS_CASES])
def test_gradients_of_losses(case: Any) -> None:
    check_loss_row(case, "cupy")


@pytest.mark.parametrize("name", sorted(known_names("activation")))
def test_gradients_of_activations(name: str) -> None:
    check_activation_row(name, "cupy")


@pytest.mark.parametrize("shape", [(200, 300), (4, 200, 300)])
def test_tf32(shape: tuple[int, ...]) -> None:
    """Products of two matrices and of batches; the factors are rounded to 10 bits."""
    g = np.random.default_rng(0)
    a, b = g.normal(size=shape).astype("float32"), g.normal(size=(*shape[:-2], 300, 100)).astype("float32")
    wanted = a.astype("float64") @ b.astype("float64")

    def error() -> float:
        product = ls_core.to_host(ls_core.to_device(a, "cupy") @ ls_core.to_device(b, "cupy"))
        return float(np.abs(product - wanted).max() / np.abs(wanted).max())

    assert error() < 1e-6
    with ls_core.use_matmul_precision("tf32"):
        assert 1e-5 < error() < 5e-3
    assert error() < 1e-6


# --- training ---------------------------------------------------------------------------------------------------------------


def steps(name: str, backend: str, count: int, optimizer: str = "adam") -> tuple[list[float], Any]:
    """The losses of ``count`` steps from one seed, and the model."""
    ls_core.set_seed(1)
    with ls_core.use_backend(backend):
        model, x, y = MODELS[name]()
        model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
        return [float(model.train_on_batch(x, y)) for _ in range(count)], model


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "adamw"])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_training(name: str, optimizer: str) -> None:
    np.testing.assert_allclose(steps(name, "cupy", 10, optimizer)[0], steps(name, "numpy", 10, optimizer)[0], rtol=1e-3)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_same_seed_same_bits(name: str) -> None:
    with ls_core.use_deterministic():
        (losses, model), (again, twin) = steps(name, "cupy", 5), steps(name, "cupy", 5)
    assert losses == again
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_half_precision(name: str, precision: str) -> None:
    """Near the losses of float32, with float32 Parameters."""
    if precision == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes, the extra bf16")

    def losses(mixed_precision: str | None) -> list[float]:
        ls_core.set_seed(1)
        with ls_core.use_backend("cupy"):
            model, x, y = MODELS[name]()
            model.compile("adam", "sparse_categorical_crossentropy", mixed_precision=mixed_precision)
            found = [float(model.train_on_batch(x, y)) for _ in range(10)]
        assert {w.dtype for w in model.get_weights()} == {np.dtype("float32")}
        return found

    np.testing.assert_allclose(losses(precision), losses(None), rtol=0.05)


def test_there_and_back() -> None:
    _, model = steps("text", "numpy", 2)
    weights = model.get_weights()
    x = np.arange(16).reshape(2, 8)
    before = model(x)
    model.to("cupy")
    after = model(ls_core.to_device(x, "cupy"))
    assert_close(after, before)
    model.to("numpy")
    for a, b in zip(model.get_weights(), weights, strict=True):
        assert a.tobytes() == b.tobytes()
    assert model(x).tobytes() == before.tobytes()


BUSY = r"""
extern "C" __global__ void busy(long long nanoseconds) {
    long long begin, now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(begin));
    do asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now)); while (now - begin < nanoseconds);
}
"""


@contextlib.contextmanager
def nobody_waits() -> Iterator[None]:
    """Keep the device busy for two seconds first: whoever waited for it inside comes out after they are over."""
    import cupy

    stream = cupy.cuda.get_current_stream()
    busy = cupy.RawKernel(BUSY, "busy")
    busy((1,), (1,), (0,))
    stream.synchronize()
    over = cupy.cuda.Event()
    busy((1,), (1,), (2_000_000_000,))
    over.record(stream)
    yield
    assert not over.done, "the host waited for the device"
    stream.synchronize()


def test_a_wait_is_seen() -> None:
    x = ls_core.to_device(np.ones(3), "cupy")
    with pytest.raises(AssertionError, match="the host waited"), nobody_waits():
        float(x.sum())


@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "RMSprop", "AdamW"])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_no_wait_in_a_step(name: str, optimizer: str) -> None:
    """Forward, loss, backward and update of a model, once everything is compiled and memory is at hand."""
    with ls_core.use_backend("cupy"):
        step: Callable[[], None] = training_step(MODELS[name], optimizer)
        for _ in range(3):
            step()
        with nobody_waits():
            step()
