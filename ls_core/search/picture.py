"""The picture of a search: values over time, importances, and a slice along each parameter."""

from __future__ import annotations

import math
from typing import Any

from ..plots import new_figure, save_figure

COLUMNS = 4


def draw(result: Any, path: Any) -> None:
    """Write the picture of a SearchResult as a PNG at ``path``."""
    completed = [trial for trial in result.trials if trial.state.name == "COMPLETE"]
    pruned = [trial for trial in result.trials if trial.state.name == "PRUNED" and trial.value is not None]
    names = list(dict.fromkeys(name for trial in result.trials for name in trial.params))
    panels = 2 + len(names)
    columns = min(panels, COLUMNS)
    rows = math.ceil(panels / columns)
    figure, axes = new_figure(3.8 * columns, 3.2 * rows, columns, rows)
    _draw_history(axes[0], completed, pruned, result)
    _draw_importances(axes[1], result.importances())
    for axis, name in zip(axes[2:], names, strict=False):
        _draw_slice(axis, name, completed, result.metric)
    for axis in axes[panels:]:
        axis.set_axis_off()
    save_figure(figure, path)


def _draw_history(axis: Any, completed: list[Any], pruned: list[Any], result: Any) -> None:
    better = max if result.study.direction.name == "MAXIMIZE" else min
    best = [trial.value for trial in completed]
    for i in range(1, len(best)):
        best[i] = better(best[i - 1], best[i])
    axis.plot([t.number for t in completed], [t.value for t in completed], "o", markersize=4, label="completed")
    axis.plot([t.number for t in pruned], [t.value for t in pruned], "x", markersize=4, color="0.6", label="pruned")
    if completed:
        ends = [*(t.number for t in completed), result.trials[-1].number]
        axis.plot(ends, [*best, best[-1]], drawstyle="steps-post", label="best so far")
    axis.set_xlabel("trial")
    axis.set_ylabel(result.metric)
    axis.set_title("history")
    axis.grid(alpha=0.3)
    axis.legend()


def _draw_importances(axis: Any, importances: dict[str, float]) -> None:
    names = list(importances)[::-1]
    axis.barh(names, [importances[name] for name in names])
    axis.set_xlim(0, 1)
    axis.set_title("importance")


def _draw_slice(axis: Any, name: str, completed: list[Any], metric: str) -> None:
    having = [trial for trial in completed if name in trial.params]
    values = [trial.params[name] for trial in having]
    spread = having[0].distributions[name] if having else None
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        values = [str(value) for value in values]
    axis.scatter(values, [trial.value for trial in having], c=[trial.number for trial in having], cmap="viridis", s=18)
    if getattr(spread, "log", False):
        axis.set_xscale("log")
    axis.set_xlabel(name)
    axis.set_ylabel(metric)
    axis.set_title("later trials are lighter", fontsize="medium")
    axis.grid(alpha=0.3)
