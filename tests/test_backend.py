"""Backends, named random streams, the float type, Parameters."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import ls_core
from ls_core import BackendError, Parameter, RowGradient, backend, get_xp, random_stream, set_seed, to_device, to_host, use_backend
from ls_core.random import Stream, count_name, same_random_numbers


def no_cupy() -> str | None:
    """Why the CuPy backend can't be had here; None where it can."""
    try:
        backend.find_backend("cupy")
    except BackendError as problem:
        return str(problem)
    return None


def test_cupy_says_what_is_missing_and_what_to_install() -> None:
    reason = no_cupy()
    if reason is None:
        assert use_backend("cupy").name == "cupy"
    else:
        assert "pip install 'ls-engine[cuda12]'" in reason or "no CUDA device" in reason


def test_auto_falls_back_and_says_so_once() -> None:
    code = (
        "import warnings, ls_core\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    warnings.simplefilter('always')\n"
        "    for _ in range(3): name = ls_core.use_backend('auto').name\n"
        "print(name, len(said), [str(w.message) for w in said])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    if no_cupy() is None:
        assert printed.startswith("cupy 0")
    else:
        assert printed.startswith("numpy 1")
        assert "computes with NumPy" in printed


def test_the_environment_chooses_the_backend() -> None:
    code = "import ls_core; print(ls_core.current_backend().name)"
    environment = dict(os.environ, LS_BACKEND="numpy")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout == "numpy\n"
    environment["LS_BACKEND"] = "abacus"
    failed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "there is no backend 'abacus'" in failed.stderr


def test_the_stand_in_is_known_by_its_name() -> None:
    code = "import ls_core; print(ls_core.use_backend('standin').name, ls_core.current_backend().array_type.__name__)"
    for given in ("", "standin"):
        environment = dict(os.environ, LS_BACKEND=given)
        printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout
        assert printed == "standin StandInArray\n"


def test_the_namespace_comes_from_the_type() -> None:
    assert get_xp(np.ones(2)) is np
    assert get_xp(np.float32(1)) is np
    assert get_xp(np.ones(3).view(np.memmap)) is np
    with pytest.raises(TypeError, match="no backend computes on"):
        get_xp(object())


def test_a_with_block_switches_back() -> None:
    from ls_core.testing import standin  # noqa: F401

    with use_backend("standin"):
        p = Parameter(to_device(np.ones(2)))
        assert get_xp(p.value) is not np
    assert ls_core.current_backend().name == "numpy"
    np.testing.assert_array_equal(to_host(p.value), np.ones(2))


def test_a_model_moves_between_backends() -> None:
    from ls_core.testing import standin  # noqa: F401
    from ls_layers import Dense

    model = ls_core.Sequential([Dense(3, activation="tanh"), Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.random.default_rng(0).normal(size=(8, 4)), np.arange(8) % 2
    model.fit(x, y, epochs=1, verbose=0)
    here = model.predict(x)
    model.to("standin")
    np.testing.assert_array_equal(model.predict(x), here)
    model.fit(x, y, epochs=1, verbose=0)
    assert type(model.parameters()[0].value) is not np.ndarray
    model.to("numpy")
    assert type(model.parameters()[0].value) is np.ndarray


def test_floatx() -> None:
    from ls_layers import Dense

    with pytest.raises(ValueError, match="floatx must be one of"):
        ls_core.set_floatx("int32")
    with backend.floatx_scope("float64"):
        layer = Dense(2)
        layer.build((None, 3))
    assert layer.kernel.dtype == np.float64
    assert ls_core.floatx() == "float32"


# --- random streams ------------------------------------------------------------------------------------


def test_streams_depend_on_seed_and_name_alone() -> None:
    set_seed(3)
    a = random_stream("a").generator.random(4)
    set_seed(3)
    random_stream("b").generator.random(100)
    np.testing.assert_array_equal(random_stream("a").generator.random(4), a)
    set_seed(4)
    assert (random_stream("a").generator.random(4) != a).all()
    assert (Stream("b", 3).generator.random(4) != a).all()


def test_the_state_of_all_streams_comes_back() -> None:
    set_seed(1)
    count_name("model")
    random_stream("a").generator.random(3)
    state = ls_core.get_random_state()
    first = random_stream("a").generator.random(3), random_stream("new").generator.random(3), count_name("model")
    import json

    ls_core.set_random_state(json.loads(json.dumps(state)))
    second = random_stream("a").generator.random(3), random_stream("new").generator.random(3), count_name("model")
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    with same_random_numbers():
        inside = random_stream("a").generator.random()
    assert random_stream("a").generator.random() == inside


def test_a_dropout_mask_keeps_its_mean_and_dtype() -> None:
    mask = random_stream("mask").keep_mask((200, 200), 0.3, like=np.ones(1, np.float32))
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.7)}
    assert abs(float(mask.mean()) - 1) < 0.02


def test_a_seed_out_of_range() -> None:
    with pytest.raises(ValueError, match="a seed is an integer"):
        set_seed(-1)


# --- Parameters ----------------------------------------------------------------------------------------


def test_accumulate_owns_the_first_and_adds_the_rest() -> None:
    p = Parameter(np.zeros(3))
    first = np.ones(3)
    p.accumulate(first)
    assert p.grad is first
    p.accumulate(np.full(3, 2.0))
    np.testing.assert_array_equal(p.grad, [3, 3, 3])
    p.drop_grad()
    assert p.grad is None
    with pytest.raises(ValueError, match="shape .*broadcast axes"):
        p.accumulate(np.ones((2, 3)))


def test_row_gradients_add_up_like_dense_ones() -> None:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 6, 40)
    values = rng.normal(size=(40, 3))
    dense = np.zeros((6, 3))
    np.add.at(dense, ids, values)
    parts = []
    for part in (slice(0, 25), slice(25, 40)):
        rows, sums = ls_core.parameter.sum_rows(ids[part], values[part])
        assert len(set(rows.tolist())) == len(rows)
        parts.append(RowGradient(rows, sums, (6, 3)))
    whole = parts[0] + parts[1]
    assert isinstance(whole, RowGradient)
    np.testing.assert_allclose(whole.to_dense(), dense, atol=1e-12)
    p = Parameter(np.zeros((6, 3)))
    p.accumulate(parts[0])
    p.accumulate(np.ones((6, 3)))
    p.accumulate(parts[1])
    np.testing.assert_allclose(p.grad, dense + 1, atol=1e-12)
    np.testing.assert_allclose((whole * 2.0).to_dense(), 2 * dense, atol=1e-12)


def test_sum_rows_override_agrees_with_the_reference() -> None:
    rng = np.random.default_rng(0)
    for n in (0, 1, 50):
        ids, values = rng.integers(0, 9, n), rng.normal(size=(n, 2, 3))
        rows, sums = ls_core.parameter.sum_rows(ids, values)
        wanted_rows, wanted = ls_core.parameter.sum_rows.reference(ids, values)
        np.testing.assert_array_equal(rows, wanted_rows)
        np.testing.assert_allclose(sums, wanted, atol=1e-12)


def test_assign_keeps_shape_and_dtype() -> None:
    p = Parameter(np.zeros(2, np.float32), name="w")
    p.assign([1.0, 2.0])
    assert p.value.dtype == np.float32
    with pytest.raises(ValueError, match=r"'w' has shape \(2,\), the new value \(3,\)"):
        p.assign(np.ones(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repr(p)
