"""The stand-in device behaves as CuPy does where CuPy and NumPy differ."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core.testing.cupy_names import UFUNCS
from ls_core.testing.standin import STANDIN, StandInArray, host_syncs

xp = STANDIN.xp
A = np.arange(6.0).reshape(2, 3)


def device(value: Any) -> Any:
    return ls_core.to_device(np.asarray(value), "standin")


@pytest.mark.parametrize(
    "mix",
    [
        lambda x: np.asarray(x),
        lambda x: np.array([x, x]),
        lambda x: np.exp(x),
        lambda x: np.sum(x),
        lambda x: np.concatenate([x, x]),
        lambda x: np.add.reduce(x),
        lambda x: x + A,
        lambda x: A + x,
        lambda x: A @ x.T,
        lambda x: x > A,
        lambda x: x.__iadd__(A),
        lambda x: xp.maximum(x, A),
        lambda x: xp.where(x > 0, x, A),
        lambda x: xp.concatenate([x, A]),
        lambda x: xp.stack((A, x)),
        lambda x: xp.sum(A),
        lambda x: xp.add(x, x, out=np.empty((2, 3))),
        lambda x: x[np.array([0, 1])],
        lambda x: x.__setitem__(0, A[0]),
        lambda x: x.__setitem__(np.array([0]), 1.0),
        lambda x: x.dot(A.T),
        lambda x: xp.add.at(x, device([0]), A[:1]),
    ],
)
def test_numpy_arrays_do_not_mix_in(mix: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        mix(device(A))


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (lambda x: x * 2.0 + 1, A * 2 + 1),
        (lambda x: np.float64(2) * x, 2 * A),
        (lambda x: 2 - x, 2 - A),
        (lambda x: x @ x.T, A @ A.T),
        (lambda x: -(x**2) / 3 // 1 % 2, -(A**2) / 3 // 1 % 2),
        (lambda x: xp.where(x > 2, x, 0.0), np.where(A > 2, A, 0)),
        (lambda x: xp.concatenate([x, x], axis=1), np.concatenate([A, A], axis=1)),
        (lambda x: xp.einsum("ij,kj->ik", x, x), A @ A.T),
        (lambda x: xp.linalg.norm(x), np.linalg.norm(A)),
        (lambda x: xp.split(x, 3, axis=1)[1], A[:, 1:2]),
        (lambda x: xp.lib.stride_tricks.sliding_window_view(x, 2, axis=1), np.lib.stride_tricks.sliding_window_view(A, 2, axis=1)),
        (lambda x: xp.pad(x, ((0, 0), (1, 2)), mode="reflect"), np.pad(A, ((0, 0), (1, 2)), mode="reflect")),
        (lambda x: xp.asarray(A) + x, 2 * A),
        (lambda x: x.reshape(3, -1).transpose(1, 0).sum(axis=0, keepdims=True), A.reshape(3, 2).T.sum(axis=0, keepdims=True)),
        (lambda x: xp.add.reduce(x, axis=1), A.sum(axis=1)),
        (lambda x: x.astype(np.float32).imag, 0 * A),
        (lambda x: next(iter(x))[::-1], A[0, ::-1]),
    ],
)
def test_computes_what_numpy_does(compute: Callable[[Any], Any], expected: Any) -> None:
    got = compute(device(A))
    assert isinstance(got, StandInArray)
    np.testing.assert_array_equal(ls_core.to_host(got), expected)


def test_one_number_stays_on_the_device() -> None:
    x = device(A)
    for each in (x.sum(), x[0, 0], xp.mean(x), x.max(), xp.argmax(x), xp.allclose(x, x), xp.count_nonzero(x), x.sum() * 2):
        assert isinstance(each, StandInArray)
        assert each.shape == ()
    first = x[0, 1]
    first += 10.0  # a view, where NumPy gives a scalar
    assert float(x[0, 1]) == 11.0


def test_indices_out_of_range_wrap() -> None:
    x = device(A)
    np.testing.assert_array_equal(x[device([5, -1])].get(), A[[1, 1]])
    np.testing.assert_array_equal(xp.take(x, device([4]), axis=1).get(), A[:, [1]])
    np.testing.assert_array_equal(x.take(device([4]), axis=1).get(), A[:, [1]])
    np.testing.assert_array_equal(x[..., device([3])].get(), A[:, [0]])
    np.testing.assert_array_equal(x[None, :, device([3])].get(), A[None][:, :, [0]])
    xp.add.at(x, (device([2, 2]), device([0, 0])), 1.0)
    assert float(x[0, 0]) == 2.0
    with pytest.raises(IndexError):
        x[7]


def test_the_same_place_twice() -> None:
    x = device(A)
    with pytest.raises(ValueError, match="same place twice"):
        x[device([0, 0])] += device(A)
    x[device([1, 0])] = x + 0.0
    np.testing.assert_array_equal(x.get(), A[::-1])
    x[device([0, 0])] = 1.0  # the same number each time is defined


@pytest.mark.parametrize(
    "call",
    [
        lambda x: xp.errstate(all="ignore"),
        lambda x: xp.spacing(x),
        lambda x: xp.random,
        lambda x: x.ctypes,
        lambda x: x.setflags(write=False),
        lambda x: x.__array_interface__,
        lambda x: x.__index__,
    ],
)
def test_has_only_what_cupy_has(call: Callable[[Any], Any]) -> None:
    with pytest.raises(AttributeError):
        call(device(A))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: xp.sum(x, where=x > 0),
        lambda x: x.max(initial=0.0),
        lambda x: xp.exp(x, where=x > 0),
        lambda x: xp.take(x, device([0]), mode="clip"),
        lambda x: xp.asarray([object()]),
        lambda x: x.astype(object),
        lambda x: x.astype(np.longdouble),
        lambda x: xp.repeat(x, device([1, 2]), axis=0),
        lambda x: xp.zeros(device([2])),
        lambda x: hash(x),
        lambda x: [1, 2][x[0, 0]],
        lambda x: xp.add.at(x.astype(np.int8), device([0]), 1),
    ],
)
def test_refuses_what_cupy_refuses(call: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        call(device(A))


def test_ufunc_methods() -> None:
    x = device(A)
    with pytest.raises(NotImplementedError, match="maximum has no reduce"):
        xp.maximum.reduce(x)
    with pytest.raises(NotImplementedError):
        xp.multiply.at(x, device([0]), 2.0)
    with pytest.raises(ValueError, match="stable"):
        xp.argsort(x, kind="mergesort")
    np.testing.assert_array_equal(xp.multiply.outer(x[0], x[1]).get(), np.multiply.outer(A[0], A[1]))
    np.testing.assert_array_equal(xp.add.accumulate(x, axis=1).get(), A.cumsum(axis=1))


def test_infinities_come_without_a_warning() -> None:
    x = device(A)
    assert np.isinf((1 / x).get()[0, 0])
    assert np.isnan(xp.log(x - 1).get()[0, 0])


def syncs_of(call: Callable[[Any], Any]) -> list[str]:
    x = device(A)
    with host_syncs() as found:
        call(x)
    return found


@pytest.mark.parametrize(
    "call",
    [
        lambda x: float(x.sum()),
        lambda x: int(x[0, 0]),
        lambda x: bool(x[0, 0] > 0),
        lambda x: x[0, 0].item(),
        lambda x: x.get(),
        lambda x: x.tolist(),
        lambda x: str(x),
        lambda x: f"{x.sum():.2f}",
        lambda x: x[x > 2],
        lambda x: xp.nonzero(x),
        lambda x: xp.where(x > 0),
        lambda x: xp.unique(x),
        lambda x: xp.bincount(x.astype(np.int64).ravel()),
        lambda x: ls_core.to_host(x),
        lambda x: max(x[0]),
    ],
)
def test_waits_are_counted(call: Callable[[Any], Any]) -> None:
    found = syncs_of(call)
    assert found
    assert "test_standin.py" in found[-1] or "backend.py" in found[-1]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: xp.tanh(x @ x.T).sum(),
        lambda x: xp.where(x > 2, x, 0),
        lambda x: x.__setitem__(x > 2, 0.0),
        lambda x: x[device([1, 0])],
        lambda x: (x.shape, len(x), x.dtype, x.size),
        lambda x: [row.sum() for row in x],
        lambda x: xp.argsort(x, axis=1),
    ],
)
def test_no_wait_where_there_is_none(call: Callable[[Any], Any]) -> None:
    assert syncs_of(call) == []


def test_out_and_copies() -> None:
    x, out = device(A), xp.empty((2, 3))
    assert xp.add(x, 1, out=out) is out
    assert float(out[1, 2]) == 6.0
    for twin in (copy.copy(x), copy.deepcopy(x), x.copy()):
        twin += 1.0
    np.testing.assert_array_equal(x.get(), A)
    x.real = 2.0
    assert float(x.sum()) == 12.0
    z = x.astype(np.complex128)
    z.imag = 1.0
    assert complex(z[0, 0]) == 2 + 1j
    assert z.flags.c_contiguous
    assert not z.T.flags["C_CONTIGUOUS"]
    assert z.T.base is not None
    assert z.nbytes == 96
    assert z.strides == (48, 16)
    assert z.itemsize == 16
    assert z.mT.shape == (3, 2)


def test_memory_is_the_devices_own() -> None:
    host = A.copy()
    for x in (xp.asarray(host), ls_core.to_device(host, "standin")):
        x += 1.0
    np.testing.assert_array_equal(host, A)
    back = ls_core.to_host(x)
    back += 1.0
    assert float(x[0, 0]) == 1.0


def test_as_backend() -> None:
    with ls_core.use_backend("standin"):
        p = ls_core.Parameter(ls_core.to_device(np.zeros(2)))
    assert ls_core.get_xp(p.value) is xp
    p.assign([1.0, 2.0])
    np.testing.assert_array_equal(p.numpy(), [1, 2])
    draws = [ls_core.backend.find_backend(b).uniform(np.random.default_rng(0), (3,), np.float32) for b in ("numpy", "standin")]
    np.testing.assert_array_equal(draws[0], draws[1].get())


def test_the_frozen_names_are_cupys() -> None:
    """CuPy imports without a GPU, so where it is installed the list is compared with it."""
    cupy = pytest.importorskip("cupy")
    from ls_core.testing import cupy_names as names
    from ls_core.testing.standin_array import signatures

    for listed in (*signatures(names.FUNCTIONS), *names.UFUNCS.split(), *names.TYPES.split(), *names.CONSTANTS.split()):
        found = cupy
        for part in listed.split("."):
            found = getattr(found, part)
    for method in names.METHODS.split():
        assert hasattr(cupy.ndarray, method.partition("(")[0])
    for absent in ("errstate", "spacing", "frompyfunc", "ndenumerate", "memmap"):
        assert not hasattr(cupy, absent)
        assert not hasattr(xp, absent)


def test_bfloat16_stays_bfloat16() -> None:
    pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes, the extra bf16")
    x = ls_core.to_device(np.ones(3).astype("bfloat16"), "standin")
    xp = ls_core.get_xp(x)
    kept = x * 2, 1 - x, x / 2, x @ x, x.sum(), x.mean(), xp.exp(x), x * (x > 0), x**2, xp.maximum(x, 0), xp.add(x, 1, out=x)
    assert {str(y.dtype) for y in kept} == {"bfloat16"}
    wide = x * 0.5, 1.0 - x, xp.maximum(x, 0.0), xp.where(x > 0, x, 0), xp.clip(x, 0, 1), x.clip(0, 1), x + x.astype("float32")
    assert {str(y.dtype) for y in (*wide, xp.power(x, 2.0), x.round(), xp.tril(x[None]))} == {"float32"}
    assert {str(y.dtype) for y in (x.var(), xp.std(x), x**0.5)} == {"float64"}
    with pytest.raises(NotImplementedError, match="Sorting arrays with dtype 'bfloat16'"):
        xp.sort(x)
    with pytest.raises(TypeError, match="data type 'E' not understood"):
        xp.einsum("i,i->", x, x)
    x += 0.5
    assert (str(x.dtype), float(x[0])) == ("bfloat16", 2.5)
    with pytest.raises(TypeError, match=r"cupy.add.at only supports .* not bfloat16"):
        xp.add.at(x, ls_core.to_device(np.zeros(1, np.int64), "standin"), x[:1])


def test_cupys_bfloat16() -> None:
    """CuPy tells without a device which of its functions compute in bfloat16; those that do not give float32."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes, the extra bf16")
    for name in UFUNCS.split():
        loops = [types.partition("->") for types in getattr(cupy, name).types]
        if any("e" in given and "e" in made for given, _, made in loops) and name not in ("divmod", "float_power"):
            assert any("E" in given and "E" in made for given, _, made in loops), name
    sums, statistics = cupy._core._routines_math, cupy._core._routines_statistics
    for reduction in (sums.sum_auto_dtype, sums.prod_auto_dtype, statistics.amax, statistics.amin):
        assert "bfloat16" in {loop.out_types[0].name for loop in reduction._ops.ops}
    for function in (cupy._sorting.search._where_ufunc, sums._clip):
        assert not any("E" in types for types in function.types)
