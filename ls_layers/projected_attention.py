"""ProjectedAttention: what MultiHeadAttention and GroupQueryAttention share.

B batch, F free axes (between batch and features, not attended over), T queries, S keys (of several attention axes,
joined), H heads of the queries, G heads of keys and values, D features of a head's queries and keys, V of its values.
"""

from __future__ import annotations

import math
from typing import Any

from ls_core.backend import get_xp
from ls_core.errors import ShapeError
from ls_core.layer import Layer
from ls_core.types import Array

from .attention_core import lowest, scaled_dot_product_attention_backward, scaled_dot_product_attention_forward
from .head_projection import HeadProjection


class ProjectedAttention(Layer):
    """Base: projections of query, key and value to heads, the core, a gate, the projection back.

    A subclass hands over the sizes and says by ``output_sizes`` what comes out.
    """

    gradient_keywords = ("key",)
    supports_masking = True
    heeds_query_mask = True  # given as a keyword
    attention_axes: tuple[int, ...] | None = None  # of the input; None: all but the first and the last

    def __init__(
        self,
        heads: int,
        groups: int,
        key_dim: int,
        value_dim: int,
        dropout: float,
        use_gate: bool,
        sliding_window: int | None,
        seed: int | None,
        projection: dict[str, Any],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        kind = type(self).__name__
        for name, value in (
            ("heads", heads),
            ("key and value heads", groups),
            ("features of a key", key_dim),
            ("features of a value", value_dim),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{kind}: the number of {name} is a positive integer, not {value!r}")
        if heads % groups:
            raise ValueError(f"{kind}: {heads} query heads can't share {groups} key and value heads evenly; choose a divisor")
        if sliding_window is not None and (not isinstance(sliding_window, int) or sliding_window < 1):
            raise ValueError(f"{kind}: sliding_window is a positive integer or None, not {sliding_window!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"{kind}: dropout is a number from 0 to 1, not {dropout!r}")
        self.heads, self.groups, self.head_sizes = heads, groups, (key_dim, value_dim)
        self.dropout, self.use_gate, self.sliding_window, self.seed = dropout, use_gate, sliding_window, seed
        self.projection = projection  # what all projections have in common

    def output_sizes(self, query_shape: Any) -> tuple[int, ...]:
        """The output's axes in place of the query's last."""
        return (query_shape[-1],)

    def build(self, input_shape: Any) -> None:
        query, value, key = self._three_shapes(input_shape)
        D, V = self.head_sizes
        self.query_dense = self._project((self.heads, D), "query", query)
        self.key_dense = self._project((self.groups, D), "key", key)
        self.gate_dense = self._project((self.heads, V), "gate", query, activation="sigmoid") if self.use_gate else None
        self.value_dense = self._project((self.groups, V), "value", value)
        self.output_dense = self._project(self.output_sizes(query), "attention_output", (*query[:-1], self.heads, V), input_axes=2)

    def _project(self, sizes: tuple[int, ...], name: str, input_shape: Any, **how: Any) -> HeadProjection:
        dtype = self.dtype or self._first_dtype
        projection = HeadProjection(sizes, name=name, dtype=dtype, trainable=self.trainable, **how, **self.projection)
        self._adopt(projection)  # its place gives its random numbers their name
        projection.ensure_built(input_shape)
        return projection

    def _three_shapes(self, shapes: Any) -> tuple[Any, Any, Any]:
        if not isinstance(shapes, (list, tuple)) or len(shapes) not in (2, 3) or isinstance(shapes[0], (int, type(None))):
            raise ValueError(f"{self} takes two or three inputs: query, value and, if it is another array, key.")
        query, value, key = (*shapes, shapes[1])[:3]
        for name, shape in (("query", query), ("value", value), ("key", key)):
            if len(shape) < 3 or len(shape) != len(query):
                raise ShapeError(f"{self}: the {name} has shape {tuple(shape)}; query, value and key have 3 axes, or all as many more.")
        if value[1:-1] != key[1:-1]:
            raise ShapeError(f"{self}: the value has shape {tuple(value)}, the key {tuple(key)}; all but their last axes must be equal.", 1)
        return query, value, key

    def _axes(self, rank: int) -> tuple[int, ...]:
        """The attention axes of an input with ``rank`` axes."""
        if self.attention_axes is None:
            return tuple(range(1, rank - 1))
        axes = tuple(axis % rank for axis in self.attention_axes)
        if any(not 0 < axis < rank - 1 for axis in axes) or len(set(axes)) < len(axes):
            raise ShapeError(f"{self}: attention_axes are different axes from 1 to {rank - 2}, not {self.attention_axes}.")
        return axes

    def output_shape(self, input_shape: Any, return_attention_scores: bool = False) -> Any:
        query, value, _ = self._three_shapes(input_shape)
        y = (*query[:-1], *self.output_sizes(query))
        if not return_attention_scores:
            return y
        axes = self._axes(len(query))
        free = [query[axis] for axis in range(len(query) - 1) if axis not in axes]  # the batch among them
        return [y, (*free, self.heads, *(query[axis] for axis in axes), *(value[axis] for axis in axes))]

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return previous_mask[0] if isinstance(previous_mask, (list, tuple)) else previous_mask

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """As ``forward``, without the cache; query, value and key may be keywords, as in Keras."""
        inputs = inputs + tuple(options.pop(name) for name in ("query", "value", "key")[len(inputs) :] if options.get(name) is not None)
        return super().__call__(*inputs, **options)

    # --- heads in front of time, and back ------------------------------------------------------------

    def _to_heads(self, x: Array, axes: tuple[int, ...]) -> Array:
        """(B, ..., H, D) as (B, F, H, T, D)."""
        last = x.ndim - 1
        free = [axis for axis in range(last - 1) if axis not in axes]
        moved = x.transpose(*free, last - 1, *axes, last)
        return moved if len(axes) == 1 else moved.reshape(*moved.shape[: len(free) + 1], _length(x.shape, axes), x.shape[last])

    def _from_heads(self, y: Array, axes: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
        """Undo ``_to_heads``; ``sizes`` are those of the axes (B, ...) before the heads."""
        free = [axis for axis in range(len(sizes)) if axis not in axes]
        order = [*free, len(sizes), *axes, len(sizes) + 1]
        moved = y if len(axes) == 1 else y.reshape(*y.shape[: len(free) + 1], *(sizes[axis] for axis in axes), y.shape[-1])
        return moved.transpose([order.index(axis) for axis in range(len(order))])

    # --- masks ---------------------------------------------------------------------------------------

    def _allowed(self, query: Array, value: Array, masks: tuple[Array, Array, Array, Array], causal: bool, axes: tuple[int, ...]) -> Array:
        """Where a query may look, as booleans that broadcast to (B, F, H, T, S); None: everywhere."""
        xp = get_xp(query)
        query_mask, value_mask, key_mask, attention_mask = masks
        for name, mask, x in (("query_mask", query_mask, query), ("value_mask", value_mask, value), ("key_mask", key_mask, value)):
            if mask is not None and tuple(mask.shape) != x.shape[:-1]:
                raise ShapeError(
                    f"{self}: the {name} has shape {tuple(mask.shape)}; it wants the input's axes but the last, {x.shape[:-1]}."
                )
        parts = [] if attention_mask is None else [attention_mask != 0]  # (B, T, S), or with more axes in front
        if query_mask is not None:
            parts.append((query_mask != 0)[..., :, None])  # (B, T, 1)
        parts += [(mask != 0)[..., None, :] for mask in (value_mask, key_mask) if mask is not None]  # (B, 1, S)
        if causal or self.sliding_window is not None:
            if len(axes) > 1:
                raise ShapeError(f"{self}: before and after mean something along one attention axis; there are {len(axes)}: {axes}.")
            distance = xp.arange(query.shape[axes[0]])[:, None] - xp.arange(value.shape[axes[0]])  # (T, S), of a key behind its query
            parts += [distance >= 0] if causal else []
            parts += [] if self.sliding_window is None else [xp.abs(distance) < self.sliding_window]
        if not parts:
            return None
        lengths = [*(query.shape[axis] for axis in axes), *(value.shape[axis] for axis in axes)]
        if attention_mask is not None and any(
            m not in (1, n) for m, n in zip(attention_mask.shape[-len(lengths) :], lengths, strict=False)
        ):
            raise ShapeError(
                f"{self}: the attention_mask has shape {tuple(attention_mask.shape)}; "
                f"its last axes are those of queries and keys, {tuple(lengths)}."
            )
        allowed = parts[0]
        for part in parts[1:]:
            allowed = xp.logical_and(allowed, part)
        lead = allowed.shape[: -len(lengths)]
        missing = query.ndim + len(axes) - allowed.ndim  # heads, and whatever stands between batch and heads
        if len(axes) > 1:
            allowed = xp.broadcast_to(allowed, (*lead, *lengths))
            return allowed.reshape(*lead, *(1,) * missing, _length(query.shape, axes), _length(value.shape, axes))
        return allowed.reshape(*lead, *(1,) * missing, *allowed.shape[-2:])

    # --- both passes ---------------------------------------------------------------------------------

    def forward(
        self,
        query: Any,
        value: Any = None,
        key: Any = None,
        *,
        mask: Any = None,
        query_mask: Array = None,
        value_mask: Array = None,
        key_mask: Array = None,
        attention_mask: Array = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        if isinstance(query, (list, tuple)):
            query, value, key = (*query, None, None)[:3]
        separate = key is not None
        key = key if separate else value
        self._three_shapes([query.shape, value.shape, key.shape])
        if not self.heeds_query_mask:
            query_mask = None
        if mask is not None:  # from a Model: one for each positional input
            query_mask, value_mask, key_mask = (*mask, None)[:3]
        axes = self._axes(query.ndim)
        masks = (query_mask, value_mask, key_mask, attention_mask)
        plain_causal = use_causal_mask and self.sliding_window is None and all(each is None for each in masks) and len(axes) == 1
        allowed = None if plain_causal else self._allowed(query, value, masks, use_causal_mask, axes)
        # 1. projections
        q, q_cache = self.query_dense.forward(query)  # (B, ..., H, D)
        k, k_cache = self.key_dense.forward(key)  # (B, ..., G, D)
        v, v_cache = self.value_dense.forward(value)  # (B, ..., G, V)
        # 2. heads in front of time
        heads = [self._to_heads(x, axes) for x in (q, k, v)]  # (B, F, H, T, D), (B, F, G, S, D), (B, F, G, S, V)
        # 3. a query that may look nowhere counts as zeros, so that it sees all values alike
        bias = alive = None
        dtype = q.real.dtype
        if allowed is not None:
            bias = get_xp(q).logical_not(allowed).astype(dtype) * lowest(dtype)
            alive = allowed.any(axis=-1, keepdims=True).astype(dtype)  # (B, F, H or 1, T, 1)
            heads[0] = heads[0] * alive
        # 4. the core
        keep = None
        if training and self.dropout:
            keep = self.stream("mask").keep_mask((*heads[0].shape[:-1], heads[1].shape[-2]), self.dropout, like=q)
        scale = 1.0 / math.sqrt(self.head_sizes[0])
        a, p, core = scaled_dot_product_attention_forward(*heads, bias, scale, plain_causal, keep, return_attention_scores)
        # 5. and gives zeros, where Keras 3 has the scores at hand; elsewhere it keeps the mean of the values
        blank = alive is not None and bool(self.dropout or return_attention_scores or query.ndim > 3)
        if blank:
            a = a * alive
            p = p * alive if return_attention_scores else None
        # 6. heads behind time
        joined = self._from_heads(a, axes, query.shape[:-1])  # (B, ..., H, V)
        # 7. the gate
        gate, gate_cache = (None, None) if self.gate_dense is None else self.gate_dense.forward(query)  # (B, ..., H, V)
        # 8. the projection back
        y, y_cache = self.output_dense.forward(joined if gate is None else joined * gate)
        saved = ((q_cache, k_cache, v_cache, gate_cache, y_cache), core, axes, alive, blank, joined, gate, key.shape, separate)
        if not return_attention_scores:
            return y, saved
        if len(axes) > 1:
            p = p.reshape(*p.shape[:-2], *(query.shape[axis] for axis in axes), *(value.shape[axis] for axis in axes))
        return (y, p), saved

    def backward(self, dy: Any, saved: Any, input_gradient: bool = True) -> Any:
        (q_cache, k_cache, v_cache, gate_cache, y_cache), core, axes, alive, blank, joined, gate, key_shape, separate = saved
        dy, dscores = dy if isinstance(dy, (tuple, list)) else (dy, None)
        if dy is None:  # the scores alone were used
            dy = get_xp(dscores).zeros(y_cache.shape, dtype=dscores.dtype)
        # 8. y = output_dense(joined * gate)
        djoined = self.output_dense.backward(dy, y_cache)  # (B, ..., H, V)
        # 7. the gate
        dquery = None
        if self.gate_dense is not None:
            dquery = self.gate_dense.backward(djoined * joined, gate_cache, input_gradient)
            djoined = djoined * gate
        # 6. heads behind time
        da = self._to_heads(djoined, axes)  # (B, F, H, T, V)
        if dscores is not None and len(axes) > 1:
            dscores = dscores.reshape(*da.shape[:-1], _length(key_shape, axes))
        # 5. a = a * alive, p = p * alive
        if blank:
            da = da * alive
            dscores = None if dscores is None else dscores * alive
        # 4. the core
        dq, dk, dv = scaled_dot_product_attention_backward(da, dscores, core)
        # 3. q = q * alive
        if alive is not None:
            dq = dq * alive
        # 2. heads in front of time
        dq = self._from_heads(dq, axes, joined.shape[:-2])  # (B, ..., H, D)
        dk, dv = (self._from_heads(d, axes, key_shape[:-1]) for d in (dk, dv))  # (B, ..., G, D), (B, ..., G, V)
        # 1. projections
        from_query = self.query_dense.backward(dq, q_cache, input_gradient)
        dkey = self.key_dense.backward(dk, k_cache, input_gradient)
        dvalue = self.value_dense.backward(dv, v_cache, input_gradient)
        if not input_gradient:
            return (None, None, None) if separate else (None, None)
        dquery = from_query if dquery is None else dquery + from_query
        return (dquery, dvalue, dkey) if separate else (dquery, dvalue + dkey)


def _length(shape: Any, axes: tuple[int, ...]) -> int:
    """How many places the axes hold together."""
    return math.prod(shape[axis] for axis in axes)
