"""Attention, positions and transformer blocks: masks in models, what a query can see, calls, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ls_core
import ls_layers
from ls_core import Input, Model
from ls_core.errors import ShapeError
from ls_core.layer import collect_losses
from ls_layers.attention_core import scaled_dot_product_attention_backward, scaled_dot_product_attention_forward
from ls_optim import Adam

LAYERS: list[Any] = [
    ls_layers.Attention,
    lambda: ls_layers.Attention(score_mode="concat"),
    ls_layers.AdditiveAttention,
    lambda: ls_layers.MultiHeadAttention(2, 3),
    lambda: ls_layers.GroupQueryAttention(3, 4, 2),
]
IDS = ["dot", "concat", "additive", "heads", "groups"]


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(2, 5, 4))


# --- what a query can see ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", LAYERS, ids=IDS)
def test_causal_attention_does_not_see_the_future(make: Any, x: np.ndarray) -> None:
    layer, changed = make(), x.copy()
    changed[:, 3:] *= -1.5
    y, other = layer(x, x, use_causal_mask=True), layer(changed, changed, use_causal_mask=True)
    np.testing.assert_array_equal(y[:, :3], other[:, :3])
    assert np.abs(y[:, 3:] - other[:, 3:]).min() > 0


@pytest.mark.parametrize("make", LAYERS, ids=IDS)
def test_masked_values_are_not_looked_at(make: Any, x: np.ndarray) -> None:
    layer, mask = make(), np.array([[True, True, False, True, False]] * 2)
    y, cache = layer.forward(x, x, mask=[None, mask])
    np.testing.assert_allclose(y, layer(x, x[:, [0, 1, 3]]), rtol=1e-12)
    dvalue = layer.backward(y, cache)[1]
    np.testing.assert_array_equal(dvalue[~mask], 0)


@pytest.mark.parametrize("make", LAYERS[3:], ids=IDS[3:])
def test_a_sliding_window(make: Any, x: np.ndarray) -> None:
    layer = make()
    layer.sliding_window = 2
    y = layer(x, x, use_causal_mask=True)
    for t in range(1, 5):
        np.testing.assert_allclose(
            y[:, t : t + 1], layer(x[:, t - 1 : t + 1], x[:, t - 1 : t + 1], use_causal_mask=True)[:, 1:], rtol=1e-12
        )


def test_scores_are_weights(x: np.ndarray) -> None:
    layer = ls_layers.MultiHeadAttention(3, 2)
    y, p = layer(x, x, use_causal_mask=True, return_attention_scores=True)
    assert p.shape == (2, 3, 5, 5)
    np.testing.assert_allclose(p.sum(axis=-1), 1)
    np.testing.assert_array_equal(np.triu(p, 1), 0)
    np.testing.assert_allclose(y, layer(x, x, use_causal_mask=True), rtol=1e-13)


def test_a_query_that_may_look_nowhere(x: np.ndarray) -> None:
    """The mean of the values, as Keras; zeros where the scores are returned, as Keras."""
    layer = ls_layers.GroupQueryAttention(3, 2, 1)
    mask = np.array([[True, False, True, True, True]] * 2)
    y, cache = layer.forward(x, x, query_mask=mask)
    np.testing.assert_allclose(y[:, 1], layer(np.zeros_like(x), x)[:, 1], rtol=1e-12)
    dquery, _ = layer.backward(np.ones_like(y), cache)
    np.testing.assert_array_equal(dquery[:, 1], 0)
    y, p = layer(x, x, query_mask=mask, return_attention_scores=True)
    np.testing.assert_array_equal(p[:, :, 1], 0)
    np.testing.assert_array_equal(y[:, 1], 0)


def test_as_many_groups_as_heads_is_multi_head_attention(x: np.ndarray) -> None:
    groups, heads = ls_layers.GroupQueryAttention(3, 2, 2), ls_layers.MultiHeadAttention(2, 3)
    groups.ensure_built([x.shape, x.shape])
    heads.ensure_built([x.shape, x.shape])
    heads.set_weights(groups.get_weights())
    np.testing.assert_array_equal(groups(x, x), heads(x, x))


def test_shared_heads_are_repeated_heads(rng: np.random.Generator) -> None:
    q, k, v, dy = rng.normal(size=(2, 6, 3, 4)), *rng.normal(size=(2, 2, 2, 5, 4)), rng.normal(size=(2, 6, 3, 4))
    y, _, saved = scaled_dot_product_attention_forward(q, k, v, None, 0.5, False, None, False)
    wide, _, wide_saved = scaled_dot_product_attention_forward(q, k.repeat(3, 1), v.repeat(3, 1), None, 0.5, False, None, False)
    np.testing.assert_allclose(y, wide)
    grads, wide_grads = (scaled_dot_product_attention_backward(dy, None, each) for each in (saved, wide_saved))
    np.testing.assert_allclose(grads[0], wide_grads[0])
    for got, wanted in zip(grads[1:], wide_grads[1:], strict=True):
        np.testing.assert_allclose(got, wanted.reshape(2, 2, 3, 5, 4).sum(axis=2))


def test_large_scores_do_not_overflow() -> None:
    x = np.array([[[1000.0], [-1000.0]]], dtype=np.float32)
    np.testing.assert_array_equal(ls_layers.Attention()(x, x), x)
    assert np.isfinite(ls_layers.Attention()(x, x, mask=[None, np.array([[True, False]])])).all()


# --- dropout ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda **o: ls_layers.Attention(**o), lambda **o: ls_layers.MultiHeadAttention(2, 3, **o)])
def test_dropout_of_weights(make: Any, x: np.ndarray) -> None:
    layer, same = make(dropout=0.4, seed=3, dtype="float64"), make(dropout=0.4, seed=3, dtype="float64")
    first = layer(x, x, training=True)
    same.ensure_built([x.shape, x.shape])
    same.set_weights(layer.get_weights())
    np.testing.assert_array_equal(first, same(x, x, training=True))
    assert np.abs(first - layer(x, x, training=True)).max() > 0  # the next mask
    np.testing.assert_array_equal(layer(x, x), same(x, x))
    p = ls_layers.Attention(dropout=0.4)(x, x, training=True, return_attention_scores=True)[1]
    assert 0.1 < (p == 0).mean() < 0.7


# --- calls -----------------------------------------------------------------------------------------


def test_keras_ways_of_calling(x: np.ndarray, rng: np.random.Generator) -> None:
    heads, key = ls_layers.MultiHeadAttention(2, 3), rng.normal(size=(2, 5, 4))
    wanted = heads(x, x, key)
    np.testing.assert_array_equal(heads(query=x, value=x, key=key), wanted)
    np.testing.assert_array_equal(heads(x, value=x, key=key), wanted)
    np.testing.assert_array_equal(heads.forward(x, x, key=key)[0], wanted)
    single = ls_layers.Attention()
    np.testing.assert_array_equal(single([x, x, key]), single(x, x, key))
    np.testing.assert_array_equal(single.forward([x, x])[0], single(x, x))


@pytest.mark.parametrize("make", LAYERS, ids=IDS)
def test_gradients_of_three_inputs(make: Any, x: np.ndarray) -> None:
    """The key's way and the value's add up where they are one array."""
    layer = make()
    y, cache = layer.forward(x, x)
    query, value = layer.backward(y, cache)
    layer.forward(x, x, x)
    y, cache = layer.forward(x, x, x)
    three = layer.backward(y, cache)
    np.testing.assert_allclose(three[0], query)
    np.testing.assert_allclose(three[1] + three[2], value)


@pytest.mark.parametrize("make", LAYERS, ids=IDS)
def test_a_gradient_of_the_scores_alone(make: Any, x: np.ndarray) -> None:
    layer = make()
    (y, p), cache = layer.forward(x, x, return_attention_scores=True)
    alone = layer.backward((None, p), cache)
    (y, p), cache = layer.forward(x, x, return_attention_scores=True)
    both = layer.backward((np.zeros_like(y), p), cache)
    for a, b in zip(alone, both, strict=True):
        np.testing.assert_array_equal(a, b)


# --- in models -------------------------------------------------------------------------------------


def _texts() -> np.ndarray:
    return np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 0]])


@pytest.mark.parametrize("make", LAYERS, ids=IDS)
def test_a_model_hands_masks_on(make: Any) -> None:
    """Padding changes nothing: neither values, nor what is averaged in the end."""
    ids = Input((None,), dtype="int32")
    embedded = ls_layers.Embedding(8, 4, mask_zero=True)(ids)
    pooled = ls_layers.GlobalAveragePooling1D()(make()(embedded, embedded))
    model = Model(ids, pooled)
    y = model(_texts())
    np.testing.assert_allclose(y[:1], model(_texts()[:1, :3]), rtol=1e-5)
    np.testing.assert_allclose(y[1:], model(_texts()[1:, :4]), rtol=1e-5)


def test_a_model_adds_the_gradients_of_repeated_inputs(x: np.ndarray) -> None:
    symbol = Input((5, 4))
    layer = ls_layers.MultiHeadAttention(2, 3)
    model = Model(symbol, layer(symbol, symbol, key=symbol))
    y, cache = model.forward(x)
    dx = model.backward(np.ones_like(y), cache)
    y, cache = layer.forward(x, x, x)
    np.testing.assert_allclose(dx, sum(layer.backward(np.ones_like(y), cache)))


@pytest.mark.parametrize("make", LAYERS, ids=IDS)
def test_scores_are_an_output_of_a_model(make: Any, x: np.ndarray) -> None:
    symbol = Input((5, 4))
    y, p = make()(symbol, symbol, return_attention_scores=True)
    assert p.shape[-2:] == (5, 5)
    model = Model(symbol, [y, p])
    outputs, cache = model.forward(x)
    assert [each.shape[1:] for each in outputs] == [y.shape[1:], p.shape[1:]]
    assert model.backward([None, outputs[1]], cache).shape == x.shape


def test_attention_axes_shapes() -> None:
    symbol = Input((6, 3, 4))
    layer = ls_layers.MultiHeadAttention(2, 3, attention_axes=2, output_shape=(5, 7))
    y, p = layer(symbol, symbol, return_attention_scores=True)
    assert (y.shape, p.shape) == ((None, 6, 3, 5, 7), (None, 6, 2, 3, 3))


def test_penalties_of_the_projections(x: np.ndarray) -> None:
    layer = ls_layers.MultiHeadAttention(1, 2, activity_regularizer="l2")
    _, cache = layer.forward(x, x)
    parts = [each.forward(x)[0] for each in (layer.query_dense, layer.key_dense, layer.value_dense)]
    penalty = 0.01 * sum((part**2).sum() for part in parts) / 2
    assert collect_losses(cache) > penalty


def test_freezing_reaches_the_projections(x: np.ndarray) -> None:
    layer = ls_layers.MultiHeadAttention(2, 3, trainable=False)
    y, cache = layer.forward(x, x)
    layer.backward(y, cache)
    assert not layer.trainable_parameters()
    assert all(p.grad is None for p in layer.parameters())
    assert {p.path for p in layer.parameters()} >= {"multi_head_attention/query/kernel", "multi_head_attention/attention_output/bias"}


# --- positions -------------------------------------------------------------------------------------


def test_turned_products_depend_on_the_distance(rng: np.random.Generator) -> None:
    layer, q, k = ls_layers.RotaryEmbedding(), *rng.normal(size=(2, 1, 1, 8))
    near = (layer(q, start_index=5) * layer(k, start_index=2)).sum()
    far = (layer(q, start_index=105) * layer(k, start_index=102)).sum()
    np.testing.assert_allclose(near, far)
    assert abs(near - (layer(q, start_index=6) * layer(k, start_index=2)).sum()) > 1e-6


def test_turning_keeps_lengths_in_float32(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 8)).astype(np.float32)
    y = ls_layers.RotaryEmbedding()(x, start_index=100_000)
    assert y.dtype == np.float32
    np.testing.assert_allclose((y**2).sum(axis=-1), (x**2).sum(axis=-1), rtol=1e-5)


def test_the_two_ways_of_pairing_differ_by_a_permutation(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 6))
    halves = ls_layers.RotaryEmbedding()(x)
    order = [0, 3, 1, 4, 2, 5]
    np.testing.assert_allclose(ls_layers.RotaryEmbedding(interleaved=True)(x[..., order]), halves[..., order])


def test_positions_of_each_row(rng: np.random.Generator) -> None:
    x, layer = rng.normal(size=(2, 3, 4)), ls_layers.RotaryEmbedding()
    y = layer(x, positions=np.array([[0, 1, 2], [7, 8, 9]]))
    np.testing.assert_allclose(y[:1], layer(x[:1]))
    np.testing.assert_allclose(y[1:], layer(x[1:], start_index=7))


@pytest.mark.parametrize(
    "layer",
    [ls_layers.RotaryEmbedding(), ls_layers.SinusoidalPositionEncoding(), ls_layers.PositionEmbedding(9)],
    ids=lambda layer: type(layer).__name__,
)
def test_a_piece_at_a_time(layer: Any, x: np.ndarray) -> None:
    """Token by token, as in generation, gives what the whole sequence gives."""
    whole = layer(x)
    for t in range(x.shape[1]):
        np.testing.assert_allclose(layer(x[:, t : t + 1], start_index=t), whole[:, t : t + 1])


# --- blocks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("activation", ["gelu", "swiglu"])
def test_a_decoder_block_does_not_see_the_future(first: bool, activation: str, x: np.ndarray) -> None:
    block = ls_layers.TransformerDecoderBlock(8, 2, activation=activation, normalize_first=first)
    changed = x.copy()
    changed[:, 3:] *= -1.5
    np.testing.assert_allclose(block(x)[:, :3], block(changed)[:, :3], rtol=1e-12)
    assert np.abs(block(x, use_causal_mask=False)[:, :3] - block(changed, use_causal_mask=False)[:, :3]).max() > 1e-6


def test_blocks_in_a_model() -> None:
    source, target = Input((None,), dtype="int32"), Input((None,), dtype="int32")
    memory = ls_layers.TransformerEncoderBlock(8, 2)(ls_layers.Embedding(8, 4, mask_zero=True)(source))
    embedded = ls_layers.SinusoidalPositionEncoding()(ls_layers.Embedding(9, 4, mask_zero=True)(target))
    decoded = ls_layers.TransformerDecoderBlock(8, 2, normalize_first=True)(embedded, memory)
    model = Model([source, target], ls_layers.Dense(9)(decoded))
    ids = np.array([[1, 2, 3], [4, 5, 6]])
    y, cache = model.forward(_texts(), ids)
    model.backward(np.ones_like(y), cache)
    assert y.shape == (2, 3, 9)
    dead = {p.path for p in model.parameters() if p.grad is None}
    assert not dead
    np.testing.assert_allclose(y[:1], model(_texts()[:1, :3], ids[:1]), rtol=1e-4)  # padding of the memory changes nothing


def test_a_block_learns_to_say_the_token_before(rng: np.random.Generator) -> None:
    """Which only attention can tell, by positions."""
    ids = rng.integers(0, 5, size=(64, 6))
    ls_core.set_floatx("float64")
    layers = [
        ls_layers.Embedding(5, 16),
        ls_layers.PositionEmbedding(6),
        ls_layers.TransformerDecoderBlock(32, 2, normalize_first=True),
        ls_layers.Dense(5),
    ]
    model, optimizer, losses = ls_core.Sequential(layers), Adam(0.01), []
    wanted = np.eye(5)[ids[:, :-1]]
    for _ in range(120):
        logits, cache = model.forward(ids)
        p = np.exp(logits[:, 1:] - logits[:, 1:].max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        losses.append(-np.log((p * wanted).sum(axis=-1)).mean())
        dy = np.zeros_like(logits)
        dy[:, 1:] = (p - wanted) / wanted.sum()
        model.backward(dy, cache, input_gradient=False)
        optimizer.apply(model.trainable_parameters())
        for parameter in model.parameters():
            parameter.drop_grad()
    assert losses[0] > 1.2
    assert losses[-1] < 0.1


# --- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", LAYERS, ids=IDS)
def test_one_input_is_too_few(make: Any, x: np.ndarray) -> None:
    with pytest.raises(ValueError, match="takes two or three inputs: query, value"):
        make().forward(x)


@pytest.mark.parametrize("make", LAYERS, ids=IDS)
def test_lengths_of_value_and_key_differ(make: Any, x: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="value"):
        make().forward(x, x, x[:, :3])


def test_features_of_query_and_key_differ(x: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="the last axis of the query is 4, the key's 3"):
        ls_layers.Attention().forward(x, x[..., :3])


@pytest.mark.parametrize(
    ("make", "call", "message"),
    [
        (LAYERS[3], {"value_mask": np.ones((2, 4), bool)}, "the value_mask has shape \\(2, 4\\)"),
        (LAYERS[4], {"query_mask": np.ones((2, 4), bool)}, "the query_mask has shape \\(2, 4\\)"),
        (LAYERS[3], {"attention_mask": np.ones((2, 5, 4), bool)}, "the attention_mask has shape \\(2, 5, 4\\); its last axes"),
        (lambda: ls_layers.MultiHeadAttention(1, 2, attention_axes=2), {}, "attention_axes are different axes from 1 to 1"),
        (lambda: ls_layers.PositionEmbedding(4), {}, "positions 0 to 4, the table 0 to 3"),
        (lambda: ls_layers.TransformerEncoderBlock(8, 3), {}, "the last axis of the input is 4; it must divide into 3 heads"),
    ],
)
def test_shapes_that_do_not_fit(make: Any, call: dict[str, Any], message: str, x: np.ndarray) -> None:
    layer = make()
    inputs = (x, x) if isinstance(layer, ls_layers.MultiHeadAttention | ls_layers.GroupQueryAttention) else (x,)
    with pytest.raises(ShapeError, match=message):
        layer.forward(*inputs, **call)


def test_time_along_two_axes_has_no_before(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 3, 4))
    with pytest.raises(ShapeError, match="one attention axis; there are 2"):
        ls_layers.MultiHeadAttention(1, 2).forward(x, x, use_causal_mask=True)


def test_another_size_than_before(x: np.ndarray) -> None:
    layer = ls_layers.MultiHeadAttention(2, 3)
    layer.forward(x, x)
    with pytest.raises(ShapeError, match="HeadProjection 'value': the input's last axis is 3, its kernel wants 4"):
        layer.forward(x, x[..., :3], x)


def test_odd_features_make_no_pairs(x: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="the last axis of the input is 3; it must be even"):
        ls_layers.RotaryEmbedding().forward(x[..., :3])
    with pytest.raises(ShapeError, match="positions have shape \\(4,\\)"):
        ls_layers.RotaryEmbedding().forward(x, positions=np.arange(4))


def test_a_block_and_its_memory(x: np.ndarray) -> None:
    block = ls_layers.TransformerDecoderBlock(8, 2)
    block.forward(x)
    with pytest.raises(ValueError, match="a memory came, and there was none"):
        block.forward(x, x)


def test_a_mask_that_is_no_list(x: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"mask is a list \[query_mask, value_mask\]"):
        ls_layers.Attention().forward(x, x, mask=np.ones((2, 5), bool))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ls_layers.Attention(score_mode="sum"), "score_mode is 'dot' or 'concat'"),
        (lambda: ls_layers.Attention(dropout=1.0), "dropout is a number from 0 to 1"),
        (lambda: ls_layers.MultiHeadAttention(0, 2), "the number of heads is a positive integer, not 0"),
        (lambda: ls_layers.MultiHeadAttention(2, 2.5), "features of a key is a positive integer, not 2.5"),  # type: ignore[arg-type]
        (lambda: ls_layers.MultiHeadAttention(2, 2, sliding_window=0), "sliding_window is a positive integer or None"),
        (lambda: ls_layers.MultiHeadAttention(2, 2, dropout=-0.1), "dropout is a number from 0 to 1"),
        (lambda: ls_layers.GroupQueryAttention(2, 4, 3), "4 query heads can't share 3 key and value heads evenly"),
        (lambda: ls_layers.PositionEmbedding(0), "sequence_length is a positive integer"),
        (lambda: ls_layers.RotaryEmbedding(max_wavelength=0), "max_wavelength and scaling_factor are positive"),
        (lambda: ls_layers.SinusoidalPositionEncoding(-1), "max_wavelength is positive"),
        (lambda: ls_layers.SwiGLU(0), "intermediate_dim is a positive integer"),
        (lambda: ls_layers.TransformerEncoderBlock(8, 0), "num_heads is a positive integer"),
    ],
)
def test_arguments_that_make_no_sense(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
