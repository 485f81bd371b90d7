"""ls-engine train: a text classifier from a CSV file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def read_column(path: str, column: str) -> Any:
    """One column of a CSV file, as a pandas Series of texts; the error lists the columns there are.

    The first line tells the separator: the first of , ; tab | that stands in it. An empty field is missing; 'NA', 'None' and
    '1' are texts like any other.
    """
    import pandas as pd

    try:
        with open(path, encoding="utf-8-sig") as file:
            first = file.readline()
        separator = next((each for each in ",;\t|" if each in first), ",")
        frame = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, na_values=[""])
    except ValueError as problem:  # no UTF-8, no table
        raise ValueError(f"{path} is no CSV file in UTF-8 with a line of column names: {problem}") from problem
    if column not in frame.columns:
        raise ValueError(f"{path} has no column {column!r}; its columns are {', '.join(map(repr, frame.columns))}")
    return frame[column]


def pooled_model(classes: int, vocabulary: int = 10000, width: int = 128, filters: int = 128, dropout: float = 0.5) -> Any:
    """Embedding, dropout, one convolution, the largest answer of each filter, dropout, softmax."""
    from ls_core import Sequential
    from ls_layers import Conv1D, Dense, Dropout, Embedding, GlobalMaxPooling1D

    return Sequential(
        [
            Embedding(input_dim=vocabulary, output_dim=width),
            Dropout(dropout / 2),
            Conv1D(filters=filters, kernel_size=3, padding="same", activation="relu"),
            GlobalMaxPooling1D(),
            Dropout(dropout),
            Dense(classes, activation="softmax"),
        ]
    )


def cnn_model(classes: int, vocabulary: int = 10000, width: int = 128, filters: int = 32, dropout: float = 0.0) -> Any:
    """The README's six layers; dropout, if any, before the last."""
    from ls_core import Sequential
    from ls_layers import Conv1D, Dense, Dropout, Embedding, Flatten, MaxPooling1D

    return Sequential(
        [
            Embedding(input_dim=vocabulary, output_dim=width),
            Conv1D(filters=filters, kernel_size=3, padding="same"),
            MaxPooling1D(pool_size=2),
            Flatten(),
            Dense(64, activation="relu"),
            *([Dropout(dropout)] if dropout else []),
            Dense(classes, activation="softmax"),
        ]
    )


def run(options: argparse.Namespace) -> int:
    import ls_core
    from ls_core.callbacks import EarlyStopping
    from ls_core.text.labels import LabelIndex
    from ls_optim import Adam

    if not Path(options.out).absolute().parent.is_dir():  # known before the training, not after it
        raise FileNotFoundError(f"the folder of --out {options.out} does not exist; make it first")
    ls_core.set_seed(options.seed)
    ls_core.use_backend(options.device)
    texts, labels = read_column(options.csv, options.text), read_column(options.csv, options.label)
    classes = len(LabelIndex().fit(labels))
    make = pooled_model if options.model == "pooled" else cnn_model
    model = make(classes, options.vocabulary, options.width, options.filters, options.dropout)
    model.compile(optimizer=Adam(options.learning_rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    print(f"{len(texts):,} rows, {classes} labels")
    stop = EarlyStopping(patience=options.patience, restore_best_weights=True, verbose=1)
    callbacks = [stop] if options.validation_split else []
    model.fit(
        texts,
        labels,
        epochs=options.epochs,
        batch_size=options.batch_size,
        validation_split=options.validation_split,
        callbacks=callbacks,
    )
    model.save(options.out)
    print(f"wrote {options.out}")
    return 0
