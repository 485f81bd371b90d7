"""The training steps in JAX: each workload's logits as a function of LS's own weights, differentiated and compiled by jit.

B batch, T time or tokens, I inputs, U units, H heads, D features of a head. Images are (B, height, width, channels).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Weights = Sequence[Any]


def dense(x: Any, W: Any, b: Any) -> Any:
    return x @ W + b


def convolution(x: Any, W: Any, b: Any = 0.0) -> Any:
    """'same' padding, channels last; W (k.., C, F)."""
    letters = "DHW"[3 - (x.ndim - 2) :]
    spec = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    return lax.conv_general_dilated(x, W, (1,) * (x.ndim - 2), "SAME", dimension_numbers=spec) + b


def max_pool(x: Any) -> Any:
    """Windows of 2 along every spatial axis."""
    window = (1, *(2 for _ in x.shape[1:-1]), 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")


def layer_normalization(x: Any, gamma: Any, beta: Any, epsilon: float = 1e-5) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred * lax.rsqrt((centred * centred).mean(-1, keepdims=True) + epsilon) * gamma + beta


def batch_normalization(x: Any, gamma: Any, beta: Any, epsilon: float = 1e-5) -> Any:
    axes = tuple(range(x.ndim - 1))
    centred = x - x.mean(axes)
    return centred * lax.rsqrt((centred * centred).mean(axes) + epsilon) * gamma + beta


def lstm(x: Any, W: Any, U: Any, b: Any) -> Any:
    """All h (T, B, U); gates i, f, c, o."""
    inputs = (x @ W + b).transpose(1, 0, 2)
    zeros = jnp.zeros((x.shape[0], U.shape[0]), x.dtype)

    def step(state: Any, gates: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(gates + h @ U, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    return lax.scan(step, (zeros, zeros), inputs)[1]


def gru(x: Any, W: Any, U: Any, b: Any) -> Any:
    """All h (T, B, U); gates z, r, h; b (2, 3U)."""
    inputs = (x @ W + b[0]).transpose(1, 0, 2)

    def step(h: Any, gates: Any) -> Any:
        xz, xr, xh = jnp.split(gates, 3, axis=-1)
        hz, hr, hh = jnp.split(h @ U + b[1], 3, axis=-1)
        z, r = jax.nn.sigmoid(xz + hz), jax.nn.sigmoid(xr + hr)
        h = z * h + (1 - z) * jnp.tanh(xh + r * hh)
        return h, h

    return lax.scan(step, jnp.zeros((x.shape[0], U.shape[0]), x.dtype), inputs)[1]


def attention(x: Any, wq: Any, bq: Any, wk: Any, bk: Any, wv: Any, bv: Any, wo: Any, bo: Any) -> Any:
    """Causal self-attention; wq, wk, wv (I, H, D), wo (H, D, I)."""
    q, k, v = (jnp.einsum("btc,chd->bhtd", x, w) + b[:, None] for w, b in ((wq, bq), (wk, bk), (wv, bv)))
    scores = jnp.einsum("bhtd,bhsd->bhts", q, k) / np.sqrt(q.shape[-1])
    scores = jnp.where(jnp.tril(jnp.ones(scores.shape[-2:], bool)), scores, -jnp.inf)
    y = jnp.einsum("bhts,bhsd->bthd", jax.nn.softmax(scores), v)
    return jnp.einsum("bthd,hdc->btc", y, wo) + bo


# --- the workloads' logits --------------------------------------------------------------------------------------------------


def _mlp(w: Weights, x: Any) -> Any:
    for i in range(0, len(w) - 2, 2):
        x = jax.nn.relu(dense(x, w[i], w[i + 1]))
    return dense(x, w[-2], w[-1])


def _text_cnn(w: Weights, ids: Any) -> Any:
    h = max_pool(convolution(w[0][ids], w[1], w[2]))
    return _mlp(w[3:], h.reshape(h.shape[0], -1))


def _lstm(w: Weights, ids: Any) -> Any:
    return dense(lstm(w[0][ids], *w[1:4])[-1], w[4], w[5])


def _gru(w: Weights, x: Any) -> Any:
    return dense(gru(gru(x, *w[:3]).transpose(1, 0, 2), *w[3:6])[-1], w[6], w[7])


def _conv_net(w: Weights, x: Any) -> Any:
    h = jax.nn.relu(convolution(jax.nn.relu(convolution(x, w[0], w[1])), w[2], w[3]))
    h = max_pool(jax.nn.relu(convolution(max_pool(h), w[4], w[5])))
    return dense(h.reshape(h.shape[0], -1), w[6], w[7])


def _norm_net(w: Weights, x: Any) -> Any:
    for i in range(0, 20, 5):  # kernel, gamma, beta, and moving statistics, which training doesn't read
        x = jax.nn.relu(batch_normalization(convolution(x, w[i]), w[i + 1], w[i + 2]))
        x = max_pool(x) if i == 5 else x
    return dense(x.mean((1, 2)), w[20], w[21])


def _gpt(w: Weights, ids: Any) -> Any:
    table, positions, *rest = w
    h = table[ids] + positions
    for i in range(0, len(rest) - 2, 16):
        g1, b1, *heads = rest[i : i + 10]
        g2, b2, w1, c1, w2, c2 = rest[i + 10 : i + 16]
        h = h + attention(layer_normalization(h, g1, b1), *heads)
        h = h + dense(jax.nn.relu(dense(layer_normalization(h, g2, b2), w1, c1)), w2, c2)
    return layer_normalization(h, rest[-2], rest[-1]) @ table.T


TWINS: dict[str, Callable[[Weights, Any], Any]] = {
    "tiny MLP": _mlp,
    "MLP": _mlp,
    "text CNN": _text_cnn,
    "Embedding-LSTM": _lstm,
    "two GRU": _gru,
    "conv net": _conv_net,
    "batch-norm": _norm_net,
    "GPT": _gpt,
}


def jax_step(name: str, weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> Callable[[], float]:
    """A function that makes one step of the workload called ``name`` (forward, loss, backward, Adam) and returns its loss."""
    logits_of = next(twin for prefix, twin in TWINS.items() if name.startswith(prefix))

    def loss_of(w: Weights, x: Any, y: Any) -> Any:
        logits = jax.nn.log_softmax(logits_of(w, x))
        return -jnp.take_along_axis(logits, y[..., None], axis=-1).mean()

    def update(w: Weights, m: Weights, v: Weights, t: Any, x: Any, y: Any) -> Any:
        loss, g = jax.value_and_grad(loss_of)(w, x, y)
        m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
        v = [0.999 * a + 0.001 * b * b for a, b in zip(v, g, strict=True)]
        c1, c2 = 1 - 0.9**t, 1 - 0.999**t
        w = [p - 0.001 * (a / c1) / (jnp.sqrt(b / c2) + 1e-8) for p, a, b in zip(w, m, v, strict=True)]
        return w, m, v, t + 1, loss

    w = [jnp.asarray(a) for a in weights]
    compiled = jax.jit(update)
    state = [w, [jnp.zeros_like(a) for a in w], [jnp.zeros_like(a) for a in w], jnp.asarray(1.0)]
    inputs, targets = jnp.asarray(x), jnp.asarray(y)

    def step() -> float:
        *state[:], loss = compiled(*state, inputs, targets)
        jax.block_until_ready(state)
        return float(loss)

    return step
