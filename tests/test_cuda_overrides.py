"""How CUDA overrides are listed and registered: signatures, and that cupy is never imported for it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ls_core
import ls_layers
import ls_optim
from ls_core.cuda import OVERRIDES
from ls_core.cuda.overrides import FAMILIES

PROVIDERS = (ls_layers, ls_optim)  # imported so that all families are named
for _family in FAMILIES:
    __import__(_family)

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("kernel", "function"), OVERRIDES, ids=[kernel.__name__ for kernel, _ in OVERRIDES])
def test_signature(kernel: Any, function: Any) -> None:
    def plain(f: Any) -> list[tuple[str, Any]]:
        return [(p.name, p.default) for p in inspect.signature(f).parameters.values()]

    assert plain(function) == plain(kernel.reference)


def test_all_packages_bring_theirs() -> None:
    assert {name.rpartition(".")[0] for name in FAMILIES} == {"ls_core.cuda", "ls_layers.accelerated.cuda", "ls_optim"}


def test_each_kernel_is_overridden_once() -> None:
    names = [kernel.__name__ for kernel, _ in OVERRIDES]
    assert len(names) == len(set(names))


FAKE = """
import struct, sys
import ls_core, ls_layers, ls_optim
from ls_core.backend import Backend, register_backend
from ls_core.cuda import OVERRIDES
from ls_core.cuda.overrides import FAMILIES
assert not {'cupy', *FAMILIES} & set(sys.modules), 'imported before the backend was loaded'
assert not OVERRIDES and len(FAMILIES) > 10, FAMILIES
class Fake: pass
launches = []
class Cupy:
    class RawModule:
        def __init__(self, code, options, backend):
            self.made = (code, options, backend)
        def get_function(self, name):
            return lambda blocks, threads, args: launches.append((self.made, name, blocks, threads, args))
register_backend(Backend('cupy', Cupy, Fake, None, None, None, None))
assert len(OVERRIDES) > 80
assert all(kernel._table[Fake] is function for kernel, function in OVERRIDES)
from ls_layers.accelerated.cuda.softmax import SOURCE
x = Fake()
SOURCE.run('softmax_forward', 'float16', (3,), (32, 8), x, None, 2, 0.5)
SOURCE.run('softmax_forward', 'float16', (0,), (32, 8), x, None, 2, 0.5)
[((code, options, backend), *launch)] = launches
assert launch == ['softmax_forward', (3,), (32, 8), (x, 0, 2, 0.5)], launch
from ls_core.cuda.launch import Struct
x.data = type('Memory', (), {'ptr': 7})
SOURCE.run('softmax_forward', 'float32', (1,), (32,), Struct(Fake, [x, None, 0.5], 'qqd', 4, ()))
[packed] = launches[1][-1]
assert packed.shape == (1,) and packed.tobytes() == struct.pack('<qqdq', 7, 0, 0.5, 0)
assert 'softmax_forward' in code and '#include "' not in code and '-DLS_T=__half' in options and backend == 'nvrtc'
print('ok')
"""


def test_registered_when_cupy_is_loaded_and_not_before() -> None:
    done = subprocess.run([sys.executable, "-c", FAKE], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "ok", done.stderr


LOADED_FIRST = """
import os, sys, types
fake = types.ModuleType('cupy')
fake.__version__, fake.ndarray, fake.ElementwiseKernel = '0', type('ndarray', (), {}), lambda *args: None
fake.asarray = fake.asnumpy = None
fake.cuda = types.SimpleNamespace(runtime=types.SimpleNamespace(getDeviceCount=lambda: 1))
sys.modules['cupy'] = fake
os.environ['LS_BACKEND'] = 'cupy'
import ls_core, ls_layers, ls_optim
from ls_core.cuda import OVERRIDES
assert len(OVERRIDES) > 80
assert all(kernel._table[fake.ndarray] is function for kernel, function in OVERRIDES)
print('ok')
"""


def test_registered_when_cupy_was_loaded_before() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED_FIRST], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "ok", done.stderr


def test_the_switch_for_a_fixed_order() -> None:
    from ls_core.kernel import deterministic

    with ls_core.use_deterministic():
        assert deterministic()
        with ls_core.use_deterministic(False):
            assert not deterministic()
        assert deterministic()
    assert not deterministic()


def test_mixed_types_go_to_the_reference() -> None:
    """A float64 input of a float32 layer: the kernels are for one type."""
    from ls_core.cuda.overrides import _float_type

    single, double = np.zeros(2, np.float32), np.zeros(2)
    assert _float_type((single, None, (single, 3, [single]))) == "float32"
    assert _float_type((single, (double,))) is None
    assert _float_type((np.zeros(2, np.int64),)) is None
    assert _float_type((np.zeros(2, np.complex128), 1)) == "complex128"
