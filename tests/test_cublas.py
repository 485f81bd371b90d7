"""matmul by cuBLAS: what our calls ask for, answered by a stand-in that refuses what cuBLAS refuses; and cuBLAS' own headers."""

from __future__ import annotations

import ctypes
import importlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ls_core
from ls_core.cuda import cublas, products
from ls_core.cuda.cublas import ENUMERATORS, PROTOTYPES
from ls_core.cuda.products import layout
from ls_core.testing.cublas_emulator import EMULATED, calls
from ls_core.testing.cuda_emulator import EmulatorError, compiler, cuda_kernels
from ls_core.testing.standin import StandInArray, host_syncs

from .tolerances import assert_close

ROOT = Path(__file__).parent.parent
needs_compiler = pytest.mark.skipif(compiler() is None, reason="no C++ compiler: g++ (or $CXX) makes the stand-in for cuBLAS")


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(cublas, "_handles", {})
    with cuda_kernels("ls_core.cuda.products"):
        calls.clear()
        yield


def on_device(x: np.ndarray) -> StandInArray:
    """``x`` on the stand-in device, lying as it does here."""
    return StandInArray(x)


# --- every way for an array to lie ----------------------------------------------------------------------------------------


def lying(x: np.ndarray, how: str) -> np.ndarray:
    """``x``, its numbers elsewhere in memory."""
    if how == "transposed" and x.ndim > 1:
        return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    if how == "reversed axes":
        return np.ascontiguousarray(x.T).T
    if how == "moved axes" and x.ndim > 2:  # such as heads in (B, T, H, D)
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -2)), -2, 0)
    if how == "every second column":
        return np.repeat(x, 2, axis=-1)[..., ::2]
    if how == "every second row" and x.ndim > 1:
        return np.repeat(x, 2, axis=-2)[..., ::2, :]
    if how == "part of wider":
        return np.concatenate([x, x + 1], axis=-1)[..., : x.shape[-1]]
    if how == "backwards":
        return np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    if how == "backwards batch" and x.ndim > 2:
        return np.ascontiguousarray(x[::-1])[::-1]
    if how == "real part":
        return (x + 1j * x).real if x.dtype.char in "fd" else x
    if how == "one number everywhere":
        return np.broadcast_to(x.reshape(-1)[:1].reshape((1,) * x.ndim), x.shape) if x.size else x
    return np.ascontiguousarray(x)


HOW = [
    *("plain", "transposed", "reversed axes", "moved axes", "every second column", "every second row", "part of wider"),
    *("backwards", "backwards batch", "real part", "one number everywhere"),
]
SIZES = st.integers(0, 4)
TYPES = ["float64", "float32", "float16"]
if find_spec("ml_dtypes"):  # which NumPy knows bfloat16 by
    importlib.import_module("ml_dtypes")
    TYPES.append("bfloat16")


@st.composite
def operands(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, str]:
    """a, b, perhaps an array for the product, and a type; the leading axes broadcast."""
    M, K, N = draw(SIZES), draw(SIZES), draw(SIZES)
    lead = draw(st.lists(SIZES, max_size=3))

    def some(lead: list[int]) -> list[int]:
        kept = [draw(st.sampled_from([size, size, 1])) for size in lead]
        return kept[draw(st.integers(0, len(kept))) :] if draw(st.booleans()) else kept

    g = np.random.default_rng(draw(st.integers(0, 99)))
    a, b = (g.normal(size=(*some(lead), *matrix)) for matrix in ((M, K), (K, N)))
    if draw(st.integers(0, 9)) == 0:
        a = a.reshape(-1, K)[:1].reshape(-1) if a.size else np.zeros(K)
    elif draw(st.integers(0, 9)) == 0:
        b = b.reshape(-1)[:K] if b.size else np.zeros(K)
    a, b = (lying(x, draw(st.sampled_from(HOW))) for x in (a, b))
    shape = np.matmul(a, b).shape
    out = lying(np.zeros(shape), draw(st.sampled_from(HOW[:8]))) if shape and draw(st.booleans()) else None
    return a, b, out, draw(st.sampled_from(TYPES))


@needs_compiler
@pytest.mark.usefixtures("emulated")
@settings(max_examples=400, deadline=None)
@given(operands())
def test_as_numpy(found: tuple[np.ndarray, np.ndarray, np.ndarray | None, str]) -> None:
    a, b, out, dtype = found
    a, b = (x if dtype == "float64" else as_type(x, dtype) for x in (a, b))
    wanted = np.matmul(a.astype("float64"), b.astype("float64"))
    place = None if out is None else on_device(out if dtype == "float64" else as_type(out, dtype))
    before, count = (a.tobytes(), b.tobytes()), len(calls)
    with host_syncs() as waits:
        got = ls_core.matmul(on_device(a), on_device(b), out=place)
    assert waits == []
    assert place is None or got is place
    assert (got.shape, got.dtype.name) == (wanted.shape, dtype)
    assert (a.tobytes(), b.tobytes()) == before
    assert_close(got.get().astype("float64"), wanted, dtype)
    assert (len(calls) > count) == (wanted.size > 0 and a.shape[-1] > 0)


def as_type(x: np.ndarray, dtype: str) -> np.ndarray:
    """``x`` in another type, lying likewise: the strides grow or shrink with the numbers."""
    item = np.dtype(dtype).itemsize
    if not x.size or any(step % x.itemsize for step in x.strides):
        return x.astype(dtype)
    steps = [step // x.itemsize * item for step in x.strides]
    ends = [step * (size - 1) for step, size in zip(steps, x.shape, strict=True)]
    low, high = sum(min(e, 0) for e in ends), sum(max(e, 0) for e in ends)
    memory = np.zeros(high - low + item, np.uint8)
    like: np.ndarray = np.ndarray(x.shape, dtype, memory, -low, steps)
    like[...] = x
    return like


# --- how many calls, and which ------------------------------------------------------------------------------------------------


def product_calls(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> tuple[list[str], int]:
    """The calls of cuBLAS that one product takes, and how many arrays are copied for it."""
    calls.clear()
    copies: list[Any] = []
    plain = products.get_xp(on_device(a)).ascontiguousarray

    class Counting:
        def __getattr__(self, name: str) -> Any:
            found = getattr(products.get_xp(on_device(a)), name)
            return (lambda x: (copies.append(x), plain(x))[1]) if name == "ascontiguousarray" else found

    products._product(
        EMULATED,
        Counting(),
        cublas.kind_of(a.dtype),  # type: ignore[arg-type]
        on_device(a),
        on_device(b),
        on_device(np.empty(np.matmul(a, b).shape, a.dtype) if out is None else out),
    )
    return list(calls), len(copies)


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_one_call_and_no_copy_where_that_is_possible() -> None:
    x, heads = np.ones((6, 5, 4)), np.ones((2, 7, 3, 4)).swapaxes(1, 2)  # heads (B, H, T, D) of (B, T, H, D)
    W = np.ones((4, 3))
    assert product_calls(x[0], W) == (["one"], 0)
    assert product_calls(x[0], np.ones((3, 4)).T) == (["one"], 0)
    assert product_calls(x[0].T, np.ones((5, 3))) == (["one"], 0)
    assert product_calls(x[0], W, np.empty((3, 5)).T) == (["one"], 0)
    assert product_calls(x[0], W, np.empty((5, 9))[:, 2:5]) == (["one"], 0)
    assert product_calls(x, W) == (["one"], 0), "rows of a batch are rows of one product"
    assert product_calls(x[:, :1], W) == (["one"], 0)
    assert product_calls(np.ones((2, 6, 5, 4)), W) == (["one"], 0)
    assert product_calls(x, np.ones((6, 4, 3))) == (["many"], 0)
    assert product_calls(x.swapaxes(1, 2), x) == (["many"], 0)
    assert product_calls(np.ones((2, 5)), x) == (["many"], 0), "a is broadcast by a step of 0"
    assert product_calls(heads[0], heads[0].swapaxes(1, 2)) == (["many"], 0), "one leading axis may have any step"
    assert product_calls(heads, heads.swapaxes(2, 3)) == (["many"], 2)
    assert product_calls(x[:, ::2, ::2], np.ones((6, 2, 3))) == (["many"], 1)
    assert product_calls(np.ones((3, 1, 5, 4)), np.ones((2, 4, 3))) == (["many"] * 2, 0)
    assert product_calls(np.ones((3, 1, 4, 5)).swapaxes(2, 3), np.ones((2, 4, 3))) == (["many"] * 2, 0)


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_what_goes_to_the_reference() -> None:
    x = np.ones((2, 3))
    for a, b in ((x + 0j, x.T + 0j), (x.astype(int), x.T.astype(int)), (x, x.T.astype(int))):
        assert_close(ls_core.matmul(on_device(a), on_device(b)), a @ b)
    wide = on_device(np.zeros((2, 2)))
    ls_core.matmul(on_device(x.astype("float32")), on_device(x.T.astype("float32")), out=wide)
    assert_close(wide, x @ x.T)
    assert calls == []
    for left, right, out in (((2, 3), (2, 3), None), ((2, 2, 3), (3, 3, 4), None), ((2, 3), (), None), ((2, 3), (3, 4), (2, 5))):
        with pytest.raises(ValueError, match="mismatch|dimensions|broadcast|size|operand"):
            ls_core.matmul(on_device(np.ones(left)), on_device(np.ones(right)), out=None if out is None else on_device(np.ones(out)))
    with pytest.raises(TypeError):
        ls_core.matmul(on_device(x), x.T)


@needs_compiler
@pytest.mark.usefixtures("emulated")
@pytest.mark.parametrize(("left", "right", "both"), [("float64", "float32", "float64"), ("float16", "float32", "float32")])
def test_two_float_types_become_one(left: str, right: str, both: str) -> None:
    a, b = np.ones((2, 3), left), np.ones((3, 4), right)
    for x, y in ((a, b), (b.T, a.T)):
        got = ls_core.matmul(on_device(x), on_device(y))
        assert got.dtype == both
        assert_close(got, x @ y)
    assert len(calls) == 2


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_precisions() -> None:
    """Factors rounded to 23, 10 and 7 bits; other types don't change."""
    g = np.random.default_rng(0)
    a, b = (on_device(g.normal(size=size).astype("float32")) for size in ((20, 300), (300, 30)))
    wanted = a._a.astype("float64") @ b._a.astype("float64")

    def error(a: Any, b: Any) -> float:
        return float(np.abs(ls_core.matmul(a, b)._a - wanted).max() / np.abs(wanted).max())

    for precision, least, most in (("float32", 0, 1e-6), ("tf32", 1e-5, 2e-3), ("bfloat16", 1e-4, 1e-2)):
        with ls_core.use_matmul_precision(precision):
            assert least <= error(a, b) < most
            stacked, repeated = on_device(np.stack([a._a, a._a])), on_device(np.stack([b._a, b._a]))
            assert least <= error(stacked, repeated) < most
            assert error(a.astype("float64"), b.astype("float64")) < 1e-12


# --- what is wrong is seen --------------------------------------------------------------------------------------------------


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_wrong_layouts_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    g = np.random.default_rng(0)
    a, b = on_device(g.normal(size=(4, 5))), on_device(g.normal(size=(5, 5)))
    batch, many = on_device(g.normal(size=(3, 4, 5))), on_device(g.normal(size=(3, 5, 5)))

    def product(x: Any, y: Any, **wrong: Any) -> bool:
        """Whether the product is right."""
        with monkeypatch.context() as patch:
            for name, function in wrong.items():
                patch.setattr(products, name, function)
            return bool(np.allclose(ls_core.matmul(x, y)._a, x._a @ y._a))

    right = layout
    assert product(a, b)
    assert product(batch, many)
    refused = r"cublasGemmEx answers an unsupported value.*\(7\) for float64 matrices \(5, 5\) and \(5, 4\)"
    with pytest.raises(ls_core.BackendError, match=refused):
        product(a, b, layout=lambda x: (right(x)[0], right(x)[1] - 1))  # a leading dimension shorter than a column
    assert not product(a, b, layout=lambda x: (right(x)[0], right(x)[1] + (x is b)))  # longer: numbers of the next column, then guards
    assert not product(a, b, layout=lambda x: (1 - right(x)[0], right(x)[1]) if x is b else right(x))  # the other operation
    with pytest.raises(EmulatorError, match="writes outside"):
        product(a, b, layout=lambda x: right(x) if x is a or x is b else (0, 6))

    def joined(lead: Any, *along: Any) -> Any:
        axes = plain(lead, *along)
        return [(size, step_a + 1, *rest) for size, step_a, *rest in axes] if len(along) == 3 else axes

    plain = products.joined
    assert not product(batch, many, joined=joined)
    with pytest.raises(EmulatorError, match="writes outside"):
        product(batch, many, joined=lambda lead, *along: [(*axis[:-1], axis[-1] + 1) for axis in plain(lead, *along)])


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_wrong_arguments_are_seen() -> None:
    library = EMULATED.library()
    x, one = np.ones(4, np.float32), ctypes.c_float(1)

    def status(handle: Any = None, kind: int = 0, compute: int = 68, **_: Any) -> int:
        handle = cublas._handle(EMULATED) if handle is None else handle
        at, scale = x.ctypes.data, ctypes.byref(one)
        return int(library.cublasGemmEx(handle, 0, 0, 1, 1, 1, scale, at, kind, 1, at, kind, 1, scale, at, kind, 1, compute, -1))

    assert status() == 0
    assert status(handle=x.ctypes.data) == 1
    assert status(kind=1) == 15, "double with float32 sums"
    assert status(compute=70) == 15
    fresh = ctypes.c_void_p()
    library.cublasCreate_v2(ctypes.byref(fresh))
    assert status(handle=fresh) == 3, "no workspace"
    memory, address, size = EMULATED.workspace()
    assert library.cublasSetWorkspace_v2(fresh, address + 8, size) == 7, "not aligned to 256 bytes"
    library.cublasSetWorkspace_v2(fresh, address, size)
    library.cublasSetStream_v2(fresh, 0)
    assert status(handle=fresh) == 3, "setting the stream takes the workspace away"
    library.cublasSetWorkspace_v2(fresh, address, size)
    assert status(handle=fresh) == 0
    assert library.cublasGetStatusString(15) == b"the functionality requested is not supported"
    assert memory.size > size


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_a_product_must_not_lie_where_its_factors_do() -> None:
    x = on_device(np.ones((3, 3)))
    with pytest.raises(EmulatorError, match="where its factors lie"):
        ls_core.matmul(x, x, out=x)


# --- handles ----------------------------------------------------------------------------------------------------------------


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_a_handle_for_each_thread_and_stream() -> None:
    xp = products.get_xp(on_device(np.ones(1)))
    found = {cublas._handle(EMULATED).value: "here"}
    assert cublas._handle(EMULATED).value in found
    with xp.cuda.Stream(non_blocking=True):
        found[cublas._handle(EMULATED).value] = "another stream"
    thread = threading.Thread(target=lambda: found.update({cublas._handle(EMULATED).value: "another thread"}))
    thread.start()
    thread.join()
    assert sorted(found.values()) == ["another stream", "another thread", "here"]


@needs_compiler
@pytest.mark.usefixtures("emulated")
def test_captured_products() -> None:
    """As in a training step: once before, then captured, then again on other numbers."""
    xp = products.get_xp(on_device(np.ones(1)))
    a, b, y = on_device(np.ones((2, 3, 4))), on_device(np.ones((4, 5))), on_device(np.zeros((2, 3, 5)))
    with xp.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        with pytest.raises(ls_core.BackendError, match="run the step once before"):
            ls_core.matmul(a, b, out=y)
        stream.end_capture()
        ls_core.matmul(a, b, out=y)
        stream.begin_capture()
        ls_core.matmul(a, b, out=y)
        graph = stream.end_capture()
        a._a[...] = 2
        graph.launch()
    assert (y._a == 8).all()


# --- cuBLAS itself, where it is at hand -----------------------------------------------------------------------------------


def at_hand(pattern: str) -> list[Path]:
    """Files of CUDA's toolkit, or of NVIDIA's wheels."""
    folders = [Path(p) / "nvidia" for p in sys.path if p] + [Path("/usr/local"), Path(os.environ.get("CUDA_PATH", "/nowhere")).parent]
    return sorted({path.resolve() for folder in folders if folder.is_dir() for path in folder.glob(pattern)})


C_TYPES = {
    "cublasHandle_t": ctypes.c_void_p,
    "cublasHandle_t*": ctypes.POINTER(ctypes.c_void_p),
    "cudaStream_t": ctypes.c_void_p,
    "void*": ctypes.c_void_p,
    "const void*": ctypes.c_void_p,
    "size_t": ctypes.c_size_t,
    "long long int": ctypes.c_longlong,
    **dict.fromkeys(("int", "cublasOperation_t", "cudaDataType", "cublasComputeType_t", "cublasGemmAlgo_t"), ctypes.c_int),
    **dict.fromkeys(("cublasPointerMode_t", "cublasMath_t", "cublasStatus_t"), ctypes.c_int),
}


def test_the_headers_say_the_same() -> None:
    headers = at_hand("cu*/include/cublas_api.h") + at_hand("cublas/include/cublas_api.h")
    if not headers:
        pytest.skip("no cublas_api.h: CUDA's toolkit has it, and the wheel nvidia-cublas")
    types = at_hand("cu*/include/library_types.h") + at_hand("cuda_runtime/include/library_types.h")
    for header in headers:
        text = header.read_text(encoding="utf-8", errors="replace")
        for name, wanted in PROTOTYPES.items():
            given = re.search(rf"(cublasStatus_t|const char\*) CUBLASWINAPI\s+{name}\(([^)]*)\)", text)
            assert given, f"{header} has no {name}"
            assert (given[1] == "const char*") == (name == "cublasGetStatusString")
            declared = [re.match(r"\s*(.+?)(\**)\s*\w+$", part) for part in given[2].split(",")]
            assert tuple(C_TYPES[part[1].strip() + part[2]] for part in declared if part) == wanted, f"{name} in {header}"
        whole = text + "".join(path.read_text(encoding="utf-8") for path in types)
        for name, value in ENUMERATORS.items():
            found = re.search(rf"\b{name}\s*=\s*(-?\d+)", whole)
            assert (found is None and not types and name.startswith("CUDA_R")) or (found and int(found[1]) == value), name


def test_the_library_has_every_function() -> None:
    """It loads without a device; a handle it makes only where there is one."""
    libraries = [
        path for path in at_hand("cu*/lib*/libcublas.so.*") + at_hand("cublas/lib/libcublas.so.*") if re.search(r"so\.\d+$", path.name)
    ]
    if not libraries:
        pytest.skip("no libcublas: CUDA's toolkit has it, and the wheel nvidia-cublas")
    for path in libraries:
        lt = path.with_name(path.name.replace("cublas", "cublasLt"))
        script = (
            f"import ctypes; ctypes.CDLL({str(lt)!r}); from ls_core.cuda.cublas import PROTOTYPES, bind; "
            f"library = bind(ctypes.CDLL({str(path)!r})); print(library.cublasGetStatusString(7).decode(), len(PROTOTYPES))"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=120)
        assert done.stdout.startswith("an unsupported value"), done.stderr


def test_the_way_to_cupys_library() -> None:
    """What is asked of CuPy, by a fake."""
    from types import SimpleNamespace

    memory = SimpleNamespace(ptr=512)
    stream = SimpleNamespace(ptr=77, is_capturing=lambda: False)

    def cupy(capability: str) -> Any:
        device = SimpleNamespace(get_compute_capability=lambda: capability)
        runtime = SimpleNamespace(getDevice=lambda: 3, runtimeGetVersion=lambda: 999_000)
        asked = {"device": device, "runtime": runtime, "get_current_stream": lambda: stream, "alloc": lambda size: memory}
        return SimpleNamespace(cuda=SimpleNamespace(**asked, cublas=None))

    access = cublas.CuPyAccess(cupy("90"))
    assert access.place() == (3, 77)
    assert access.workspace() == (memory, 512, 32 << 20)
    assert cublas.CuPyAccess(cupy("80")).workspace()[2] == 4 << 20
    assert not access.capturing()
    x = SimpleNamespace(data=SimpleNamespace(ptr=5))
    assert access.run(lambda *addresses: sum(addresses), x, x, x) == 15
    with pytest.raises(ls_core.BackendError, match=r"pip install 'cupy-cuda999x\[ctk\]'"):
        access.library()


def test_the_names_are_cupys() -> None:
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    for name in ("alloc", "get_current_stream"):
        assert callable(getattr(cupy.cuda, name))
    assert callable(cupy.cuda.runtime.getDevice)
    assert callable(cupy.cuda.device.get_compute_capability)
    assert callable(cupy.cuda.Stream.is_capturing)
    assert cupy.cuda.runtime.runtimeGetVersion() // 1000 in (12, 13, 14)
