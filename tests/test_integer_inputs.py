"""Layers called by hand on integers compute what they compute on the same numbers as floats."""

from __future__ import annotations

import numpy as np
import pytest

from ls_core.gradcheck.case import Case
from ls_core.gradcheck.subject import is_float, leaves, refill
from ls_core.testing.trial import Trial
from ls_layers import Resizing
from ls_layers.cases import TABLE

CASES = [case for case in TABLE if case.differentiable]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_integers_count_as_floats(case: Case) -> None:
    trial = Trial(case, dtype="float32")
    if not trial.numeric or isinstance(trial.layer, Resizing):  # Keras' Resizing gives images of bytes back as such, rounded
        return
    floats = [np.rint(a * 3) if is_float(a) else a for a in leaves(trial.inputs)]
    integers = [a.astype("int64") if is_float(a) else a for a in floats]
    wanted, _ = trial.forward(refill(trial.inputs, floats))
    got, _ = trial.forward(refill(trial.inputs, integers))
    for a, b in zip(leaves(got), leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_noise_and_dropout_on_integers() -> None:
    from ls_layers import AlphaDropout, Dropout, GaussianDropout, GaussianNoise

    x = np.full((400, 5), 7)
    for layer in (Dropout(0.3), AlphaDropout(0.3), GaussianDropout(0.3), GaussianNoise(0.5)):
        y = layer(x, training=True)
        assert y.dtype == np.float32
        assert len(np.unique(y)) == 2 or np.abs(y - np.rint(y)).max() > 0.3
