"""Transformer blocks against PyTorch's and against the same composition of Keras 3 layers; positions and SwiGLU against PyTorch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch

import ls_core
import ls_layers

from .keras_judge import BAR, relative_error

pytestmark = pytest.mark.judges

B, T, S, E, H, F = 2, 4, 5, 6, 2, 7


@pytest.fixture(autouse=True)
def _double() -> None:
    ls_core.set_floatx("float64")


def _randomize(layer: Any, rng: np.random.Generator) -> None:
    layer.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in layer.get_weights()])


def _attention_to(theirs: Any, ours: Any) -> None:
    kernels = [each.kernel.value.reshape(each.kernel.shape[0], -1).T for each in (ours.query_dense, ours.key_dense, ours.value_dense)]
    biases = [each.bias.value.reshape(-1) for each in (ours.query_dense, ours.key_dense, ours.value_dense)]
    theirs.in_proj_weight.copy_(torch.tensor(np.concatenate(kernels)))
    theirs.in_proj_bias.copy_(torch.tensor(np.concatenate(biases)))
    theirs.out_proj.weight.copy_(torch.tensor(ours.output_dense.kernel.value.reshape(E, E).T))
    theirs.out_proj.bias.copy_(torch.tensor(ours.output_dense.bias.value))


def _rest_to(theirs: Any, ours: Any, norms: list[Any]) -> None:
    for linear, dense in zip((theirs.linear1, theirs.linear2), ours.feed_forward, strict=True):
        linear.weight.copy_(torch.tensor(dense.kernel.value.T))
        linear.bias.copy_(torch.tensor(dense.bias.value))
    for norm, mine in zip((theirs.norm1, theirs.norm2, getattr(theirs, "norm3", None)), norms, strict=False):
        norm.weight.copy_(torch.tensor(mine.gamma.value))
        norm.bias.copy_(torch.tensor(mine.beta.value))


def _grads_of(attention: Any) -> list[tuple[Any, np.ndarray]]:
    """Parameters of our attention beside the gradients of PyTorch's, which keeps query, key and value in one matrix."""
    return [
        (attention.query_dense.kernel, lambda m: m.in_proj_weight.grad[:E].T.reshape(E, H, E // H)),
        (attention.key_dense.kernel, lambda m: m.in_proj_weight.grad[E : 2 * E].T.reshape(E, H, E // H)),
        (attention.value_dense.kernel, lambda m: m.in_proj_weight.grad[2 * E :].T.reshape(E, H, E // H)),
        (attention.value_dense.bias, lambda m: m.in_proj_bias.grad[2 * E :].reshape(H, E // H)),
        (attention.output_dense.kernel, lambda m: m.out_proj.weight.grad.T.reshape(H, E // H, E)),
        (attention.output_dense.bias, lambda m: m.out_proj.bias.grad),
    ]


def _padding(rng: np.random.Generator, length: int) -> np.ndarray:
    mask = rng.random((B, length)) < 0.6
    mask[:, 0] = True
    return mask


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_encoder_block_against_pytorch(first: bool, activation: str, causal: bool, padded: bool, rng: np.random.Generator) -> None:
    ours = ls_layers.TransformerEncoderBlock(F, H, activation=activation, normalize_first=first)
    x, dy = rng.normal(size=(2, B, T, E))
    ours.ensure_built(x.shape)
    _randomize(ours, rng)
    theirs = torch.nn.TransformerEncoderLayer(E, H, F, 0.0, activation, 1e-5, True, first, dtype=torch.float64)
    with torch.no_grad():
        _attention_to(theirs.self_attn, ours.attention)
        _rest_to(theirs, ours, [ours.attention_norm, ours.feed_forward_norm])
    mask = _padding(rng, T) if padded else None
    t = torch.tensor(x, requires_grad=True)
    expected = theirs(
        t,
        src_mask=torch.triu(torch.ones(T, T, dtype=torch.bool), 1) if causal else None,
        src_key_padding_mask=torch.tensor(~mask) if mask is not None else None,
    )
    y, cache = ours.forward(x, mask=mask, use_causal_mask=causal, training=True)
    assert relative_error(y, expected.detach().numpy()) < BAR
    (expected * torch.tensor(dy)).sum().backward()
    assert t.grad is not None
    assert relative_error(ours.backward(dy, cache), t.grad.numpy()) < BAR
    for parameter, theirs_of in _grads_of(ours.attention):
        assert relative_error(parameter.grad, theirs_of(theirs.self_attn).numpy()) < BAR
    assert relative_error(ours.feed_forward[0].kernel.grad, theirs.linear1.weight.grad.numpy().T) < BAR
    assert relative_error(ours.feed_forward_norm.gamma.grad, theirs.norm2.weight.grad.numpy()) < BAR
    assert relative_error(ours.attention_norm.beta.grad, theirs.norm1.bias.grad.numpy()) < BAR


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_decoder_block_against_pytorch(first: bool, activation: str, causal: bool, padded: bool, rng: np.random.Generator) -> None:
    ours = ls_layers.TransformerDecoderBlock(F, H, activation=activation, normalize_first=first)
    x, dy = rng.normal(size=(2, B, T, E))
    memory = rng.normal(size=(B, S, E))
    ours.ensure_built([x.shape, memory.shape])
    _randomize(ours, rng)
    theirs = torch.nn.TransformerDecoderLayer(E, H, F, 0.0, activation, 1e-5, True, first, dtype=torch.float64)
    with torch.no_grad():
        _attention_to(theirs.self_attn, ours.attention)
        _attention_to(theirs.multihead_attn, ours.cross)
        _rest_to(theirs, ours, [ours.attention_norm, ours.cross_norm, ours.feed_forward_norm])
    masks = [_padding(rng, T), _padding(rng, S)] if padded else None
    tensors = [torch.tensor(each, requires_grad=True) for each in (x, memory)]
    expected = theirs(
        *tensors,
        tgt_mask=torch.triu(torch.ones(T, T, dtype=torch.bool), 1) if causal else None,
        tgt_key_padding_mask=torch.tensor(~masks[0]) if masks else None,
        memory_key_padding_mask=torch.tensor(~masks[1]) if masks else None,
    )
    y, cache = ours.forward(x, memory, mask=masks, use_causal_mask=causal, training=True)
    assert relative_error(y, expected.detach().numpy()) < BAR
    (expected * torch.tensor(dy)).sum().backward()
    for got, tensor in zip(ours.backward(dy, cache), tensors, strict=True):
        assert tensor.grad is not None
        assert relative_error(got, tensor.grad.numpy()) < BAR
    for attention, module in ((ours.attention, theirs.self_attn), (ours.cross, theirs.multihead_attn)):
        for parameter, theirs_of in _grads_of(attention):
            assert relative_error(parameter.grad, theirs_of(module).numpy()) < BAR
    assert relative_error(ours.feed_forward[1].kernel.grad, theirs.linear2.weight.grad.numpy().T) < BAR
    assert relative_error(ours.cross_norm.gamma.grad, theirs.norm2.weight.grad.numpy()) < BAR


@pytest.mark.parametrize("first", [False, True])
def test_encoder_block_against_a_composition_of_keras_layers(first: bool, rng: np.random.Generator) -> None:
    """Weights travel as they are, since the order of the parts is that of the data's way."""
    ours = ls_layers.TransformerEncoderBlock(F, H, activation="tanh", normalize_first=first)
    x, dy = rng.normal(size=(2, B, T, E))
    ours.ensure_built(x.shape)
    _randomize(ours, rng)
    inputs = keras.Input((T, E))
    attention, one, two = keras.layers.MultiHeadAttention(H, E // H), keras.layers.Dense(F, "tanh"), keras.layers.Dense(E)
    norms = [keras.layers.LayerNormalization(epsilon=1e-5) for _ in range(2)]
    if first:
        h = norms[0](inputs)
        r = inputs + attention(h, h)
        outputs = r + two(one(norms[1](r)))
    else:
        r = norms[0](inputs + attention(inputs, inputs))
        outputs = norms[1](r + two(one(r)))
    model = keras.Model(inputs, outputs)
    parts, weights = [attention, norms[0], one, two, norms[1]], ours.get_weights()
    for part in parts:
        count = len(part.weights)
        part.set_weights(weights[:count])
        weights = weights[count:]
    assert not weights
    t = torch.tensor(x, requires_grad=True)
    expected = model(t)
    y, cache = ours.forward(x)
    assert relative_error(y, expected.detach().numpy()) < BAR
    (expected * torch.tensor(dy)).sum().backward()
    assert t.grad is not None
    assert relative_error(ours.backward(dy, cache), t.grad.numpy()) < BAR
    variables = [w for part in parts for w in part.trainable_weights]
    for p, w in zip(ours.parameters(), variables, strict=True):
        assert relative_error(p.grad, w.value.grad.numpy()) < BAR, p.path


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(3, E), (B, T, E)])
def test_swiglu_against_pytorch(bias: bool, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    layer = ls_layers.SwiGLU(F, use_bias=bias)
    x, dy = rng.normal(size=(2, *shape))
    layer.ensure_built(shape)
    _randomize(layer, rng)
    tensors = [torch.tensor(w, requires_grad=True) for w in layer.get_weights()]
    step = 2 if bias else 1
    t = torch.tensor(x, requires_grad=True)
    gate, up, down = (
        lambda h, k=k: torch.nn.functional.linear(h, tensors[k].T, tensors[k + 1] if bias else None) for k in range(0, 3 * step, step)
    )
    expected = down(torch.nn.functional.silu(gate(t)) * up(t))
    y, cache = layer.forward(x)
    assert relative_error(y, expected.detach().numpy()) < BAR
    (expected * torch.tensor(dy)).sum().backward()
    assert t.grad is not None
    assert relative_error(layer.backward(dy, cache), t.grad.numpy()) < BAR
    for p, w in zip(layer.parameters(), tensors, strict=True):
        assert w.grad is not None
        assert relative_error(p.grad, w.grad.numpy()) < BAR


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize(("shape", "axis"), [((B, T, E), 1), ((B, T, H, E), 1), ((B, H, T, E), -2)])
def test_rotary_embedding_against_complex_numbers(interleaved: bool, shape: tuple[int, ...], axis: int, rng: np.random.Generator) -> None:
    x, dy = rng.normal(size=(2, *shape))
    layer = ls_layers.RotaryEmbedding(interleaved=interleaved, sequence_axis=axis)
    y, cache = layer.forward(x, start_index=3)
    t = torch.tensor(x, requires_grad=True)
    pairs = t.unflatten(-1, (E // 2, 2)) if interleaved else t.unflatten(-1, (2, E // 2)).transpose(-1, -2)
    angles = torch.outer(torch.arange(3, 3 + T, dtype=torch.float64), 10000 ** -(torch.arange(0, E, 2, dtype=torch.float64) / E))
    turns = torch.polar(torch.ones_like(angles), angles)
    turns = turns[:, None] if shape == (B, T, H, E) else turns
    turned = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * turns)
    expected = turned.flatten(-2) if interleaved else turned.transpose(-1, -2).flatten(-2)
    assert relative_error(y, expected.detach().numpy()) < BAR
    (expected * torch.tensor(dy)).sum().backward()
    assert t.grad is not None
    assert relative_error(layer.backward(dy, cache), t.grad.numpy()) < BAR
