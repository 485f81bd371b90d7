"""Several inputs, two outputs: the words and the prices of made-up offers; which kind is it, and what is it worth?

    python examples/several_inputs.py --epochs 12

One Embedding reads two columns, the title and the description: it is called twice and is one set of weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

import ls_core
from ls_core import Input, Model
from ls_layers import Concatenate, Dense, Embedding, GlobalAveragePooling1D
from ls_optim import Adam

WORDS, KINDS = 60, 4


def offers(count: int, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Word ids (0 is padding), prices, and what is to be told: the kind, and the value, which both inputs have a part in."""
    draw = np.random.default_rng(seed)
    kinds = draw.integers(0, KINDS, count)

    def words(length: int) -> np.ndarray:
        own = draw.integers(1, 11, (count, length)) + 10 * kinds[:, None]  # each kind has ten words of its own
        common = draw.integers(41, WORDS, (count, length))
        ids = np.where(draw.uniform(size=own.shape) < 0.4, own, common)
        lengths = draw.integers(length // 2, length + 1, (count, 1))
        return np.where(np.arange(length) < lengths, ids, 0)

    prices = draw.normal(size=(count, 3))
    worth = prices @ np.array([1.0, -0.5, 0.25]) + np.array([0.0, 1.0, 2.0, 3.0])[kinds]
    return {"title": words(6), "description": words(20), "prices": prices}, {"kind": kinds, "worth": worth[:, None]}


def build() -> Model:
    title, description = Input((6,), dtype="int32", name="title"), Input((20,), dtype="int32", name="description")
    prices = Input((3,), name="prices")
    embedding, mean = Embedding(WORDS, 16, mask_zero=True), GlobalAveragePooling1D()
    texts = [mean(embedding(column)) for column in (title, description)]
    both = Dense(32, activation="relu")(Concatenate()([*texts, prices]))
    return Model(
        {"title": title, "description": description, "prices": prices},
        {"kind": Dense(KINDS, activation="softmax", name="kind")(both), "worth": Dense(1, name="worth")(both)},
    )


def main(arguments: Sequence[str] | None = None) -> tuple[float, float]:
    """Train and test; returns the accuracy of the kind and the mean squared error of the worth on new offers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12)
    options = parser.parse_args(arguments)
    ls_core.set_seed(0)

    x, y = offers(3000, seed=0)
    x_test, y_test = offers(1000, seed=1)
    model = build()
    model.compile(
        Adam(0.005),
        loss={"kind": "sparse_categorical_crossentropy", "worth": "mse"},
        loss_weights={"kind": 1.0, "worth": 0.5},
        metrics={"kind": ["accuracy"]},
    )
    model.fit(x, y, epochs=options.epochs, batch_size=32, validation_split=0.1)
    logs = model.evaluate(x_test, y_test, return_dict=True)
    print(f"kind: accuracy {logs['kind_accuracy']:.3f}")
    print(f"worth: mean squared error {logs['worth_loss']:.3f}; that of the best constant {y_test['worth'].var():.3f}")
    return logs["kind_accuracy"], logs["worth_loss"]


if __name__ == "__main__":
    main()
