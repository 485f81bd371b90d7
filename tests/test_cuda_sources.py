"""The CUDA kernels without a GPU: their sources under g++ against the references, and through the compilers for real GPUs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_layers
import ls_optim
from ls_core.cuda import Source
from ls_core.cuda.launch import SOURCES, TYPES, options
from ls_core.cuda.overrides import FAMILIES
from ls_core.gradcheck import check_layer
from ls_core.gradcheck.case import Case
from ls_core.gradcheck.loss_cases import LOSS_CASES
from ls_core.gradcheck.subject import is_float
from ls_core.testing import standin, standin_array
from ls_core.testing.cuda_emulator import compiler, cuda_kernels, kernels_of, launched, thread_order
from ls_core.testing.standin import STANDIN, StandInArray, host_syncs
from ls_core.testing.trial import Trial
from ls_layers.cases import TABLE

from .device_models import image_model, text_model, training_step
from .kernel_rounds import CASES, ROUNDS, Place, agree, launch_all, wanted
from .tolerances import assert_close, difference

for _family in FAMILIES:
    __import__(_family)

needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C++ compiler: g++ (or $CXX) runs the CUDA sources on the CPU")
ROOT = Path(__file__).parent.parent


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """CUDA overrides on the stand-in device, whose fresh memory holds NaN, so that what a kernel does not write shows.

    CuPy's own matrix products, which can't be captured, are errors.
    """

    def poisoned(name: str) -> None:
        plain = getattr(STANDIN.xp, name)

        def make(*args: Any, **named: Any) -> Any:
            made = plain(*args, **named)
            made._a.reshape(-1).view(np.uint8)[...] = 255
            return made

        monkeypatch.setitem(STANDIN.xp.__dict__, name, make)

    def refused(name: str) -> None:
        pytest.fail(f"{name} is CuPy's own product: use ls_core.matmul")

    monkeypatch.setattr(standin, "multiplies", refused)
    monkeypatch.setattr(standin_array, "multiplies", refused)
    poisoned("empty")
    poisoned("empty_like")
    with cuda_kernels():
        yield


# --- the same sources on the CPU ----------------------------------------------------------------------------------------


@needs_compiler
@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("name", "dtype"), CASES)
@pytest.mark.filterwarnings("ignore:overflow encountered in exp:RuntimeWarning")
def test_kernels(name: str, dtype: str, seed: int) -> None:
    with host_syncs() as waits, thread_order(seed % 3):
        got = ROUNDS[name][0](Place("standin", dtype, seed))
    assert waits == []
    agree(got, wanted(name, dtype, seed), dtype)


@needs_compiler
@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("seed", [9, 10])
@pytest.mark.parametrize("name", sorted(ROUNDS))
def test_no_result_depends_on_whose_turn_is_first(name: str, seed: int) -> None:
    def bits(order: int) -> list[bytes]:
        with thread_order(order), ls_core.use_deterministic():
            return [b"" if a is None else a.get().tobytes() for a in ROUNDS[name][0](Place("standin", "float32", seed))]

    assert bits(0) == bits(1) == bits(2)


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_sums_of_rows_in_a_fixed_order() -> None:
    ids, values = np.zeros(200, np.int64), np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)

    def sums(order: int) -> bytes:
        with thread_order(order):
            rows, found = ls_core.parameter.sum_rows(ls_core.to_device(ids, "standin"), ls_core.to_device(values, "standin"))
        assert rows.get().tolist() == [0] + [-1] * 199
        return bytes(found.get()[0].tobytes())

    assert len({sums(order) for order in range(3)}) > 1, "atomics add in any order: the last bits show it"
    with ls_core.use_deterministic():
        assert len({sums(order) for order in range(3)}) == 1


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_unused_places_are_passed_over() -> None:
    """Also where the types differ: the last row is no row of -1."""
    values = ls_core.to_device(np.ones((3, 2)), "standin")
    gradient = ls_core.RowGradient(*ls_core.parameter.sum_rows(ls_core.to_device(np.array([1, 1, 0]), "standin"), values), (4, 2))
    assert gradient.rows.get().tolist() == [1, -1, 0]
    np.testing.assert_array_equal(gradient.to_dense().get()[:, 0], [1, 2, 0, 0])
    np.testing.assert_array_equal((gradient + gradient).to_dense().get()[:, 0], [2, 4, 0, 0])
    dense = ls_core.to_device(np.full((4, 2), 7, np.float32), "standin")
    gradient.add_to(dense)
    np.testing.assert_array_equal(dense.get()[:, 0], [8, 9, 7, 7])
    ls_core.parameter.put_rows(dense, gradient.rows, gradient.values)
    np.testing.assert_array_equal(dense.get()[:, 0], [1, 2, 7, 7])
    turned = ls_core.to_device(np.zeros((2, 4)), "standin").T
    gradient.add_to(turned)
    np.testing.assert_array_equal(turned.get()[:, 0], [1, 2, 0, 0])
    whole = ls_core.to_device(np.zeros((3, 2), np.complex128), "standin")
    ls_core.parameter.put_rows(whole, ls_core.to_device(np.array([2]), "standin"), whole[:1] + 1)
    assert whole.get()[:, 0].tolist() == [0, 0, 1]


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_accumulated_rows_leave_the_device_without_unused_places() -> None:
    with ls_core.use_backend("standin"):
        layer = ls_layers.Embedding(4, 2)
        update = ls_optim.SGD(gradient_accumulation_steps=2)
        y, cache = layer.forward(ls_core.to_device(np.array([[1, 1, 3]])))
        layer.backward(y, cache)
        update.apply(layer.parameters())
    state = update.get_state()
    assert [array.tolist() for name, array in state.items() if name.endswith("_rows")] == [[1, 3]]


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_ids_outside_the_table() -> None:
    table, ids = ls_core.to_device(np.ones((3, 2)), "standin"), ls_core.to_device(np.array([2, 3, -1]), "standin")
    y = ls_layers.embedding.embedding_forward(table, ids).get()
    np.testing.assert_array_equal(np.isnan(y).any(axis=1), [False, True, True])
    np.testing.assert_array_equal(ls_core.parameter.take_rows(table, ids).get(), [[1, 1], [0, 0], [0, 0]])  # -1: an unused place
    loss = ls_core.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")(ids, table)
    np.testing.assert_array_equal(np.isnan(loss.get()), [True, True, True])  # two classes: 2 is outside too


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_every_kernel_is_launched() -> None:
    """A kernel that no round runs is one that nothing proves."""
    launched.clear()
    for name in ROUNDS:
        launch_all(name)
    assert {(source.path.name, kernel) for source in SOURCES.values() for kernel in kernels_of(source)} == launched


@needs_compiler
@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", TABLE, ids=[case.name for case in TABLE])
def test_layers(case: Case, dtype: str) -> None:
    if "keeps_float32" in case.skip and dtype == "float32":
        return
    host = Trial(case, dtype)
    if not host.numeric:  # texts stay on the host
        return
    with ls_core.use_references():
        wanted = host.run()
    device = Trial(case, dtype, backend="standin")
    with host_syncs() as waits:
        got = device.run()
    for a, b in zip((*got.y, *got.dx, *got.grads), (*wanted.y, *wanted.dx, *wanted.grads), strict=True):
        assert (a is None) == (b is None)
        if is_float(b):
            assert_close(a, b, dtype)
    assert waits == [] or {"no_waits", "on_standin"} & set(case.skip)


@needs_compiler
@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("case", TABLE, ids=[case.name for case in TABLE])
def test_layers_in_bfloat16(case: Case) -> None:
    """Near what float32 gives: a few roundings of 2^-8, one after the other."""
    pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes, the extra bf16")
    host = Trial(case, "float32")
    if "keeps_float32" in case.skip or not host.numeric:
        return
    with ls_core.use_references():
        wanted = host.run()
    got = Trial(case, "bfloat16", backend="standin").run()
    for a, b in zip((*got.y, *got.dx, *got.grads), (*wanted.y, *wanted.dx, *wanted.grads), strict=True):
        assert (a is None) == (b is None)
        if b is not None and is_float(b):
            assert difference(a.astype("float32"), b) < 0.1


@needs_compiler
@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("case", LOSS_CASES, ids=[case.name for case in LOSS_CASES])
def test_losses(case: Any) -> None:
    given = case.inputs(np.random.default_rng(0))
    value, gradient = case.make().value_and_grad(*(ls_core.to_device(a, "standin") for a in given))
    wanted, wanted_gradient = case.make().value_and_grad(*given)
    assert_close(value, wanted)
    assert_close(gradient, wanted_gradient)


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_products_of_regularizers_and_optimizers() -> None:
    x = np.random.default_rng(0).normal(size=(4, 6))
    penalty = ls_core.regularizers.OrthogonalRegularizer(mode="columns")
    for function in (penalty, penalty.gradient, lambda x: ls_optim.muon.orthogonalize(x, 3.4445, -4.775, 2.0315, 5)):
        assert_close(function(ls_core.to_device(x, "standin")), function(x))


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_gradient_check() -> None:
    layer = ls_layers.LayerNormalization()
    assert check_layer(layer, np.random.default_rng(0).normal(size=(4, 5)), backend="standin", mode="central").worst.error < 1e-7


@needs_compiler
@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("optimizer", ["adadelta", "adagrad", "adam", "adamax", "adamw", "ftrl", "lion", "nadam", "rmsprop", "sgd"])
@pytest.mark.parametrize("make", [text_model, image_model])
def test_training(make: Any, optimizer: str) -> None:
    def losses(backend: str) -> list[float]:
        ls_core.set_seed(1)
        with ls_core.use_backend(backend):
            model, x, y = make()
            model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
            return [float(model.train_on_batch(x, y)) for _ in range(4)]

    np.testing.assert_allclose(losses("standin"), losses("numpy"), rtol=1e-4)


@needs_compiler
@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "RMSprop", "AdamW"])
@pytest.mark.parametrize("make", [text_model, image_model])
def test_no_wait_in_a_step(make: Any, optimizer: str) -> None:
    with ls_core.use_backend("standin"):
        step = training_step(make, optimizer)
        step()
        with host_syncs() as waits:
            step()
    assert waits == []


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_a_gradient_of_another_type() -> None:
    """Forward kept what only its own backward understands; a dy of another type does not change that."""
    x = ls_core.to_device(np.ones((2, 3), np.float32), "standin")
    with ls_core.use_backend("standin"):
        layers = [ls_layers.LayerNormalization(), *(ls_layers.Activation(name) for name in ("gelu", "sparsemax"))]
        layers += [ls_layers.BatchNormalization(), ls_layers.Dense(4, activation="glu")]
        caches = [layer.forward(x) for layer in layers]
    for layer, (y, cache) in zip(layers, caches, strict=True):
        assert isinstance(y, StandInArray)
        dx = layer.backward(y.astype("float64"), cache)
        assert dx.shape == (2, 3)


# --- compilers for real GPUs ------------------------------------------------------------------------------------------------


def architectures(dtype: str) -> list[str]:
    """Ampere and Hopper; the rarer types for one of them, to save time."""
    return ["80", "90"] if dtype == "float32" else ["90"]


def nvcc(source: Source, dtype: str, folder: Path) -> None:
    (folder / source.path.name).write_text(source.text, encoding="utf-8")
    command = ["nvcc", "-fatbin", "-Werror", "all-warnings", *options(dtype), "-o", str(folder / "out"), str(folder / source.path.name)]
    for arch in architectures(dtype):
        command += ["-gencode", f"arch=compute_{arch},code=sm_{arch}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:4000]


HEADERS = [folder for folder in Path("/usr/local").glob("cuda*/include") if (folder / "cuda_fp16.h").exists()]


def nvrtc(source: Source, dtype: str) -> None:
    from cupy.cuda import nvrtc as compile_at_run_time

    for arch in architectures(dtype):
        program = compile_at_run_time.createProgram(source.text, source.path.name, [], [])
        try:
            compile_at_run_time.compileProgram(program, [*options(dtype), f"-arch=sm_{arch}", *(f"-I{folder}" for folder in HEADERS)])
        except Exception:
            pytest.fail(compile_at_run_time.getProgramLog(program)[:4000])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.path.name)
def test_compiles_for_gpus(source: Source, dtype: str, tmp_path: Path) -> None:
    """By nvcc where it is at hand, else by NVRTC as CuPy does it; neither needs a device."""
    if shutil.which("nvcc"):
        nvcc(source, dtype, tmp_path)
        return
    pytest.importorskip("cupy", reason="neither nvcc nor CuPy (which brings NVRTC) is installed")
    if dtype in ("float16", "bfloat16") and not HEADERS:
        pytest.skip("NVRTC alone has no header for half types; a CUDA toolkit has")
    nvrtc(source, dtype)
