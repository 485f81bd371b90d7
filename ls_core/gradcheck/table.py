"""The table of gradient checks: a line for every layer, loss and activation, with its worst error on each backend.

>>> print(gradcheck_table(['tanh'], backends=('numpy',)).as_text().splitlines()[0])
what           cases  numpy: central  complex  resampled
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BackendError
from ..registry import known_names
from .case import Case
from .check import check_activation, check_layer, check_loss
from .loss_cases import LOSS_CASES, LossCase
from .report import GradientError, Report


@dataclass
class Line:
    """All checks of one layer, loss or activation; ``problem`` is what the first failure said."""

    kind: str
    name: str
    cases: int = 0
    reports: dict[str, list[Report]] = field(default_factory=dict)
    problem: str = ""

    def worst(self, backend: str, mode: str) -> float:
        """The largest relative error over all cases, inputs and Parameters; NaN where that mode did not run."""
        errors = [report.error(mode) for report in self.reports.get(backend, []) if not np.isnan(report.error(mode))]
        return max(errors, default=float("nan"))

    def resampled(self, backend: str) -> int:
        """How often other inputs had to be taken."""
        return sum(max((row.resampled for row in report.rows), default=0) for report in self.reports.get(backend, []))


@dataclass
class Table:
    """The lines, and the backends that they were computed on."""

    backends: tuple[str, ...]
    lines: list[Line] = field(default_factory=list)

    @property
    def failures(self) -> list[Line]:
        return [line for line in self.lines if line.problem]

    @property
    def heads(self) -> list[str]:
        return ["what", "cases", *(head for b in self.backends for head in (f"{b}: central", "complex", "resampled"))]

    def cells(self, line: Line) -> list[str]:
        """The line's entries as text."""
        cells = [f"{line.kind} {line.name}", str(line.cases)]
        for backend in self.backends:
            for mode in ("central", "complex"):
                error = line.worst(backend, mode)
                cells.append("-" if np.isnan(error) else f"{error:.1e}")
            cells.append(str(line.resampled(backend)))
        return cells

    @property
    def summary(self) -> str:
        worst = [line.worst(b, "central") for line in self.lines for b in self.backends]
        most = max((w for w in worst if not np.isnan(w)), default=0.0)
        passed = len(self.lines) - len(self.failures)
        return f"{passed} of {len(self.lines)} pass; the worst central difference is off by {most:.1e}"

    def as_text(self) -> str:
        """Aligned columns, then the failures."""
        rows = [self.heads, *(self.cells(line) for line in self.lines)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.heads))]
        lines = ["  ".join(f"{c:{w}}" if i == 0 else f"{c:>{w}}" for i, (c, w) in enumerate(zip(row, widths, strict=True))) for row in rows]
        return "\n".join([*lines, *(f"FAILED {line.kind} {line.name}: {line.problem}" for line in self.failures), self.summary])

    def as_markdown(self) -> str:
        """The same as a Markdown table."""
        rows = [self.heads, ["---"] * len(self.heads), *(self.cells(line) for line in self.lines)]
        return "\n".join(["| " + " | ".join(row) + " |" for row in rows] + ["", self.summary + "."])


def layer_cases() -> list[Case]:
    """The table of layer cases; it stands in ls_layers, which the core looks up and never imports by itself."""
    found: list[Case] = importlib.import_module("ls_layers.cases").TABLE
    return found


def check_row(case: Case, backend: str = "numpy", seed: int = 0) -> Report:
    """``check_layer`` on a case."""
    inputs = case.inputs(np.random.default_rng(seed))
    return check_layer(
        case.make(),
        *inputs,
        training=case.training,
        seed=seed,
        backend=backend,
        resample=case.inputs,
        dead=case.dead,
        **case.options,
    )


def check_loss_row(case: LossCase, backend: str = "numpy", seed: int = 0) -> Report:
    """``check_loss`` on a case."""
    return check_loss(case.make(), *case.inputs(np.random.default_rng(seed)), seed=seed, backend=backend)


def check_activation_row(name: str, backend: str = "numpy", seed: int = 0) -> Report:
    """``check_activation`` on normal numbers that reach its parts."""

    def inputs(g: np.random.Generator) -> tuple[Any, ...]:
        return (2 * g.normal(size=(3, 4)),)

    return check_activation(name, *inputs(np.random.default_rng(seed)), seed=seed, backend=backend, resample=inputs)


def _checks() -> list[tuple[str, str, Callable[..., Report]]]:
    """(kind, name, check on a backend) for everything there is."""
    found: list[tuple[str, str, Callable[..., Report]]] = []
    for case in layer_cases():
        if case.differentiable and "gradients" not in case.skip:
            found.append(("layer", type(case.make()).__name__, lambda case=case, **how: check_row(case, **how)))
    for row in LOSS_CASES:
        found.append(("loss", row.loss, lambda row=row, **how: check_loss_row(row, **how)))
    for name in sorted(known_names("activation")):
        found.append(("activation", name, lambda name=name, **how: check_activation_row(name, **how)))
    return found


def gradcheck_table(names: Iterable[str] | None = None, backends: tuple[str, ...] = ("numpy", "standin"), seed: int = 0) -> Table:
    """Check every layer, loss and activation (or those called ``names``) on each backend.

    Raises
    ------
    ValueError
        Nothing is called so; the message lists what there is.
    BackendError
        A backend is not there (CuPy without a CUDA device).
    """
    if "standin" in backends:
        importlib.import_module("ls_core.testing.standin")
    checks = _checks()
    wanted = None if names is None else set(names)
    missing = (wanted or set()) - {name for _, name, _ in checks}
    if missing:
        known = ", ".join(dict.fromkeys(name for _, name, _ in checks))
        raise ValueError(f"no gradient check is called {', '.join(sorted(missing))}; there are {known}")
    lines: dict[tuple[str, str], Line] = {}
    for kind, name, check in checks:
        if wanted is None or name in wanted:
            line = lines.setdefault((kind, name), Line(kind, name))
            line.cases += 1
            for backend in backends:
                try:
                    line.reports.setdefault(backend, []).append(check(backend=backend, seed=seed))
                except BackendError:
                    raise
                except GradientError as problem:
                    line.problem = line.problem or str(problem)
                except Exception as problem:  # a line of the table, not the end of it
                    line.problem = line.problem or f"{type(problem).__name__} on {backend}: {problem}"
    return Table(tuple(backends), list(lines.values()))


def main(names: Iterable[str] | None = None, mutants: bool = False, backends: tuple[str, ...] = ("numpy", "standin"), seed: int = 0) -> int:
    """Print the table, with ``mutants`` the kill matrix too.

    Returns 0 if all is well, 1 if a check failed or a mutant survived, 2 for a wrong name or a missing backend.
    """
    from .kill_matrix import kill_matrix

    wanted = list(names) if names else None
    try:
        table = gradcheck_table(wanted, backends, seed)
    except (ValueError, BackendError) as problem:
        print(problem)
        return 2
    print(table.as_text())
    if not mutants:
        return 1 if table.failures else 0
    cases = [case for case in layer_cases() if wanted is None or type(case.make()).__name__ in wanted]
    matrix = kill_matrix(cases, seed=seed)
    print()
    print(matrix.as_text())
    for kill in matrix.survivors:
        print(f"SURVIVED {kill.mutant} in {kill.case}, {kill.variant}")
    return 1 if table.failures or matrix.survivors else 0


def write_tables(path: str | Path, names: Iterable[str] | None = None) -> None:
    """Put the table and the kill matrix of today into a Markdown file, between its comments ``<!-- table -->`` and so on."""
    from .kill_matrix import kill_matrix

    wanted = None if names is None else set(names)
    cases = [case for case in layer_cases() if wanted is None or type(case.make()).__name__ in wanted]
    text = Path(path).read_text(encoding="utf-8")
    for mark, body in (("table", gradcheck_table(wanted).as_markdown()), ("kill matrix", kill_matrix(cases).as_markdown())):
        before, _, rest = text.partition(f"<!-- {mark} -->")
        _, _, after = rest.partition(f"<!-- end of {mark} -->")
        text = f"{before}<!-- {mark} -->\n\n{body}\n\n<!-- end of {mark} -->{after}"
    Path(path).write_text(text, encoding="utf-8")


__all__ = ["Line", "Table", "check_activation_row", "check_loss_row", "check_row", "gradcheck_table", "layer_cases", "main", "write_tables"]
