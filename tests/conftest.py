"""What every test gets: a fixed seed, and the float type and backend put back afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

import ls_core


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    ls_core.set_seed(0)
    floatx = ls_core.floatx()
    with ls_core.use_backend("numpy"):
        yield
    ls_core.set_floatx(floatx)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked gpu are skipped where no CUDA device answers, unless LS_REQUIRE_GPU=1."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked or os.environ.get("LS_REQUIRE_GPU") == "1":
        return
    try:
        ls_core.backend.find_backend("cupy")
    except ls_core.BackendError as problem:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=str(problem)))
