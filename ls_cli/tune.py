"""ls-engine tune: search for the options of a text classifier, and keep the best one."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import Any

from ls_cli.train import cnn_model, pooled_model, read_column

MODELS = {"pooled": pooled_model, "cnn": cnn_model}


def build(trial: Any, classes: int, options: argparse.Namespace) -> Any:
    """A compiled classifier with the options that ``trial`` suggests."""
    from ls_optim import Adam

    make = MODELS[trial.suggest_categorical("model", options.model)]
    width = trial.suggest_int("width", *options.width, log=True)
    filters = trial.suggest_int("filters", *options.filters, log=True)
    dropout = trial.suggest_float("dropout", *options.dropout)
    rate = trial.suggest_float("learning_rate", *options.learning_rate, log=True)
    model = make(classes, options.vocabulary, width, filters, dropout)
    model.compile(optimizer=Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def run(options: argparse.Namespace) -> int:
    import ls_core
    from ls_core.search import search
    from ls_core.text.labels import LabelIndex

    for name in ("out", "picture"):  # known before the search, not after it
        file = getattr(options, name)
        if file and not Path(file).absolute().parent.is_dir():
            raise FileNotFoundError(f"the folder of --{name} {file} does not exist; make it first")
    ls_core.use_backend(options.device)
    texts, labels = read_column(options.csv, options.text), read_column(options.csv, options.label)
    classes = len(LabelIndex().fit(labels))
    print(f"{len(texts):,} rows, {classes} labels")
    found = search(
        functools.partial(build, classes=classes, options=options),
        texts,
        labels,
        trials=options.trials,
        metric=options.metric,
        storage=options.storage,
        workers=options.workers,
        patience=options.patience,
        seed=options.seed,
        epochs=options.epochs,
        batch_size=options.batch_size,
        validation_split=options.validation_split,
    )
    print(f"\n{found.table(options.rows)}")
    if options.picture:
        found.plot(options.picture)
        print(f"wrote {options.picture}")
    print(f"the best is trial {found.best_trial.number}: {found.metric} {found.best_value:.4f}")
    found.model.save(options.out)
    print(f"wrote {options.out}")
    return 0
