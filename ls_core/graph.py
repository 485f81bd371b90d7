"""Symbols: what a layer called on ``Input(...)`` returns, and the nodes that remember the call."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from .layer import Layer
from .protocol import leaves
from .types import Shape


class Symbol:
    """A value of a graph that has a shape and no data yet. Made by ``Input`` and by layer calls."""

    __slots__ = ("shape", "dtype", "name", "node", "index")

    def __init__(self, shape: Shape, dtype: str | None, name: str | None, node: Node | None, index: int = 0) -> None:
        self.shape = shape
        self.dtype = dtype
        self.name = name
        self.node = node  # None for an Input
        self.index = index  # which output of the node

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        maker = "Input" if self.node is None else repr(self.node.layer)
        return f"<Symbol {self.shape} of {maker}>"


class Node:
    """One call of a layer: its inputs, its keyword arguments, its outputs."""

    __slots__ = ("layer", "inputs", "options", "outputs")

    def __init__(self, layer: Layer, inputs: tuple[Symbol, ...], options: dict[str, Any]) -> None:
        self.layer = layer
        self.inputs = inputs
        self.options = options
        self.outputs: list[Symbol] = []

    def sources(self) -> Iterator[Symbol]:
        """Every Symbol that the call reads: the positional inputs, then the keyword ones."""
        yield from self.inputs
        for value in self.options.values():
            yield from (s for s in leaves([value]) if isinstance(s, Symbol))


def Input(
    shape: tuple[int | None, ...] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    name: str | None = None,
    **keras_only: Any,
) -> Symbol:
    """An input of a ``Model``: its shape without the batch axis, and optionally its dtype and name.

    >>> Input((20,), dtype='int32', name='tokens').shape
    (None, 20)
    """
    whole = keras_only.pop("batch_shape", None)
    if whole is not None:
        batch_size, shape = whole[0], tuple(whole[1:])
    for key, value in keras_only.items():
        if value:
            raise TypeError(f"Input() takes no argument {key!r}")
    if shape is None:
        raise ValueError("Input needs a shape, without the batch axis: Input((28, 28, 1))")
    if isinstance(shape, int):
        raise ValueError(f"Input's shape is a tuple, without the batch axis: Input(({shape},)), not Input({shape})")
    return Symbol((batch_size, *shape), dtype, name, None)


def shape_options(layer: Layer, options: dict[str, Any]) -> dict[str, Any]:
    """Those of a call's keyword arguments that the layer's ``output_shape`` names, since they change the outputs."""
    names = inspect.signature(layer.output_shape).parameters
    return {name: value for name, value in options.items() if name in names}


def call_on_symbols(layer: Layer, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Record ``layer(*inputs, **options)``; returns its output Symbol, or a list of them."""
    if not all(isinstance(x, Symbol) for x in inputs):
        raise TypeError(f"{layer} is called on Inputs and data at once; use Inputs for all of them")
    options.pop("training", None)
    node = Node(layer, inputs, options)
    shapes: Any = [s.shape for s in inputs]
    shapes = shapes[0] if len(shapes) == 1 else shapes
    if layer._symbolic_shape is None:
        object.__setattr__(layer, "_symbolic_shape", shapes)
    result = layer.output_shape(shapes, **shape_options(layer, options))
    several = isinstance(result, list)
    node.outputs = [Symbol(tuple(s), None, None, node, i) for i, s in enumerate(result if several else [result])]
    return node.outputs if several else node.outputs[0]


def nodes_between(inputs: list[Symbol], outputs: list[Symbol], model: Layer) -> list[Node]:
    """The nodes from inputs to outputs, each after those that it reads."""
    known = {id(s) for s in inputs}
    order: list[Node] = []
    done: set[int] = set()
    stack: list[tuple[Symbol, bool]] = [(s, False) for s in reversed(outputs)]
    while stack:
        symbol, ready = stack.pop()
        if id(symbol) in known:
            continue
        if symbol.node is None:
            raise ValueError(f"{model}: an output depends on Input {symbol.name or symbol.shape!r}, which is not among the model's inputs")
        if id(symbol.node) in done:
            continue
        if ready:
            done.add(id(symbol.node))
            order.append(symbol.node)
        else:
            stack.append((symbol, True))
            stack.extend((s, False) for s in reversed(list(symbol.node.sources())))
    return order


def by_depth(nodes: list[Node], outputs: list[Symbol]) -> list[Layer]:
    """The layers of ``nodes``, each once, in the order that Keras gives weights in.

    A layer's depth is the longest way from it to an output; the deepest come first, and among equals the one that a
    walk back from the outputs meets first.
    """
    depths: dict[int, int] = {}  # of nodes
    of_layer: dict[int, int] = {}
    for node in reversed(nodes):
        depth = max(depths.get(id(node), 0), of_layer.get(id(node.layer), 0))
        depths[id(node)] = of_layer[id(node.layer)] = depth
        for source in node.sources():
            if source.node is not None:
                depths[id(source.node)] = max(depths.get(id(source.node), 0), depth + 1)
    members = {id(node) for node in nodes}
    met: dict[Layer, int] = {}
    stack = list(reversed(outputs))
    seen: set[int] = set()
    while stack:
        node_met = stack.pop().node
        if node_met is not None and id(node_met) in members and id(node_met) not in seen:
            seen.add(id(node_met))
            met.setdefault(node_met.layer, len(met))
            stack.extend(reversed(list(node_met.sources())))
    return sorted(met, key=lambda layer: (-of_layer[id(layer)], met[layer]))
