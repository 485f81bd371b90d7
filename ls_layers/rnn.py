"""RNN: a cell applied to one time step after the other; the protocol of cells.

A cell is a Layer for one time step, with

- ``state_size``: an integer, or a list of integers, one for each state;
- ``output_size`` (optional): an integer; default: the first state's size;
- ``forward(x, *states, training=False)``, which returns ``((y, *new_states), saved)``, x (B, ...), each state (B, size);
- ``backward(dy, saved)``, dy being ``(dy, *d_new_states)``, which adds to its Parameters' gradients and returns
  ``(dx, *d_states)``. RNN hands it arrays only, never None; it hands the same order back;
- ``draw_masks(x, *states)`` (optional): dropout masks for a whole sequence. RNN calls it once before a sequence in
  training, and every step's forward gets the result as ``masks=``.

Forward saves one cache a step; backward walks through them from the last to the first, and the Parameters' gradients add
up on the way (backpropagation through time). B batch, T time steps.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import backend_of, floatx, get_xp, to_device
from ls_core.errors import ShapeError
from ls_core.layer import Layer
from ls_core.parameter import Parameter
from ls_core.protocol import leaves
from ls_core.types import Array

from .recurrent_cell import output_size, state_sizes
from .stacked_rnn_cells import StackedRNNCells, as_cell


class RNN(Layer):
    """Runs a cell over the time axis.

    Parameters
    ----------
    cell : Layer, or list of Layers
        What one time step does; see the protocol above. A list is stacked (``StackedRNNCells``).
    return_sequences : bool
        True gives the output of every step, (B, T, O); False (default) the last one, (B, O).
    return_state : bool
        True gives a tuple: the output, then the last states, each (B, size).
    go_backwards : bool
        True reads the time steps from the last to the first; outputs come in the order of reading.
    stateful : bool
        True starts a batch from the last states of the batch before; ``reset_state()`` starts from zeros again.
    unroll : bool
        Accepted and without effect: there is no graph to unroll.
    zero_output_for_mask : bool
        True gives zeros at masked steps, False (default) repeats the output before.
    truncate : int, optional
        Truncated backpropagation through time: the sequence is cut into pieces of that many steps; states pass from
        piece to piece, gradients do not (each piece takes what came before it for constants). A long sequence's gradient
        then neither vanishes nor explodes over more than ``truncate`` steps, and is no longer the exact one.
        Default None: the exact gradient. Not in Keras.

    Notes
    -----
    Call arguments: x (B, T, ...); ``initial_state``, an array or a list of them (B, size), default zeros; ``mask``
    (B, T), False at steps to skip, where states keep their values; ``training``.
    With ``initial_state`` backward returns ``(dx, *d_initial_state)``, else dx.
    The states of stacked cells are given and returned in one flat list.
    The state of a stateful layer is ``layer.states``, Parameters which, as in Keras, are not among ``get_weights()``.

    Raises
    ------
    ShapeError
        No time step, or a state or mask of a wrong shape.

    Source: Keras 3, ``keras.layers.RNN``; Werbos 1990 (backpropagation through time); Williams and Peng 1990 (truncated).

    Examples
    --------
    A cell of one's own, a leaky sum h' = a h + x with a learned a:

    >>> import numpy as np
    >>> class Leak(Layer):
    ...     state_size = 2
    ...     def build(self, input_shape):
    ...         self.a = self.add_weight((2,), 'ones', name='a')
    ...     def forward(self, x, h, training=False):
    ...         new = self.a.value * h + x                                       # (B, 2)
    ...         return (new, new), h
    ...     def backward(self, dy, h):
    ...         total = dy[0] + dy[1]                                            # as output and as state
    ...         self.a.accumulate((total * h).sum(axis=0))                       # new = a * h + x
    ...         return total, total * self.a.value
    >>> layer = RNN(Leak(), return_sequences=True)
    >>> y, cache = layer.forward(np.ones((1, 3, 2)))
    >>> y[0, :, 0], layer.backward(np.ones((1, 3, 2)), cache)[0, :, 0], layer.cell.a.grad
    (array([1., 2., 3.]), array([3., 2., 1.]), array([4., 4.]))
    """

    supports_masking = True
    gradient_keywords = ("initial_state",)

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        *,
        truncate: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if truncate is not None and (not isinstance(truncate, int) or truncate < 1):
            raise ValueError(f"{type(self).__name__}: truncate is a positive number of time steps or None, not {truncate!r}")
        self.cell = StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else as_cell(cell)
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.truncate = truncate
        self.state_sizes = state_sizes(self.cell)
        self.states: list[Parameter] = []  # of a stateful layer, once it has run
        self.output_axes = ("time", "units") if return_sequences else ("units",)

    def build(self, input_shape: Any) -> None:
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        self._check_axes(shape)
        self.cell.ensure_built((shape[0], *shape[2:]))

    def output_shape(self, input_shape: Any) -> Any:
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        last = (shape[0], output_size(self.cell))
        out = (shape[0], shape[1], last[1]) if self.return_sequences else last
        return [out, *((shape[0], size) for size in self.state_sizes)] if self.return_state else out

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        mask = previous_mask if self.return_sequences else None
        return [mask] + [None] * len(self.state_sizes) if self.return_state else mask

    def reset_state(self) -> None:
        """Let a stateful layer start from zeros again."""
        self.states = []

    reset_states = reset_state

    # --- both passes -----------------------------------------------------------------------------

    def forward(self, x: Array, initial_state: Any = None, mask: Array = None, training: bool = False) -> Any:
        self._check_sequence(x, mask)
        states = self._first_states(x, initial_state)
        if mask is not None:
            mask = mask.astype(bool)
        if self.go_backwards:
            x = x[:, ::-1]
            mask = mask[:, ::-1] if mask is not None else None
        y, states, saved = self.run_forward(x, states, mask, training)
        if self.stateful:  # copies: the arrays belong to this call's cache
            self.states = [Parameter(s.copy(), f"state_{i}", state=True) for i, s in enumerate(states)]
        return (y, *states) if self.return_state else y, (saved, initial_state is not None)

    def backward(self, dy: Any, saved: Any, input_gradient: bool = True) -> Any:
        inner, with_states = saved
        dy, *d_states = dy if self.return_state else (dy, *(None for _ in self.state_sizes))
        dx, d_states = self.run_backward(dy, d_states, inner, input_gradient)
        if self.go_backwards and dx is not None:
            dx = dx[:, ::-1]
        return (dx, *d_states) if with_states else dx

    def run_forward(self, x: Array, states: list[Array], mask: Array, training: bool) -> tuple[Array, list[Array], Any]:
        """All steps, in the order of x (B, T, ...): -> y as the layer gives it out, last states, what backward needs."""
        xp = get_xp(x)
        options: dict[str, Any] = {"training": training}
        draw = getattr(self.cell, "draw_masks", None)
        if training and draw is not None:
            options["masks"] = draw(x[:, 0], *states)
        outputs: list[Array] = []
        caches = []
        for t in range(x.shape[1]):
            (y, *new), cache = self.cell.forward(x[:, t], *states, **options)  # y (B, ...), each state (B, size)
            if mask is not None:
                before = outputs[-1] if outputs and not self.zero_output_for_mask else xp.zeros_like(y)
                y = xp.where(_like(mask[:, t], y), y, before)
                new = [xp.where(_like(mask[:, t], s), s, old) for s, old in zip(new, states, strict=True)]
            states = new
            outputs.append(y)
            caches.append(cache)
        y = xp.stack(outputs, axis=1) if self.return_sequences else outputs[-1]
        return y, states, (caches, mask, outputs[-1], states)

    def run_backward(self, dy: Array, d_states: list[Array], saved: Any, input_gradient: bool) -> tuple[Array, list[Array]]:
        """The steps from last to first; None for a gradient that is zero."""
        caches, mask, output, states = saved
        xp = get_xp(output)
        steps = len(caches)
        d_states = [xp.zeros_like(s) if d is None else d for d, s in zip(d_states, states, strict=True)]
        d_output = xp.zeros_like(output)  # what reaches a step's output from the masked steps that repeat it
        dxs: list[Array] = [None] * steps
        for t in reversed(range(steps)):
            if dy is not None and (self.return_sequences or t == steps - 1):
                d_output = d_output + (dy[:, t] if self.return_sequences else dy)
            d_new, d_kept = d_states, None
            if mask is not None:
                # y = where(mask, y, before), state = where(mask, state, old)
                d_new = [xp.where(_like(mask[:, t], d), d, xp.zeros_like(d)) for d in d_states]
                d_kept = [xp.where(_like(mask[:, t], d), xp.zeros_like(d), d) for d in d_states]
                skipped = xp.where(_like(mask[:, t], d_output), xp.zeros_like(d_output), d_output)
                d_output = d_output - skipped
            # (y, *new) = cell(x[:, t], *states)
            dxs[t], *d_states = self.cell.backward((d_output, *d_new), caches[t], input_gradient)
            if d_kept is not None:
                d_states = [a + b for a, b in zip(d_states, d_kept, strict=True)]
            d_output = skipped if mask is not None and not self.zero_output_for_mask else xp.zeros_like(output)
            if self.truncate and t and t % self.truncate == 0:
                d_states, d_output = [xp.zeros_like(d) for d in d_states], xp.zeros_like(output)  # nothing for the piece before
        dx = xp.stack(dxs, axis=1) if input_gradient and dxs[0] is not None else None  # (B, T, ...)
        return dx, list(d_states)

    # --- states and checks -------------------------------------------------------------------------

    def _first_states(self, x: Array, initial_state: Any) -> list[Array]:
        sizes = self.state_sizes
        kind = floatx() if x.dtype.kind in "iub" else x.dtype
        if initial_state is not None:
            states = list(leaves([initial_state]))
            if len(states) != len(sizes):
                raise ShapeError(f"{self}: initial_state holds {len(states)} arrays, the cell has {len(sizes)} states of sizes {sizes}.")
            fix = "Give one array (batch, size) for each state."
        elif self.states:
            states = [to_device(p.value, backend_of(x), kind) for p in self.states]
            fix = "A stateful layer wants batches of one size; reset_state() lets another size begin."
        else:
            return [get_xp(x).zeros((x.shape[0], size), dtype=kind) for size in sizes]
        for i, (state, size) in enumerate(zip(states, sizes, strict=True)):
            if state.shape != (x.shape[0], size):
                raise ShapeError(f"{self}: state {i} has shape {tuple(state.shape)}, it wants {(x.shape[0], size)}. {fix}")
        return states

    def _check_axes(self, shape: Any) -> None:
        if len(shape) < 3:
            raise ShapeError(f"{self}: the input has {len(shape)} axes, shape {tuple(shape)}; it wants (batch, time, features).")

    def _check_sequence(self, x: Array, mask: Array) -> None:
        self._check_axes(x.shape)
        if x.shape[1] == 0:
            raise ShapeError(f"{self}: the time axis (axis 1) is empty, shape {tuple(x.shape)}; a sequence has one step or more.", 1)
        if mask is not None and tuple(mask.shape) != tuple(x.shape[:2]):
            raise ShapeError(f"{self}: the mask has shape {tuple(mask.shape)}, it wants {tuple(x.shape[:2])}: (batch, time).")

    def without_closing_activation(self) -> None:
        return None  # the activation stands inside the recurrence


def _like(mask: Array, x: Array) -> Array:
    """One step's mask (B,), with axes of size 1 so that it broadcasts to x (B, ...)."""
    return mask.reshape(mask.shape + (1,) * (x.ndim - 1))


__all__ = ["RNN"]
