"""The attention layers against Keras 3 and PyTorch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from keras.src import backend

import ls_core
import ls_layers
from ls_layers.attention_core import scaled_dot_product_attention_backward, scaled_dot_product_attention_forward

from .keras_judge import BAR, as_list, compare_layer, relative_error

pytestmark = pytest.mark.judges

B, T, S, D = 2, 3, 5, 4


def _masks(rng: np.random.Generator, kind: str) -> list[np.ndarray | None] | None:
    query, value = rng.random((B, T)) < 0.6, rng.random((B, S)) < 0.6
    value[:, 0] = True  # with causal attention, the first query sees nothing else
    return {"none": None, "query": [query, None], "value": [None, value], "both": [query, value]}[kind]


@pytest.mark.parametrize("own_keys", [False, True])
@pytest.mark.parametrize("masks", ["none", "query", "value", "both"])
@pytest.mark.parametrize("call", [{}, {"use_causal_mask": True}, {"return_attention_scores": True, "use_causal_mask": True}])
@pytest.mark.parametrize(
    ("ours", "theirs", "arguments"),
    [
        (ls_layers.Attention, keras.layers.Attention, {}),
        (ls_layers.Attention, keras.layers.Attention, {"use_scale": True}),
        (ls_layers.Attention, keras.layers.Attention, {"score_mode": "concat"}),
        (ls_layers.Attention, keras.layers.Attention, {"score_mode": "concat", "use_scale": True}),
        (ls_layers.AdditiveAttention, keras.layers.AdditiveAttention, {}),
        (ls_layers.AdditiveAttention, keras.layers.AdditiveAttention, {"use_scale": False}),
    ],
)
def test_single_head(
    ours: type, theirs: type, arguments: dict[str, Any], call: dict[str, Any], masks: str, own_keys: bool, rng: np.random.Generator
) -> None:
    inputs = [rng.normal(size=(B, T, D)), rng.normal(size=(B, S, D if not own_keys else 2))] + (
        [rng.normal(size=(B, S, D))] if own_keys else []
    )
    given = _masks(rng, masks)
    call = {**call, "mask": given} if given else call
    compare_layer(ours, theirs, arguments, tuple(inputs), call)


def test_a_query_whose_values_are_all_masked(rng: np.random.Generator) -> None:
    inputs = tuple(rng.normal(size=(B, n, D)) for n in (T, S))
    value_mask = np.zeros((B, S), dtype=bool)
    call = {"mask": [None, value_mask], "return_attention_scores": True}
    compare_layer(ls_layers.Attention, keras.layers.Attention, {}, inputs, call)
    compare_layer(ls_layers.AdditiveAttention, keras.layers.AdditiveAttention, {}, inputs, call)


def compare_projected(
    ours_class: type,
    theirs_class: type,
    arguments: dict[str, Any],
    inputs: tuple[np.ndarray, ...],
    call: dict[str, Any],
    attached: tuple[np.ndarray | None, ...] | None = None,
) -> None:
    """As compare_layer, for layers whose inputs are arguments; ``attached`` masks sit on Keras' tensors, as in a model."""
    rng = np.random.default_rng(1)
    ls_core.set_floatx("float64")
    theirs = theirs_class(**arguments)
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    theirs.build(*(x.shape for x in inputs))
    theirs.set_weights([w + 0.3 * rng.normal(size=w.shape) for w in theirs.get_weights()])
    ours = ours_class(**theirs.get_config())
    ours.ensure_built([x.shape for x in inputs])
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    ours.set_weights(theirs.get_weights())
    if attached is not None:
        for tensor, mask in zip(tensors, attached, strict=True):
            backend.set_keras_mask(tensor, None if mask is None else torch.tensor(mask))
    expected = as_list(theirs(*tensors, **{k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in call.items()}))
    y, cache = ours.forward(*inputs, **call, **({} if attached is None else {"mask": list(attached)}))
    got = as_list(y)
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert relative_error(a, b.detach().numpy()) < BAR
    cotangents = [rng.normal(size=tuple(b.shape)) for b in expected]
    alive = cache.saved[3]  # (B, H or 1, T, 1)
    if alive is not None and len(got) == 1 and not ours.dropout and inputs[0].ndim == 3:
        # Queries that may look nowhere: PyTorch's fused kernel gives each of their values the gradient of a weight of 1, not 1/S.
        rows = np.broadcast_to(alive.all(axis=1), (*inputs[0].shape[:2], 1))
        cotangents[0] *= rows.reshape(*rows.shape[:2], *(1,) * (expected[0].ndim - 2))
    sum((b * torch.tensor(c)).sum() for b, c in zip(expected, cotangents, strict=True)).backward()
    dx = ours.backward(cotangents[0] if len(got) == 1 else tuple(cotangents), cache)
    for a, t in zip(dx, tensors, strict=True):
        assert relative_error(a, t.grad.numpy()) < BAR
    for p, w in zip(ours.parameters(), theirs.trainable_weights, strict=True):
        assert p.path.split("/", 1)[1] == w.path.split("/", 1)[1]
        assert relative_error(p.grad, w.value.grad.numpy()) < BAR, p.path


LAYERS: list[tuple[type, type, dict[str, Any]]] = [
    (ls_layers.MultiHeadAttention, keras.layers.MultiHeadAttention, {"num_heads": 2, "key_dim": 3}),
    (ls_layers.MultiHeadAttention, keras.layers.MultiHeadAttention, {"num_heads": 1, "key_dim": 4, "value_dim": 2, "use_bias": False}),
    (ls_layers.MultiHeadAttention, keras.layers.MultiHeadAttention, {"num_heads": 3, "key_dim": 2, "output_shape": 5, "use_gate": True}),
    (
        ls_layers.MultiHeadAttention,
        keras.layers.MultiHeadAttention,
        {"num_heads": 2, "key_dim": 2, "output_shape": (2, 3), "sliding_window": 2},
    ),
    (ls_layers.GroupQueryAttention, keras.layers.GroupQueryAttention, {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}),
    (
        ls_layers.GroupQueryAttention,
        keras.layers.GroupQueryAttention,
        {"head_dim": 2, "num_query_heads": 3, "num_key_value_heads": 1, "use_bias": False, "use_gate": True},
    ),
    (
        ls_layers.GroupQueryAttention,
        keras.layers.GroupQueryAttention,
        {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 2, "sliding_window": 3},
    ),
]
CALLS: list[dict[str, Any]] = [
    {},
    {"use_causal_mask": True},
    {"return_attention_scores": True},
    {"return_attention_scores": True, "use_causal_mask": True},
]


def _named_masks(rng: np.random.Generator, kind: str, own_keys: bool) -> dict[str, np.ndarray]:
    value, key, pairs = rng.random((B, S)) < 0.6, rng.random((B, S)) < 0.7, rng.random((B, T, S)) < 0.6
    masks = {
        "none": {},
        "value": {"value_mask": value},
        "value and key": {"value_mask": value, "key_mask": key},
        "pairs": {"attention_mask": pairs},
        "pairs as numbers": {"attention_mask": pairs.astype(np.int32)},
        "pairs for each head": {"attention_mask": pairs[:, None] & (rng.random((1, 1, T, S)) < 0.8)},
        "one for all": {"attention_mask": pairs[:1], "value_mask": value},
        "query": {"query_mask": rng.random((B, T)) < 0.5, "value_mask": value},
    }[kind]
    return masks if own_keys else {k: v for k, v in masks.items() if k != "key_mask"}


@pytest.mark.parametrize("own_keys", [False, True])
@pytest.mark.parametrize(
    "masks", ["none", "value", "value and key", "pairs", "pairs as numbers", "pairs for each head", "one for all", "query"]
)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("ours", "theirs", "arguments"), LAYERS)
def test_projected(
    ours: type, theirs: type, arguments: dict[str, Any], call: dict[str, Any], masks: str, own_keys: bool, rng: np.random.Generator
) -> None:
    """Rows without anything to look at are among them: Keras' answers differ with the path it takes, and so do ours."""
    shapes = [(B, T, D), (B, S, 3), (B, S, 2)] if own_keys else [(B, T, D), (B, S, D)]
    inputs = tuple(rng.normal(size=shape) for shape in shapes)
    compare_projected(ours, theirs, arguments, inputs, {**call, **_named_masks(rng, masks, own_keys)})


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize(("ours", "theirs", "arguments"), LAYERS)
def test_masks_that_a_model_hands_on(
    ours: type, theirs: type, arguments: dict[str, Any], dropout: float, call: dict[str, Any], rng: np.random.Generator
) -> None:
    """At inference, where dropout does nothing but send Keras along another path."""
    inputs = rng.normal(size=(B, T, D)), rng.normal(size=(B, S, D))
    attached = rng.random((B, T)) < 0.5, rng.random((B, S)) < 0.6
    compare_projected(ours, theirs, {**arguments, "dropout": dropout}, inputs, call, attached)


AXES: list[tuple[tuple[int, ...], tuple[int, ...], Any]] = [
    ((2, 3, 4, 5), (2, 2, 3, 5), None),
    ((2, 3, 4, 5), (2, 2, 4, 5), 1),
    ((2, 3, 4, 5), (2, 3, 2, 5), 2),
    ((2, 3, 4, 5), (2, 3, 2, 5), (-2,)),
    ((2, 3, 4, 5), (2, 2, 3, 5), (2, 1)),
    ((2, 3, 2, 4, 5), (2, 3, 4, 2, 5), (2, 3)),
    ((2, 3, 2, 4, 5), (2, 2, 2, 3, 5), (3, 1)),
    ((2, 3, 5), (2, 4, 5), (1,)),
]


@pytest.mark.parametrize("call", [{}, {"return_attention_scores": True}])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("query", "value", "axes"), AXES)
def test_attention_axes(
    query: tuple[int, ...], value: tuple[int, ...], axes: Any, masked: bool, call: dict[str, Any], rng: np.random.Generator
) -> None:
    arguments = {"num_heads": 2, "key_dim": 3, "attention_axes": axes}
    inputs = rng.normal(size=query), rng.normal(size=value)
    if masked:
        several = range(1, len(query) - 1) if axes is None else [axes] if isinstance(axes, int) else axes
        pairs = (query[0], *(query[a] for a in several), *(value[a] for a in several))
        call = {**call, "attention_mask": rng.random(pairs) < 0.6}
    compare_projected(ls_layers.MultiHeadAttention, keras.layers.MultiHeadAttention, arguments, inputs, call)


@pytest.mark.parametrize("mask", ["none", "causal", "pairs", "bias"])
@pytest.mark.parametrize(("heads", "groups"), [(1, 1), (4, 4), (4, 2), (6, 1)])
@pytest.mark.parametrize("scale", [None, 0.7])
def test_the_core_against_pytorch(mask: str, heads: int, groups: int, scale: float | None, rng: np.random.Generator) -> None:
    q, k, v = (rng.normal(size=(B, h, n, d)) for h, n, d in ((heads, T, 4), (groups, S, 4), (groups, S, 3)))
    dy = rng.normal(size=(B, heads, T, 3))
    allowed = rng.random((B, 1, T, S)) < 0.7
    allowed[..., 0] = True
    bias = {"pairs": np.where(allowed, 0.0, -1e30), "bias": rng.normal(size=(heads, T, S))}.get(mask)
    number = 0.5 if scale is None else scale  # 1 / sqrt(4)
    y, scores, saved = scaled_dot_product_attention_forward(q, k, v, bias, number, mask == "causal", None, False)
    assert scores is None
    tensors = [torch.tensor(x, requires_grad=True) for x in (q, k, v)]
    expected = torch.nn.functional.scaled_dot_product_attention(
        *tensors,
        attn_mask=torch.tensor(allowed) if mask == "pairs" else None if bias is None else torch.tensor(bias),
        is_causal=mask == "causal",
        scale=scale,
        enable_gqa=heads != groups,
    )
    assert relative_error(y, expected.detach().numpy()) < BAR
    (expected * torch.tensor(dy)).sum().backward()
    for got, t in zip(scaled_dot_product_attention_backward(dy, None, saved), tensors, strict=True):
        assert t.grad is not None
        assert relative_error(got, t.grad.numpy()) < BAR


@pytest.mark.parametrize("bias", [False, True])
def test_multi_head_attention_against_pytorch(bias: bool, rng: np.random.Generator) -> None:
    """torch.nn.MultiheadAttention keeps one matrix for query, key and value, (out, in)."""
    ls_core.set_floatx("float64")
    H, K, E = 2, 3, 6
    layer = ls_layers.MultiHeadAttention(H, K, use_bias=bias, bias_initializer="normal")
    x, memory, dy = rng.normal(size=(B, T, E)), rng.normal(size=(B, S, E)), rng.normal(size=(B, T, E))
    layer.ensure_built([x.shape, memory.shape])
    theirs = torch.nn.MultiheadAttention(E, H, bias=bias, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        kernels = [each.kernel.value.reshape(E, H * K).T for each in (layer.query_dense, layer.key_dense, layer.value_dense)]
        theirs.in_proj_weight.copy_(torch.tensor(np.concatenate(kernels)))
        theirs.out_proj.weight.copy_(torch.tensor(layer.output_dense.kernel.value.reshape(H * K, E).T))
        if bias:
            biases = [each.bias.value.reshape(-1) for each in (layer.query_dense, layer.key_dense, layer.value_dense)]
            theirs.in_proj_bias.copy_(torch.tensor(np.concatenate(biases)))
            theirs.out_proj.bias.copy_(torch.tensor(layer.output_dense.bias.value))
    tensors = [torch.tensor(each, requires_grad=True) for each in (x, memory)]
    expected, scores = theirs(tensors[0], tensors[1], tensors[1], average_attn_weights=False)
    (y, p), cache = layer.forward(x, memory, return_attention_scores=True)
    assert relative_error(y, expected.detach().numpy()) < BAR
    assert relative_error(p, scores.detach().numpy()) < BAR
    (expected * torch.tensor(dy)).sum().backward()
    for got, t in zip(layer.backward((dy, None), cache), tensors, strict=True):
        assert t.grad is not None
        assert relative_error(got, t.grad.numpy()) < BAR


MODELS: list[tuple[str, Any]] = [
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "dropout": 0.3}),
    ("GroupQueryAttention", {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}),
    ("Attention", {"use_scale": True}),
    ("AdditiveAttention", {}),
]


@pytest.mark.parametrize("call", [{}, {"use_causal_mask": True}])
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize(("name", "arguments"), MODELS)
def test_masks_on_their_way_through_a_model(name: str, arguments: dict[str, Any], pooled: bool, call: dict[str, Any]) -> None:
    """Embedding(mask_zero) -> self-attention -> BatchNormalization (masked statistics) -> a masked mean, or all places."""
    rng = np.random.default_rng(2)
    ls_core.set_floatx("float64")
    ids = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 0]])

    def assemble(package: Any, inputs: Any) -> tuple[Any, list[Any]]:
        parts = [package.Embedding(8, 4, mask_zero=True), getattr(package, name)(**arguments), package.BatchNormalization()]
        embedded = parts[0](inputs)
        projected = name in ("MultiHeadAttention", "GroupQueryAttention")
        attended = parts[1](embedded, embedded, **call) if projected else parts[1]([embedded, embedded], **call)
        y = parts[2](attended)
        return package.GlobalAveragePooling1D()(y) if pooled else y, parts

    keras_input, our_input = keras.Input((None,), dtype="int32"), ls_core.Input((None,), dtype="int32")
    theirs_out, theirs = assemble(keras.layers, keras_input)
    ours_out, ours = assemble(ls_layers, our_input)
    their_model, our_model = keras.Model(keras_input, theirs_out), ls_core.Model(our_input, ours_out)
    for mine, part in zip(ours, theirs, strict=True):
        part.set_weights([np.abs(w + 0.3 * rng.normal(size=w.shape)) for w in part.get_weights()])
        mine.set_weights(part.get_weights())
    training = "dropout" not in arguments
    expected = their_model(torch.tensor(ids), training=training)
    y, cache = our_model.forward(ids, training=training)
    assert relative_error(y, expected.detach().numpy()) < BAR
    dy = rng.normal(size=y.shape)
    if not pooled and training:
        dy *= (ids != 0)[..., None]  # PyTorch's fused kernel goes wrong in queries that may look nowhere
    (expected * torch.tensor(dy)).sum().backward()
    our_model.backward(dy, cache)
    for mine, part in zip(ours, theirs, strict=True):
        for p, w in zip(mine.trainable_parameters(), part.trainable_weights, strict=True):
            grad = p.grad.to_dense() if isinstance(p.grad, ls_core.RowGradient) else p.grad
            assert relative_error(grad, w.value.grad.numpy()) < BAR, p.path
        for a, b in zip(mine.get_weights(), part.get_weights(), strict=True):
            assert relative_error(a, b) < BAR
