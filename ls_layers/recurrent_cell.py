"""RecurrentCell: what SimpleRNNCell, LSTMCell and GRUCell have in common.

B batch, I inputs, U units, G gates (the kernels have G U columns).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ls_core.activation import ActivationFunction
from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.products import matmul
from ls_core.protocol import leaves
from ls_core.registry import deserialize
from ls_core.types import Array


@kernel
def gate_products_forward(x: Array, W: Array, masks: tuple[Array, ...]) -> Array:
    """x W for all gates: ``masks`` holds no dropout mask, one for all gates, or one for each gate."""
    if not masks:
        return matmul(x, W)  # (B, GU)
    width = W.shape[1] // len(masks)
    parts = [matmul(x * mask, W[:, k * width : (k + 1) * width]) for k, mask in enumerate(masks)]
    return parts[0] if len(parts) == 1 else get_xp(x).concatenate(parts, axis=1)  # (B, GU)


@kernel
def gate_products_backward(dz: Array, x: Array, W: Array, masks: tuple[Array, ...]) -> tuple[Array, Array]:
    if not masks:
        # z = matmul(x, W)
        return matmul(dz, W.T), matmul(x.T, dz)  # (B, I), (I, GU)
    xp = get_xp(dz)
    width = W.shape[1] // len(masks)
    dx, dW = xp.zeros_like(x), xp.empty_like(W)  # (B, I), (I, GU)
    for k, mask in enumerate(masks):
        gate = slice(k * width, (k + 1) * width)
        # z[:, gate] = matmul(x * mask, W[:, gate])
        dx += matmul(dz[:, gate], W[:, gate].T) * mask
        dW[:, gate] = matmul((x * mask).T, dz[:, gate])
    return dx, dW


def state_sizes(cell: Any) -> list[int]:
    """The sizes of all states of ``cell``, in order."""
    size = cell.state_size
    return list(leaves(size)) if isinstance(size, (list, tuple)) else [size]


def output_size(cell: Any) -> int:
    """The size of the last axis of ``cell``'s output."""
    size = getattr(cell, "output_size", None)
    return state_sizes(cell)[0] if size is None else int(size)


def gate_activation(kind: str, spec: Any) -> ActivationFunction:
    """The activation that ``spec`` describes; one that gives another shape than it takes, as glu does, has no place in a cell."""
    found: ActivationFunction = deserialize("activation", spec or "linear")
    if found.output_shape((None, 2)) != (None, 2):
        raise ValueError(f"{kind}: the activation {found.name} gives another shape than it takes, so it can't stand in a recurrence")
    return found


class RecurrentCell(Layer):
    """The arguments, Parameters and dropout masks of the three cells; see ``SimpleRNNCell`` for the arguments.

    ``draw_masks`` is called once a sequence: the same features stay dropped at every time step (Gal and
    Ghahramani 2016). Without recurrent dropout one mask serves all gates; with it each gate has its own.
    """

    gates = 1
    state_size: Any
    output_axes = ("units",)

    def __init__(
        self,
        units: int,
        activation: Any,
        use_bias: bool,
        kernel_options: tuple[Any, Any, Any],
        recurrent_options: tuple[Any, Any, Any],
        bias_options: tuple[Any, Any, Any],
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        kind = type(self).__name__
        if not isinstance(units, (int, np.integer)) or isinstance(units, bool) or units < 1:
            raise ValueError(f"{kind}: units is a positive integer, not {units!r}")
        for name, rate in (("dropout", dropout), ("recurrent_dropout", recurrent_dropout)):
            if not 0 <= rate <= 1:
                raise ValueError(f"{kind}: {name} is a rate from 0 to 1, not {rate!r}")
        self.units = int(units)
        self.activation = gate_activation(kind, activation)
        self.use_bias = use_bias
        self.kernel_options = kernel_options  # initializer, regularizer, constraint
        self.recurrent_options = recurrent_options
        self.bias_options = bias_options
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.seed = seed
        self.state_size = units
        self.output_size = units

    def bias_shape(self) -> tuple[int, ...]:
        """The bias's shape; GRU has one that differs."""
        return (self.gates * self.units,)

    def build(self, input_shape: Any) -> None:
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape  # the states may follow
        if shape[-1] is None:
            raise ShapeError(f"{self}: the last axis of the input must be known to make the kernel; it came as {tuple(shape)}.", -1)
        columns = self.gates * self.units
        self.kernel = self._weight("kernel", (shape[-1], columns), self.kernel_options)
        self.recurrent_kernel = self._weight("recurrent_kernel", (self.units, columns), self.recurrent_options)
        self.bias = self._weight("bias", self.bias_shape(), self.bias_options) if self.use_bias else None

    def _weight(self, name: str, shape: tuple[int, ...], options: tuple[Any, Any, Any]) -> Any:
        initializer, regularizer, constraint = options
        return self.add_weight(shape, initializer, regularizer=regularizer, constraint=constraint, name=name)

    def output_shape(self, input_shape: Any) -> Any:
        batch = (input_shape[0] if isinstance(input_shape, list) else input_shape)[0]
        states = len(self.state_size) if isinstance(self.state_size, list) else 1
        return [(batch, self.units)] * (1 + states)

    def draw_masks(self, x: Array, *states: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Dropout masks like ``x`` (B, I) and like the first state (B, U); none where the rate is 0."""
        count = self.gates if self.recurrent_dropout else 1
        drawn = []
        for use, like, rate in (("mask", x, self.dropout), ("recurrent_mask", states[0], self.recurrent_dropout)):
            stream = self.stream(use)
            drawn.append(tuple(stream.keep_mask(like.shape, rate, like=like) for _ in range(count)) if rate else ())
        return drawn[0], drawn[1]

    def check_step(self, x: Array, states: tuple[Array, ...]) -> None:
        """Raise unless ``x`` is (B, I) and every state (B, U)."""
        self.check_rank(x, 2, "(batch, features), one time step")
        check_features(self, x, self.kernel.value)
        for i, state in enumerate(states):
            if state.shape != (x.shape[0], self.units):
                raise ShapeError(f"{self}: state {i} has shape {state.shape}, it wants {(x.shape[0], self.units)}: (batch, units).")

    def state_gradients(self, dy: Any, like: Array) -> list[Array]:
        """Gradients of the new states from dy, (that of the output, those of the states); the output is the first state."""
        d_output, *d_states = dy
        if d_output is not None:
            d_states[0] = d_output if d_states[0] is None else d_output + d_states[0]
        return [get_xp(like).zeros_like(like) if d is None else d for d in d_states]

    def accumulate(self, dW: Array, dU: Array, db: Array | None) -> None:
        """Add to the gradients of kernel, recurrent_kernel and bias."""
        self.kernel.accumulate(dW)
        self.recurrent_kernel.accumulate(dU)
        if self.bias is not None:
            self.bias.accumulate(db)

    def without_closing_activation(self) -> None:
        return None  # the activation stands inside the recurrence


def check_features(layer: Layer, x: Array, W: Array) -> None:
    """Raise unless the last axis of ``x`` is the one that the kernel ``W`` was built for."""
    if x.shape[-1] != W.shape[0]:
        raise ShapeError(
            f"{layer}: the last axis of the input is {x.shape[-1]}, its kernel wants {W.shape[0]}. "
            "Feed it what it was built for, or make a new layer.",
            -1,
        )


__all__ = [
    "RecurrentCell",
    "check_features",
    "gate_activation",
    "gate_products_backward",
    "gate_products_forward",
    "output_size",
    "state_sizes",
]
