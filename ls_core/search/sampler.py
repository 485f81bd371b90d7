"""RepeatableSampler: what a trial tries depends on the seed, its place and the finished trials, on nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState


class RepeatableSampler(BaseSampler):
    """A new sampler for each trial, seeded for it.

    A sampler with one stream of random numbers would begin that stream anew when a search goes on in a new process, and try
    again what it tried before; several processes would all try the same. Failed trials (those that were running when
    their process ended) don't count: whoever comes next takes their place.

    Parameters
    ----------
    make : callable
        An Optuna sampler's class, or what takes ``seed=`` and returns a sampler.
    seed : int
    """

    def __init__(self, make: Callable[..., BaseSampler], seed: int) -> None:
        self.make = make
        self.seed = seed
        self.inner = make(seed=seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        failed = sum(t.state == TrialState.FAIL and t.number < trial.number for t in study.get_trials(deepcopy=False))
        digest = hashlib.sha256(f"{self.seed}/{trial.number - failed}".encode()).digest()
        self.inner = self.make(seed=int.from_bytes(digest[:4], "little"))
        self.inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.inner.infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        return self.inner.sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution) -> Any:
        return self.inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        self.inner.after_trial(study, trial, state, values)
