"""Classify images with a small convolutional network: scikit-learn's digits, or shapes that the script draws itself.

python examples/digits.py --epochs 8
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

import ls_core
from ls_core import Sequential
from ls_core.data import stratified_split
from ls_core.metrics import confusion_matrix
from ls_layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from ls_optim import Adam


def digits() -> tuple[np.ndarray, np.ndarray]:
    """1,797 images (8, 8, 1) of handwritten digits, from 0 to 1, and their classes; needs scikit-learn."""
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    return (found.images[..., None] / 16).astype("float32"), found.target


def shapes(count: int = 1800, size: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Images (size, size, 1) of a frame, a cross or a bar at a random place, with noise, and their classes."""
    draw = np.random.default_rng(0)
    kinds = draw.integers(0, 3, count)
    images = draw.normal(0, 0.2, (count, size, size))
    for image, kind in zip(images, kinds, strict=True):
        row, column = draw.integers(0, size - 4, 2)
        patch = image[row : row + 5, column : column + 5]
        if kind == 0:
            patch[[0, -1], :] += 1
            patch[1:-1, [0, -1]] += 1
        elif kind == 1:
            patch[2, :] += 1
            patch[[0, 1, 3, 4], 2] += 1
        else:
            patch[:, 1:3] += 1
    return images[..., None].astype("float32"), kinds


def main(arguments: Sequence[str] | None = None) -> float:
    """Train and test; returns the accuracy on images that were not trained on."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--shapes", action="store_true", help="draw shapes even where scikit-learn is installed")
    options = parser.parse_args(arguments)
    ls_core.set_seed(0)

    try:
        x, y = shapes() if options.shapes else digits()
    except ImportError:
        x, y = shapes()
    (x, y), (x_test, y_test) = stratified_split((x, y), y, 0.2, seed=0)
    model = Sequential(
        [
            Conv2D(16, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            Conv2D(32, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            Flatten(),
            Dropout(0.3),
            Dense(len(np.unique(y)), activation="softmax"),
        ]
    )
    model.compile(Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=options.epochs, batch_size=32, validation_data=(x_test, y_test))
    model.summary()

    print(confusion_matrix(y_test, model.predict(x_test).argmax(axis=1)))
    _, accuracy = model.evaluate(x_test, y_test)
    print(f"accuracy on {len(x_test)} images that were not trained on: {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
