# ruff: noqa: F401, I001
"""The README's listing, line by line as it stands there; a test compares the two texts."""

from __future__ import annotations

from typing import Any


def train() -> Any:
    """Run the listing in the current folder; returns the model and its History."""
    # fmt: off
    import pandas as pd

    from ls_core import Sequential, Model, Input
    from ls_layers import Embedding, Conv1D, MaxPooling1D, Flatten, Dense
    from ls_optim import Adam

    data = pd.read_csv('data.csv')

    model = Sequential([
        Embedding(input_dim=10000, output_dim=128),
        Conv1D(filters=32, kernel_size=3, padding='same'),
        MaxPooling1D(pool_size=2),
        Flatten(),
        Dense(64, activation='relu'),
        Dense(10, activation='softmax'),
    ])
    model.compile(optimizer=Adam(lr=0.001), loss='sparse_categorical_crossentropy', metrics=['accuracy'])
    model.fit(data['text'], data['label'], epochs=10, batch_size=32, validation_split=0.2)
    # fmt: on
    return model, model.history
