"""Pictures of results, drawn with matplotlib (the extra 'plots')."""

from __future__ import annotations

import os
from typing import Any


def new_figure(width: float, height: float, columns: int = 1, rows: int = 1) -> tuple[Any, list[Any]]:
    """A figure that belongs to no window, with its axes row by row."""
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise ImportError("drawing needs matplotlib: pip install 'ls-engine[plots]'") from problem
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def save_figure(figure: Any, path: Any) -> None:
    """Write the figure as PNG, beside and renamed."""
    path = os.fspath(path)
    temporary = f"{path}.part"
    figure.savefig(temporary, format="png", dpi=120)
    os.replace(temporary, path)


def plot_history(history: Any, path: Any, title: str | None = None) -> None:
    """Learning curves as a PNG: one panel for the loss and one for each metric, training and validation together."""
    save_figure(history_figure(history, title), path)


def history_figure(history: Any, title: str | None = None) -> Any:
    """The figure of ``plot_history``."""
    curves = history.history
    names = [name for name in curves if not name.startswith("val_")]
    figure, axes = new_figure(4.6 * max(1, len(names)), 3.4, max(1, len(names)))
    epochs = [epoch + 1 for epoch in history.epoch]
    for axis, name in zip(axes, names, strict=False):
        axis.plot(epochs, curves[name], marker="o", markersize=3, label="training")
        if f"val_{name}" in curves:
            values = curves[f"val_{name}"]
            axis.plot(epochs[-len(values) :], values, marker="o", markersize=3, label="validation")
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_title(name)
        axis.grid(alpha=0.3)
        axis.legend()
    if title:
        figure.suptitle(title)
    return figure
