"""What convolutions do beyond the contract: windows, causality, kin that must agree, errors that help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ls_core
from ls_core import Sequential, ShapeError
from ls_layers import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
    MaxPooling1D,
    SeparableConv1D,
    SeparableConv2D,
)
from ls_layers.windows import gather, scatter

EVERY = [
    (Conv1D, 1, (4, 3)),
    (Conv2D, 2, (4, 3)),
    (Conv3D, 3, (4, 2)),
    (Conv1DTranspose, 1, (4, 3)),
    (Conv2DTranspose, 2, (4, 3)),
    (Conv3DTranspose, 3, (4, 2)),
    (DepthwiseConv1D, 1, (3,)),
    (DepthwiseConv2D, 2, (3,)),
    (SeparableConv1D, 1, (4, 3)),
    (SeparableConv2D, 2, (4, 3)),
]


@pytest.fixture(autouse=True)
def _double() -> None:
    ls_core.set_floatx("float64")


# --- windows -------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_scatter_is_the_adjoint_of_gather(data: st.DataObject) -> None:
    """<gather(x), u> = <x, scatter(u)> for any geometry, also one that reads outside or backwards."""
    rank = data.draw(st.integers(1, 3))

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(data.draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank)))

    large, small, sizes, strides, dilation, before = each(0, 5), each(0, 4), each(1, 3), each(1, 3), each(-2, 2), each(-3, 3)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *large, 2))
    columns = gather(x, small, sizes, strides, dilation, before)
    u = rng.normal(size=columns.shape)
    back = scatter(u, large, sizes, strides, dilation, before)
    assert back.shape == x.shape
    np.testing.assert_allclose((columns * u).sum(), (x * back).sum(), rtol=1e-12, atol=1e-12)


def test_gather_reads_zeros_outside() -> None:
    columns = gather(np.array([[[1.0], [2.0], [3.0]]]), (3,), (3,), (1,), (1,), (1,))
    np.testing.assert_array_equal(columns[0, :, :, 0], [[0, 1, 2], [1, 2, 3], [2, 3, 0]])


# --- what a user expects -------------------------------------------------------------------------


def test_worked_numbers() -> None:
    layer = Conv1D(1, 3, padding="same", strides=2)
    layer.ensure_built((1, 4, 1))
    layer.set_weights([np.array([1.0, 10.0, 100.0]).reshape(3, 1, 1), np.array([0.5])])
    x = np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1)
    # One zero is needed, and an odd zero stands at the end: windows (1, 2, 3) and (3, 4, 0).
    np.testing.assert_array_equal(layer(x)[0, :, 0], [321.5, 43.5])


@pytest.mark.parametrize("dilation", [1, 3])
def test_causal_sees_nothing_later(dilation: int, rng: np.random.Generator) -> None:
    layer = Conv1D(4, 3, padding="causal", dilation_rate=dilation)
    x = rng.normal(size=(1, 10, 2))
    before = layer(x)
    x[:, 6:] += 1.0
    changed = np.abs(layer(x) - before).max(axis=(0, 2)) > 0
    assert before.shape == (1, 10, 4)
    assert not changed[:6].any()
    assert changed[6:].all()


@pytest.mark.parametrize("filters", [2, 7])
def test_one_tap_is_dense(filters: int, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 3, 4, 5))
    conv, dense = Conv2D(filters, 1), Dense(filters)
    y, cache = conv.forward(x)
    dense.ensure_built(x.shape)
    dense.set_weights([conv.get_weights()[0][0, 0], conv.get_weights()[1]])
    wanted, other = dense.forward(x)
    dy = rng.normal(size=y.shape)
    np.testing.assert_allclose(y, wanted, rtol=1e-12)
    np.testing.assert_allclose(conv.backward(dy, cache), dense.backward(dy, other), rtol=1e-12)
    np.testing.assert_allclose(conv.kernel.grad[0, 0], dense.kernel.grad, rtol=1e-12)


@pytest.mark.parametrize(("padding", "dilation"), [("valid", 1), ("same", 1), ("same", 2), ("causal", 2)])
def test_both_orders_of_work_agree(padding: str, dilation: int, rng: np.random.Generator) -> None:
    """Few filters are multiplied first, many are gathered first: the first filters of many must equal few."""
    x = rng.normal(size=(2, 9, 5))
    many, few = (Conv1D(f, 3, padding=padding, dilation_rate=dilation, use_bias=False) for f in (6, 2))
    y, many_cache = many.forward(x)
    few.ensure_built(x.shape)
    few.set_weights([many.get_weights()[0][..., :2]])
    z, few_cache = few.forward(x)
    np.testing.assert_allclose(z, y[..., :2], rtol=1e-12)
    dz = rng.normal(size=z.shape)
    dy = np.concatenate([dz, np.zeros((*dz.shape[:-1], 4))], axis=-1)
    np.testing.assert_allclose(few.backward(dz, few_cache), many.backward(dy, many_cache), rtol=1e-10)
    np.testing.assert_allclose(few.kernel.grad, many.kernel.grad[..., :2], rtol=1e-10)


def test_groups_are_convolutions_side_by_side(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 6, 4))
    layer = Conv1D(6, 3, groups=2)
    y = layer(x)
    kernel, bias = layer.get_weights()
    for g in range(2):
        one = Conv1D(3, 3)
        one.ensure_built((2, 6, 2))
        one.set_weights([kernel[..., 3 * g : 3 * g + 3], bias[3 * g : 3 * g + 3]])
        np.testing.assert_allclose(y[..., 3 * g : 3 * g + 3], one(x[..., 2 * g : 2 * g + 2]), rtol=1e-12)


def test_depthwise_is_a_group_for_each_channel(rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, 5, 6, 3))
    depthwise, grouped = DepthwiseConv2D(3, padding="same", depth_multiplier=2), Conv2D(6, 3, padding="same", groups=3)
    y = depthwise(x)
    kernel, bias = depthwise.get_weights()
    grouped.ensure_built(x.shape)
    grouped.set_weights([kernel.reshape(3, 3, 1, 6), bias])
    np.testing.assert_allclose(y, grouped(x), rtol=1e-12)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_transpose_is_the_input_gradient_of_a_convolution(padding: str, rng: np.random.Generator) -> None:
    x, dy = rng.normal(size=(2, 8, 3)), rng.normal(size=(2, 4, 5))
    conv = Conv1D(5, 2, strides=2, padding=padding, use_bias=False)
    y, cache = conv.forward(x)
    transpose = Conv1DTranspose(3, 2, strides=2, padding=padding, use_bias=False)
    transpose.ensure_built(dy.shape)
    transpose.set_weights(conv.get_weights())  # (taps, channels of x, channels of dy) in both
    assert y.shape == dy.shape
    np.testing.assert_allclose(transpose(dy), conv.backward(dy, cache), rtol=1e-12)


@pytest.mark.parametrize(("kind", "rank", "arguments"), EVERY)
def test_channels_first_is_a_transposed_channels_last(kind: Any, rank: int, arguments: Any, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, *(6, 5, 4)[:rank], 3))
    last, first = kind(*arguments, padding="same"), kind(*arguments, padding="same", data_format="channels_first")
    y, cache = last.forward(x)
    moved = np.moveaxis(x, -1, 1)
    first.ensure_built(moved.shape)
    first.set_weights(last.get_weights())
    z, other = first.forward(moved)
    assert first.output_shape(moved.shape) == z.shape
    np.testing.assert_allclose(np.moveaxis(z, 1, -1), y, rtol=1e-12)
    dy = rng.normal(size=y.shape)
    dx = first.backward(np.moveaxis(dy, -1, 1), other)
    np.testing.assert_allclose(np.moveaxis(dx, 1, -1), last.backward(dy, cache), rtol=1e-12)


@pytest.mark.parametrize(("kind", "rank", "arguments"), EVERY)
def test_the_input_gradient_can_be_left_out(kind: Any, rank: int, arguments: Any, rng: np.random.Generator) -> None:
    x = rng.normal(size=(2, *(6, 5, 4)[:rank], 3))
    layer = kind(*arguments)
    grads = []
    for wanted in (True, False):
        y, cache = layer.forward(x)
        dx = layer.backward(np.ones_like(y), cache, input_gradient=wanted)
        assert (dx is not None) == wanted
        grads.append([p.grad for p in layer.parameters()])
        for p in layer.parameters():
            p.drop_grad()
    for a, b in zip(*grads, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("kind", "rank", "arguments"), EVERY)
def test_unknown_lengths_stay_unknown(kind: Any, rank: int, arguments: Any) -> None:
    layer = kind(*arguments)
    shape = layer.output_shape((None, *(None,) * rank, 3))
    assert shape == (None, *(None,) * rank, 3 if isinstance(layer, (DepthwiseConv1D, DepthwiseConv2D)) else 4)


def test_gradients_are_contiguous(rng: np.random.Generator) -> None:
    """The flat parameter store and the files copy them; a transposed view would cost each of them."""
    for filters in (2, 6):
        layer = Conv2D(filters, 3)
        y, cache = layer.forward(rng.normal(size=(2, 5, 5, 4)))
        layer.backward(y, cache)
        assert layer.kernel.grad.flags.c_contiguous


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "rank", "arguments"), EVERY)
def test_a_wrong_rank_names_the_axes(kind: Any, rank: int, arguments: Any) -> None:
    axes = ", ".join(["time"] if rank == 1 else ["depth", "height", "width"][3 - rank :])
    with pytest.raises(ShapeError, match=rf"the input has 2 axes, shape \(4, 3\); it wants {rank + 2}: \(batch, {axes}, channels\)"):
        kind(*arguments).forward(np.ones((4, 3)))


@pytest.mark.parametrize(("kind", "rank", "arguments"), EVERY)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_wrong_channels(kind: Any, rank: int, arguments: Any, data_format: str) -> None:
    layer = kind(*arguments, data_format=data_format)

    def of(channels: int) -> np.ndarray:
        return np.ones((2, channels, *(5,) * rank) if data_format == "channels_first" else (2, *(5,) * rank, channels))

    layer.forward(of(3))
    with pytest.raises(ShapeError, match=r"the input has 4 channels .axis .*, its kernel wants 3") as caught:
        layer.forward(of(4))
    assert caught.value.axis == (-1 if data_format == "channels_last" else -rank - 1)


@pytest.mark.parametrize(("kind", "rank", "arguments"), [row for row in EVERY if "Transpose" not in row[0].__name__])
def test_a_window_larger_than_the_input(kind: Any, rank: int, arguments: Any) -> None:
    name = {1: "time", 2: "width", 3: "width"}[rank]
    x = np.ones((2, *(9,) * (rank - 1), 1, 3))
    with pytest.raises(ShapeError, match=f"the {name} axis of the input is 1, a window of . does not fit.*padding='same'") as caught:
        kind(*arguments).forward(x)
    assert caught.value.axis == -2
    assert kind(*arguments, padding="same")(x).shape[:-1] == x.shape[:-1]


def test_a_dilated_window_says_how_far_it_reaches() -> None:
    with pytest.raises(ShapeError, match=r"a window of 3 \(dilated by 4: 9\)"):
        Conv1D(1, 3, dilation_rate=4).forward(np.ones((1, 8, 1)))


def test_errors_name_the_layer_that_made_the_axis() -> None:
    model = Sequential([Conv1D(2, 3), MaxPooling1D(4, name="squeeze"), Conv1D(2, 3)])
    with pytest.raises(ShapeError, match="That is the time axis of MaxPooling1D 'squeeze''s output"):
        model.forward(np.ones((1, 8, 1)))


def test_channels_must_be_known() -> None:
    with pytest.raises(ShapeError, match="must be known"):
        Conv1D(2, 3).build((None, 10, None))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv1D(4, 3, strides=2, dilation_rate=2), "can't both be above 1"),
        (lambda: Conv2DTranspose(4, 3, strides=(1, 2), dilation_rate=2), "can't both be above 1"),
        (lambda: Conv1D(4, 3, groups=3), "3 groups don't divide 4 filters"),
        (lambda: Conv1D(0, 3), "filters is a positive integer"),
        (lambda: Conv1D(2.0, 3), "filters is a positive integer"),
        (lambda: Conv2D(4, (3, 3, 3)), "kernel_size is an integer or 2 of them"),
        (lambda: Conv2D(4, 0), "kernel_size is an integer or 2 of them, each 1 or more"),
        (lambda: Conv2D(4, None), "kernel_size is an integer or 2 of them"),
        (lambda: Conv1D(4, 3, strides=0), "strides is an integer"),
        (lambda: Conv1D(4, 3, dilation_rate="2"), "dilation_rate is an integer"),
        (lambda: Conv2D(4, 3, padding="causal"), "padding is one of 'valid', 'same', not 'causal'"),
        (lambda: Conv1D(4, 3, padding=1), "padding is one of 'valid', 'same', 'causal'"),
        (lambda: Conv1D(4, 3, data_format="NCW"), "data_format is 'channels_last' or 'channels_first'"),
        (lambda: Conv1DTranspose(4, 3, strides=2, output_padding=2), "must be below strides"),
        (lambda: DepthwiseConv1D(3, depth_multiplier=0), "depth_multiplier is a positive integer"),
        (lambda: SeparableConv1D(4, 3, depth_multiplier=-1), "depth_multiplier is a positive integer"),
    ],
)
def test_wrong_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_groups_must_divide_the_channels() -> None:
    with pytest.raises(ShapeError, match="2 groups don't divide the 3 channels of the input"):
        Conv1D(4, 3, groups=2).forward(np.ones((1, 5, 3)))


def test_padding_in_capitals_is_understood() -> None:
    assert Conv1D(2, 3, padding="SAME").padding == "same"
