"""HostLayer: the base of layers that read texts, lists and columns on the host."""

from __future__ import annotations

from typing import Any

from ..layer import Layer


class HostLayer(Layer):
    """A layer without gradient whose input may be a list of strings, which is a batch and not several inputs."""

    input_kind = "any"

    def _build_on(self, inputs: tuple[Any, ...]) -> None:
        self.built = True  # a list of strings has no shape, and nothing depends on one

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
            return self.forward(*inputs, **options)[0]
        return super().__call__(*inputs, **options)

    def backward(self, dy: Any, saved: Any) -> None:
        """Nothing: what is looked up has no gradient."""
        return None
