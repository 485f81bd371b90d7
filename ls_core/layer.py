"""Layer: the protocol that every layer keeps, and the ownership rules.

::

    y, cache = layer.forward(x, training=False)      # several inputs: forward(x1, x2, ...)
    dx = layer.backward(dy, cache)                   # several inputs: a tuple, None for integer inputs

``backward`` accumulates each Parameter's gradient and returns each input's. ``layer(x)`` is forward
without the cache. ``build(input_shape)`` makes the Parameters, ``output_shape(input_shape)`` needs no data.

Ownership rules (the contract tests hold them):

1. forward never writes to its inputs, backward never to dy or to the cache's arrays. In place only on
   arrays made in this call.
2. An output or dx may be, or may view, the argument (identity, dropout at inference). So whoever sums
   gradients allocates: ``a + b``.
3. ``Parameter.accumulate(g)`` owns a fresh g the first time and adds afterwards. Zeroing a gradient
   drops it; there is no zero-fill.
4. A layer keeps no per-call state: used twice, it gives two caches. A cache is consumed once; a second
   backward is a clear error. What lasts (moving statistics, the state of a stateful RNN) is a
   non-trainable Parameter.
5. ``training`` is an argument. Randomness comes from a named, seeded stream; a kernel gets the mask,
   never the generator.
6. The result's dtype is the input's: Python scalars as constants, no silent clipping, no np.float64
   scalars.
7. No host synchronisation inside a step: losses and norms stay 0-d arrays until something prints them.
8. Weight tying shares one Parameter; it is updated, counted, clipped and saved once.
9. backward is the derivative of that forward. softmax and cross-entropy are fused openly, as one loss on
   logits.

A layer's class writes ``forward`` so that it returns ``(y, saved)`` and ``backward(dy, saved)``; the
protocol around them (build on first use, the cache that is consumed once) is put on when the class is
made: see protocol.py. ``saved`` is whatever backward needs, usually a tuple of arrays.
"""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import current_backend, find_backend, floatx, get_xp, is_float, to_device, to_host
from .errors import NotBuiltError, ShapeError
from .parameter import Parameter
from .protocol import Cache, PenalizedCache, collect_losses, leaves, with_protocol_backward, with_protocol_build, with_protocol_forward
from .random import Stream, forget_streams, random_stream
from .registry import Configurable, deserialize
from .types import Array, Shape
from .view import view_of


class _Loading(threading.local):
    """While this thread loads a file: (path, shape, dtype) -> the stored array. Then nothing is drawn or allocated unchecked."""

    source: Callable[[str, tuple[int, ...], str], np.ndarray] | None = None


loading = _Loading()


# Attributes that may hold layers which are no parts of this one: the constructor's arguments, what texts went through before it.
NO_PARTS = ("_arguments", "_sublayers", "_weights", "vectorizations")


def snake_case(name: str) -> str:
    """'MaxPooling1D' -> 'max_pooling1d', as Keras names layers."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


class derived:
    """A property that an attribute set on the object goes before: a class of the user's may call a layer of its own ``output``."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, layer: Any, kind: Any = None) -> Any:
        return self if layer is None else self.function(layer)


class Layer(Configurable):
    """The base of every layer: subclass it, write ``build``, ``forward``, ``backward``, ``output_shape``.

    Parameters
    ----------
    name : str, optional
        Default: the class name in snake_case; a container makes it unique among its layers.
    trainable : bool
        False freezes every Parameter of the layer.
    dtype : str, optional
        Float type of the Parameters; default: that of the first input, else ``floatx()``.

    Examples
    --------
    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.gamma = self.add_weight(shape=input_shape[-1:], initializer='ones', name='gamma')
    ...     def forward(self, x, training=False):
    ...         return x * self.gamma.value, x                                   # (B, C)
    ...     def backward(self, dy, saved):
    ...         self.gamma.accumulate((dy * saved).sum(axis=0))                  # y = x * gamma
    ...         return dy * self.gamma.value
    >>> layer = Scale()
    >>> y, cache = layer.forward(np.ones((2, 3)))
    >>> layer.backward(np.ones((2, 3)), cache).shape, layer.gamma.grad
    ((2, 3), array([2., 2., 2.]))
    """

    registry_kind = "layer"
    supports_masking = False  # a mask passes through unchanged
    makes_mask = False  # compute_mask makes one from the inputs alone
    input_kind = "floats"  # what fit makes of a column: 'floats', 'ids' (integers stay), 'any' (texts and numbers as they are)
    takes_mask = False  # set for each class: forward has a ``mask`` argument
    gradient_keywords: tuple[str, ...] = ()  # keyword inputs whose gradients follow the positional ones'
    output_axes: tuple[str, ...] = ()  # names of the output's axes after the batch, for error messages

    name: str
    built: bool
    seed: int | None = None  # of this layer's own random numbers; None: they follow set_seed
    _weights: list[Parameter]
    _sublayers: list[Layer]
    _parent: Layer | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = with_protocol_build(cls.build)  # type: ignore[method-assign]
        if "forward" in cls.__dict__:
            cls.takes_mask = "mask" in inspect.signature(cls.forward).parameters
            cls.forward = with_protocol_forward(cls.forward)
        if "backward" in cls.__dict__:
            cls.backward = with_protocol_backward(cls.backward)

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        activity_regularizer: Any = None,
        **keras_only: Any,
    ) -> None:
        for key, value in keras_only.items():
            if not (value is None or key == "autocast"):  # what Keras writes into a configuration and LS has no use for
                raise TypeError(f"{type(self).__name__}() takes no argument {key!r}")
        set_ = object.__setattr__
        set_(self, "_weights", [])
        set_(self, "_sublayers", [])
        set_(self, "_parent", None)
        self.auto_named = name is None
        self.name = name or snake_case(type(self).__name__)
        self.built = False
        self.dtype: str | None = _dtype_name(dtype)
        self._first_dtype: str | None = None
        self._trainable = bool(trainable)
        self.activity_regularizer = deserialize("regularizer", activity_regularizer)
        self._symbolic_shape: Any = None

    # --- what a layer's author writes ------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the Parameters for inputs of ``input_shape`` (batch axis first; a list for several inputs)."""
        self.built = True

    if TYPE_CHECKING:  # a layer names its own inputs and keywords, so the checker sees "any arguments"
        forward: Callable[..., Any]
        backward: Callable[..., Any]
    else:

        def forward(self, *inputs: Any, training: bool = False, **options: Any) -> Any:
            """y, cache = layer.forward(x): the author returns (y, saved)."""
            raise NotImplementedError(f"{type(self).__name__} has no forward")

        def backward(self, dy: Any, cache: Any, input_gradient: bool = True) -> Any:
            """dx = layer.backward(dy, cache): the author gets (dy, saved).

            ``input_gradient=False`` says that nobody needs dx; a layer that names the argument may skip it.
            """
            raise NotImplementedError(f"{type(self).__name__} has no backward")

    def output_shape(self, input_shape: Any) -> Any:
        """The output's shape for inputs of ``input_shape``; default: the same shape.

        A layer whose call has keywords that add outputs (``return_attention_scores``) names them here too.
        """
        return input_shape

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The output's mask; default: the input's where ``supports_masking``, else none."""
        return previous_mask if self.supports_masking else None

    @property
    def adds_loss(self) -> bool:
        """Whether its caches carry a term that ``collect_losses`` finds and the training loop adds."""
        return self.activity_regularizer is not None

    def without_closing_activation(self) -> tuple[Layer, Any] | None:
        """(this layer ending before its softmax or sigmoid, that activation), or None.

        The training loop joins a closing softmax with its cross-entropy on these logits. The view shares
        all else with the layer.
        """
        activation = getattr(self, "activation", None)
        if getattr(activation, "name", None) not in ("softmax", "sigmoid") or self.adds_loss:  # its penalty is on the output
            return None
        return view_of(self, "activation", deserialize("activation", "linear")), activation

    # --- what a layer's author calls -------------------------------------------------------------

    def add_weight(
        self,
        shape: Iterable[int] = (),
        initializer: Any = "glorot_uniform",
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str = "weight",
        state: bool = False,
    ) -> Parameter:
        """A new Parameter of this layer, drawn in NumPy from the stream ``path/name``, then moved."""
        shape = tuple(int(s) for s in shape)
        kind = str(np.dtype(dtype)) if dtype is not None else self._float_type()
        if dtype is None and not is_float(np.empty(0, kind)):
            raise TypeError(f"{self}: dtype {kind!r} is no float type, and its Parameters are floats; use 'float32' or another")
        path = f"{self.path}/{name}"
        if loading.source is not None:
            host = loading.source(path, shape, kind)
            kind = str(host.dtype)
        else:
            draw = deserialize("initializer", initializer)
            own = "stream" not in inspect.signature(draw).parameters  # a function of the shape and the dtype, as for Keras
            host = draw(shape, dtype=kind) if own else draw(shape, dtype=kind, stream=random_stream(path))
            if np.shape(host) != shape:
                raise ValueError(f"{self}: the initializer of '{name}' gave shape {np.shape(host)}, it was asked for {shape}")
        parameter = Parameter(
            to_device(np.asarray(host, dtype=kind, order="C")),
            name=name,
            trainable=trainable and self._trainable,
            state=state,
            regularizer=deserialize("regularizer", regularizer),
            constraint=deserialize("constraint", constraint),
        )
        self._adopt_weight(parameter)
        return parameter

    def _float_type(self) -> str:
        """The type that was asked for, else that of the first input; a layer within another follows it."""
        layer: Layer | None = self
        while layer is not None:
            if layer.dtype or layer._first_dtype:
                return layer.dtype or layer._first_dtype or ""
            layer = layer._parent
        return floatx()

    def stream(self, use: str) -> Stream:
        """This layer's own random stream for ``use`` ('mask', 'noise' ...); on the layer's ``seed`` if it has one."""
        return random_stream(f"{self.path}/{use}", self.seed)

    def check_rank(self, x: Array, rank: int, axes: str) -> None:
        """Raise unless ``x`` has ``rank`` axes, which the message calls ``axes``."""
        if x.ndim != rank:
            raise ShapeError(f"{self}: the input has {x.ndim} axes, shape {tuple(x.shape)}; it wants {rank}: {axes}.")

    # --- Parameters ------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Layer):
            self._adopt(value)
        elif isinstance(value, Parameter):
            self._adopt_weight(value, instead_of=self.__dict__.get(name))
        elif isinstance(value, (list, tuple, dict)) and name not in NO_PARTS:
            self._adopt_all(value)
        object.__setattr__(self, name, value)

    def _adopt_all(self, values: Any) -> None:
        for each in leaves([list(values.values()) if isinstance(values, dict) else values]):
            if isinstance(each, Layer):
                self._adopt(each)

    def _adopt_weight(self, parameter: Parameter, instead_of: Parameter | None = None) -> None:
        if any(parameter is known for known in self._weights):
            return
        if parameter.path == parameter.name:  # a tied one keeps the path that its first layer gave it
            parameter.path = f"{self.path}/{parameter.name}"
        for place, known in enumerate(self._weights):
            if known is instead_of:
                self._weights[place] = parameter
                return
        self._weights.append(parameter)

    def _adopt(self, layer: Layer) -> None:
        if layer is self or any(layer is known for known in self._sublayers):
            return
        taken = {known.name for known in self._sublayers}
        if layer.name in taken and layer._parent is None:
            if not layer.auto_named:
                raise ValueError(f"{self} has a layer called '{layer.name}' already; give each layer a name of its own")
            number = 1
            while f"{layer.name}_{number}" in taken:
                number += 1
            layer.name = f"{layer.name}_{number}"
        if layer._parent is None:
            object.__setattr__(layer, "_parent", self)
            for inner in layer._flatten():
                for parameter in inner._weights:
                    parameter.path = f"{inner.path}/{parameter.name}"
        self._sublayers.append(layer)

    def _flatten(self) -> Iterator[Layer]:
        """This layer and every layer inside, each once."""
        seen: set[int] = set()
        stack: list[Layer] = [self]
        while stack:
            layer = stack.pop()
            if id(layer) not in seen:
                seen.add(id(layer))
                yield layer
                stack.extend(reversed(layer._sublayers))

    @property
    def path(self) -> str:
        """The layer's place: the names of the containers and its own, joined by '/'."""
        return self.name if self._parent is None else f"{self._parent.path}/{self.name}"

    def parameters(self) -> list[Parameter]:
        """Every Parameter once, in Keras' weight order: own ones, state after the rest, then the sublayers'."""
        if not self.built and self._symbolic_shape is not None:
            self.ensure_built(self._symbolic_shape)
        found: dict[int, Parameter] = {}
        for layer in self._flatten():
            for parameter in sorted(layer._weights, key=lambda p: p.state):
                found.setdefault(id(parameter), parameter)
        return list(found.values())

    def trainable_parameters(self) -> list[Parameter]:
        """The Parameters that an optimiser may change."""
        return [p for p in self.parameters() if p.trainable]

    @derived
    def weights(self) -> list[Parameter]:
        """``parameters()``, under Keras' name."""
        return self.parameters()

    @derived
    def trainable_weights(self) -> list[Parameter]:
        """``trainable_parameters()``, under Keras' name."""
        return self.trainable_parameters()

    @derived
    def non_trainable_weights(self) -> list[Parameter]:
        """The Parameters that no optimiser changes: frozen ones, and what layers remember."""
        return [p for p in self.parameters() if not p.trainable]

    def count_params(self) -> int:
        """How many numbers the Parameters hold."""
        return sum(p.size for p in self.parameters())

    @property
    def trainable(self) -> bool:
        """Whether training changes this layer; setting it reaches every layer inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten():
            layer._trainable = bool(value)
            for parameter in layer._weights:
                parameter.trainable = bool(value) and not parameter.state

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all Parameters on the host, in Keras' weight order."""
        return [np.array(p.numpy()) for p in self.parameters()]

    def set_weights(self, weights: Iterable[Any]) -> None:
        """Copy arrays into the Parameters, in the order of ``get_weights``.

        Raises
        ------
        NotBuiltError, ValueError
            The layer is not built, or the number or a shape differs.
        """
        weights, parameters = list(weights), self.parameters()
        if not self.built:
            raise NotBuiltError(f"{self} is not built: call it on data, or build(input_shape), before set_weights")
        if len(weights) != len(parameters):
            names = ", ".join(f"{p.name}{tuple(p.shape)}" for p in parameters)
            raise ValueError(f"{self} has {len(parameters)} weights ({names}), {len(weights)} were given")
        for parameter, value in zip(parameters, weights, strict=True):
            parameter.assign(value)

    def to(self, backend: str) -> Layer:
        """Move every Parameter to ``backend`` ('numpy', 'cupy', 'cpu', 'gpu'); returns the layer."""
        target = find_backend(backend)
        for parameter in self.parameters():
            parameter.value = to_device(parameter.value, target)
            parameter.drop_grad()
        return self

    def as_type(self, dtype: str) -> Layer:
        """Convert every float Parameter to ``dtype``; returns the layer."""
        for layer in self._flatten():
            layer.dtype = dtype
            for parameter in layer._weights:
                if parameter.dtype.kind in "fc":
                    parameter.value = parameter.value.astype(dtype)
                    parameter.drop_grad()
        return self

    # --- building and calling --------------------------------------------------------------------

    def ensure_built(self, input_shape: Any) -> None:
        """``build`` once; later calls do nothing."""
        if not self.built:
            for name, value in list(vars(self).items()):  # what was appended to a list since __setattr__ saw it
                if isinstance(value, (list, tuple, dict)) and name not in NO_PARTS:
                    self._adopt_all(value)
            if self.seed is not None:  # two layers made alike draw alike
                forget_streams(self.path)
            self.build(input_shape)

    def _build_on(self, inputs: tuple[Any, ...]) -> None:
        for x in leaves(inputs):
            if isinstance(x, (int, float)) or (hasattr(x, "shape") and not hasattr(x, "dtype")):
                made = "of a list make one with np.array(...)" if isinstance(x, (int, float)) else "take its .to_numpy()"
                raise TypeError(f"{self} takes arrays, and a {type(x).__name__} came; {made}")
        arrays = [x for x in leaves(inputs) if hasattr(x, "shape")]
        if self._first_dtype is None:
            floats = [str(x.dtype) for x in arrays if x.dtype.kind == "f"]
            object.__setattr__(self, "_first_dtype", floats[0] if floats else None)
        shapes: list[Any] = [_shape_of(x) for x in inputs if x is not None]
        self.ensure_built(shapes[0] if len(shapes) == 1 else shapes)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """forward without the cache; on ``Input``s, a new value of the graph that Model takes."""
        from .graph import Symbol, call_on_symbols

        if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)) and not isinstance(next(iter(inputs[0]), None), str):
            inputs = tuple(inputs[0])
        if any(isinstance(x, Symbol) for x in leaves((inputs, list(options.values())))):
            return call_on_symbols(self, inputs, options)
        return self.forward(*inputs, **options)[0]

    @derived
    def output(self) -> Any:
        """What this layer gives in the graph of the Model that it belongs to: a Symbol, or a list of them.

        ``Model(model.inputs, model.get_layer('features').output)`` is the model as far as that layer.

        Raises
        ------
        AttributeError
            The layer stands in no such graph, or in several places of it.
        """
        calls = [node for node in getattr(self._parent, "_nodes", ()) if node.layer is self]
        if len(calls) != 1:
            found = "in no graph of a Model" if not calls else f"in {len(calls)} places of {self._parent}"
            raise AttributeError(f"{self} stands {found}, so it has no one output; keep what its call on an Input returns")
        outputs = calls[0].outputs
        return outputs[0] if len(outputs) == 1 else outputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(name=self.name, trainable=self._trainable, dtype=self.dtype)
        return config

    def __repr__(self) -> str:
        return f"{type(self).__name__} '{self.name}'"


def _shape_of(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return [_shape_of(each) for each in x]
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def _dtype_name(dtype: Any) -> str | None:
    """The float type's name from a name, a NumPy dtype, or Keras' DTypePolicy in a configuration."""
    if dtype is None:
        return None
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    if isinstance(dtype, str) and dtype.startswith("mixed_"):
        raise ValueError(f"dtype {dtype!r}: LS sets mixed precision for a whole model, not for a layer; use 'float32'")
    return str(np.dtype(dtype)) if dtype is not None else None


__all__ = ["Array", "Cache", "Layer", "PenalizedCache", "Shape", "collect_losses", "current_backend", "get_xp", "snake_case", "to_host"]
