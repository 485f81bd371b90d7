"""Bidirectional: one recurrent layer reads the sequence forwards, another backwards."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.layer import Layer
from ls_core.parameter import Parameter
from ls_core.protocol import leaves
from ls_core.registry import deserialize, serialize
from ls_core.types import Array

from .rnn import RNN


class Bidirectional(Layer):
    """Runs a recurrent layer forwards, a copy of it backwards, and merges the outputs.

    Parameters
    ----------
    layer : RNN
        LSTM, GRU, SimpleRNN or RNN. Both directions are copies of it with new weights.
    merge_mode : {'concat', 'sum', 'mul', 'ave', None}
        What becomes of the outputs y (forwards) and r (backwards): [y r] along the last axis (default), y + r, y r,
        (y + r) / 2, or both of them, y first.
    weights : list of array, optional
        The first values of the weights: the forward layer's, then the backward layer's.
    backward_layer : RNN, optional
        Another layer for the way back, with ``go_backwards=True``; default: a copy of ``layer``.

    Notes
    -----
    Call arguments as in ``RNN``; the first half of ``initial_state`` is the forward layer's. With ``return_sequences`` the
    backward outputs are turned round, so that time step t holds both directions' outputs at t, and both are zero at masked
    steps. With ``return_state`` the forward layer's states follow the output, then the backward layer's.
    Backward: dx is the sum of both layers' dx; with 'concat' each gets its part of dy, with 'sum' all of it, with 'ave' half
    of it, with 'mul' dy times the other's output.

    Raises
    ------
    ValueError
        An unknown merge mode, or layers that do not fit each other.

    Source: Keras 3, ``keras.layers.Bidirectional``; Schuster and Paliwal 1997.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_layers import LSTM
    >>> layer = Bidirectional(LSTM(4, return_sequences=True))
    >>> y, cache = layer.forward(np.ones((2, 5, 3)))
    >>> y.shape, layer.backward(y, cache).shape, layer.backward_layer.name
    ((2, 5, 8), (2, 5, 3), 'backward_lstm')
    """

    supports_masking = True
    gradient_keywords = ("initial_state",)

    def __init__(
        self, layer: Any, merge_mode: str | None = "concat", weights: Any = None, backward_layer: Any = None, **options: Any
    ) -> None:
        super().__init__(**options)
        if merge_mode not in ("concat", "sum", "mul", "ave", None):
            raise ValueError(f"Bidirectional: merge_mode is 'concat', 'sum', 'mul', 'ave' or None, not {merge_mode!r}")
        layer = _as_rnn(layer)
        self.merge_mode = merge_mode
        self.initial_weights = weights
        self.forward_layer: Any = _copy(layer, "forward_", layer.go_backwards)
        self.backward_layer: Any = _copy(layer, "backward_", True) if backward_layer is None else _as_rnn(backward_layer)
        forwards, backwards = self.forward_layer, self.backward_layer
        if forwards.go_backwards == backwards.go_backwards:
            raise ValueError(f"Bidirectional: both layers have go_backwards={forwards.go_backwards}; the backward layer's must differ")
        for name in ("stateful", "return_sequences", "return_state"):
            if getattr(forwards, name) != getattr(backwards, name):
                raise ValueError(
                    f"Bidirectional: {name} is {getattr(forwards, name)} in the forward layer and {getattr(backwards, name)} "
                    "in the backward layer; make them equal"
                )
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.stateful = layer.stateful
        for each in (forwards, backwards):  # repeated outputs would stand at other steps after the turn
            each.zero_output_for_mask = self.return_sequences
        self.output_axes = ("time", "units") if self.return_sequences else ("units",)

    def build(self, input_shape: Any) -> None:
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        self.forward_layer.ensure_built(shape)
        self.backward_layer.ensure_built(shape)
        if self.initial_weights is not None:
            half = len(self.initial_weights) // 2
            self.forward_layer.set_weights(self.initial_weights[:half])
            self.backward_layer.set_weights(self.initial_weights[half:])

    def output_shape(self, input_shape: Any) -> Any:
        one, other = (layer.output_shape(input_shape) for layer in (self.forward_layer, self.backward_layer))
        one, other = (shape if isinstance(shape, list) else [shape] for shape in (one, other))
        if self.merge_mode is None:
            outputs = [one[0], other[0]]
        else:
            outputs = [(*one[0][:-1], one[0][-1] + other[0][-1]) if self.merge_mode == "concat" else one[0]]
        shapes = outputs + one[1:] + other[1:]
        return shapes if len(shapes) > 1 else shapes[0]

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        mask = previous_mask if self.return_sequences else None
        masks = [mask, mask] if self.merge_mode is None else [mask]
        if self.return_state:
            masks += [None] * (len(self.forward_layer.state_sizes) + len(self.backward_layer.state_sizes))
        return masks if len(masks) > 1 else masks[0]

    @property
    def states(self) -> list[Parameter]:
        """The states that a stateful layer keeps: the forward layer's, then the backward layer's."""
        return [*self.forward_layer.states, *self.backward_layer.states]

    def reset_state(self) -> None:
        """Let both layers start from zeros again."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def forward(self, x: Array, initial_state: Any = None, mask: Array = None, training: bool = False) -> Any:
        one = other = None
        if initial_state is not None:
            states = list(leaves([initial_state]))
            count = len(self.forward_layer.state_sizes)
            one, other = states[:count], states[count:]
        y, cache = self.forward_layer.forward(x, initial_state=one, mask=mask, training=training)
        r, cache_back = self.backward_layer.forward(x, initial_state=other, mask=mask, training=training)
        states = []
        if self.return_state:
            (y, *states), (r, *states_back) = y, r
            states += states_back
        if self.return_sequences:
            r = r[:, ::-1]
        merged = self._merge(y, r)
        outputs = (*merged, *states)
        saved = (cache, cache_back, y.shape[-1], (y, r) if self.merge_mode == "mul" else None, initial_state is not None)
        return outputs if len(outputs) > 1 else outputs[0], saved

    def _merge(self, y: Array, r: Array) -> tuple[Array, ...]:
        if self.merge_mode is None:
            return y, r
        if self.merge_mode == "concat":
            return (get_xp(y).concatenate((y, r), axis=-1),)
        if self.merge_mode == "mul":
            return (y * r,)
        return (y + r,) if self.merge_mode == "sum" else ((y + r) * 0.5,)

    def _merge_backward(self, dy: Any, width: int, outputs: Any) -> tuple[Array, Array]:
        if self.merge_mode is None:
            return dy[0], dy[1]
        dy = dy[0]
        if dy is None:
            return None, None
        if self.merge_mode == "concat":
            return dy[..., :width], dy[..., width:]
        if self.merge_mode == "mul":
            y, r = outputs
            return dy * r, dy * y
        if self.merge_mode == "ave":
            dy = dy * 0.5
        return dy, dy

    def backward(self, dy: Any, saved: Any, input_gradient: bool = True) -> Any:
        cache, cache_back, width, outputs, with_states = saved
        dy = dy if isinstance(dy, tuple) else (dy,)
        count = 2 if self.merge_mode is None else 1
        # 2. merge(y, r), r turned round in time
        d_one, d_other = self._merge_backward(dy[:count], width, outputs)
        if self.return_sequences and d_other is not None:
            d_other = d_other[:, ::-1]
        # 1. y, *states = forward_layer(x); r, *states_back = backward_layer(x)
        middle = count + len(self.forward_layer.state_sizes)
        gradients = [
            _backward(self.forward_layer, d_one, dy[count:middle], cache, input_gradient, with_states),
            _backward(self.backward_layer, d_other, dy[middle:], cache_back, input_gradient, with_states),
        ]
        dxs = [dx for dx, _ in gradients if dx is not None]
        dx = None if not dxs else dxs[0] if len(dxs) == 1 else dxs[0] + dxs[1]
        return (dx, *gradients[0][1], *gradients[1][1]) if with_states else dx

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(layer=serialize(self.forward_layer), backward_layer=serialize(self.backward_layer), weights=None)
        return config


def _backward(layer: RNN, dy: Array, d_states: Any, cache: Any, input_gradient: bool, with_states: bool) -> tuple[Array, list[Array]]:
    """One direction's dx and gradients of the first states; nothing to do where no gradient came."""
    if dy is None and all(d is None for d in d_states):
        return None, [None] * len(layer.state_sizes)
    result = layer.backward((dy, *d_states) if layer.return_state else dy, cache, input_gradient)
    return (result[0], list(result[1:])) if with_states else (result, [])


def _as_rnn(layer: Any) -> RNN:
    layer = deserialize("layer", layer)
    if not isinstance(layer, RNN):
        raise ValueError(f"Bidirectional wraps a recurrent layer (LSTM, GRU, SimpleRNN, RNN), not {layer!r}")
    return layer


def _copy(layer: RNN, prefix: str, go_backwards: bool) -> RNN:
    """A new, unbuilt layer with ``layer``'s configuration."""
    config = layer.get_config()
    config.update(name=prefix + layer.name.removeprefix(prefix), go_backwards=go_backwards)
    return type(layer).from_config(config)


__all__ = ["Bidirectional"]
