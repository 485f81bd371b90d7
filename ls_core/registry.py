"""Names to classes: the closed list that configurations, files and strings like 'adam' may pick from.

ls_layers, ls_optim and the packages above fill it when they are imported; a file can name only what
stands here, never an import path. ``Configurable`` derives ``get_config`` from the constructor.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

_registry: dict[str, dict[str, Any]] = {}
# The module that fills a kind, imported when a name is asked for before it was. These names are all that ls_core knows of
# the packages above it.
_PROVIDERS = {
    "layer": "ls_layers",
    "activation": "ls_layers",
    "optimizer": "ls_optim",
    "schedule": "ls_optim.schedules",
    "loss": "ls_core.losses",
    "metric": "ls_core.metrics",
    "callback": "ls_core.callbacks",
    "initializer": "ls_core.initializers",
    "regularizer": "ls_core.regularizers",
    "constraint": "ls_core.constraints",
}

# What an object must have that is given in place of a name, and how to make such a one.
_NEEDS = {
    "activation": ("backward", "Pair it with its derivative: ls_core.ActivationFunction(name, forward, backward)."),
    "regularizer": ("gradient", "Derive from ls_core.regularizers.Regularizer."),
}

T = TypeVar("T")


def _key(name: str) -> str:
    return name.replace("_", "").lower()


def register(kind: str, name: str, thing: Any, aliases: Iterable[str] = ()) -> None:
    """Make ``thing`` known as ``name`` among the ``kind``; case and underscores do not count."""
    for each in (name, *aliases):
        _registry.setdefault(kind, {})[_key(each)] = thing


def register_module(kind: str, names: dict[str, Any], base: type) -> None:
    """Register every public class in ``names`` that derives from ``base``."""
    for name, thing in names.items():
        if isinstance(thing, type) and issubclass(thing, base) and not name.startswith("_"):
            register(kind, name, thing)


def lookup(kind: str, name: str) -> Any:
    """The ``kind`` called ``name``.

    Raises
    ------
    ValueError
        Nothing has that name; the message lists close names.
    """
    found = _registry.get(kind, {}).get(_key(name))
    if found is None:
        importlib.import_module(_PROVIDERS[kind])
        found = _registry.get(kind, {}).get(_key(name))
    if found is not None:
        return found
    import difflib

    known = sorted(known_names(kind))
    close = difflib.get_close_matches(name, known, 3, 0.5) or known[:12]
    raise ValueError(
        f"there is no {kind} called {name!r}. Did you mean {', '.join(map(repr, close))}? "
        "A class of your own is made known with @ls_core.register_serializable()."
    )


def known_names(kind: str) -> list[str]:
    """The names under which a ``kind`` can be found, one for each thing."""
    seen: dict[int, str] = {}
    for name, thing in _registry.get(kind, {}).items():
        label = getattr(thing, "__name__", None) or getattr(thing, "name", name)
        seen.setdefault(id(thing), str(label))
    return list(seen.values())


def register_serializable(package: str = "Custom", name: str | None = None) -> Callable[[type[T]], type[T]]:
    """Class decorator: files and configurations may name this class.

    The name in files is ``package>name``, as in Keras' ``register_keras_serializable``.
    """

    def decorate(cls: type[T]) -> type[T]:
        kind = getattr(cls, "registry_kind", None)
        if kind is None:
            raise TypeError(f"{cls.__name__} derives from no class of LS that can be registered")
        registered = f"{package}>{name or cls.__name__}"
        cls.registered_name = registered  # type: ignore[attr-defined]
        register(kind, registered, cls, aliases=[name or cls.__name__])
        return cls

    return decorate


def form_of(cls: type) -> Callable[[T], T]:
    """Decorator: this function is ``cls`` in another form, which ``compile`` and configurations take for the class."""

    def decorate(function: T) -> T:
        function.form_of = cls  # type: ignore[attr-defined]
        return function

    return decorate


class Configurable:
    """A class whose configuration is its constructor's arguments.

    ``get_config()`` returns them as plain JSON types and ``from_config`` builds an equal object.
    """

    registry_kind: str = ""
    registered_name: str = ""
    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls)
        object.__setattr__(self, "_arguments", (args, kwargs))
        return self

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, defaults included, as JSON types."""
        args, kwargs = self._arguments
        signature = inspect.signature(type(self).__init__)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        config: dict[str, Any] = {}
        for name, value in list(bound.arguments.items())[1:]:
            if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                config.update({k: serialize(v) for k, v in value.items()})
            else:
                config[name] = serialize(value)
        return config

    @classmethod
    def from_config(cls: type[T], config: dict[str, Any]) -> T:
        """An object with that configuration. A None for an argument that the class has not is dropped: Keras writes such."""
        known = inspect.signature(cls.__init__).parameters
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values()):
            config = {k: v for k, v in config.items() if k in known or v is not None}
        return cls(**config)


def serialize(value: Any) -> Any:
    """``value`` as JSON types: registered objects become ``{'class_name': ..., 'config': ...}``.

    Raises
    ------
    TypeError
        The value has no name that a file could carry (a lambda, an unregistered class).
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Configurable):
        name = type(value).registered_name or type(value).__name__
        _require_registered(value, name)
        return {"class_name": name, "config": value.get_config()}
    if isinstance(value, dict):
        return {str(k): serialize(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [serialize(v) for v in value]
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return value.tolist()
    label = getattr(value, "name", None) or getattr(value, "__name__", None)
    for kind in _PROVIDERS:
        found = _registry.get(kind, {}).get(_key(str(label)))
        if label and found is value:
            return label
        if label and found is getattr(value, "form_of", value):  # as Keras writes functions
            return {"class_name": "function", "config": label}
    raise TypeError(f"{value!r} can't be written to a configuration: register it, or pass a name or a registered object")


def _require_registered(value: Configurable, name: str) -> None:
    if _registry.get(value.registry_kind, {}).get(_key(name)) is not type(value):
        raise TypeError(
            f"{type(value).__name__} is not registered, so a configuration can't name it: "
            f"put @ls_core.register_serializable() above the class"
        )


def deserialize(kind: str, spec: Any) -> Any:
    """The object that ``spec`` describes: a name, Keras' or our ``{'class_name', 'config'}``, or the object itself.

    A class is made with its defaults. None stays None.
    """
    if spec is None:
        return None
    if isinstance(spec, str):
        found = lookup(kind, spec)
        return found() if isinstance(found, type) else found
    if isinstance(spec, dict):
        if not isinstance(spec.get("class_name"), str):
            raise ValueError(f"a {kind} is described by {{'class_name': ..., 'config': ...}}, not by {spec!r}")
        name = spec.get("registered_name") or spec["class_name"]
        config = spec.get("config")
        if spec["class_name"] == "function":  # Keras writes functions this way: the config is the name
            return deserialize(kind, config)
        try:
            found = lookup(kind, name)
        except ValueError:
            found = lookup(kind, spec["class_name"])
        return found.from_config(dict(config or {}))
    spec = getattr(spec, "form_of", spec)  # a function such as mean_squared_error stands for its class
    found = spec() if isinstance(spec, type) else spec
    needed, how = _NEEDS.get(kind, ("__class__", ""))
    if not hasattr(found, needed):
        raise TypeError(f"{spec!r} is no {kind} of LS: it has no {needed}, and there is no autograd to find one. {how}")
    return found
