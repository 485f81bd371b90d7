"""Remember over a sequence: the adding problem (Hochreiter and Schmidhuber 1997, experiment 4) with an LSTM.

    python examples/sequence_lstm.py --length 20 --epochs 6

Each step has a random number and a mark; two steps are marked, and the target is the sum of their numbers. Whoever always
answers 1 has a mean squared error of 1/6.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

import ls_core
from ls_core import Sequential
from ls_layers import LSTM, Dense
from ls_optim import Adam


def adding(count: int, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequences (count, length, 2) of numbers and marks, and the sums (count, 1)."""
    draw = np.random.default_rng(seed)
    numbers = draw.uniform(size=(count, length))
    marks = np.zeros((count, length))
    half = length // 2
    rows = np.arange(count)
    marks[rows, draw.integers(0, half, count)] = 1  # one in the first half, one in the second
    marks[rows, draw.integers(half, length, count)] = 1
    sums = (numbers * marks).sum(axis=1, keepdims=True)
    return np.stack([numbers, marks], axis=-1).astype("float32"), sums.astype("float32")


def main(arguments: Sequence[str] | None = None) -> float:
    """Train and test; returns the mean squared error on sequences that were not trained on."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args(arguments)
    ls_core.set_seed(0)

    x, y = adding(5000, options.length, seed=0)
    x_test, y_test = adding(1000, options.length, seed=1)
    model = Sequential([LSTM(32), Dense(1)])
    model.compile(Adam(0.01, global_clipnorm=1.0), "mse")
    model.fit(x, y, epochs=options.epochs, batch_size=64, validation_data=(x_test, y_test))

    for row, target, answer in zip(x_test[:3], y_test, model.predict(x_test[:3]), strict=False):
        first, second = row[row[:, 1] == 1, 0]
        print(f"{first:.3f} + {second:.3f} = {target[0]:.3f}, the model says {answer[0]:.3f}")
    error = model.evaluate(x_test, y_test)
    print(f"mean squared error {error:.5f}; that of the best constant {y_test.var():.5f}")
    return error


if __name__ == "__main__":
    main()
