"""Rows for positions, SwiGLU and the transformer blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..position_embedding import PositionEmbedding
from ..rotary_embedding import RotaryEmbedding
from ..sinusoidal_position_encoding import SinusoidalPositionEncoding
from ..swiglu import SwiGLU
from ..transformer_decoder_block import TransformerDecoderBlock
from ..transformer_encoder_block import TransformerEncoderBlock
from .attention import _heads_by_loops


def _normal(*shapes: tuple[int, ...]) -> Any:
    return lambda g: tuple(g.normal(size=shape) for shape in shapes)


def _turned(layer: Any, x: np.ndarray, start_index: int = 0) -> np.ndarray:
    """A pair is a complex number, and turning it is a product with exp(i angle)."""
    y, half = np.empty_like(x), x.shape[-1] // 2
    for t, i in np.ndindex(x.shape[1], half):
        one, two = (2 * i, 2 * i + 1) if layer.interleaved else (i, half + i)
        angle = (t + start_index) / layer.scaling_factor / layer.max_wavelength ** (i / half)
        turned = (x[:, t, ..., one] + 1j * x[:, t, ..., two]) * np.exp(1j * angle)
        y[:, t, ..., one], y[:, t, ..., two] = turned.real, turned.imag
    return y


def _waves(layer: Any, x: np.ndarray, start_index: int = 0) -> np.ndarray:
    y, D = x.copy(), x.shape[2]
    for t, d in np.ndindex(*x.shape[1:]):
        angle = (t + start_index) / layer.max_wavelength ** (d // 2 * 2 / D)
        y[:, t, d] += np.cos(angle) if d % 2 else np.sin(angle)
    return y


def _learned(layer: Any, x: np.ndarray, start_index: int = 0) -> np.ndarray:
    return np.array([[step + layer.embeddings.value[start_index + t] for t, step in enumerate(row)] for row in x])


def _swiglu(layer: Any, x: np.ndarray) -> np.ndarray:
    gate, up = x @ layer.gate.kernel.value, x @ layer.up.kernel.value
    return gate / (1 + np.exp(-gate)) * up @ layer.down.kernel.value


def _norm(layer: Any, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(x.var(axis=-1, keepdims=True) + layer.epsilon) * layer.gamma.value + layer.beta.value


def _feed(layer: Any, x: np.ndarray) -> np.ndarray:
    one, two = layer.feed_forward
    return np.maximum(x @ one.kernel.value + one.bias.value, 0) @ two.kernel.value + two.bias.value


def _encoder(layer: Any, x: np.ndarray) -> np.ndarray:
    r = _norm(layer.attention_norm, x + _heads_by_loops(layer.attention, x, x))
    return _norm(layer.feed_forward_norm, r + _feed(layer, r))


def _decoder(layer: Any, x: np.ndarray, memory: np.ndarray) -> np.ndarray:
    h = _norm(layer.attention_norm, x)
    r = x + _heads_by_loops(layer.attention, h, h, causal=True)
    s = r + _heads_by_loops(layer.cross, _norm(layer.cross_norm, r), memory)
    return s + _feed(layer, _norm(layer.feed_forward_norm, s))


_MASK = np.array([[True, True, False], [True, True, True]])
_MEMORY_MASK = np.array([[True, False], [True, True]])

CASES = [
    Case("RotaryEmbedding", RotaryEmbedding, _normal((2, 3, 4)), expected=_turned),
    Case(
        "RotaryEmbedding, neighbours, later, heads",
        lambda: RotaryEmbedding(max_wavelength=50, scaling_factor=2.0, interleaved=True),
        _normal((2, 3, 2, 6)),
        options={"start_index": 4},
        expected=_turned,
    ),
    Case(
        "RotaryEmbedding, own positions",
        lambda: RotaryEmbedding(sequence_axis=-2),
        _normal((1, 2, 3, 4)),
        options={"positions": np.array([0, 5, 2])},
    ),
    Case("SinusoidalPositionEncoding", SinusoidalPositionEncoding, _normal((2, 3, 4)), expected=_waves),
    Case(
        "SinusoidalPositionEncoding, odd, later",
        lambda: SinusoidalPositionEncoding(30),
        _normal((2, 3, 5)),
        options={"start_index": 2},
        expected=_waves,
    ),
    Case("PositionEmbedding", lambda: PositionEmbedding(5), _normal((2, 3, 4)), expected=_learned),
    Case("PositionEmbedding, later", lambda: PositionEmbedding(5), _normal((2, 3, 4)), options={"start_index": 2}, expected=_learned),
    Case("SwiGLU", lambda: SwiGLU(5), _normal((2, 3, 4)), expected=_swiglu),
    Case("SwiGLU, biases, output_dim", lambda: SwiGLU(3, 2, use_bias=True), _normal((3, 4))),
    Case(
        "TransformerEncoderBlock",
        lambda: TransformerEncoderBlock(5, 2, bias_initializer="normal"),
        _normal((2, 3, 4)),
        dead=("attention/key/bias",),
        expected=_encoder,
    ),
    Case(
        "TransformerEncoderBlock, norm first, SwiGLU, causal, mask",
        lambda: TransformerEncoderBlock(5, 2, activation="swiglu", normalize_first=True),
        _normal((2, 3, 4)),
        options={"mask": _MASK, "use_causal_mask": True},
        dead=("attention/key/bias",),
    ),
    Case(
        "TransformerEncoderBlock, dropout",
        lambda: TransformerEncoderBlock(5, 2, dropout=0.3, activation="tanh"),
        _normal((2, 3, 4)),
        training=True,
        same_alone=False,
        dead=("attention/key/bias",),
    ),
    Case(
        "TransformerDecoderBlock",
        lambda: TransformerDecoderBlock(5, 2, bias_initializer="normal", normalize_first=True),
        _normal((2, 3, 4), (2, 2, 6)),
        dead=("attention/key/bias", "cross/key/bias"),
        expected=_decoder,
    ),
    Case(
        "TransformerDecoderBlock, norm last, masks",
        lambda: TransformerDecoderBlock(5, 2, activation="tanh"),
        _normal((2, 3, 4), (2, 2, 4)),
        options={"mask": [_MASK, _MEMORY_MASK]},
        dead=("attention/key/bias", "cross/key/bias"),
    ),
    Case(
        "TransformerDecoderBlock, no memory",
        lambda: TransformerDecoderBlock(5, 1, activation="gelu"),
        _normal((2, 3, 4)),
        dead=("attention/key/bias",),
    ),
]
