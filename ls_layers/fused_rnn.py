"""FusedRNN: the base of SimpleRNN, LSTM and GRU, which run a whole sequence in one kernel.

With the usual activations the products with the kernel are one product for all time steps; see the kernels in
simple_rnn.py, lstm.py and gru.py. Other activations, and recurrent dropout, take ``RNN``'s loop over the cell:
the same numbers, slower. B batch, T time steps, U units.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.types import Array

from .recurrent_cell import check_features
from .rnn import RNN


class FusedRNN(RNN):
    """RNN over a cell for which there is a kernel over whole sequences, ``kernel_forward`` and ``kernel_backward``."""

    cell: Any  # a RecurrentCell

    def kernel_forward(self, x: Array, states: list[Array], mask: Array) -> tuple[Array, list[Array], Any]:
        """x (B, T, I) -> the outputs, time first (T, B, U), the last states (B, U), what backward needs."""
        raise NotImplementedError

    def kernel_backward(
        self, d_states: list[Array], dhs: Array, saved: Any, mask: Array, input_gradient: bool
    ) -> tuple[Array, list[Array]]:
        """Gradients of the last states (B, U) and of the outputs, time first (T, B, U) or None -> dx, those of the first states."""
        raise NotImplementedError

    def has_kernel(self) -> bool:
        """Whether the cell's activations are those that the kernel computes."""
        raise NotImplementedError

    def run_forward(self, x: Array, states: list[Array], mask: Array, training: bool) -> tuple[Array, list[Array], Any]:
        if not self.has_kernel() or (training and self.cell.recurrent_dropout):
            y, states, saved = super().run_forward(x, states, mask, training)
            return y, states, (False, saved)
        self.check_rank(x, 3, "(batch, time, features)")
        check_features(self, x, self.cell.kernel.value)
        dropped = None
        if training and self.cell.dropout:
            dropped = self.cell.draw_masks(x[:, 0], *states)[0][0][:, None]  # (B, 1, I), the same at every step
            x = x * dropped
        hs, states, saved = self.kernel_forward(x, states, mask)
        shown = None  # (B, T, 1), False where the output is zero, whatever the state is
        if mask is not None:
            shown = (mask if self.zero_output_for_mask else get_xp(x).cumsum(mask, axis=1) > 0)[..., None]
        y = hs.transpose(1, 0, 2) if self.return_sequences else states[0]  # (B, T, U) or (B, U)
        if shown is not None:
            shown = shown if self.return_sequences else shown[:, -1]
            y = y * shown
        return y, states, (True, (saved, mask, shown, dropped, states))

    def run_backward(self, dy: Array, d_states: list[Array], saved: Any, input_gradient: bool) -> tuple[Array, list[Array]]:
        with_kernel, saved = saved
        if not with_kernel:
            return super().run_backward(dy, d_states, saved, input_gradient)
        saved, mask, shown, dropped, states = saved
        d_states = [get_xp(s).zeros_like(s) if d is None else d for d, s in zip(d_states, states, strict=True)]
        dhs = None
        if dy is not None:
            # 3. y = hs, or its last step, times shown
            if shown is not None:
                dy = dy * shown
            if self.return_sequences:
                dhs = dy.transpose(1, 0, 2)  # (T, B, U)
            else:
                d_states[0] = d_states[0] + dy  # (B, U)
        # 2. hs, states = kernel(x, states)
        dx, d_states = self.kernel_backward(d_states, dhs, saved, mask, input_gradient)
        # 1. x = x * dropped
        if dropped is not None and dx is not None:
            dx = dx * dropped
        return dx, d_states


__all__ = ["FusedRNN"]
