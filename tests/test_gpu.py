"""On a CUDA device: every override against its reference, gradients in double, no waits, the same bits, whole training runs.

Skipped where no device answers; ``LS_REQUIRE_GPU=1`` makes that a failure. The layers' own comparisons and gradient checks
on CuPy stand in test_contract.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_layers
import ls_optim
from ls_core.cuda import OVERRIDES
from ls_core.gradcheck.loss_cases import LOSS_CASES
from ls_core.gradcheck.subject import is_float
from ls_core.gradcheck.table import check_activation_row, check_loss_row
from ls_core.registry import known_names
from ls_core.testing.trial import Trial
from ls_layers.attention_core import scaled_dot_product_attention_backward, scaled_dot_product_attention_forward
from ls_layers.cases import TABLE

from .device_models import image_model, text_model, training_step
from .kernel_rounds import CASES, ROUNDS, Place, agree, wanted
from .test_cublas import lying
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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_without_its_scores(dtype: str, causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many tiles of keys, heads that share them, a mask of keys and dropout."""
    g = np.random.default_rng(0)
    q, k, v = (g.normal(size=(2, heads, length, 64)).astype(dtype) for heads, length in ((4, 700), (2, 1100), (2, 1100)))
    bias, keep = -1e4 * (g.random((2, 1, 1, 1100)) < 0.2).astype(dtype), (g.random((2, 4, 700, 1100)) < 0.9).astype(dtype)
    monkeypatch.setattr(import_module("ls_layers.accelerated.cuda.fused_attention"), "STORED", 0)

    def run(backend: str) -> list[Any]:
        placed = [ls_core.to_device(a, backend) for a in (q, k, v, bias, keep)]
        y, _, saved = scaled_dot_product_attention_forward(*placed[:4], 0.125, causal, placed[4], False)
        return [y, *scaled_dot_product_attention_backward(placed[0], None, saved)]

    for ours, theirs in zip(run("cupy"), run("numpy"), strict=True):
        assert_close(ours, theirs, dtype)


@pytest.mark.parametrize("clip", [{}, {"clipnorm": 1.0}, {"global_clipnorm": 1.0}], ids="".join)
def test_an_update_of_large_and_many_parameters(clip: dict[str, float]) -> None:
    """Thousands of blocks for one array, several launches for all."""

    def run(backend: str) -> list[Any]:
        g = np.random.default_rng(0)
        shapes = [(3000, 1001), *((n,) for n in range(1, 100)), (2000, 500)]
        parameters = [ls_core.Parameter(ls_core.to_device(g.normal(size=s).astype("float32"), backend), name="p") for s in shapes]
        optimizer = ls_optim.AdamW(0.01, **clip)
        for _ in range(3):
            for p in parameters:
                p.accumulate(ls_core.to_device(g.normal(size=p.shape).astype("float32"), backend))
            optimizer.apply(parameters)
        return [p.value for p in parameters]

    for ours, theirs in zip(run("cupy"), run("numpy"), strict=True):
        assert_close(ours, theirs, "float32")


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


# --- products ---------------------------------------------------------------------------------------------------------------

PRODUCTS = [
    ((200, 300), (300, 100)),
    ((1, 5000), (5000, 1)),
    ((4, 20, 30), (4, 30, 10)),
    ((4, 20, 30), (30, 10)),
    ((20, 30), (4, 30, 10)),
    ((3, 1, 20, 30), (2, 30, 10)),
    ((2, 8, 64, 16), (2, 8, 16, 64)),
    ((70000, 2, 3), (70000, 3, 2)),
    ((7, 30), (30,)),
    ((5, 0), (0, 3)),
    ((0, 5), (5, 3)),
]


def product(a: np.ndarray, b: np.ndarray, out: Any = None) -> np.ndarray:
    """``a @ b`` on the device, the arrays lying there as they lie here."""

    def moved(x: np.ndarray) -> Any:
        order = sorted(range(x.ndim), key=lambda axis: -x.strides[axis])
        return ls_core.to_device(np.ascontiguousarray(x.transpose(order)), "cupy").transpose([order.index(axis) for axis in range(x.ndim)])

    return np.asarray(ls_core.to_host(ls_core.matmul(moved(a), moved(b), out=out)))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "complex128", "int64"])
@pytest.mark.parametrize(("left", "right"), PRODUCTS)
def test_matmul(left: tuple[int, ...], right: tuple[int, ...], dtype: str) -> None:
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes, the extra bf16")
    g = np.random.default_rng(0)
    a, b = ((g.normal(size=size) * (3 if dtype == "int64" else 1)).astype(dtype) for size in (left, right))
    wide = "float64" if dtype in ("float16", "bfloat16", "float32") else dtype
    for how in ("plain", "transposed", "reversed axes", "moved axes"):
        x, y = lying(a, how), lying(b, how)
        wanted = np.matmul(x.astype(wide), y.astype(wide))
        found = product(x, y)
        assert (found.dtype.name, found.shape) == (dtype, wanted.shape)
        assert difference(found.astype(wide), wanted) < {"float16": 2e-3, "bfloat16": 1e-2, "float32": 1e-5}.get(dtype, 1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_matmul_out_and_slices(dtype: str) -> None:
    import cupy

    g = np.random.default_rng(0)
    a, b = g.normal(size=(6, 40, 60)).astype(dtype), g.normal(size=(6, 60, 50)).astype(dtype)
    on_device = cupy.asarray(a), cupy.asarray(b)
    for out in (cupy.empty((6, 40, 50), dtype), cupy.empty((6, 50, 40), dtype).swapaxes(1, 2), cupy.zeros((6, 40, 100), dtype)[..., ::2]):
        assert ls_core.matmul(*on_device, out=out) is out
        assert_close(out, np.matmul(a.astype("float64"), b.astype("float64")), dtype)
    for part in (np.s_[:, ::2, :], np.s_[:, :, ::-1], np.s_[::-1], np.s_[:, 3:17, 5:44]):
        x, y = on_device[0][part], on_device[1][part].swapaxes(1, 2)[:, : on_device[0][part].shape[2]]
        if x.shape[2] == y.shape[1]:
            assert_close(ls_core.matmul(x, y), np.matmul(cupy.asnumpy(x).astype("float64"), cupy.asnumpy(y).astype("float64")), dtype)


@pytest.mark.parametrize(("precision", "least", "most"), [("float32", 0, 1e-6), ("tf32", 1e-5, 5e-3), ("bfloat16", 1e-5, 2e-2)])
@pytest.mark.parametrize("shape", [(256, 320), (4, 256, 320)])
def test_matmul_precision(shape: tuple[int, ...], precision: str, least: float, most: float) -> None:
    """Products of two matrices and of batches; the factors are rounded to 23, 10 or 7 bits (or 10, if cuBLAS likes)."""
    g = np.random.default_rng(0)
    a, b = g.normal(size=shape).astype("float32"), g.normal(size=(*shape[:-2], 320, 128)).astype("float32")
    wanted = a.astype("float64") @ b.astype("float64")
    with ls_core.use_matmul_precision(precision):
        error = float(np.abs(product(a, b) - wanted).max() / np.abs(wanted).max())
        exact = float(np.abs(product(a.astype("float64"), b.astype("float64")) - wanted).max())
    assert least <= error < most
    assert exact < 1e-10


def test_captured_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """CuPy's own are refused; ours are captured once they have run on that stream."""
    import cupy

    from ls_core.cuda import cublas

    monkeypatch.setattr(cublas, "_handles", {})  # a stream may have got the address of one that is gone

    a, b, c = (cupy.full(size, 1, "float32") for size in ((3, 40, 60), (60, 50), (3, 50, 60)))
    y, z = cupy.zeros((3, 40, 50), "float32"), cupy.zeros((3, 40, 60), "float32")
    cupy.cuda.get_current_stream().synchronize()

    def step() -> None:
        ls_core.matmul(a, b, out=y)
        ls_core.matmul(y, c, out=z)

    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        with pytest.raises(ls_core.BackendError, match="run the step once before"):
            step()
        stream.end_capture()
        step()
        stream.begin_capture()
        step()
        graph = stream.end_capture()
        a[...] = 2
        graph.launch()
        assert (z == 2 * 60 * 50).all()


def test_a_product_in_many_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    a = np.random.default_rng(0).normal(size=(300, 300)).astype("float32")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: product(a, a).tobytes(), range(40)))
    assert set(found) == {product(a, a).tobytes()}


# --- training ---------------------------------------------------------------------------------------------------------------


def steps(name: str, backend: str, count: int, optimizer: str = "adam") -> tuple[list[float], Any]:
    """The losses of ``count`` steps from one seed, and the model."""
    ls_core.set_seed(1)
    with ls_core.use_backend(backend):
        model, x, y = MODELS[name]()
        model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
        return [float(model.train_on_batch(x, y)) for _ in range(count)], model


@pytest.mark.parametrize("optimizer", ["adadelta", "adagrad", "adam", "adamax", "adamw", "ftrl", "lion", "nadam", "rmsprop", "sgd"])
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


def captured_steps(name: str, jit: bool, **compiled: Any) -> tuple[list[Any], Any]:
    """Losses and accuracies of eight steps with random draws, and the model; a part of the batch at every third step."""
    ls_core.set_seed(1)
    with ls_core.use_backend("cupy"), ls_core.use_deterministic():
        model, x, y = MODELS[name]()
        last = model.pop()
        for layer in (ls_layers.Dropout(0.2), ls_layers.GaussianNoise(0.1), last):
            model.add(layer)
        optimizer = ls_optim.Adam(0.01, global_clipnorm=1.0)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=jit, **compiled)
        return [model.train_on_batch(*((x[:4], y[:4]) if i % 3 == 2 else (x, y))) for i in range(14)], model


@pytest.mark.parametrize("precision", [None, "bfloat16"])
@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.filterwarnings("error")
def test_captured_steps_have_the_same_bits(name: str, precision: str | None) -> None:
    if precision == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes, the extra bf16")
    (wanted, plain), (found, model) = (captured_steps(name, jit, mixed_precision=precision) for jit in (False, True))
    assert found == wanted
    for a, b in zip(model.get_weights(), plain.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert [step.graph is not None for step in model._graphs._steps.values()] == [True, True]


def test_what_cupy_refuses_is_not_captured() -> None:
    class Product(ls_core.Layer):
        def forward(self, x: Any, training: bool = False) -> Any:
            return x @ (x.T @ x), x

        def backward(self, dy: Any, x: Any) -> Any:
            return dy @ (x.T @ x).T + x @ (dy.T @ x) + x @ (x.T @ dy)

    g = np.random.default_rng(0)
    x, y = g.normal(size=(8, 4)).astype("float32"), g.integers(0, 3, 8)

    def losses(jit: bool) -> list[float]:
        ls_core.set_seed(1)
        with ls_core.use_backend("cupy"):
            layers = [ls_layers.Dense(4), Product(), ls_layers.Dropout(0.3), ls_layers.Dense(3, activation="softmax")]
            model = ls_core.Sequential(layers)
            model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
            return [model.train_on_batch(x, y) for _ in range(6)]

    with pytest.warns(UserWarning, match=r"in Product 'product': .*ls_core\.matmul"):
        found = losses(True)
    assert found == losses(False)


def test_no_wait_in_a_captured_step() -> None:
    _, model = captured_steps("image", True)
    x, y = MODELS["image"]()[1:]
    with ls_core.use_backend("cupy"), ls_core.use_deterministic():
        batch = (ls_core.to_device(x),), ls_core.to_device(y), None
        tracker = ls_core.tracking.LossTracker(model._objective)
        for _ in range(3):
            model.train_step(*batch, tracker)
        launched = [step.graph for step in model._graphs._steps.values()]
        with nobody_waits():
            model.train_step(*batch, tracker)
        assert [step.graph for step in model._graphs._steps.values()] == launched


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
