"""Recompute: a layer that keeps only its inputs for the backward, and runs its forward a second time there."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from .backend import synchronize
from .layer import Layer
from .protocol import PenalizedCache, collect_losses
from .random import set_stream_states, stream_states
from .registry import deserialize
from .sequential import next_mask
from .summary import cache_bytes, human_bytes, owner
from .tracking import memory_kept, stateful_layers


class Recompute(Layer):
    """A layer (or a ``Sequential`` of them) that gives time for memory: what it keeps for its backward is its inputs.

    Forward runs the layer and throws its cache away. Backward runs it again from the inputs, with the same random
    numbers and the same remembered states, and then runs the layer's backward: the same gradients, bit for bit, for one
    forward more. A network of n equal blocks, each in a Recompute, keeps n inputs and one block's cache at a time.

    Parameters
    ----------
    layer : Layer
        Or its configuration.

    Raises
    ------
    TypeError
        ``layer`` is no layer.

    Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"; ``torch.utils.checkpoint``.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_core import Sequential
    >>> from ls_layers import Dense, Dropout
    >>> block = Sequential([Dense(256, activation='relu'), Dropout(0.5), Dense(256, activation='relu'), Dense(16)])
    >>> layer = Recompute(block)
    >>> x = np.ones((64, 16))
    >>> y, cache = layer.forward(x, training=True)
    >>> layer.backward(np.ones_like(y), cache).shape
    (64, 16)
    >>> report = compare_recompute(block, x)
    >>> print(report)  # doctest: +ELLIPSIS
    plain       ... ms a step, keeps 520.0 KiB
    recomputed  ... ms a step, keeps 8.0 KiB
    """

    def __init__(self, layer: Any, **options: Any) -> None:
        super().__init__(**options)
        layer = deserialize("layer", layer)
        if not isinstance(layer, Layer):
            raise TypeError(f"{self}: it wraps a layer, not {layer!r}")
        self.layer = layer

    @property
    def supports_masking(self) -> bool:  # type: ignore[override]
        return self.layer.supports_masking

    @property
    def makes_mask(self) -> bool:  # type: ignore[override]
        return self.layer.makes_mask

    @property
    def input_kind(self) -> str:  # type: ignore[override]
        return self.layer.input_kind

    @property
    def adds_loss(self) -> bool:
        return any(layer.activity_regularizer is not None for layer in self._flatten())

    def build(self, input_shape: Any) -> None:
        self.layer.ensure_built(input_shape)

    def _build_on(self, inputs: tuple[Any, ...]) -> None:
        self.built = True  # the layer inside builds itself on the data that reaches it

    def output_shape(self, input_shape: Any) -> Any:
        return self.layer.output_shape(input_shape)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return self.layer.compute_mask(inputs, previous_mask)

    def forward(self, *inputs: Any, mask: Any = None, training: bool = False, **options: Any) -> Any:
        if mask is not None and self.layer.takes_mask:
            options["mask"] = mask
        if not all(layer.built for layer in self.layer._flatten()):
            with memory_kept(self.layer):
                self.layer.forward(*inputs, training=False, **options)
        options["training"] = training
        before = self._remembered()
        y, cache = self.layer.forward(*inputs, **options)
        kept = _Penalty(collect_losses(cache)) if self.adds_loss else None
        single = len(inputs) == 1
        out_mask = next_mask(self.layer, inputs[0] if single else inputs, mask, cache) if mask is not None or self.makes_mask else None
        return y, (inputs, options, before, kept), out_mask

    def backward(self, dy: Any, saved: Any, input_gradient: bool = True) -> Any:
        inputs, options, before, _ = saved
        now = self._remembered()
        self._put_back(before)
        # y = layer(inputs), once more, from what it stood on then
        _, cache = self.layer.forward(*inputs, **options)
        self._put_back(now)
        return self.layer.backward(dy, cache, input_gradient)

    def _remembered(self) -> tuple[dict[str, Any], list[Any], list[Any]]:
        """The random streams' states, the values of state Parameters, the states of stateful layers."""
        paths = {layer.path for layer in self.layer._flatten()}
        values = [p.value.copy() for p in self.layer.parameters() if p.state]
        return stream_states(paths), values, [layer.states for layer in stateful_layers(self.layer)]

    def _put_back(self, remembered: tuple[dict[str, Any], list[Any], list[Any]]) -> None:
        streams, values, states = remembered
        set_stream_states({layer.path for layer in self.layer._flatten()}, streams)
        for parameter, value in zip([p for p in self.layer.parameters() if p.state], values, strict=True):
            parameter.value[...] = value
        for layer, each in zip(stateful_layers(self.layer), states, strict=True):
            layer.states = each


class _Penalty(PenalizedCache):
    """Carries the penalties of a forward whose caches were thrown away to the loss; backward makes their gradients anew."""

    def __init__(self, loss: Any) -> None:
        self.saved, self.loss = None, loss


@dataclass(frozen=True)
class Comparison:
    """A training step of a layer, plain and recomputed: seconds, and bytes kept between forward and backward."""

    plain_seconds: float
    plain_bytes: int
    recomputed_seconds: float
    recomputed_bytes: int

    def __str__(self) -> str:
        return (
            f"plain       {self.plain_seconds * 1e3:7.2f} ms a step, keeps {human_bytes(self.plain_bytes)}\n"
            f"recomputed  {self.recomputed_seconds * 1e3:7.2f} ms a step, keeps {human_bytes(self.recomputed_bytes)}"
        )


def compare_recompute(layer: Layer, *inputs: Any, repeats: int = 5) -> Comparison:
    """Measure forward and backward of ``layer`` and of ``Recompute(layer)`` on ``inputs``: the fastest of ``repeats``."""
    wrapped = Recompute(layer)
    found: list[Any] = []
    for each in (layer, wrapped):
        seconds, kept = float("inf"), 0
        for _ in range(repeats):
            synchronize()
            began = time.perf_counter()
            y, cache = each.forward(*inputs, training=True)
            kept = cache_bytes(cache, but={id(owner(p.value)) for p in layer.parameters()})
            each.backward(y, cache)
            synchronize()
            seconds = min(seconds, time.perf_counter() - began)
        found += [seconds, kept]
    for parameter in layer.parameters():
        parameter.drop_grad()
    return Comparison(*found)
