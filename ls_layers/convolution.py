"""Convolution over n spatial axes: the kernels and the base class of Conv1D, Conv2D and Conv3D.

    z[b, o, f] = bias[f] + sum_{k, c} x[b, o * stride + k * dilation - before, c] W[k, c, f]

There are two orders of work, and the one that moves fewer bytes is taken. With many filters: gather the K C numbers that
each window reads, then one matrix product. With fewer filters than channels (and stride 1): first one product of every
position with all K taps, then add the K F results where their windows are.

G groups, B batch, I.. input positions, O.. output positions, K taps of the kernel over all axes, C channels of one group,
F filters of one group.
"""

from __future__ import annotations

import math
from typing import Any

from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.parameter import Parameter
from ls_core.products import matmul
from ls_core.registry import deserialize
from ls_core.types import Array

from .activated import Product, ProductBackward, activated_backward, activated_forward
from .windows import Ints, Pads, SpatialLayer, count_windows, gather, scatter


def split_groups(x: Array, groups: int) -> Array:
    """(B, I.., G C) -> (G, B, I.., C)."""
    return get_xp(x).moveaxis(x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups), -2, 0)


def join_groups(z: Array) -> Array:
    """(G, B, O.., F) -> (B, O.., G F)."""
    moved = get_xp(z).moveaxis(z, 0, -2)
    return moved.reshape(*moved.shape[:-2], moved.shape[-2] * moved.shape[-1])


def _multiply_first(W: Array, strides: Ints, groups: int) -> bool:
    return W.shape[-1] // groups < W.shape[-2] and all(s == 1 for s in strides)


@kernel
def conv_forward(x: Array, W: Array, b: Array | None, strides: Ints, dilation: Ints, pads: Pads, groups: int) -> Array:
    """x (B, I.., G C), W (k.., C, G F), b (G F,) or None -> z (B, O.., G F)."""
    *sizes, C, _ = W.shape
    K, G, F = math.prod(sizes), groups, W.shape[-1] // groups
    xg = split_groups(x, G)  # (G, B, I.., C)
    Wg = W.reshape(K, C, G, F)
    before = tuple(pad[0] for pad in pads)
    outputs = count_windows(x.shape[1:-1], tuple(sizes), strides, dilation, pads)
    if _multiply_first(W, strides, G):
        # An output reads the input k d - before further on, so an input adds to the output that much further back.
        products = matmul(xg.reshape(G, -1, C), Wg.transpose(2, 1, 0, 3).reshape(G, C, K * F))  # (G, B I.., K F)
        products = products.reshape(*xg.shape[:-1], K, F)
        z = scatter(products, outputs, tuple(sizes), strides, tuple(-d for d in dilation), tuple(-p for p in before))
    else:
        columns = gather(xg, outputs, tuple(sizes), strides, dilation, before)  # (G, B, O.., K, C)
        z = matmul(columns.reshape(G, -1, K * C), Wg.transpose(2, 0, 1, 3).reshape(G, K * C, F))  # (G, B O.., F)
        z = z.reshape(G, x.shape[0], *outputs, F)
    z = join_groups(z)  # (B, O.., G F)
    if b is not None:
        z += b
    return z


@kernel
def conv_backward(
    dz: Array,
    x: Array,
    W: Array,
    has_bias: bool,
    strides: Ints,
    dilation: Ints,
    pads: Pads,
    groups: int,
    input_gradient: bool,
) -> tuple[Array | None, Array, Array | None]:
    """dz (B, O.., G F) -> dx (B, I.., G C), dW (k.., C, G F), db (G F,)."""
    *sizes, C, _ = W.shape
    K, G, F = math.prod(sizes), groups, W.shape[-1] // groups
    xg = split_groups(x, G)  # (G, B, I.., C)
    Wg = W.reshape(K, C, G, F)
    before = tuple(pad[0] for pad in pads)
    dx = None
    # 3. z += b
    db = dz.sum(axis=tuple(range(dz.ndim - 1))) if has_bias else None  # (G F,)
    dzg = split_groups(dz, G)  # (G, B, O.., F)
    if _multiply_first(W, strides, G):
        # 2. z = scatter(products)
        back = (tuple(sizes), strides, tuple(-d for d in dilation), tuple(-p for p in before))
        dproducts = gather(dzg, xg.shape[2:-1], *back).reshape(G, -1, K * F)  # (G, B I.., K F)
        # 1. products = matmul(x, W)
        dW = matmul(xg.reshape(G, -1, C).transpose(0, 2, 1), dproducts)  # (G, C, K F)
        dW = dW.reshape(G, C, K, F).transpose(2, 1, 0, 3)  # (K, C, G, F)
        if input_gradient:
            dx = matmul(dproducts, Wg.transpose(2, 0, 3, 1).reshape(G, K * F, C))  # (G, B I.., C)
            dx = join_groups(dx.reshape(xg.shape))
    else:
        # 2. z = matmul(columns, W)
        dz2 = dzg.reshape(G, -1, F)  # (G, B O.., F)
        columns = gather(xg, dz.shape[1:-1], tuple(sizes), strides, dilation, before).reshape(G, -1, K * C)  # (G, B O.., K C)
        dW = matmul(columns.transpose(0, 2, 1), dz2)  # (G, K C, F)
        dW = dW.reshape(G, K, C, F).transpose(1, 2, 0, 3)  # (K, C, G, F)
        if input_gradient:
            dcolumns = matmul(dz2, Wg.transpose(2, 3, 0, 1).reshape(G, F, K * C))  # (G, B O.., K C)
            dcolumns = dcolumns.reshape(*dzg.shape[:-1], K, C)
            # 1. columns = gather(x)
            dx = join_groups(scatter(dcolumns, xg.shape[2:-1], tuple(sizes), strides, dilation, before))
    return dx, get_xp(dW).ascontiguousarray(dW.reshape(W.shape)), db


class ConvolutionBase(SpatialLayer):
    """What every convolutional layer has: windows, a bias and an activation."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        bias_options: tuple[Any, Any, Any],
        **options: Any,
    ) -> None:
        super().__init__(data_format, **options)
        self.kernel_size = self.as_tuple(kernel_size, "kernel_size")
        self.strides = self.as_tuple(strides, "strides")
        self.dilation_rate = self.as_tuple(dilation_rate, "dilation_rate")
        self.padding = self.one_of(padding, "padding", self.paddings)
        self.activation = deserialize("activation", activation or "linear")
        self.use_bias = use_bias
        self.bias_options = bias_options
        self.name_output_axes("filters")

    @property
    def paddings(self) -> tuple[str, ...]:
        """What ``padding`` may be."""
        return ("valid", "same")

    def refuse_strided_dilation(self) -> None:
        """Raise where strides and dilation are both above 1, as Keras does."""
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{self}: strides {self.strides} and dilation_rate {self.dilation_rate} can't both be above 1; set one of them to 1"
            )

    def add_kernel(self, name: str, shape: tuple[int, ...], options: tuple[Any, Any, Any]) -> Parameter:
        """A kernel of ``shape`` with (initializer, regularizer, constraint)."""
        initializer, regularizer, constraint = options
        return self.add_weight(shape, initializer, regularizer=regularizer, constraint=constraint, name=name)

    def add_bias(self, channels: int) -> None:
        """``self.bias``: one number for each output channel, or None."""
        self.bias = self.add_kernel("bias", (channels,), self.bias_options) if self.use_bias else None

    def windows(self, lengths: Any) -> tuple[Any, Pads]:
        """(output lengths, padding) for inputs of these lengths."""
        return self.place_windows(lengths, self.kernel_size, self.strides, self.dilation_rate, self.padding)

    def activate(self, x: Array, product: Product) -> tuple[Array, Any]:
        """y in the input's format, and what backward needs; ``product(x, b)`` is z, its channels last."""
        if self.channels_first:  # some activations look along the last axis, whichever that is
            return self.activation.forward(self.as_input(product(x, self.bias_value)))
        return activated_forward(x, product, self.bias_value, self.activation)

    def activate_backward(self, dy: Array, saved: Any, product_backward: ProductBackward) -> tuple[Array, Array]:
        """dx and dW of ``product_backward(dz, whether there is a bias)``; the bias gets its gradient."""
        if self.channels_first:
            dx, dW, db = product_backward(self.channels_last(self.activation.backward(dy, saved)), self.use_bias)
        else:
            dx, dW, db = activated_backward(dy, saved, self.activation, product_backward, self.bias_value)
        if self.bias is not None:
            self.bias.accumulate(db)
        return dx, dW

    @property
    def bias_value(self) -> Array | None:
        """The bias' array, or None."""
        return None if self.bias is None else self.bias.value


class Convolution(ConvolutionBase):
    """What Conv1D, Conv2D and Conv3D share; they differ in ``rank`` alone."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **options: Any,
    ) -> None:
        bias_options = (bias_initializer, bias_regularizer, bias_constraint)
        shared = (kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias, bias_options)
        super().__init__(*shared, activity_regularizer=activity_regularizer, **options)
        self.filters = self.positive(filters, "filters")
        self.groups = self.positive(groups, "groups")
        if filters % groups:
            raise ValueError(f"{self}: {groups} groups don't divide {filters} filters; choose a divisor of both filters and channels")
        self.refuse_strided_dilation()
        self.kernel_options = (kernel_initializer, kernel_regularizer, kernel_constraint)

    @property
    def paddings(self) -> tuple[str, ...]:
        return ("valid", "same", "causal") if self.rank == 1 else ("valid", "same")

    def build(self, input_shape: Any) -> None:
        channels = self.known_channels(input_shape)
        if channels % self.groups:
            raise ShapeError(
                f"{self}: {self.groups} groups don't divide the {channels} channels of the input (axis {self.channel_axis}). "
                "Choose groups that divide both channels and filters.",
                self.channel_axis,
            )
        self.kernel = self.add_kernel("kernel", (*self.kernel_size, channels // self.groups, self.filters), self.kernel_options)
        self.add_bias(self.filters)

    def output_shape(self, input_shape: Any) -> Any:
        batch, lengths, _ = self.split_shape(input_shape)
        return self.activation.output_shape(self.join_shape(batch, self.windows(lengths)[0], self.filters))

    def forward(self, x: Array, training: bool = False) -> Any:
        _, lengths, channels = self.split_shape(x.shape)
        self.check_channels(channels, self.kernel.shape[-2] * self.groups)
        _, pads = self.windows(lengths)
        x = self.channels_last(x)
        W, geometry = self.kernel.value, (self.strides, self.dilation_rate, pads, self.groups)
        y, saved = self.activate(x, lambda x, b: conv_forward(x, W, b, *geometry))
        return y, (x, geometry, saved)

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        x, geometry, activated = saved
        W = self.kernel.value
        dx, dW = self.activate_backward(dy, activated, lambda dz, has_bias: conv_backward(dz, x, W, has_bias, *geometry, input_gradient))
        self.kernel.accumulate(dW)
        return self.as_input(dx) if input_gradient else None


__all__ = ["Convolution", "ConvolutionBase", "conv_backward", "conv_forward", "join_groups", "split_groups"]
