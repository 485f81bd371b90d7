"""SwiGLU: a feed-forward layer with a gate, y = (silu(x Wg) (x Wu)) Wd.

... any axes, I inputs, F inner features, O outputs.
"""

from __future__ import annotations

from typing import Any

from ls_core.backend import get_xp
from ls_core.kernel import kernel
from ls_core.layer import Layer
from ls_core.types import Array

from .dense import Dense


@kernel
def swiglu_forward(gate: Array, up: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    s = get_xp(gate).tanh(gate * 0.5)  # (..., F)
    s *= 0.5
    s += 0.5  # sigmoid(gate)
    return gate * s * up, (gate, up, s)


@kernel
def swiglu_backward(dh: Array, saved: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    gate, up, s = saved
    # 2. h = silu * up
    dup = dh * gate  # (..., F)
    dup *= s
    # 1. silu = gate * s, d silu / d gate = s + gate s (1 - s) = s (1 + gate (1 - s))
    dgate = 1 - s  # (..., F)
    dgate *= gate
    dgate += 1
    dgate *= s
    dgate *= up
    dgate *= dh
    return dgate, dup


class SwiGLU(Layer):
    """The feed-forward part of Llama's and Mistral's blocks: ``y = (silu(x @ Wg) * (x @ Wu)) @ Wd``, silu(z) = z sigmoid(z).

    Parameters
    ----------
    intermediate_dim : int
        Size F between the products. Three kernels hold as much as a plain feed-forward's two of size 3/2 F.
    output_dim : int, optional
        Default: the input's last axis.
    use_bias : bool
        Default False.
    kernel_initializer, bias_initializer : str or Initializer
        Defaults 'glorot_uniform' and 'zeros'.

    Notes
    -----
    Input (..., I), output (..., O). Weights: gate (I, F), up (I, F), down (F, O), each followed by its bias if there is one.
    Backward, with g = x Wg, u = x Wu, s = sigmoid(g), dh = dy Wd^T:  du = dh g s,  dg = dh u s (1 + g (1 - s)), and
    the products' as Dense's.

    Raises
    ------
    ShapeError
        The input's last axis is not the one that the kernels were built for.

    Source: Shazeer 2020, eq. 6.

    Examples
    --------
    >>> import numpy as np
    >>> layer = SwiGLU(5)
    >>> y, cache = layer.forward(np.ones((2, 3, 4)))
    >>> y.shape, layer.backward(y, cache).shape, [p.path for p in layer.parameters()]
    ((2, 3, 4), (2, 3, 4), ['swi_glu/gate/kernel', 'swi_glu/up/kernel', 'swi_glu/down/kernel'])
    """

    supports_masking = True

    def __init__(
        self,
        intermediate_dim: int,
        output_dim: int | None = None,
        use_bias: bool = False,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        for name, value in (("intermediate_dim", intermediate_dim), ("output_dim", 1 if output_dim is None else output_dim)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"SwiGLU: {name} is a positive integer, not {value!r}")
        self.intermediate_dim, self.output_dim = intermediate_dim, output_dim
        self.dense_options = {"use_bias": use_bias, "kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer}

    def build(self, input_shape: Any) -> None:
        F, O = self.intermediate_dim, self.output_dim or input_shape[-1]
        inner = (*input_shape[:-1], F)
        self.gate, self.up = self._dense(F, "gate", input_shape), self._dense(F, "up", input_shape)
        self.down = self._dense(O, "down", inner)

    def _dense(self, units: int, name: str, input_shape: Any) -> Dense:
        dense = Dense(units, name=name, dtype=self.dtype or self._first_dtype, trainable=self.trainable, **self.dense_options)
        self._adopt(dense)
        dense.ensure_built(input_shape)
        return dense

    def output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.output_dim or input_shape[-1])

    def forward(self, x: Array, training: bool = False) -> Any:
        gate, gate_cache = self.gate.forward(x)  # (..., F)
        up, up_cache = self.up.forward(x)  # (..., F)
        h, saved = swiglu_forward(gate, up)  # (..., F)
        y, down_cache = self.down.forward(h)  # (..., O)
        return y, (gate_cache, up_cache, saved, down_cache)

    def backward(self, dy: Array, saved: Any, input_gradient: bool = True) -> Any:
        gate_cache, up_cache, saved, down_cache = saved
        # 3. y = down(h)
        dh = self.down.backward(dy, down_cache)
        # 2. h = silu(gate) * up
        dgate, dup = swiglu_backward(dh, saved)
        # 1. gate = gate(x), up = up(x)
        by_gate = self.gate.backward(dgate, gate_cache, input_gradient)
        by_up = self.up.backward(dup, up_cache, input_gradient)
        return by_gate + by_up if input_gradient else None


__all__ = ["SwiGLU", "swiglu_backward", "swiglu_forward"]
