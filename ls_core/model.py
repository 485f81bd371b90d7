"""Model: a graph of layers with several inputs and outputs, shared layers, and gradients that add up."""

from __future__ import annotations

from typing import Any

from .errors import ShapeError
from .graph import Input, Node, Symbol, by_depth, nodes_between, shape_options
from .layer import Layer, derived
from .protocol import PenalizedCache, leaves
from .random import count_name
from .registry import deserialize, serialize
from .sequential import axis_origin, find_layer, next_mask
from .training import Trainer
from .types import Array
from .view import view_of


class Model(Trainer, Layer):
    """A model from ``Input``s to outputs: ``Model(inputs, outputs)``; or a base class to derive from.

    Where a value is used several times its gradients are added; a layer called twice is one set of
    Parameters and two caches.

    Parameters
    ----------
    inputs, outputs : Symbol, list of Symbol or dict of Symbol
        What ``Input`` and layer calls returned.
    name : str, optional

    Raises
    ------
    ValueError
        An output depends on an Input that is not among ``inputs``.

    Examples
    --------
    >>> import numpy as np
    >>> from ls_layers import Add, Dense
    >>> a, b = Input((3,), name='a'), Input((3,), name='b')
    >>> shared = Dense(2)
    >>> model = Model([a, b], Add()([shared(a), shared(b)]))
    >>> y, cache = model.forward(np.ones((4, 3)), np.ones((4, 3)))
    >>> [g.shape for g in model.backward(np.ones_like(y), cache)], len(model.parameters())
    ([(4, 3), (4, 3)], 2)
    """

    supports_masking = True

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, trainable: bool = True, **options: Any) -> None:
        super().__init__(name=name or count_name("model" if type(self) is Model else type(self).__name__.lower()), **options)
        self._inputs_as, self._outputs_as = inputs, outputs
        self._symbols_in: list[Symbol] = _listed(inputs)
        self._symbols_out: list[Symbol] = _listed(outputs)
        self._nodes: list[Node] = []
        for symbol in (*self._symbols_in, *self._symbols_out):
            if not isinstance(symbol, Symbol):
                raise TypeError(f"{self}: inputs and outputs are Inputs and what layers called on them returned, not {symbol!r}")
        if bool(self._symbols_in) != bool(self._symbols_out):
            raise ValueError(f"{self} needs inputs and outputs, Model(inputs, outputs); or neither, for a class derived from Model")
        if self._symbols_in:
            self._slots: dict[int, int] = {}
            self._plan_graph()
        if not trainable:
            self.trainable = False

    _seen_shape: Any = None  # of a derived class's first data, the batch left open; a file needs it to build the layers

    def _build_on(self, inputs: tuple[Any, ...]) -> None:
        super()._build_on(inputs)
        if not self._symbols_in and len(inputs) == 1 and hasattr(inputs[0], "shape"):
            self._seen_shape = (None, *inputs[0].shape[1:])

    # --- the plan: numbered values, and one step per node ------------------------------------------

    def _plan_graph(self) -> None:
        self._nodes = nodes_between(self._symbols_in, self._symbols_out, self)
        for symbol in self._symbols_in:
            self._slots[id(symbol)] = len(self._slots)
        for node in self._nodes:
            for symbol in node.outputs:
                self._slots[id(symbol)] = len(self._slots)
        for layer in by_depth(self._nodes, self._symbols_out):
            self._adopt(layer)
        for node in self._nodes:  # built here, when the names and so the random streams are known
            shapes: Any = [s.shape for s in node.inputs]
            node.layer.ensure_built(shapes[0] if len(shapes) == 1 else shapes)
        self.built = True
        self._steps = [self._step(node, node.layer) for node in self._nodes]
        self._in_slots = [self._slots[id(s)] for s in self._symbols_in]
        self._out_slots = [self._slots[id(s)] for s in self._symbols_out]
        weighted: set[int] = set()  # values that some Parameter had a part in
        for layer, _sources, _, gradients, outs in self._steps:
            if any(inner._weights for inner in layer._flatten()) or weighted.intersection(gradients):
                weighted.update(outs)
        self._weighted = weighted

    def _step(self, node: Node, layer: Layer) -> tuple[Layer, list[int], dict[str, Any], list[int | None], list[int]]:
        sources = [self._slots[id(s)] for s in node.inputs]
        gradients: list[int | None] = list(sources)
        for name in layer.gradient_keywords:
            given = [s for s in leaves([node.options.get(name)]) if s is not None]
            gradients += [self._slots[id(s)] if isinstance(s, Symbol) else None for s in given]  # a constant's goes nowhere
        options = {name: _number(value, self._slots) for name, value in node.options.items()}
        return layer, sources, options, gradients, [self._slots[id(s)] for s in node.outputs]

    @property
    def layers(self) -> list[Layer]:
        """The layers, each once, in Keras' order: those farthest from the outputs first."""
        return list(self._sublayers)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer called ``name``, or the one at place ``index`` of ``layers``."""
        return find_layer(self, self.layers, name, index)

    @derived
    def inputs(self) -> list[Symbol]:
        """The Inputs, in order; with ``outputs`` they make a model of a part of this one."""
        return list(self._symbols_in)

    @derived
    def outputs(self) -> list[Symbol]:
        """What the model gives, as Symbols that further layers may be called on."""
        return list(self._symbols_out)

    @property
    def input_names(self) -> list[str]:
        """The names by which ``fit`` takes a dict of inputs."""
        if isinstance(self._inputs_as, dict):
            return list(self._inputs_as)
        return [s.name or f"input_{i}" for i, s in enumerate(self._symbols_in)]

    @property
    def output_names(self) -> list[str]:
        """The names by which ``compile`` and ``fit`` take dicts of losses, weights and targets."""
        if isinstance(self._outputs_as, dict):
            return list(self._outputs_as)
        return [s.node.layer.name if s.node else s.name or "output" for s in self._symbols_out]

    @property
    def makes_mask(self) -> bool:  # type: ignore[override]
        return any(layer.makes_mask for layer in self.layers)

    def output_shape(self, input_shape: Any) -> Any:
        if not self._symbols_in:
            raise NotImplementedError(
                f"{self}: a class derived from Model tells its output's shape itself; write output_shape(input_shape)"
            )
        shapes: dict[int, Any] = dict(zip(self._in_slots, input_shape if isinstance(input_shape, list) else [input_shape], strict=True))
        for layer, sources, options, _, outs in self._steps:
            given = [shapes[s] for s in sources]
            result = layer.output_shape(given[0] if len(given) == 1 else given, **shape_options(layer, options))
            shapes.update(zip(outs, result if isinstance(result, list) else [result], strict=True))
        found = [shapes[s] for s in self._out_slots]
        return found if isinstance(self._outputs_as, (list, tuple, dict)) else found[0]

    # --- both passes -----------------------------------------------------------------------------

    def forward(self, *inputs: Any, mask: Any = None, training: bool = False) -> Any:
        if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
            inputs = tuple(inputs[0])
        elif len(inputs) == 1 and isinstance(inputs[0], dict):
            inputs = tuple(inputs[0][name] for name in self.input_names)
        if len(inputs) != len(self._in_slots):
            raise ValueError(f"{self} takes {len(self._in_slots)} inputs ({', '.join(self.input_names)}), {len(inputs)} came")
        values: list[Any] = [None] * len(self._slots)
        masks: list[Any] = [None] * len(self._slots)
        for slot, x, m in zip(self._in_slots, inputs, mask if isinstance(mask, (list, tuple)) else [mask] * len(inputs), strict=True):
            values[slot], masks[slot] = x, m
        caches = []
        for layer, sources, options, _, outs in self._steps:
            given = [values[s] for s in sources]
            known = [masks[s] for s in sources]
            if options:
                options = {k: _fill(v, values) for k, v in options.items()}
            if layer.takes_mask and any(m is not None for m in known) and "mask" not in options:
                options = {**options, "mask": known[0] if len(known) == 1 else known}
            try:
                y, cache = layer.forward(*given, training=training, **options)
            except ShapeError as error:
                raise self._with_origin(error, layer, sources) from None
            caches.append(cache)
            if len(outs) == 1:
                values[outs[0]] = y
            else:
                for slot, each in zip(outs, y, strict=True):
                    values[slot] = each
            if layer.makes_mask or any(m is not None for m in known):
                single = len(given) == 1
                found = next_mask(layer, given[0] if single else given, known[0] if single else known, cache)
                for slot, each in zip(outs, found if isinstance(found, (list, tuple)) else [found], strict=False):
                    masks[slot] = each  # as in Keras a single mask is that of the first output
        results = [values[s] for s in self._out_slots]
        out_masks = [masks[s] for s in self._out_slots]
        if isinstance(self._outputs_as, dict):
            return dict(zip(self._outputs_as, results, strict=True)), caches, out_masks
        if isinstance(self._outputs_as, (list, tuple)):
            return results, caches, out_masks
        return results[0], caches, out_masks[0]

    def backward(self, dy: Any, cache: Any, input_gradient: bool = True) -> Any:
        if isinstance(dy, dict):
            dy = [dy.get(name) for name in self.output_names]
        grads: list[Array] = [None] * len(self._slots)
        for slot, each in zip(self._out_slots, dy if isinstance(dy, (list, tuple)) else [dy], strict=True):
            grads[slot] = _sum(grads[slot], each)
        for layer, _, _, targets, outs in reversed(self._steps):
            kept = cache.pop()
            given = [grads[s] for s in outs]
            for slot in outs:
                grads[slot] = None
            wanted = input_gradient or any(s in self._weighted for s in targets)
            reached = any(g is not None for g in given) or isinstance(kept, PenalizedCache)
            if not reached or not (wanted or self._weighted.intersection(outs)):
                continue
            dx = layer.backward(given[0] if len(outs) == 1 else tuple(given), kept, wanted)
            if wanted:
                for target, each in zip(targets, dx if isinstance(dx, (list, tuple)) else [dx], strict=True):
                    if target is not None:
                        grads[target] = _sum(grads[target], each)
        if not input_gradient:
            return None
        found = tuple(grads[s] for s in self._in_slots)
        return found if len(found) > 1 else found[0]

    def _with_origin(self, error: ShapeError, layer: Layer, sources: list[int]) -> ShapeError:
        if error.origin is None and error.axis is not None:
            for maker, _, _, _, outs in self._steps:
                if sources[0] in outs:
                    error.origin = axis_origin(maker, error.axis)
        return error

    def without_closing_activation(self) -> tuple[Layer, Any] | None:
        if len(self._out_slots) != 1:
            return None
        return self.without_closing_activation_of(self._out_slots[0])

    def without_closing_activation_of(self, slot: int) -> tuple[Layer, Any] | None:
        """A view of this model whose output ``slot`` ends before its softmax or sigmoid; None if it can't."""
        makers = [i for i, step in enumerate(self._steps) if step[4] == [slot]]
        read_again = any(slot in step[1] or slot in step[3] for step in self._steps)
        if not makers or read_again:
            return None
        found = self._steps[makers[0]][0].without_closing_activation()
        if found is None:
            return None
        steps = [(found[0], *step[1:]) if i == makers[0] else step for i, step in enumerate(self._steps)]
        return view_of(self, "_steps", steps), found[1]

    # --- configuration: the layers, and who reads whose output ---------------------------------------

    def get_config(self) -> dict[str, Any]:
        if not self._nodes and not self._symbols_in:
            return super().get_config()
        places: dict[int, list[int]] = {id(s): [-1, i] for i, s in enumerate(self._symbols_in)}
        for n, node in enumerate(self._nodes):
            places.update({id(s): [n, i] for i, s in enumerate(node.outputs)})
        layers = self.layers
        return {
            "name": self.name,
            "inputs": [{"shape": list(s.shape[1:]), "dtype": s.dtype, "name": s.name} for s in self._symbols_in],
            "layers": [serialize(layer) for layer in layers],
            "nodes": [
                {
                    "layer": layers.index(node.layer),
                    "inputs": [places[id(s)] for s in node.inputs],
                    "options": {k: _write(v, places) for k, v in node.options.items()},
                }
                for node in self._nodes
            ],
            "outputs": [places[id(s)] for s in self._symbols_out],
            "inputs_as": _form(self._inputs_as),
            "outputs_as": _form(self._outputs_as),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Model:
        if "nodes" not in config:
            return cls(**config)
        inputs = [Input(tuple(i["shape"]), dtype=i["dtype"], name=i["name"]) for i in config["inputs"]]
        layers = [deserialize("layer", spec) for spec in config["layers"]]
        made: list[list[Symbol]] = []

        def read(value: Any) -> Any:
            if isinstance(value, dict) and set(value) == {"symbol"}:
                node, index = value["symbol"]
                return inputs[index] if node < 0 else made[node][index]
            return [read(v) for v in value] if isinstance(value, list) else value

        for node in config["nodes"]:
            args = [read({"symbol": place}) for place in node["inputs"]]
            result = layers[node["layer"]](*args, **{k: read(v) for k, v in node["options"].items()})
            made.append(result if isinstance(result, list) else [result])
        outputs = [read({"symbol": place}) for place in config["outputs"]]
        return cls(_reform(inputs, config["inputs_as"]), _reform(outputs, config["outputs_as"]), name=config["name"])


def _sum(a: Array, b: Array) -> Array:
    """a + b, in a new array: neither is ours to write to."""
    return b if a is None else a if b is None else a + b


def _listed(symbols: Any) -> list[Symbol]:
    if symbols is None:
        return []
    if isinstance(symbols, dict):
        return list(symbols.values())
    return list(symbols) if isinstance(symbols, (list, tuple)) else [symbols]


def _form(symbols: Any) -> Any:
    return list(symbols) if isinstance(symbols, dict) else "list" if isinstance(symbols, (list, tuple)) else "one"


def _reform(symbols: list[Symbol], form: Any) -> Any:
    if isinstance(form, list):
        return dict(zip(form, symbols, strict=True))
    return symbols if form == "list" else symbols[0]


class _Slot(int):
    """Stands in a call's keywords for the value of that number; a copy of the model can read it, unlike a Symbol's id."""


def _number(value: Any, slots: dict[int, int]) -> Any:
    if isinstance(value, Symbol):
        return _Slot(slots[id(value)])
    return [_number(v, slots) for v in value] if isinstance(value, (list, tuple)) else value


def _fill(value: Any, values: list[Any]) -> Any:
    if isinstance(value, _Slot):
        return values[value]
    return [_fill(v, values) for v in value] if isinstance(value, (list, tuple)) else value


def _write(value: Any, places: dict[int, list[int]]) -> Any:
    if isinstance(value, Symbol):
        return {"symbol": places[id(value)]}
    return [_write(v, places) for v in value] if isinstance(value, (list, tuple)) else serialize(value)
