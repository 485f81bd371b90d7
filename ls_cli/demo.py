"""ls-engine demo: from a CSV to a trained, evaluated, saved and reloaded classifier, with pictures."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ls_cli import listing
from ls_cli.docstrings import collect
from ls_cli.evaluate import measure
from ls_cli.train import pooled_model

TYPED = [
    "Cancel the running task and wait until the event loop has called its callbacks.",
    "Return the value of a header field of the message, or None if it is missing.",
    "Start a child process that shares a queue with its parent.",
    "Add a handler to this logger.",
    "Draw a line on the canvas and return the item's number.",
]


def write_data(seed: int) -> None:
    """data.csv to train on, and data_test.csv with every seventh row, which no training sees."""
    import pandas as pd

    texts, labels = collect(seed)
    frame = pd.DataFrame({"text": texts, "label": labels})
    held_out = frame.index % 7 == 6
    frame[~held_out].to_csv("data.csv", index=False)
    frame[held_out].to_csv("data_test.csv", index=False)
    counts = ", ".join(f"{label} {count}" for label, count in Counter(labels).most_common())
    print(f"{len(frame):,} docstrings of Python {sys.version.split()[0]}'s library: {counts}")
    print(f"data.csv: {int((~held_out).sum()):,} rows; data_test.csv: {int(held_out.sum()):,} rows, held out\n")


def train_improved(classes: int) -> Any:
    """The same data and the same kind of layers, against overfitting: dropout, global max pooling, early stopping."""
    import pandas as pd

    from ls_core.callbacks import EarlyStopping
    from ls_optim import Adam

    data = pd.read_csv("data.csv")
    model = pooled_model(classes)
    model.compile(optimizer=Adam(learning_rate=0.001), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True, verbose=1)
    model.fit(data["text"], data["label"], epochs=30, batch_size=32, validation_split=0.2, callbacks=[stop])
    return model, model.history


def same_in_new_process(model: Any, path: Path) -> list[dict[str, Any]]:
    """Predict the typed texts in a new Python process that loads the file; compare every bit."""
    from ls_cli.predict import rows

    here = rows(model, TYPED)
    command = [sys.executable, "-m", "ls_cli.main", "predict", str(path), *TYPED, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=dict(os.environ, PYTHONIOENCODING="utf-8"))
    if done.returncode:
        raise RuntimeError(f"the new process failed: {done.stderr}")
    there = [json.loads(line) for line in done.stdout.splitlines()]
    for a, b in zip(here, there, strict=True):
        for label, p in a["probabilities"].items():
            if p.hex() != b["probabilities"][label].hex():
                raise RuntimeError(f"{path}: a new process predicts {b['probabilities'][label]!r} for {label!r}, this one {p!r}")
    return there


def run(options: argparse.Namespace) -> int:
    import pandas as pd

    import ls_core
    from ls_core.metrics import classification_report, confusion_matrix
    from ls_core.plots import plot_history

    began = time.perf_counter()
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    ls_core.set_seed(options.seed)
    write_data(options.seed)
    test = pd.read_csv("data_test.csv")
    texts, labels = test["text"], test["label"].tolist()

    print("The listing:")
    plain, history = listing.train()
    plain.summary()
    plain_logs, commonest, _ = measure(plain, texts, labels)
    print("\nThe improved variant:")
    better, better_history = train_improved(len(plain.label_index))
    better.summary()
    logs, _, predicted = measure(better, texts, labels)

    print(f"\nOn the {len(labels)} held-out rows:")
    print(f"{'':24}{'accuracy':>10}{'loss':>10}{'parameters':>14}{'epochs':>8}")
    print(f"{'always the commonest':24}{commonest:10.3f}")
    for name, m, result, h in (("the listing", plain, plain_logs, history), ("the improved variant", better, logs, better_history)):
        print(f"{name:24}{result['accuracy']:10.3f}{result['loss']:10.3f}{m.count_params():14,}{len(h.epoch):8}")
    print("\nThe improved variant, label by label:\n")
    print(classification_report(labels, predicted))

    results = Path("demo")
    results.mkdir(exist_ok=True)
    path = results / "model.safetensors"
    better.save(path)
    print(f"\nwrote {path}; loaded in a new process it predicts the same bits:")
    for row in same_in_new_process(better, path):
        print(f"  {row['label']:16}{row['probability']:.3f}  {row['text']}")

    plot_history(history, results / "curves_listing.png", "the listing")
    plot_history(better_history, results / "curves.png", "the improved variant")
    confusion_matrix(labels, predicted).plot(results / "confusion.png")
    print(f"\nwrote curves_listing.png, curves.png and confusion.png in {results.resolve()}; {time.perf_counter() - began:.0f} s in all")
    return 0
