"""A layer of one's own: radial basis functions, derived, checked, trained, saved and loaded.

    python examples/custom_layer.py --epochs 40

    y_bk = exp(-r_bk / 2),   r_bk = sum_i (x_bi - c_ki)^2 w_k^2

Each unit answers to the neighbourhood of its centre c_k, which is about 1 / w_k wide. Two rings, one within the other, can't be told apart
by a linear layer; behind a few such units they can.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import ls_core
from ls_core import Layer, Sequential, get_xp, kernel, load_model, register_serializable
from ls_core.errors import ShapeError
from ls_core.gradcheck import check_layer
from ls_layers import Dense
from ls_optim import Adam

# B rows, I inputs, K units.


@kernel
def radial_basis_forward(x: Any, c: Any, w: Any) -> tuple[Any, Any]:
    d = x[:, None, :] - c  # (B, K, I)
    r = (d * d).sum(axis=-1) * (w * w)  # (B, K)
    y = get_xp(x).exp(r * -0.5)  # (B, K)
    return y, (d, y)


@kernel
def radial_basis_backward(dy: Any, w: Any, saved: tuple[Any, Any]) -> tuple[Any, Any, Any]:
    d, y = saved
    # 3. y = exp(-r / 2)
    dr = dy * y * -0.5  # (B, K)
    # 2. r = sum_I(d^2) * w^2
    dw = ((d * d).sum(axis=-1) * dr).sum(axis=0) * w * 2.0  # (K,)
    dd = d * (dr * (w * w) * 2.0)[:, :, None]  # (B, K, I)
    # 1. d = x - c, each broadcast over the other's axis
    return dd.sum(axis=1), dd.sum(axis=0) * -1.0, dw  # (B, I), (K, I), (K,)


@register_serializable(package="examples")  # so that files may name the class
class RadialBasis(Layer):
    """``y_k = exp(-|x - c_k|^2 w_k^2 / 2)``: input (B, I), output (B, units); weights: centres (units, I), sharpness (units,)."""

    output_axes = ("units",)

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = units

    def build(self, input_shape: Any) -> None:
        self.centres = self.add_weight((self.units, input_shape[-1]), "random_normal", name="centres")
        self.sharpness = self.add_weight((self.units,), "ones", name="sharpness")

    def output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.units)

    def forward(self, x: Any, training: bool = False) -> Any:
        self.check_rank(x, 2, "(batch, features)")
        if x.shape[1] != self.centres.shape[1]:
            raise ShapeError(f"{self}: the last axis of the input is {x.shape[1]}, its centres have {self.centres.shape[1]} features.", -1)
        return radial_basis_forward(x, self.centres.value, self.sharpness.value)

    def backward(self, dy: Any, saved: Any) -> Any:
        dx, dc, dw = radial_basis_backward(dy, self.sharpness.value, saved)
        self.centres.accumulate(dc)
        self.sharpness.accumulate(dw)
        return dx


def rings(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, 2) on two rings around the origin, of radius 1 and 2, with noise; and which ring."""
    draw = np.random.default_rng(seed)
    ring, angle = draw.integers(0, 2, count), draw.uniform(0, 2 * np.pi, count)
    radius = 1 + ring + draw.normal(0, 0.15, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype("float32"), ring


def main(arguments: Sequence[str] | None = None) -> float:
    """Check, train, save, load; returns the accuracy on new points."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    options = parser.parse_args(arguments)
    ls_core.set_seed(0)

    x = np.random.default_rng(0).normal(size=(5, 3))
    print(check_layer(RadialBasis(4), x))
    check_layer(RadialBasis(4), x, backend="standin")  # the strict device that refuses what CuPy refuses

    model = Sequential([RadialBasis(12), Dense(1, activation="sigmoid")])
    model.compile(Adam(0.03), "binary_crossentropy", metrics=["accuracy"])
    x, y = rings(1000, seed=0)
    model.fit(x, y, epochs=options.epochs, verbose=0)
    x_test, y_test = rings(1000, seed=1)
    _, accuracy = model.evaluate(x_test, y_test)
    print(f"accuracy on 1000 new points: {accuracy:.3f}")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rings.safetensors"
        model.save(path)
        again = load_model(path)
    print("loaded:", again.layers[0], again.loaded_as)
    assert (again.predict(x_test) == model.predict(x_test)).all()
    return accuracy


if __name__ == "__main__":
    main()
