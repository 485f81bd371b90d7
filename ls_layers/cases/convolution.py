"""Rows for the convolutions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from ls_core.gradcheck.case import Case

from ..conv1d import Conv1D
from ..conv1d_transpose import Conv1DTranspose
from ..conv2d import Conv2D
from ..conv2d_transpose import Conv2DTranspose
from ..conv3d import Conv3D
from ..conv3d_transpose import Conv3DTranspose
from ..depthwise_conv1d import DepthwiseConv1D
from ..depthwise_conv2d import DepthwiseConv2D
from ..separable_conv1d import SeparableConv1D
from ..separable_conv2d import SeparableConv2D


def _positions(sizes: Any) -> Any:
    return itertools.product(*map(range, sizes))


def _padded(layer: Any, x: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """x with zeros around it, and the number of windows along each axis."""
    pads, counts = [(0, 0)], []
    for n, k, s, d in zip(x.shape[1:-1], layer.kernel_size, layer.strides, layer.dilation_rate, strict=True):
        reach = (k - 1) * d + 1
        count = (n - reach) // s + 1 if layer.padding == "valid" else -(-n // s)
        zeros = max(0, (count - 1) * s + reach - n)
        before = {"valid": 0, "same": zeros // 2, "causal": (k - 1) * d}[layer.padding]
        pads.append((before, max(0, zeros - before)))
        counts.append(count)
    return np.pad(x, [*pads, (0, 0)]), tuple(counts)


def _correlate(layer: Any, x: np.ndarray, W: np.ndarray, groups: int) -> np.ndarray:
    """Window by window, tap by tap, filter by filter."""
    padded, counts = _padded(layer, x)
    C, F = W.shape[-2:]
    z = np.zeros((x.shape[0], *counts, F))
    for b, o, k, f in itertools.product(range(x.shape[0]), _positions(counts), _positions(layer.kernel_size), range(F)):
        place = tuple(i * s + tap * d for i, s, tap, d in zip(o, layer.strides, k, layer.dilation_rate, strict=True))
        first = f // (F // groups) * C  # the first channel of the filter's group
        z[(b, *o, f)] += sum(padded[(b, *place, first + c)] * W[(*k, c, f)] for c in range(C))
    return z


def _conv_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    return _correlate(layer, x, layer.kernel.value, layer.groups) + layer.bias.value


def _depthwise_by_groups(layer: Any, x: np.ndarray, W: np.ndarray) -> np.ndarray:
    """A group for each channel: its M filters see that channel alone."""
    *sizes, C, M = W.shape
    return _correlate(layer, x, W.reshape(*sizes, 1, C * M), C)


def _depthwise_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    return _depthwise_by_groups(layer, x, layer.kernel.value) + layer.bias.value


def _separable_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    u = _depthwise_by_groups(layer, x, layer.depthwise_kernel.value)
    W = layer.pointwise_kernel.value.reshape(u.shape[-1], -1)
    return np.einsum("...n,nf->...f", u, W) + layer.bias.value


def _transpose_by_loops(layer: Any, x: np.ndarray) -> np.ndarray:
    """Every input adds its window to one large output, from which the layer's shape is cut."""
    W, shape = layer.kernel.value, layer.output_shape(x.shape)
    z = np.zeros((x.shape[0], *(2 * n + 20 for n in shape[1:-1]), W.shape[-2]))
    for b, i, k in itertools.product(range(x.shape[0]), _positions(x.shape[1:-1]), _positions(layer.kernel_size)):
        place = tuple(p * s + tap * d for p, s, tap, d in zip(i, layer.strides, k, layer.dilation_rate, strict=True))
        z[(b, *place)] += W[k] @ x[(b, *i)]
    starts = [max(0, k - s) // 2 if layer.padding == "same" else 0 for k, s in zip(layer.kernel_size, layer.strides, strict=True)]
    cut = tuple(slice(a, a + n) for a, n in zip(starts, shape[1:-1], strict=True))
    return z[(slice(None), *cut)] + layer.bias.value


def _normal(*shape: int) -> Callable[[np.random.Generator], tuple[np.ndarray]]:
    return lambda g: (g.normal(size=shape),)


def _bias(make: Callable[..., Any], *arguments: Any, **options: Any) -> Callable[[], Any]:
    return lambda: make(*arguments, bias_initializer="normal", **options)


CASES = [
    Case("Conv1D", _bias(Conv1D, 4, 3), _normal(2, 5, 3), expected=_conv_by_loops),
    Case("Conv1D fewer filters than channels, same", _bias(Conv1D, 2, 3, padding="same"), _normal(2, 4, 3), expected=_conv_by_loops),
    Case("Conv1D causal dilated", _bias(Conv1D, 3, 2, padding="causal", dilation_rate=2), _normal(2, 5, 2), expected=_conv_by_loops),
    Case("Conv1D causal strided", _bias(Conv1D, 2, 3, 2, padding="causal"), _normal(2, 5, 2), expected=_conv_by_loops),
    Case("Conv1D same strided, tanh", _bias(Conv1D, 2, 4, 3, padding="same", activation="tanh"), _normal(2, 7, 2)),
    Case("Conv1D groups", _bias(Conv1D, 4, 2, groups=2), _normal(2, 4, 6), expected=_conv_by_loops),
    Case("Conv1D groups, more filters", _bias(Conv1D, 6, 2, 2, groups=2, padding="same"), _normal(2, 5, 4), expected=_conv_by_loops),
    Case("Conv1D of one tap, no bias", lambda: Conv1D(2, 1, use_bias=False), _normal(2, 3, 4)),
    Case("Conv1D glu", lambda: Conv1D(4, 2, activation="glu"), _normal(2, 4, 2)),
    Case("Conv1D channels first, tanh", lambda: Conv1D(3, 2, data_format="channels_first", activation="tanh"), _normal(2, 2, 4)),
    Case("Conv2D", _bias(Conv2D, 3, (2, 3)), _normal(2, 3, 4, 2), expected=_conv_by_loops),
    Case("Conv2D fewer filters, same, dilated", _bias(Conv2D, 1, 2, padding="same", dilation_rate=(1, 2)), _normal(2, 3, 4, 2)),
    Case("Conv2D same strided", _bias(Conv2D, 3, 3, (2, 1), padding="same"), _normal(2, 4, 3, 2), expected=_conv_by_loops),
    Case("Conv2D groups", _bias(Conv2D, 4, 2, groups=2), _normal(1, 3, 3, 4), expected=_conv_by_loops),
    Case("Conv2D 1x1 strided", _bias(Conv2D, 2, 1, 2), _normal(2, 3, 3, 3), expected=_conv_by_loops),
    Case("Conv2D channels first, no bias", lambda: Conv2D(2, 2, data_format="channels_first", use_bias=False), _normal(2, 2, 3, 4)),
    Case("Conv3D", _bias(Conv3D, 3, (1, 2, 2), padding="same"), _normal(1, 2, 3, 2, 2), expected=_conv_by_loops),
    Case("Conv3D fewer filters than channels", _bias(Conv3D, 1, 2), _normal(1, 2, 3, 3, 3), expected=_conv_by_loops),
    Case("Conv3D strided", _bias(Conv3D, 2, 2, (1, 2, 1), padding="same", activation="tanh"), _normal(1, 2, 3, 2, 2)),
    Case("Conv1DTranspose", _bias(Conv1DTranspose, 3, 3, 2), _normal(2, 3, 2), expected=_transpose_by_loops),
    Case("Conv1DTranspose same", _bias(Conv1DTranspose, 2, 4, 2, padding="same"), _normal(2, 3, 3), expected=_transpose_by_loops),
    Case("Conv1DTranspose stride above kernel", _bias(Conv1DTranspose, 2, 2, 4), _normal(2, 3, 2), expected=_transpose_by_loops),
    Case(
        "Conv1DTranspose output padding", _bias(Conv1DTranspose, 2, 2, 3, output_padding=2), _normal(2, 3, 2), expected=_transpose_by_loops
    ),
    Case(
        "Conv1DTranspose dilated, tanh", lambda: Conv1DTranspose(2, 3, dilation_rate=2, padding="same", activation="tanh"), _normal(2, 4, 2)
    ),
    Case("Conv2DTranspose", _bias(Conv2DTranspose, 2, (2, 3), (1, 2)), _normal(1, 2, 3, 3), expected=_transpose_by_loops),
    Case("Conv2DTranspose same", _bias(Conv2DTranspose, 3, 3, 2, padding="same"), _normal(1, 2, 3, 2), expected=_transpose_by_loops),
    Case(
        "Conv2DTranspose channels first",
        lambda: Conv2DTranspose(2, 2, 2, data_format="channels_first", use_bias=False),
        _normal(2, 3, 2, 2),
    ),
    Case("Conv3DTranspose", _bias(Conv3DTranspose, 2, (1, 2, 2), (1, 2, 1)), _normal(1, 2, 2, 2, 3), expected=_transpose_by_loops),
    Case("Conv3DTranspose same, tanh", lambda: Conv3DTranspose(2, 3, 2, padding="same", activation="tanh"), _normal(1, 1, 2, 2, 2)),
    Case("DepthwiseConv1D", _bias(DepthwiseConv1D, 3), _normal(2, 5, 3), expected=_depthwise_by_loops),
    Case("DepthwiseConv1D multiplied", _bias(DepthwiseConv1D, 2, 2, "same", 3), _normal(2, 5, 2), expected=_depthwise_by_loops),
    Case(
        "DepthwiseConv1D dilated, no bias", lambda: DepthwiseConv1D(2, dilation_rate=2, use_bias=False, activation="tanh"), _normal(2, 5, 2)
    ),
    Case("DepthwiseConv2D", _bias(DepthwiseConv2D, (2, 3), padding="same"), _normal(2, 3, 4, 2), expected=_depthwise_by_loops),
    Case("DepthwiseConv2D multiplied", _bias(DepthwiseConv2D, 2, 2, depth_multiplier=2), _normal(2, 4, 3, 2), expected=_depthwise_by_loops),
    Case("DepthwiseConv2D channels first", lambda: DepthwiseConv2D(2, data_format="channels_first"), _normal(2, 2, 3, 3)),
    Case("SeparableConv1D", _bias(SeparableConv1D, 4, 3, padding="same"), _normal(2, 4, 3), expected=_separable_by_loops),
    Case("SeparableConv1D multiplied", _bias(SeparableConv1D, 2, 2, 2, depth_multiplier=2), _normal(2, 5, 2), expected=_separable_by_loops),
    Case("SeparableConv1D no bias, tanh", lambda: SeparableConv1D(3, 2, use_bias=False, activation="tanh"), _normal(2, 4, 2)),
    Case("SeparableConv2D", _bias(SeparableConv2D, 3, 2, depth_multiplier=2), _normal(2, 3, 3, 2), expected=_separable_by_loops),
    Case(
        "SeparableConv2D same strided", _bias(SeparableConv2D, 2, 3, 2, padding="same"), _normal(2, 4, 3, 2), expected=_separable_by_loops
    ),
    Case("SeparableConv2D channels first", lambda: SeparableConv2D(2, 2, data_format="channels_first"), _normal(2, 2, 3, 3)),
]
