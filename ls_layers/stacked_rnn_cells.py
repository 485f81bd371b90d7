"""StackedRNNCells: several cells as one; each one's output is the next one's input."""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.layer import Layer
from ls_core.registry import deserialize
from ls_core.types import Array

from .recurrent_cell import output_size, state_sizes


class StackedRNNCells(Layer):
    """A stack of cells that behaves as one cell; ``RNN([cell, cell])`` makes one.

    Parameters
    ----------
    cells : list of Layer
        Cells by the protocol in rnn.py, from the input's to the output's.

    Notes
    -----
    ``forward(x, *states)`` takes and returns the states of all cells in one flat list, the first cell's first.
    ``state_size`` is a list of each cell's, ``output_size`` the last cell's. Backward walks through the cells from the last
    to the first. Weights: those of the cells, in order.

    Source: Keras 3, ``keras.layers.StackedRNNCells``.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_layers import RNN, GRUCell, LSTMCell
    >>> layer = RNN([LSTMCell(4), GRUCell(2)], return_state=True)
    >>> (y, h, c, h2), cache = layer.forward(np.ones((1, 5, 3)))
    >>> y.shape, h.shape, c.shape, h2.shape, layer.cell.state_size
    ((1, 2), (1, 4), (1, 4), (1, 2), [[4, 4], 2])
    """

    def __init__(self, cells: Any, **options: Any) -> None:
        super().__init__(**options)
        if not cells:
            raise ValueError("StackedRNNCells: there is no cell in the list")
        self.cells = [as_cell(cell) for cell in cells]

    @property
    def state_size(self) -> list[Any]:
        return [cell.state_size for cell in self.cells]  # type: ignore[attr-defined]

    @property
    def output_size(self) -> int:
        return output_size(self.cells[-1])

    def build(self, input_shape: Any) -> None:
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape  # the states may follow
        for cell in self.cells:
            cell.ensure_built(shape)
            shape = (shape[0], output_size(cell))

    def output_shape(self, input_shape: Any) -> Any:
        batch = (input_shape[0] if isinstance(input_shape, list) else input_shape)[0]
        return [(batch, size) for size in (self.output_size, *state_sizes(self))]

    def draw_masks(self, x: Array, *states: Array) -> list[Any]:
        """Each cell's dropout masks for a sequence; None for a cell that draws none."""
        drawn = []
        for cell, own in zip(self.cells, self._shares(states), strict=True):
            draw = getattr(cell, "draw_masks", None)
            drawn.append(None if draw is None else draw(x, *own))
            x = get_xp(x).empty((x.shape[0], output_size(cell)), dtype=x.dtype)  # only its shape and type count
        return drawn

    def forward(self, x: Array, *states: Array, training: bool = False, masks: Any = None) -> Any:
        caches, new_states = [], []
        for k, (cell, own) in enumerate(zip(self.cells, self._shares(states), strict=True)):
            options = {"masks": masks[k]} if masks is not None and masks[k] is not None else {}
            (x, *new), cache = cell.forward(x, *own, training=training, **options)
            caches.append(cache)
            new_states += new
        return (x, *new_states), (caches, x, new_states)

    def backward(self, dy: Any, saved: Any, input_gradient: bool = True) -> Any:
        caches, y, states = saved
        xp = get_xp(y)
        dx, *d_states = (xp.zeros_like(a) if d is None else d for d, a in zip(dy, (y, *states), strict=True))
        d_before: list[Array] = []
        shares = self._shares(tuple(d_states))
        for k in reversed(range(len(caches))):
            # x, *new = cell(x, *own)
            dx, *d_own = self.cells[k].backward((dx, *shares[k]), caches[k], input_gradient or k > 0)
            d_before = d_own + d_before
        return (dx, *d_before)

    def _shares(self, states: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """``states`` cell by cell."""
        shares, start = [], 0
        for cell in self.cells:
            stop = start + len(state_sizes(cell))
            shares.append(states[start:stop])
            start = stop
        return shares


def as_cell(spec: Any) -> Layer:
    """The cell that ``spec`` is or describes."""
    cell = deserialize("layer", spec)
    if not isinstance(cell, Layer) or not hasattr(cell, "state_size"):
        raise TypeError(f"a cell is a Layer with state_size, forward(x, *states) and backward, not {cell!r}; see ls_layers/rnn.py")
    return cell


__all__ = ["StackedRNNCells", "as_cell"]
