"""use_matmul_precision: its names, that NumPy does not change, and which GPUs it refuses. test_cublas.py has what cuBLAS is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ls_core

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_numpy_has_one_way(precision: str) -> None:
    a = np.random.default_rng(0).normal(size=(50, 60)).astype("float32")
    wanted = (a @ a.T).tobytes()
    with ls_core.use_matmul_precision(precision):
        assert ls_core.matmul_precision() == precision
        with ls_core.use_matmul_precision("float32"):
            assert ls_core.matmul_precision() == "float32"
        assert ls_core.matmul_precision() == precision
        assert ls_core.matmul(a, a.T).tobytes() == wanted
    assert ls_core.matmul_precision() == "float32"


def test_other_names() -> None:
    with pytest.raises(ValueError, match="'float32', 'tf32' or 'bfloat16', not 'half'"):
        ls_core.use_matmul_precision("half")


FAKE = """
import ls_core
from types import SimpleNamespace
from ls_core.backend import Backend, register_backend

capability = '90'
cupy = SimpleNamespace(cuda=SimpleNamespace(device=SimpleNamespace(get_compute_capability=lambda: capability)))

def load():
    register_backend(Backend('cupy', cupy, type('ndarray', (), {}), None, None, None, None))

def refused(precision, action):
    try:
        action()
    except ls_core.BackendError as problem:
        return precision in str(problem) and 'Ampere' in str(problem) and '75' in str(problem)
"""
AFTER = """
load()
for precision in ('tf32', 'bfloat16'):
    with ls_core.use_matmul_precision(precision):
        assert ls_core.matmul_precision() == precision
capability = '75'
for precision in ('tf32', 'bfloat16'):
    assert refused(precision, lambda: ls_core.use_matmul_precision(precision))
    assert ls_core.matmul_precision() == 'float32'
ls_core.use_matmul_precision('float32')
print('ok')
"""
ENVIRONMENT = """
assert ls_core.matmul_precision() == 'tf32'
with ls_core.use_matmul_precision('float32'):
    assert ls_core.matmul_precision() == 'float32'
capability = '75'
assert refused('tf32', load)
print('ok')
"""


@pytest.mark.parametrize(("script", "variable"), [(AFTER, ""), (AFTER, "0"), (ENVIRONMENT, "1")])
def test_which_gpus_and_the_environment(script: str, variable: str) -> None:
    environment = {**os.environ, "CUPY_TF32": variable}
    done = subprocess.run([sys.executable, "-c", FAKE + script], capture_output=True, text=True, cwd=ROOT, timeout=60, env=environment)
    assert done.stdout.strip() == "ok", done.stderr
