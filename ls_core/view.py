"""A view of a layer: the same layer, but for one attribute.

The training loop joins a closing softmax with its cross-entropy: it runs the model with a view of its last layer that has another
``activation``. Whatever is set on the layer while a run goes on (a schedule drives its hyperparameter, its Parameters are
replaced) the view has too, since both have one ``__dict__``. The attribute that differs is a slot of the view's class, which
Python looks up before the ``__dict__``.
"""

from __future__ import annotations

from functools import lru_cache
from types import MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .layer import Layer


def view_of(layer: Layer, name: str, value: Any) -> Layer:
    """``layer`` with ``value`` for its attribute ``name``, and all else shared with it.

    >>> from ls_layers import Dense
    >>> layer = Dense(3, activation='tanh')
    >>> view = view_of(layer, 'activation', None)
    >>> layer.units = 4
    >>> layer.activation.name, view.activation, view.units
    ('tanh', None, 4)
    """
    kind: Any = type(layer)
    view: Layer = object.__new__(kind if name in kind.__dict__.get("__slots__", ()) else _view_class(kind, name))
    object.__setattr__(view, "__dict__", layer.__dict__)
    object.__setattr__(view, name, value)
    return view


@lru_cache(maxsize=256)
def _view_class(kind: type, name: str) -> type:
    found = type(kind.__name__, (kind,), {"__slots__": (name,), "__module__": kind.__module__})
    for method in ("forward", "backward"):  # the class's own: who listens to the layer has put another into the __dict__
        setattr(found, method, _own(getattr(kind, method)))
    return found


def _own(function: Any) -> property:
    return property(lambda view: MethodType(function, view))
