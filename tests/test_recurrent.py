"""What the recurrent layers do beyond the contract: kernels against cells, truncation, states, dropout, wrappers, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import ls_core
from ls_core import Input, Layer, Model, Sequential, ShapeError
from ls_core.gradcheck import check_layer
from ls_core.registry import deserialize, serialize
from ls_layers import (
    GRU,
    LSTM,
    RNN,
    BatchNormalization,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    GRUCell,
    LSTMCell,
    SimpleRNN,
    SimpleRNNCell,
    StackedRNNCells,
    TimeDistributed,
)

FUSED = [(SimpleRNN, SimpleRNNCell), (LSTM, LSTMCell), (GRU, GRUCell)]
MASK = np.array([[False, True, True, False, True, True], [True, True, False, True, False, False], [False] * 6])


@pytest.fixture(autouse=True)
def _float64(_fresh_state: None) -> None:
    ls_core.set_floatx("float64")


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape)


def twins(layer_class: Any, cell_class: Any, **options: Any) -> tuple[Any, Any]:
    """The layer with its kernel, and RNN over the cell with the same weights."""
    fast, slow = layer_class(4, **options), RNN(cell_class(4), **options)
    for layer in (fast, slow):
        layer.ensure_built((3, 6, 2))
    slow.set_weights(fast.get_weights())
    return fast, slow


# --- kernels against the loop over the cell ------------------------------------------------------


@pytest.mark.parametrize(("layer_class", "cell_class"), FUSED)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("truncate", [None, 1, 2, 4])
@pytest.mark.parametrize("go_backwards", [False, True])
def test_kernel_is_the_loop(
    layer_class: Any, cell_class: Any, masked: bool, truncate: int | None, go_backwards: bool, rng: np.random.Generator
) -> None:
    options = {"return_sequences": True, "return_state": True, "truncate": truncate, "go_backwards": go_backwards}
    x, mask = draw(rng, 3, 6, 2), MASK if masked else None
    fast, slow = twins(layer_class, cell_class, **options)
    states = [draw(rng, 3, 4) for _ in fast.state_sizes]
    dy = (draw(rng, 3, 6, 4), *(draw(rng, 3, 4) for _ in states))
    results = []
    for layer in (fast, slow):
        y, cache = layer.forward(x, initial_state=states, mask=mask)
        results.append([*y, *layer.backward(dy, cache), *(p.grad for p in layer.parameters())])
    for a, b in zip(*results, strict=True):
        close(a, b)


# --- truncated backpropagation through time ----------------------------------------------------------


@pytest.mark.parametrize(("layer_class", "cell_class"), FUSED)
@pytest.mark.parametrize("fused", [False, True])
def test_truncation_is_a_chain_of_calls_with_constant_states(
    layer_class: Any, cell_class: Any, fused: bool, rng: np.random.Generator
) -> None:
    pair = twins(layer_class, cell_class, return_sequences=True, return_state=True, truncate=4)
    whole = pair[0] if fused else pair[1]
    pieces = twins(layer_class, cell_class, return_sequences=True, return_state=True)[0]
    pieces.set_weights(whole.get_weights())
    x, dy = draw(rng, 3, 6, 2), draw(rng, 3, 6, 4)
    (y, *last), cache = whole.forward(x)
    dx = whole.backward((dy, *(None for _ in last)), cache)
    states, dxs, ys = None, [], []
    for part in (slice(0, 4), slice(4, 6)):
        (out, *states), cache = pieces.forward(x[:, part], initial_state=states)
        got = pieces.backward((dy[:, part], *(None for _ in states)), cache)
        dxs.append(got[0] if isinstance(got, tuple) else got)
        ys.append(out)
    close(y, np.concatenate(ys, axis=1))
    close(dx, np.concatenate(dxs, axis=1))
    for p, q in zip(whole.parameters(), pieces.parameters(), strict=True):
        close(p.grad, q.grad)


def test_truncation_longer_than_the_sequence_changes_nothing(rng: np.random.Generator) -> None:
    check_layer(LSTM(3, truncate=6), draw(rng, 2, 6, 2))
    with pytest.raises(ls_core.gradcheck.GradientError):
        check_layer(LSTM(3, truncate=5), draw(rng, 2, 6, 2))


# --- states ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer_class", [SimpleRNN, LSTM, GRU])
def test_stateful_goes_on_where_it_stopped(layer_class: Any, rng: np.random.Generator) -> None:
    layer = layer_class(4, stateful=True, return_sequences=True)
    x = draw(rng, 3, 6, 2)
    first, second = layer(x[:, :2]), layer(x[:, 2:])
    layer.reset_state()
    close(np.concatenate((first, second), axis=1), layer(x))
    assert all(p.state and not p.trainable for p in layer.states)
    assert len(layer.get_weights()) == 3  # as in Keras, without the states
    layer.reset_states()
    close(layer(x[:2, :2]), first[:2])  # after a reset the batch may have another size


def test_stateful_does_not_touch_an_earlier_cache(rng: np.random.Generator) -> None:
    layer, plain = LSTM(4, stateful=True), LSTM(4)
    x, dy = draw(rng, 3, 6, 2), draw(rng, 3, 4)
    _, cache = layer.forward(x)
    plain.ensure_built(x.shape)
    plain.set_weights(layer.get_weights())
    layer(draw(rng, 3, 6, 2))
    _, wanted = plain.forward(x)
    close(layer.backward(dy, cache), plain.backward(dy, wanted))


def test_stateful_wants_one_batch_size(rng: np.random.Generator) -> None:
    layer = GRU(4, stateful=True, name="memory")
    layer(draw(rng, 3, 6, 2))
    with pytest.raises(ShapeError, match=r"GRU 'memory': state 0 has shape \(3, 4\), it wants \(2, 4\).*reset_state"):
        layer(draw(rng, 2, 6, 2))


def test_bidirectional_stateful(rng: np.random.Generator) -> None:
    layer = Bidirectional(LSTM(4, stateful=True))
    x = draw(rng, 3, 6, 2)
    first, second = layer(x), layer(x)
    assert len(layer.states) == 4
    assert np.abs(first - second).max() > 1e-3
    layer.reset_state()
    close(layer(x), first)


def test_encoder_and_decoder_in_a_model(rng: np.random.Generator) -> None:
    source, target = Input((5, 3)), Input((4, 2))
    _, h, c = LSTM(3, return_state=True)(source)
    decoded = LSTM(3, return_sequences=True)(target, initial_state=[h, c])
    model = Model([source, target], TimeDistributed(Dense(2))(decoded))
    check_layer(model, draw(rng, 2, 5, 3), draw(rng, 2, 4, 2))
    restored = Model.from_config(model.get_config())
    restored.set_weights(model.get_weights())
    x, t = draw(rng, 2, 5, 3), draw(rng, 2, 4, 2)
    close(restored(x, t), model(x, t))


def test_bidirectional_encoder_hands_its_states_on(rng: np.random.Generator) -> None:
    source = Input((5, 3))
    y, *states = Bidirectional(GRU(2, return_sequences=True, return_state=True))(source)
    z = Bidirectional(GRU(2), merge_mode="sum")(y, initial_state=states)
    check_layer(Model(source, z), draw(rng, 2, 5, 3))


# --- masks --------------------------------------------------------------------------------------------


def test_padding_changes_nothing(rng: np.random.Generator) -> None:
    ids = np.array([[3, 1, 4, 0, 0], [2, 0, 0, 0, 0]])
    for wrap in (lambda layer: layer, Bidirectional):
        model = Sequential([Embedding(6, 3, mask_zero=True), wrap(LSTM(4, return_sequences=True)), wrap(GRU(2))])
        both = model(ids)
        close(both[:1], model(ids[:1, :3]))
        close(both[1:], model(ids[1:, :1]))


def test_last_output_at_a_masked_step(rng: np.random.Generator) -> None:
    x = draw(rng, 3, 6, 2)
    repeated, zeros = SimpleRNN(4), SimpleRNN(4, zero_output_for_mask=True)
    zeros.ensure_built(x.shape)
    repeated.ensure_built(x.shape)
    zeros.set_weights(repeated.get_weights())
    assert np.abs(zeros(x, mask=MASK)[1:]).max() == 0
    close(repeated(x, mask=MASK)[1], repeated(x[1:2, [0, 1, 3]])[0])


# --- dropout ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer_class", [SimpleRNN, LSTM, GRU])
def test_dropout_drops_the_same_features_at_every_step(layer_class: Any, rng: np.random.Generator) -> None:
    layer, plain = layer_class(4, dropout=0.5, return_sequences=True, seed=3), layer_class(4, return_sequences=True)
    x = draw(rng, 3, 6, 2)
    close(layer(x), layer(x))  # none outside training
    plain.ensure_built(x.shape)
    plain.set_weights(layer.get_weights())
    with ls_core.random.same_random_numbers():
        mask = layer.cell.draw_masks(x[:, 0], np.zeros((3, 4)))[0][0]
    close(layer(x, training=True), plain(x * mask[:, None]))


@pytest.mark.parametrize(("cell", "gates"), [(SimpleRNNCell(4), 1), (LSTMCell(4), 4), (GRUCell(4), 3)])
def test_masks_by_gate_only_with_recurrent_dropout(cell: Any, gates: int) -> None:
    x, h = np.ones((50, 6)), np.ones((50, 4))
    cell.dropout = 0.3
    assert [len(masks) for masks in cell.draw_masks(x, h)] == [1, 0]
    cell.recurrent_dropout = 0.2
    inputs, states = cell.draw_masks(x, h)
    assert (len(inputs), len(states)) == (gates, gates)
    assert all(m.shape == h.shape and set(np.unique(m)) == {0.0, 1.25} for m in states)


def test_recurrent_dropout_by_hand(rng: np.random.Generator) -> None:
    layer = SimpleRNN(4, recurrent_dropout=0.5, dropout=0.2)
    x = draw(rng, 3, 6, 2)
    layer(x)
    with ls_core.random.same_random_numbers():
        (m,), (r,) = layer.cell.draw_masks(x[:, 0], np.zeros((3, 4)))
    W, U, b = layer.get_weights()
    h = np.zeros((3, 4))
    for t in range(6):
        h = np.tanh((x[:, t] * m) @ W + (h * r) @ U + b)
    close(layer(x, training=True), h)


# --- cells of one's own ---------------------------------------------------------------------------------


class Counter(Layer):
    """Output 2 (h + x), of another size than the state's, which is the sum; draws a mask for the whole sequence."""

    state_size = 3
    output_size = 6
    drawn = 0

    def draw_masks(self, x: Any, *states: Any) -> Any:
        self.drawn += 1
        return np.full(x.shape, 0.5)

    def forward(self, x: Any, h: Any, training: bool = False, masks: Any = None) -> Any:
        factor = 1.0 if masks is None else masks
        new = h + x * factor
        return (np.concatenate((2 * new, 2 * new), axis=1), new), factor

    def backward(self, dy: Any, factor: Any) -> Any:
        d_output, d_state = dy
        total = 2 * d_output[:, :3] + 2 * d_output[:, 3:] + d_state
        return total * factor, total


def test_a_cell_of_ones_own(rng: np.random.Generator) -> None:
    layer = RNN(Counter(), return_sequences=True, return_state=True)
    x = draw(rng, 3, 6, 3)
    y, h = layer(x, mask=MASK)
    assert y.shape == layer.output_shape(x.shape)[0] == (3, 6, 6)
    close(h, (x * MASK[..., None]).sum(axis=1))
    check_layer(RNN(Counter(), return_sequences=True), x, mask=MASK)
    check_layer(RNN([LSTMCell(3), Counter()], return_state=True), x, mask=MASK, training=True)
    trained = layer(x, training=True)
    close(trained[1], 0.5 * x.sum(axis=1))
    assert layer.cell.drawn == 1


def test_initial_state_of_stacked_cells_is_flat_or_nested(rng: np.random.Generator) -> None:
    layer = RNN([LSTMCell(3), GRUCell(2)])
    x, h, c, h2 = draw(rng, 3, 6, 2), draw(rng, 3, 3), draw(rng, 3, 3), draw(rng, 3, 2)
    close(layer(x, initial_state=[h, c, h2]), layer(x, initial_state=[[h, c], h2]))
    assert isinstance(layer.cell, StackedRNNCells)


# --- wrappers ------------------------------------------------------------------------------------------


def test_bidirectional_takes_first_weights_and_names(rng: np.random.Generator) -> None:
    x = draw(rng, 3, 6, 2)
    first = Bidirectional(GRU(4, name="reader"))
    wanted = first(x)
    again = Bidirectional(GRU(4), weights=first.get_weights())
    close(again(x), wanted)
    assert [p.path for p in first.parameters()][::3] == [
        "bidirectional/forward_reader/gru_cell/kernel",
        "bidirectional/backward_reader/gru_cell/kernel",
    ]
    copied = deserialize("layer", serialize(first))
    assert (copied.forward_layer.name, copied.backward_layer.name) == ("forward_reader", "backward_reader")


def test_bidirectional_of_a_layer_that_goes_backwards_needs_the_other(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="both layers have go_backwards=True"):
        Bidirectional(GRU(4, go_backwards=True))
    layer = Bidirectional(GRU(4, go_backwards=True), backward_layer=GRU(4))
    assert layer(draw(rng, 3, 6, 2)).shape == (3, 8)


def test_bidirectional_with_one_gradient(rng: np.random.Generator) -> None:
    layer = Bidirectional(LSTM(4), merge_mode=None)
    x = draw(rng, 3, 6, 2)
    y, cache = layer.forward(x)
    dx = layer.backward((y[0], None), cache)
    alone, cache = layer.forward_layer.forward(x)
    close(dx, layer.forward_layer.backward(alone, cache))
    assert all(p.grad is None for p in layer.backward_layer.parameters())


def test_time_distributed_folds_unless_the_layer_remembers(rng: np.random.Generator) -> None:
    x = draw(rng, 4, 3, 2)
    calls = []

    class Seen(Dense):
        def forward(self, x: Any, training: bool = False) -> Any:
            calls.append(x.shape)
            return x, None

    TimeDistributed(Seen(2))(x)
    assert calls == [(12, 2)]
    layer = TimeDistributed(BatchNormalization())
    layer(x, training=True)
    mean = np.zeros(2)
    for t in range(3):
        mean = 0.99 * mean + 0.01 * x[:, t].mean(axis=0)
    close(layer.layer.moving_mean.value, mean)
    stateful = TimeDistributed(LSTM(2, stateful=True))
    y = stateful(draw(rng, 4, 3, 5, 2))
    assert y.shape == (4, 3, 2)


def test_time_distributed_softmax_joins_its_loss(rng: np.random.Generator) -> None:
    layer = TimeDistributed(Dense(3, activation="softmax"))
    x = draw(rng, 4, 3, 2)
    y = layer(x)
    logits, activation = layer.without_closing_activation()  # type: ignore[misc]
    close(activation(logits(x)), y)
    assert TimeDistributed(Dropout(0.1)).without_closing_activation() is None
    assert LSTM(2, activation="sigmoid").without_closing_activation() is None


# --- numbers, types, configuration -----------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: SimpleRNN(4), lambda: LSTM(4), lambda: GRU(4), lambda: RNN([LSTMCell(4), GRUCell(4)])])
def test_float32_stays(make: Any, rng: np.random.Generator) -> None:
    layer = make()
    y, cache = layer.forward(draw(rng, 3, 6, 2).astype(np.float32))
    dx = layer.backward(y, cache)
    assert {y.dtype, dx.dtype, *(p.grad.dtype for p in layer.parameters())} == {np.dtype(np.float32)}


def test_first_input_decides_the_type(rng: np.random.Generator) -> None:
    ls_core.set_floatx("float32")
    for layer in (LSTM(4), Bidirectional(GRU(4)), TimeDistributed(Dense(4)), RNN([LSTMCell(4), GRUCell(3)])):
        layer(draw(rng, 3, 6, 2))
        assert {p.dtype for p in layer.parameters()} == {np.dtype(np.float64)}


@pytest.mark.parametrize("make", [lambda: SimpleRNN(4), lambda: LSTM(4), lambda: RNN(GRUCell(4)), lambda: Bidirectional(GRU(4))])
def test_input_gradient_on_request(make: Any, rng: np.random.Generator) -> None:
    layer = make()
    y, cache = layer.forward(draw(rng, 3, 6, 2))
    assert layer.backward(y, cache, input_gradient=False) is None
    assert all(p.grad is not None for p in layer.parameters())


def test_forget_gate_begins_open() -> None:
    layer = LSTM(3, bias_initializer="normal")
    layer.ensure_built((None, None, 2))
    bias = layer.get_weights()[2]
    assert (bias[3:6] == 1).all()
    assert np.abs(bias[:3]).max() < 0.5
    plain = LSTM(3, unit_forget_bias=False)
    plain.ensure_built((None, None, 2))
    assert (plain.get_weights()[2] == 0).all()


def test_a_long_sequence_stays_finite() -> None:
    for layer in (LSTM(4), GRU(4), SimpleRNN(4)):
        y, cache = layer.forward(np.full((2, 500, 3), 1e4))
        assert np.isfinite(layer.backward(np.ones_like(y), cache)).all()


def test_nan_behind_the_mask_stays_there(rng: np.random.Generator) -> None:
    x = draw(rng, 3, 6, 2)
    x[~MASK] = np.nan
    for layer in (LSTM(4), GRU(4), SimpleRNN(4), RNN(LSTMCell(4))):
        assert np.isfinite(layer(x, mask=MASK)).all()


# --- errors ------------------------------------------------------------------------------------------------


def test_errors_name_the_layer_and_the_fix(rng: np.random.Generator) -> None:
    layer = LSTM(4, name="enc")
    x = draw(rng, 3, 6, 2)
    with pytest.raises(ShapeError, match="LSTM 'enc': the input has 2 axes"):
        layer(x[0])
    layer(x)  # the wrong input has not built it
    with pytest.raises(ShapeError, match=r"LSTM 'enc': the input has 2 axes, .*it wants \(batch, time, features\)"):
        layer(draw(rng, 3, 2))
    with pytest.raises(ShapeError, match="LSTM 'enc': the last axis of the input is 5, its kernel wants 2"):
        layer(draw(rng, 3, 6, 5))
    with pytest.raises(ShapeError, match="LSTM 'enc': the time axis .* is empty"):
        layer(x[:, :0])
    with pytest.raises(ShapeError, match=r"LSTM 'enc': the mask has shape \(3, 5\), it wants \(3, 6\)"):
        layer(x, mask=np.ones((3, 5), bool))
    with pytest.raises(ShapeError, match="LSTM 'enc': initial_state holds 1 arrays, the cell has 2 states"):
        layer(x, initial_state=draw(rng, 3, 4))
    with pytest.raises(ShapeError, match=r"LSTM 'enc': state 1 has shape \(3, 5\), it wants \(3, 4\)"):
        layer(x, initial_state=[draw(rng, 3, 4), draw(rng, 3, 5)])
    cell = LSTMCell(4, name="step")
    with pytest.raises(ShapeError, match=r"LSTMCell 'step': state 0 has shape \(3, 5\)"):
        cell(x[:, 0], draw(rng, 3, 5), draw(rng, 3, 4))
    with pytest.raises(ShapeError, match="the last axis of the input must be known"):
        GRU(4).ensure_built((None, None, None))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LSTM(0), ValueError, "units is a positive integer"),
        (lambda: GRU(4, dropout=1.5), ValueError, "dropout is a rate from 0 to 1"),
        (lambda: GRU(4, recurrent_dropout=-1), ValueError, "recurrent_dropout is a rate from 0 to 1"),
        (lambda: SimpleRNN(4, truncate=0), ValueError, "truncate is a positive number of time steps"),
        (lambda: RNN(Dense(3)), TypeError, "a cell is a Layer with state_size"),
        (lambda: RNN([]), ValueError, "no cell in the list"),
        (lambda: Bidirectional(Dense(3)), ValueError, "wraps a recurrent layer"),
        (lambda: Bidirectional(LSTM(3), merge_mode="max"), ValueError, "merge_mode is"),
        (lambda: Bidirectional(LSTM(3), backward_layer=LSTM(3, go_backwards=True, return_state=True)), ValueError, "return_state is False"),
        (lambda: TimeDistributed(3), ValueError, "wraps a layer"),
        (lambda: TimeDistributed(Dense(3))(np.ones((2, 3))), ShapeError, "three or more"),
        (lambda: TimeDistributed(Dense(3))(np.ones((2, 3, 4)), mask=np.ones((2, 4))), ShapeError, "the mask has shape"),
        (lambda: TimeDistributed(LSTM(3, return_state=True)).output_shape((2, 3, 4, 5)), ValueError, "one output"),
    ],
)
def test_wrong_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
