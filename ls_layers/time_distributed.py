"""TimeDistributed: one layer applied to every time step.

B batch, T time steps.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.layer import Layer
from ls_core.registry import deserialize
from ls_core.types import Array
from ls_core.view import view_of

from .rnn import RNN


class TimeDistributed(Layer):
    """Applies ``layer`` to each time step, with the same weights: ``y[:, t] = layer(x[:, t])``.

    Parameters
    ----------
    layer : Layer
        With one input and one output.

    Notes
    -----
    Input (B, T, ...), output (B, T, ...). ``mask`` (B, T, ...) reaches the layer, where it takes one, as (B, ...).
    The time axis is folded into the batch, so that the layer runs once on (B T, ...). A layer that remembers something from
    call to call (moving statistics while training, a stateful recurrent layer) runs once for each time step, as in Keras.

    Raises
    ------
    ShapeError
        The input has fewer than three axes, or the mask is not (B, T, ...).

    Source: Keras 3, ``keras.layers.TimeDistributed``.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_layers import Dense
    >>> layer = TimeDistributed(Dense(2, kernel_initializer='ones'))
    >>> y, cache = layer.forward(np.arange(6.).reshape(1, 3, 2))
    >>> y.tolist(), layer.backward(np.ones_like(y), cache).shape
    ([[[1.0, 1.0], [5.0, 5.0], [9.0, 9.0]]], (1, 3, 2))
    """

    supports_masking = True

    def __init__(self, layer: Any, **options: Any) -> None:
        super().__init__(**options)
        layer = deserialize("layer", layer)
        if not isinstance(layer, Layer):
            raise ValueError(f"TimeDistributed wraps a layer, not {layer!r}")
        self.layer = layer

    def build(self, input_shape: Any) -> None:
        self._check_axes(len(input_shape))
        self.layer.ensure_built((input_shape[0], *input_shape[2:]))

    def output_shape(self, input_shape: Any) -> Any:
        self._check_axes(len(input_shape))
        inner = self.layer.output_shape((input_shape[0], *input_shape[2:]))
        if isinstance(inner, list):
            raise ValueError(f"{self} wraps a layer with one output, {self.layer} has {len(inner)}")
        return (inner[0], input_shape[1], *inner[1:])

    def forward(self, x: Array, mask: Array = None, training: bool = False) -> Any:
        self._check_axes(x.ndim)
        if mask is not None and mask.shape[:2] != x.shape[:2]:
            raise ShapeError(f"{self}: the mask has shape {tuple(mask.shape)}, it wants to begin with {tuple(x.shape[:2])}: (batch, time).")
        if mask is not None and not self.layer.takes_mask:
            mask = None
        if self._remembers(training):
            results = []
            for t in range(x.shape[1]):
                options = {} if mask is None else {"mask": mask[:, t]}
                results.append(self.layer.forward(x[:, t], training=training, **options))
            y = get_xp(x).stack([y for y, _ in results], axis=1)  # (B, T, ...)
            return y, [cache for _, cache in results]
        options = {} if mask is None else {"mask": mask.reshape(-1, *mask.shape[2:])}
        rows = x.shape[0] * x.shape[1]
        y, cache = self.layer.forward(x.reshape(rows, *x.shape[2:]), training=training, **options)  # (B T, ...)
        return y.reshape(*x.shape[:2], *y.shape[1:]), (cache, x.shape[:2])

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Array:
        if isinstance(saved, list):
            # y[:, t] = layer(x[:, t])
            dxs = [self.layer.backward(dy[:, t], cache, input_gradient) for t, cache in enumerate(saved)]
            return get_xp(dy).stack(dxs, axis=1) if input_gradient and dxs[0] is not None else None
        cache, (B, T) = saved
        # y = layer(x.reshape(B T, ...)).reshape(B, T, ...)
        dx = self.layer.backward(dy.reshape(B * T, *dy.shape[2:]), cache, input_gradient)
        return None if dx is None else dx.reshape(B, T, *dx.shape[1:])

    def _remembers(self, training: bool) -> bool:
        """Whether one step's call may change what the next step's gives."""
        if any(isinstance(layer, RNN) and layer.stateful for layer in self.layer._flatten()):
            return True
        return training and any(p.state for p in self.layer.parameters())

    def _check_axes(self, axes: int) -> None:
        if axes < 3:
            raise ShapeError(f"{self}: the input has {axes} axes; it wants three or more: (batch, time, ...).")

    def without_closing_activation(self) -> tuple[Layer, Any] | None:
        found = self.layer.without_closing_activation()
        if found is None:
            return None
        return view_of(self, "layer", found[0]), found[1]


__all__ = ["TimeDistributed"]
