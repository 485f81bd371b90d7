"""Classify texts: from a column of strings to a saved model. The listing of the README, with its options on the command line.

    python examples/text_classification.py --data data.csv --epochs 10

Without a file it takes the docstrings of Python's standard library, labelled by the package they come from.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

import ls_core
from ls_cli.docstrings import collect
from ls_core import Sequential, load_model
from ls_layers import Conv1D, Dense, Embedding, Flatten, MaxPooling1D
from ls_optim import Adam


def read(path: Path | None) -> pd.DataFrame:
    """The columns text and label."""
    if path is not None:
        return pd.read_csv(path)
    texts, labels = collect(seed=0)
    return pd.DataFrame({"text": texts, "label": labels})


def main(arguments: Sequence[str] | None = None) -> float:
    """Train, save, reload; returns the accuracy on the held-out rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a CSV file with the columns text and label")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("model.safetensors"))
    options = parser.parse_args(arguments)
    ls_core.set_seed(0)

    data = read(options.data).sample(frac=1, random_state=0)  # shuffled: the last fifth is held out
    model = Sequential(
        [
            Embedding(input_dim=10000, output_dim=128),
            Conv1D(filters=32, kernel_size=3, padding="same"),
            MaxPooling1D(pool_size=2),
            Flatten(),
            Dense(64, activation="relu"),
            Dense(data["label"].nunique(), activation="softmax"),
        ]
    )
    model.compile(optimizer=Adam(lr=0.001), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(data["text"], data["label"], epochs=options.epochs, batch_size=32, validation_split=0.2)

    model.save(options.out)
    again = load_model(options.out)
    texts = data["text"].tail(3).tolist()
    assert (again.predict(texts) == model.predict(texts)).all()
    for text, label in zip(texts, again.predict_labels(texts), strict=True):
        print(f"{label:16}{text[:90]}")
    accuracy = history.history["val_accuracy"][-1]
    print(f"accuracy on {len(data) - int(len(data) * 0.8)} held-out rows: {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
