"""Steps find the memory of the step before: the system is not asked for it again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import resource
import numpy as np
from ls_core.freed_memory import keep_freed_memory

kept = keep_freed_memory()

def step():
    arrays = [np.ones(size, "float32") for size in (3_000_000, 1_000_000, 2_000_000, 700_000, 5_000_000)]
    return sum(a[0] for a in arrays)

for _ in range(5):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(wanted: str) -> tuple[bool, int]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env={**os.environ, "LS_KEEP_MEMORY": wanted}
    )
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc is asked")
def test_a_step_brings_few_page_faults() -> None:
    kept, faults = run("1")
    if not kept:
        pytest.skip("this C library has no mallopt")
    assert faults < 200  # 47 MB a step are 11,500 pages


@pytest.mark.skipif(os.name != "posix", reason="page faults are counted by the module resource")
def test_it_can_be_left_alone() -> None:
    assert run("0")[0] is False
