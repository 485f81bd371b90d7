"""A stand-in for the package wandb, with the signatures of its own functions (the judges compare them), that keeps what it is told."""

from __future__ import annotations

import types
from typing import Any


class Run:
    """What ``wandb.init`` returns."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings, self.rows, self.finished = settings, list[dict[str, Any]](), False

    def log(self, data: dict[str, Any], step: int | None = None, commit: bool | None = None) -> None:
        assert not self.finished
        assert all(isinstance(name, str) for name in data)
        self.rows.append(data)

    def finish(self, exit_code: int | None = None) -> None:
        assert not self.finished
        self.finished = True


def init(
    entity: str | None = None,
    project: str | None = None,
    dir: Any = None,
    id: str | None = None,
    name: str | None = None,
    notes: str | None = None,
    tags: Any = None,
    config: dict[str, Any] | str | None = None,
    group: str | None = None,
    job_type: str | None = None,
    mode: str | None = None,
    resume: Any = None,
    settings: Any = None,
) -> Run:
    """The arguments that are likely to be passed on; the package's own has a few more."""
    given = {name: value for name, value in locals().items() if value is not None}
    assert mode in (None, "online", "offline", "disabled", "shared")
    return Run(given)


def make_module() -> Any:
    """A module 'wandb' whose ``runs`` are those that were begun in it; ``run`` is that which is open."""
    module: Any = types.ModuleType("wandb")
    module.run, module.runs = None, []

    def begin(**options: Any) -> Run:
        module.runs.append(init(**options))
        return module.runs[-1]

    module.init = begin
    return module
