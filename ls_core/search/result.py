"""SearchResult: what a search found, as a table, a picture and the best model."""

from __future__ import annotations

import warnings
from typing import Any

from .study import finished_trials, import_optuna


class SearchResult:
    """What ``search`` returns; printed, it is the table of the best trials.

    Attributes
    ----------
    study : optuna.Study
        Everything else that Optuna knows.
    metric : str
    model : Model or None
        The best trial's, with the weights of its best epoch.
    """

    def __init__(self, study: Any, metric: str, model: Any) -> None:
        self.study, self.metric, self.model = study, metric, model

    @property
    def trials(self) -> list[Any]:
        """The completed and the pruned trials, in the order of their numbers."""
        return finished_trials(self.study)

    @property
    def best_trial(self) -> Any:
        """The best completed trial.

        Raises
        ------
        ValueError
            Every trial was pruned or diverged.
        """
        if not any(trial.state.name == "COMPLETE" for trial in self.trials):
            raise ValueError("no trial was completed: every one was pruned or diverged; narrow the space, or lower the learning rates")
        return self.study.best_trial

    @property
    def best_params(self) -> dict[str, Any]:
        """The parameters of the best trial."""
        return dict(self.best_trial.params)

    @property
    def best_value(self) -> float:
        """The metric of the best trial, at its best epoch."""
        return float(self.best_trial.value)

    def importances(self) -> dict[str, float]:
        """How much of the good values each parameter explains, the largest first; they sum to 1. Empty for fewer than 2 trials.

        Source: Watanabe et al. 2023, PED-ANOVA (arXiv 2304.10255).
        """
        optuna = import_optuna()
        if sum(trial.state.name == "COMPLETE" for trial in self.trials) < 2:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that all are equal, where the values are: one sees it
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # before Optuna 5
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            return dict(optuna.importance.get_param_importances(self.study, evaluator=evaluator))

    def table(self, rows: int = 10) -> str:
        """The best completed trials as text."""
        completed = [trial for trial in self.trials if trial.state.name == "COMPLETE"]
        completed.sort(key=lambda trial: trial.value, reverse=self.study.direction.name == "MAXIMIZE")
        names = list(dict.fromkeys(name for trial in completed for name in trial.params))
        lines = [["trial", self.metric, "epochs", "seconds", *names]]
        for trial in completed[:rows]:
            numbers = [str(trial.number), f"{trial.value:.4f}", str(len(trial.intermediate_values)), f"{seconds(trial):.1f}"]
            lines.append(numbers + [format_value(trial.params[name]) if name in trial.params else "" for name in names])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        pruned = len(self.trials) - len(completed)
        return "\n".join([*text, f"{len(completed)} trials completed, {pruned} pruned"])

    def plot(self, path: Any) -> None:
        """Draw the values over time, the importances, and the values along each parameter, as a PNG at ``path``."""
        from .picture import draw

        draw(self, path)

    def __str__(self) -> str:
        return self.table()


def seconds(trial: Any) -> float:
    """How long a finished trial took."""
    return float(trial.duration.total_seconds())


def format_value(value: Any) -> str:
    """A parameter's value, four digits of a float.

    >>> format_value(0.0012345678), format_value(64), format_value('cnn')
    ('0.001235', '64', 'cnn')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)
