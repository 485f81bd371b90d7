"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

TESTS = """
import numpy as np
import pytest
from ls_core.losses import MeanSquaredError
from ls_layers import Dense

x = np.random.default_rng(0).normal(size=(3, 4))

def test_layer(gradcheck):
    assert gradcheck(Dense(2), x).rows

def test_others(gradcheck):
    gradcheck('tanh', x)
    gradcheck(MeanSquaredError(), x, 2 * x)

@pytest.mark.gradcheck(backend='standin', seed=7)
def test_marker(gradcheck):
    assert gradcheck(Dense(2), x).seed == 7

def test_wrong(gradcheck):
    class Wrong(Dense):
        def backward(self, dy, saved, input_gradient=True):
            x, activated = saved
            self.kernel.accumulate(x.T @ dy)
            self.bias.accumulate(dy.sum(axis=0))
            return dy @ self.kernel.value.T * 1.01
    gradcheck(Wrong(2), x)
"""


def test_plugin(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers"]
    loaded = "import importlib.metadata as m; print(any(e.name == 'ls_gradcheck' for e in m.entry_points(group='pytest11')))"
    if subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout.strip() != "True":
        command += ["-p", "ls_core.testing.pytest_plugin"]  # LS is not installed here
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    assert "the gradient of input is wrong" in done.stdout
