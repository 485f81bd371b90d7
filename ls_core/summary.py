"""summary(): each layer's output shape, Parameters, and the bytes that it keeps for its backward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .layer import Cache
from .types import Array


def cache_bytes(cache: Any, seen: set[int] | None = None, but: set[int] | None = None) -> int:
    """The bytes of all arrays that a cache holds, each once; those that own their memory in ``but`` (by id) do not count."""
    return sum(int(array.nbytes) for array in _arrays(cache, set() if seen is None else seen, but or set()))


def owner(array: Array) -> Array:
    """The array whose memory ``array`` shows: a view keeps all of it alive."""
    while getattr(array, "base", None) is not None and hasattr(array.base, "nbytes"):
        array = array.base
    return array


def _arrays(value: Any, seen: set[int], but: set[int]) -> Iterator[Array]:
    if isinstance(value, Cache):
        yield from _arrays(value.saved, seen, but)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _arrays(each, seen, but)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _arrays(each, seen, but)
    elif hasattr(value, "nbytes") and hasattr(value, "dtype"):
        base = owner(value)
        if id(base) not in seen and id(base) not in but:
            seen.add(id(base))
            yield base
    elif hasattr(value, "__dict__") and not callable(value):
        yield from _arrays(vars(value), seen, but)


def _shape_text(shape: Any) -> str:
    if isinstance(shape, list):
        return ", ".join(_shape_text(each) for each in shape)
    return "(" + ", ".join("?" if n is None else str(n) for n in shape) + ")"


def human_bytes(n: float) -> str:
    """1536 -> '1.5 KiB'

    >>> human_bytes(12), human_bytes(1536)
    ('12 B', '1.5 KiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n < 1024 or unit == "GiB":
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1024
    return ""


def _rows(model: Any) -> list[tuple[Any, Any, int, int | None]]:
    """(layer, output shape, parameters, bytes kept for one row in training) of each layer, by one real forward."""
    from .feeding import example_rows
    from .random import same_random_numbers

    rows = example_rows(model)
    kept: dict[int, int] = {}
    shapes: dict[int, Any] = {}
    layers = list(model.layers)
    if rows is not None and model.built:
        values = {id(owner(p.value)) for p in model.parameters()}
        state = [(p, p.value.copy()) for p in model.parameters() if p.state]

        def listen(layer: Any) -> Any:
            forward = layer.forward

            def listening(*inputs: Any, **options: Any) -> Any:
                y, cache = forward(*inputs, **options)
                kept[id(layer)] = kept.get(id(layer), 0) + cache_bytes(cache, but=values)
                outs = y if isinstance(y, (list, tuple)) else [y]
                found = [(None, *each.shape[1:]) for each in outs]
                shapes[id(layer)] = found if len(found) > 1 else found[0]
                return y, cache

            return listening

        for layer in layers:
            layer.__dict__["forward"] = listen(layer)
        try:
            with same_random_numbers():
                model.forward(*rows, training=True)
        finally:
            for layer in layers:
                del layer.__dict__["forward"]
            for parameter, value in state:
                parameter.value = value
    return [(layer, shapes.get(id(layer)), layer.count_params() if layer.built else 0, kept.get(id(layer))) for layer in layers]


def summarize(model: Any) -> str:
    """The table that ``model.summary()`` prints."""
    lines = [("layer", "output shape", "parameters", "kept for backward, per row")]
    total = 0
    for layer, shape, size, kept in _rows(model):
        total += kept or 0
        lines.append(
            (
                f"{layer.name} ({type(layer).__name__})",
                _shape_text(shape) if shape is not None else "not built",
                f"{size:,}" if layer.built else "not built",
                human_bytes(kept) if kept is not None else "",
            )
        )
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    text = [
        "  ".join(cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))) for line in lines
    ]
    rule = "-" * max(len(line) for line in text)
    parameters = model.parameters()
    all_ = sum(p.size for p in parameters)
    trained = sum(p.size for p in parameters if p.trainable)
    size = sum(int(p.value.nbytes) for p in parameters)
    return "\n".join(
        [
            f"{type(model).__name__} '{model.name}'",
            rule,
            text[0],
            rule,
            *text[1:],
            rule,
            f"{all_:,} parameters ({human_bytes(size)}), {trained:,} trainable, {all_ - trained:,} not",
            f"kept for backward: {human_bytes(total)} per row of a batch",
        ]
    )
