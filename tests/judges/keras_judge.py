"""compare_layer: a layer of LS against the Keras 3 layer of the same configuration, in float64."""

from __future__ import annotations

import os
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch
from keras.src.backend.common import dtypes

import ls_core

# Keras' type rules turn float64 into float32 in many operations unless told otherwise, first thing.
dtypes.BIT64_TO_BIT32_DTYPE.update(float64="float64", int64="int64")
keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")

BAR = 1e-9


def relative_error(a: Any, b: Any) -> float:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert a.shape == b.shape, (a.shape, b.shape)
    if a.size == 0:
        return 0.0
    return float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def compare_layer(
    ls_class: type,
    keras_class: type,
    arguments: dict[str, Any],
    inputs: tuple[np.ndarray, ...],
    call: dict[str, Any] | None = None,
    training: bool = False,
    bar: float = BAR,
    gradients: bool = True,
) -> None:
    """Outputs, input gradients and weight gradients of both layers agree to ``bar``.

    The LS layer is made from Keras' own ``get_config()`` and gets random weights through
    ``get_weights``/``set_weights``, so names, defaults, order and layout are compared as well.
    """
    call = call or {}
    rng = np.random.default_rng(1)
    ls_core.set_floatx("float64")
    theirs = keras_class(**arguments)
    tensors = [torch.tensor(x, requires_grad=bool(x.dtype.kind == "f" and gradients)) for x in inputs]
    given: Any = tensors[0] if len(tensors) == 1 else tensors
    theirs(given, training=training, **call)
    weights = [w + 0.1 * rng.normal(size=w.shape) if w.dtype.kind == "f" else w for w in theirs.get_weights()]
    weights = [np.abs(w) if "variance" in v.path else w for w, v in zip(weights, theirs.weights, strict=True)]
    theirs.set_weights(weights)
    ours = ls_class(**theirs.get_config())
    ours.ensure_built(inputs[0].shape if len(inputs) == 1 else [x.shape for x in inputs])
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in weights]
    ours.set_weights(weights)
    y, cache = ours.forward(*inputs, training=training, **call)
    expected = as_list(theirs(given, training=training, **call))
    got = as_list(y)
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        error = relative_error(a, b.detach().numpy())
        assert error < bar, f"output differs by {error:.2e}"
    if not gradients:
        return
    cotangents = [rng.normal(size=tuple(b.shape)) for b in expected]
    sum((b * torch.tensor(c)).sum() for b, c in zip(expected, cotangents, strict=True)).backward()
    dx = as_list(ours.backward(cotangents[0] if len(got) == 1 else tuple(cotangents), cache))
    for i, (a, t) in enumerate(zip(dx, tensors, strict=True)):
        if t.requires_grad:
            error = relative_error(a, np.zeros(t.shape) if t.grad is None else t.grad.numpy())
            assert error < bar, f"gradient of input {i} differs by {error:.2e}"
    trainable = [p for p in ours.parameters() if p.trainable]
    assert len(trainable) == len(theirs.trainable_weights)
    for p, w in zip(trainable, theirs.trainable_weights, strict=True):
        grad = p.grad.to_dense() if isinstance(p.grad, ls_core.RowGradient) else p.grad
        wanted = w.value.grad
        error = relative_error(np.zeros(p.shape) if grad is None else grad, np.zeros(p.shape) if wanted is None else wanted.numpy())
        assert error < bar, f"gradient of {p.name} differs by {error:.2e}"
