"""ls-engine predict: labels and probabilities of texts."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def read_texts(options: argparse.Namespace) -> list[str]:
    """The texts of the command line, of a CSV file, or of standard input's lines."""
    from ls_cli.train import read_column

    if len(options.texts) == 1 and options.texts[0].endswith(".csv") and Path(options.texts[0]).exists():
        return [str(text) for text in read_column(options.texts[0], options.text).fillna("")]
    if options.texts and options.texts != ["-"]:
        return list(options.texts)
    return [line.rstrip("\n") for line in sys.stdin]


def rows(model: Any, texts: list[str]) -> list[dict[str, Any]]:
    """For each text its most probable label and every label's probability."""
    scores = model.predict(texts)
    if scores.shape[-1] == 1:
        import numpy as np

        scores = np.concatenate([1 - scores, scores], axis=-1)
    classes = model.label_index.classes if model.label_index is not None else list(range(scores.shape[-1]))
    found = []
    for text, score in zip(texts, scores, strict=True):
        probabilities = {str(label): float(p) for label, p in zip(classes, score, strict=True)}
        best = max(probabilities, key=probabilities.__getitem__)
        found.append({"text": text, "label": best, "probability": probabilities[best], "probabilities": probabilities})
    return found


def run(options: argparse.Namespace) -> int:
    from ls_core import load_model

    texts = read_texts(options)
    if not texts:
        raise ValueError("there is no text to predict: give texts, a CSV file, or lines on standard input")
    for row in rows(load_model(options.file), texts):
        if options.json:
            print(json.dumps(row, ensure_ascii=False))
        else:
            print(f"{row['label']}  {row['probability']:.3f}  {row['text'][:100]}")
    return 0
