"""ls-engine evaluate: how good a model file is on a CSV file."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any


def measure(model: Any, texts: Any, labels: Any) -> tuple[dict[str, float], float, list[Any]]:
    """-> the model's loss and metrics, the accuracy of always saying the commonest label, the predicted labels."""
    logs = model.evaluate(texts, labels, return_dict=True)
    commonest = Counter(labels).most_common(1)[0][1] / len(labels)
    return logs, commonest, model.predict_labels(texts)


def run(options: argparse.Namespace) -> int:
    from ls_cli.train import read_column
    from ls_core import load_model
    from ls_core.metrics import classification_report, confusion_matrix

    model = load_model(options.file)
    texts, labels = read_column(options.csv, options.text), read_column(options.csv, options.label).tolist()
    logs, commonest, predicted = measure(model, texts, labels)
    print("  ".join(f"{name} {value:.4f}" for name, value in logs.items()))
    print(f"always the commonest label: accuracy {commonest:.4f}\n")
    print(classification_report(labels, predicted))
    if options.confusion:
        confusion_matrix(labels, predicted).plot(options.confusion)
        print(f"\nwrote {options.confusion}")
    return 0
