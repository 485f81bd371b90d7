"""A pytest plugin: the fixture ``gradcheck`` and the marker ``gradcheck(seed=..., backend=...)``.

::

    def test_my_layer(gradcheck):
        gradcheck(MyLayer(3), np.random.default_rng(0).normal(size=(4, 5)))

    @pytest.mark.gradcheck(backend='standin', training=True)      # defaults of the calls in this test
    def test_my_layer_on_a_device(gradcheck):
        gradcheck(MyLayer(3), x)

``pip install ls-engine`` makes pytest know it; the reports of a test stand in its output where it fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gradcheck(**keywords): defaults for the calls of the gradcheck fixture")


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """``gradcheck(layer, *inputs, **keywords)``: check_layer; an activation's name or a loss is checked as such."""
    from ..activation import ActivationFunction
    from ..gradcheck import check_activation, check_layer, check_loss
    from ..layer import Layer

    marker = request.node.get_closest_marker("gradcheck")
    defaults = dict(marker.kwargs) if marker else {}
    if defaults.get("backend") == "standin":
        from . import standin  # makes the backend known

        assert standin.STANDIN

    def check(subject: Any, *inputs: Any, **keywords: Any) -> Any:
        how = {**defaults, **keywords}
        if isinstance(subject, Layer):
            report = check_layer(subject, *inputs, **how)
        elif isinstance(subject, (str, ActivationFunction)):
            report = check_activation(subject, *inputs, **how)
        else:
            report = check_loss(subject, *inputs, **how)
        print(report)
        return report

    return check
