"""The same layers in other libraries, started from LS's weights; each is used where it is installed, none is needed.

A peer makes a Run for a layer that it has: one forward and backward of the same numbers, whose output, input gradients and
Parameters' gradients are compared with LS's before anything is timed. Keras runs on PyTorch here, so that its layers have a backward.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ls_core.testing.tolerances import TOLERANCES, difference

from .figure import matches
from .machine import installed
from .subjects import Pair, Shape, Spec


@dataclass
class Run:
    """``run()`` makes a forward and backward; ``arrays(result)`` gives y and the inputs' gradients as NumPy arrays.

    ``gradients(result)``: of what LS trains, in LS's order and layout.
    """

    run: Callable[[], Any]
    arrays: Callable[[Any], list[np.ndarray]]
    gradients: Callable[[Any], list[np.ndarray]]

    def verify(self, expected: Sequence[np.ndarray], gradients: Sequence[np.ndarray]) -> Callable[[Any], str | None]:
        """What says how a result differs from LS's y, input gradients and Parameters' gradients, or None."""
        same = matches(expected, self.arrays)
        return lambda result: same(result) or gradient_problem(self.gradients(result), gradients)


def gradient_problem(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> str | None:
    """How gradients of Parameters differ from LS's, relative to 1 at least: some are 0 but for rounding."""
    if len(found) != len(expected):
        return f"{len(found)} gradients of Parameters came, LS has {len(expected)}"
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            return f"the gradient of Parameter {i} is {a.dtype} of shape {a.shape}, LS has {b.dtype} of shape {b.shape}"
        error = difference(a, b)
        if not error <= TOLERANCES[a.dtype.name]:
            return f"the gradient of Parameter {i} differs from LS's by {error:.1e}; {a.dtype} allows {TOLERANCES[a.dtype.name]:.0e}"
    return None


def trained(pair: Pair) -> list[bool]:
    """Which of a layer's weights LS trains."""
    return [p.trainable for p in pair.layer.parameters()]


def available() -> list[str]:
    """The peers that are installed."""
    return [name for name in PEERS if all(installed(each) for each in NEEDS[name])]


# --- PyTorch ---------------------------------------------------------------------------------------------------------------


def _torch_functions() -> dict[str, Callable[..., Any]]:
    """y from the input (or inputs) and LS's weights, by the name of the subject."""
    import torch

    F = torch.nn.functional

    def images(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda x, *w: function(x.permute(0, 3, 1, 2), *w).permute(0, 2, 3, 1)

    def convolution(x: Any, W: Any, b: Any) -> Any:
        return F.conv2d(x, W.permute(3, 2, 0, 1), b, padding="same")

    def depthwise(x: Any, W: Any, b: Any) -> Any:
        return F.conv2d(x, W.permute(2, 3, 0, 1), b, padding="same", groups=x.shape[1])

    def convolution_1d(x: Any, W: Any, b: Any) -> Any:
        return F.conv1d(x.transpose(1, 2), W.permute(2, 1, 0), b, padding="same").transpose(1, 2)

    def batch_norm(x: Any, gamma: Any, beta: Any, mean: Any, variance: Any) -> Any:
        return F.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-3)

    def lstm(x: Any, W: Any, U: Any, b: Any) -> Any:
        zeros = x.new_zeros(1, x.shape[0], U.shape[0])
        return torch._VF.lstm(x, (zeros, zeros), [W.T, U.T, b, torch.zeros_like(b)], True, 1, 0.0, True, False, True)[0]

    def gru(x: Any, W: Any, U: Any, b: Any) -> Any:  # Keras' gates z, r, h; PyTorch's r, z, n
        def order(a: Any) -> Any:
            z, r, h = a.chunk(3, -1)
            return torch.cat([r, z, h], -1)

        zeros = x.new_zeros(1, x.shape[0], U.shape[0])
        return torch._VF.gru(x, zeros, [order(W).T, order(U).T, order(b[0]), order(b[1])], True, 1, 0.0, True, False, True)[0]

    def simple_rnn(x: Any, W: Any, U: Any, b: Any) -> Any:
        zeros = x.new_zeros(1, x.shape[0], U.shape[0])
        return torch._VF.rnn_tanh(x, zeros, [W.T, U.T, b, torch.zeros_like(b)], True, 1, 0.0, True, False, True)[0]

    def attention(x: Any, value: Any, wq: Any, bq: Any, wk: Any, bk: Any, wv: Any, bv: Any, wo: Any, bo: Any) -> Any:
        q, k, v = (
            torch.einsum("btc,chd->bhtd", a, w) + b[:, None] for a, w, b in ((x, wq, bq), (value, wk, bk), (value, wv, bv))
        )  # the einsums are one product each
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return torch.einsum("bhtd,hdc->btc", y, wo) + bo

    return {
        "Dense": lambda x, W, b: torch.addmm(b, x, W),
        "Dense relu": lambda x, W, b: torch.relu(torch.addmm(b, x, W)),
        "Embedding": lambda ids, table: F.embedding(ids, table),
        "Conv1D 3": convolution_1d,
        "Conv2D 3x3": images(convolution),
        "Conv2D 1x1": images(convolution),
        "DepthwiseConv2D 3x3": images(depthwise),
        "MaxPooling2D": images(lambda x: F.max_pool2d(x, 2)),
        "AveragePooling2D": images(lambda x: F.avg_pool2d(x, 2)),
        "GlobalAveragePooling2D": lambda x: x.mean((1, 2)),
        "BatchNormalization": images(batch_norm),
        "LayerNormalization": lambda x, gamma, beta: F.layer_norm(x, gamma.shape, gamma, beta, 1e-3),
        "GroupNormalization": images(lambda x, gamma, beta: F.group_norm(x, 4, gamma, beta, 1e-3)),
        "SimpleRNN": simple_rnn,
        "GRU": gru,
        "LSTM": lstm,
        "MultiHeadAttention": attention,
        "Add": lambda a, b: a + b,
        "relu": torch.relu,
        "gelu": F.gelu,
        "silu": F.silu,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "softmax": lambda x: torch.softmax(x, -1),
    }


def _by_autograd(call: Callable[..., Any], inputs: Sequence[Any], parameters: Sequence[Any], dy: np.ndarray, of: Sequence[int]) -> Run:
    """Forward and all gradients by PyTorch's autograd; ``of``: which of the parameters are compared."""
    import torch

    floats = [x for x in inputs if x.requires_grad]
    cotangent = torch.tensor(dy)

    def run() -> Any:
        y = call()
        grads = torch.autograd.grad(y, [*floats, *parameters], cotangent, allow_unused=True)
        return (y, *grads)

    def arrays(result: Any) -> list[np.ndarray]:
        return [a.detach().cpu().numpy() for a in result[: 1 + len(floats)]]

    def gradients(result: Any) -> list[np.ndarray]:
        return [result[1 + len(floats) + i].detach().cpu().numpy() for i in of]

    return Run(run, arrays, gradients)


def _torch_run(spec: Spec, pair: Pair, shape: Shape) -> Run | None:
    import torch

    function = _torch_functions().get(spec.name)
    if function is None:
        return None
    inputs = [torch.tensor(x).requires_grad_(x.dtype.kind == "f") for x in pair.inputs]
    parameters = [torch.tensor(w).requires_grad_() for w in pair.layer.get_weights()]
    of = [i for i, is_trained in enumerate(trained(pair)) if is_trained]
    return _by_autograd(lambda: function(*inputs, *parameters), inputs, parameters, pair.dy, of)


# --- Keras -----------------------------------------------------------------------------------------------------------------


def _keras_run(spec: Spec, pair: Pair, shape: Shape) -> Run | None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras
    import torch

    if keras.backend.backend() != "torch" or spec.make is None or spec.draws:
        return None
    layer = spec.make(keras.layers, shape)
    inputs = [torch.tensor(x).requires_grad_(x.dtype.kind == "f") for x in pair.inputs]
    given = [inputs] if spec.name == "Add" else inputs  # merging layers take a list
    layer(*given, **spec.options)
    layer.set_weights(pair.layer.get_weights())
    parameters = [v.value for v in layer.trainable_variables]
    training = {"training": True} if spec.name in ("BatchNormalization",) else {}
    return _by_autograd(lambda: layer(*given, **training, **spec.options), inputs, parameters, pair.dy, range(len(parameters)))


# --- JAX -------------------------------------------------------------------------------------------------------------------


def _jax_run(spec: Spec, pair: Pair, shape: Shape) -> Run | None:
    import jax
    import jax.numpy as jnp

    from . import jax_twins as twins

    functions: dict[str, Callable[..., Any]] = {
        "Dense": twins.dense,
        "Dense relu": lambda *a: jax.nn.relu(twins.dense(*a)),
        "Conv1D 3": twins.convolution,
        "Conv2D 3x3": twins.convolution,
        "Conv2D 1x1": twins.convolution,
        "MaxPooling2D": twins.max_pool,
        "GlobalAveragePooling2D": lambda x: x.mean((1, 2)),
        "BatchNormalization": lambda x, gamma, beta, mean, variance: twins.batch_normalization(x, gamma, beta, 1e-3),
        "LayerNormalization": lambda x, gamma, beta: twins.layer_normalization(x, gamma, beta, 1e-3),
        "GRU": lambda *a: twins.gru(*a).transpose(1, 0, 2),
        "LSTM": lambda *a: twins.lstm(*a).transpose(1, 0, 2),
        "Add": lambda a, b: a + b,
        "relu": jax.nn.relu,
        "gelu": lambda x: jax.nn.gelu(x, approximate=False),
        "silu": jax.nn.silu,
        "sigmoid": jax.nn.sigmoid,
        "tanh": jnp.tanh,
        "softmax": jax.nn.softmax,
    }
    function = functions.get(spec.name)
    if function is None:
        return None
    given = [jnp.asarray(a) for a in (*pair.inputs, *pair.layer.get_weights())]
    cotangent = jnp.asarray(pair.dy)

    def both(given: Any, dy: Any) -> Any:
        y, backward = jax.vjp(function, *given)
        return (y, *backward(dy))

    compiled = jax.jit(both)
    count = 1 + len(pair.inputs)
    of = [count + i for i, is_trained in enumerate(trained(pair)) if is_trained]
    return Run(
        lambda: jax.block_until_ready(compiled(given, cotangent)),
        lambda result: [np.asarray(a) for a in result[:count]],
        lambda result: [np.asarray(result[i]) for i in of],
    )


# --- Thinc -----------------------------------------------------------------------------------------------------------------


def _thinc_run(spec: Spec, pair: Pair, shape: Shape) -> Run | None:
    from thinc.api import Linear, Relu

    if spec.name not in ("Dense", "Dense relu"):
        return None
    W, b = pair.layer.get_weights()
    model = (Linear if spec.name == "Dense" else Relu)(W.shape[1], W.shape[0])
    model.initialize()
    model.set_param("W", np.ascontiguousarray(W.T))
    model.set_param("b", b)

    def run() -> Any:
        y, backward = model(pair.inputs[0], is_train=True)
        dx = backward(pair.dy)
        grads = [model.get_grad(name) for name in ("W", "b")]
        for name in ("W", "b"):  # it adds to what is there
            model.set_grad(name, np.zeros_like(model.get_param(name)))
        return y, dx, *grads

    return Run(run, lambda result: list(result[:2]), lambda result: [result[2].T, result[3]])


PEERS: dict[str, Callable[[Spec, Pair, Shape], Run | None]] = {
    "PyTorch": _torch_run,
    "Keras": _keras_run,
    "JAX": _jax_run,
    "Thinc": _thinc_run,
}
NEEDS = {"PyTorch": ("torch",), "Keras": ("keras", "torch"), "JAX": ("jax",), "Thinc": ("thinc",)}


def torch_peak(n: int = 1024, times: int = 20) -> float:
    """How fast PyTorch multiplies float32 matrices, in operations per second: its library may beat NumPy's."""
    import time

    import torch

    a, best = torch.full((n, n), 0.5), float("inf")
    for _ in range(times):
        began = time.perf_counter()
        torch.mm(a, a)
        best = min(best, time.perf_counter() - began)
    return 2 * n**3 / best
