"""Sequential: layers one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .errors import ShapeError
from .graph import Symbol
from .layer import Cache, Layer
from .random import count_name
from .registry import deserialize, serialize
from .training import Trainer
from .types import Array
from .view import view_of


class Sequential(Trainer, Layer):
    """A model in which each layer's output is the next one's input.

    Parameters
    ----------
    layers : list of Layer, optional
        An ``Input`` may come first; without one the layers are built by the first data.
    name : str, optional

    Examples
    --------
    >>> import numpy as np, ls_core
    >>> from ls_layers import Dense
    >>> ls_core.set_seed(0)
    >>> model = Sequential([Dense(4, activation='tanh'), Dense(1)])
    >>> y, cache = model.forward(np.ones((2, 3)))
    >>> dx = model.backward(np.ones_like(y), cache)
    >>> y.shape, dx.shape, [p.path for p in model.parameters()]
    ((2, 1), (2, 3), ['sequential/dense/kernel', 'sequential/dense/bias', 'sequential/dense_1/kernel', 'sequential/dense_1/bias'])
    """

    supports_masking = True

    def __init__(self, layers: Iterable[Any] | None = None, trainable: bool = True, name: str | None = None, **options: Any) -> None:
        super().__init__(name=name or count_name("sequential"), **options)
        self._layers: list[Layer] = []
        self._input: Symbol | None = None
        self._seen_shape: Any = None  # of the first data, the batch left open; a file needs it to build the layers
        for layer in layers or []:
            self.add(layer)
        if not trainable:
            self.trainable = False

    @property
    def layers(self) -> list[Layer]:
        """The layers, in order."""
        return list(self._layers)

    def add(self, layer: Any) -> None:
        """Append a layer (or, at the start, an ``Input``)."""
        if isinstance(layer, Symbol) and not self._layers:
            self._input = layer
            return
        if not isinstance(layer, Layer):
            raise TypeError(f"Sequential takes layers, not {type(layer).__name__}: {layer!r}")
        if self in layer._flatten():
            raise ValueError(f"{self} can't stand in itself, and {layer} holds it")
        if any(layer is known for known in self._layers):
            raise ValueError(f"{layer} stands in {self} already; to share its Parameters use Model, or make a second layer")
        self._adopt(layer)
        self._layers.append(layer)
        self.built = False
        self._build_if_known()

    def pop(self) -> Layer:
        """Take the last layer out."""
        layer = self._layers.pop()
        self._sublayers.remove(layer)
        return layer

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer called ``name``, or the one at place ``index``."""
        return find_layer(self, self._layers, name, index)

    def _build_if_known(self) -> None:
        if self._input is not None and None not in self._input.shape[1:]:
            shape: Any = self._input.shape
            self._seen_shape = shape
            for layer in self._layers:
                if isinstance(shape, list):
                    return
                layer.ensure_built(shape)
                shape = layer.output_shape(shape)
            self.built = bool(self._layers)

    def build(self, input_shape: Any) -> None:
        self._seen_shape = input_shape
        for i, layer in enumerate(self._layers):
            try:
                layer.ensure_built(input_shape)
                if i + 1 < len(self._layers):
                    input_shape = layer.output_shape(input_shape)
            except ShapeError as error:
                raise self._with_origin(error, i) from None

    def _build_on(self, inputs: tuple[Any, ...]) -> None:
        self.built = True  # each layer builds itself on the data that reaches it
        self._seen_shape = (None, *inputs[0].shape[1:])

    def output_shape(self, input_shape: Any) -> Any:
        for layer in self._layers:
            input_shape = layer.output_shape(input_shape)
        return input_shape

    @property
    def makes_mask(self) -> bool:  # type: ignore[override]
        return any(layer.makes_mask for layer in self._layers)

    def forward(self, x: Array, mask: Array = None, training: bool = False) -> Any:
        caches = []
        for i, layer in enumerate(self._layers):
            try:
                if mask is not None and layer.takes_mask:
                    y, cache = layer.forward(x, mask=mask, training=training)
                else:
                    y, cache = layer.forward(x, training=training)
            except ShapeError as error:
                raise self._with_origin(error, i) from None
            if mask is not None or layer.makes_mask:
                mask = next_mask(layer, x, mask, cache)
            caches.append(cache)
            x = y
        return x, caches, mask

    def backward(self, dy: Any, cache: Any, input_gradient: bool = True) -> Any:
        first = 0 if input_gradient else self._first_with_weights()
        for i in range(len(self._layers) - 1, first - 1, -1):
            dy = self._layers[i].backward(dy, cache.pop(), input_gradient or i > first)
        return dy if input_gradient else None

    def _first_with_weights(self) -> int:
        for i, layer in enumerate(self._layers):
            if any(inner._weights for inner in layer._flatten()):
                return i
        return len(self._layers)

    def _with_origin(self, error: ShapeError, i: int) -> ShapeError:
        if error.origin is None and error.axis is not None and i > 0:
            error.origin = axis_origin(self._layers[i - 1], error.axis)
        return error

    def without_closing_activation(self) -> tuple[Layer, Any] | None:
        if not self._layers:
            return None
        found = self._layers[-1].without_closing_activation()
        if found is None:
            return None
        return view_of(self, "_layers", [*self._layers[:-1], found[0]]), found[1]

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"name": self.name, "layers": [serialize(layer) for layer in self._layers]}
        if self._input is not None:
            config["input"] = {"shape": list(self._input.shape[1:]), "dtype": self._input.dtype, "name": self._input.name}
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Sequential:
        from .graph import Input

        model = cls(name=config.get("name"))
        if config.get("input"):
            model.add(Input(tuple(config["input"]["shape"]), dtype=config["input"]["dtype"], name=config["input"]["name"]))
        for spec in config["layers"]:
            model.add(deserialize("layer", spec))
        return model


def next_mask(layer: Layer, inputs: Any, mask: Any, cache: Cache) -> Any:
    """The mask of ``layer``'s output; a container has it in its cache already."""
    if isinstance(layer, Trainer) or cache.mask is not None:
        return cache.mask
    return layer.compute_mask(inputs, mask)


def axis_origin(maker: Layer, axis: int) -> str:
    """Which layer made the axis that does not fit."""
    names = maker.output_axes
    where = f"the {names[axis]} axis" if names and -len(names) <= axis < 0 else f"axis {axis}"
    return f"That is {where} of {maker}'s output."


def find_layer(model: Layer, layers: list[Layer], name: str | None, index: int | None) -> Layer:
    """The layer called ``name`` or at place ``index``, or an error that lists those there are."""
    if (name is None) == (index is None):
        raise ValueError(f"{model}: get_layer takes a name or an index, get_layer('dense') or get_layer(index=0)")
    if index is not None:
        if not -len(layers) <= index < len(layers):
            raise ValueError(f"{model} has {len(layers)} layers, no layer {index}")
        return layers[index]
    for layer in layers:
        if layer.name == name:
            return layer
    raise ValueError(f"{model} has no layer '{name}'; its layers are {', '.join(each.name for each in layers)}")
