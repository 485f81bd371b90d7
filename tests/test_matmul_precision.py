"""use_matmul_precision: its names, that NumPy does not change, and what CuPy is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ls_core

ROOT = Path(__file__).parent.parent


def test_numpy_has_one_way() -> None:
    a = np.random.default_rng(0).normal(size=(50, 60)).astype("float32")
    wanted = (a @ a.T).tobytes()
    with ls_core.use_matmul_precision("tf32"):
        assert ls_core.matmul_precision() == "tf32"
        with ls_core.use_matmul_precision("float32"):
            assert ls_core.matmul_precision() == "float32"
        assert ls_core.matmul_precision() == "tf32"
        assert (a @ a.T).tobytes() == wanted
    assert ls_core.matmul_precision() == "float32"


def test_other_names() -> None:
    with pytest.raises(ValueError, match="'float32' or 'tf32', not 'half'"):
        ls_core.use_matmul_precision("half")
    with pytest.raises(ValueError, match="mixed_precision='bfloat16'"):
        ls_core.use_matmul_precision("bfloat16")


FAKE = """
import ls_core
from types import SimpleNamespace
from ls_core.backend import Backend, register_backend

told = []
capability = '90'
device = SimpleNamespace(get_compute_capability=lambda: capability, get_cublas_handle=lambda: 7)
products = SimpleNamespace(COMPUTE_TYPE_DEFAULT=1, COMPUTE_TYPE_TF32=7, set_compute_type=lambda *told_: told.append(('type', *told_)))
cublas = SimpleNamespace(CUBLAS_DEFAULT_MATH=0, CUBLAS_TF32_TENSOR_OP_MATH=3, setMathMode=lambda *told_: told.append(('mode', *told_)))
cupy = SimpleNamespace(cuda=SimpleNamespace(device=device, cublas=cublas), _core=SimpleNamespace(_routines_linalg=products))
full, fast = [('type', 'float32', 1), ('mode', 7, 0)], [('type', 'float32', 7), ('mode', 7, 3)]

def load():
    register_backend(Backend('cupy', cupy, type('ndarray', (), {}), None, None, None, None))
"""
BEFORE = """
ls_core.use_matmul_precision('tf32')
assert told == []
load()
assert told == fast, told
print('ok')
"""
AFTER = """
load()
assert told == [], 'nothing is touched unless somebody asks'
with ls_core.use_matmul_precision('tf32'):
    assert told == fast, told
assert told == fast + full, told
capability = '75'
try:
    ls_core.use_matmul_precision('tf32')
except ls_core.BackendError as problem:
    assert 'Ampere' in str(problem) and '75' in str(problem)
    assert ls_core.matmul_precision() == 'float32'
    print('ok')
"""
ENVIRONMENT = """
assert ls_core.matmul_precision() == 'tf32'
load()
assert told == fast
with ls_core.use_matmul_precision('float32'):
    assert told == fast + full
assert told == fast + full + fast
print('ok')
"""


@pytest.mark.parametrize(("script", "variable"), [(BEFORE, "0"), (AFTER, ""), (ENVIRONMENT, "1")])
def test_what_cupy_is_told(script: str, variable: str) -> None:
    import os

    environment = {**os.environ, "CUPY_TF32": variable}
    done = subprocess.run([sys.executable, "-c", FAKE + script], capture_output=True, text=True, cwd=ROOT, timeout=60, env=environment)
    assert done.stdout.strip() == "ok", done.stderr


def test_the_names_are_cupys() -> None:
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    products = cupy._core._routines_linalg
    assert products.COMPUTE_TYPE_TF32 != products.COMPUTE_TYPE_DEFAULT
    before = products.get_compute_type("float32")
    products.set_compute_type("float32", products.COMPUTE_TYPE_DEFAULT)
    products.set_compute_type("float32", before)
    assert callable(cupy.cuda.device.get_cublas_handle)
    assert callable(cupy.cuda.device.get_compute_capability)
