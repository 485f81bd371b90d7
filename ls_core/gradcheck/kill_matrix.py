"""The kill matrix: every mutant in every layer, and whether the checker caught it.

>>> from ls_layers.cases import dense
>>> matrix = kill_matrix(dense.CASES[:1], mutants=['1 % off', 'mask not applied'])
>>> print(matrix.as_text())
                  Dense
1 % off            3/3
mask not applied    =
caught 3 of 3 wrong gradients
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ..random import same_random_numbers, set_seed
from .case import Case
from .layer_subject import LayerSubject
from .mutants import Mutant, Patch, named
from .probes import run_check
from .report import GradientError

SAME = 1e-9  # mutated gradients that differ less from the right ones are the right ones


@dataclass(frozen=True)
class Kill:
    """One variant of one mutant in one case: 'caught', 'equivalent' or 'SURVIVED'."""

    mutant: str
    layer: str
    case: str
    variant: str
    outcome: str
    message: str = ""


@dataclass
class KillMatrix:
    """All kills; ``survivors`` must be empty."""

    kills: list[Kill] = field(default_factory=list)

    @property
    def survivors(self) -> list[Kill]:
        return [kill for kill in self.kills if kill.outcome == "SURVIVED"]

    @property
    def mutants(self) -> list[str]:
        return list(dict.fromkeys(kill.mutant for kill in self.kills))

    @property
    def layers(self) -> list[str]:
        return list(dict.fromkeys(kill.layer for kill in self.kills))

    def cell(self, mutant: str, layer: str) -> str:
        """'3/3' caught of wrong ones, '=' where all variants are equivalent, '' where there are none."""
        found = [kill for kill in self.kills if (kill.mutant, kill.layer) == (mutant, layer)]
        wrong = [kill for kill in found if kill.outcome != "equivalent"]
        if not wrong:
            return "=" if found else ""
        return f"{sum(kill.outcome == 'caught' for kill in wrong)}/{len(wrong)}"

    def count(self, mutant: str, outcome: str) -> int:
        """How many variants of ``mutant`` ended so."""
        return sum((kill.mutant, kill.outcome) == (mutant, outcome) for kill in self.kills)

    @property
    def summary(self) -> str:
        caught = sum(kill.outcome == "caught" for kill in self.kills)
        return f"caught {caught} of {caught + len(self.survivors)} wrong gradients"

    def as_text(self) -> str:
        """A row for each mutant, a column for each layer."""
        layers, width = self.layers, max((len(m) for m in self.mutants), default=0)
        columns = [max(len(layer), 5) for layer in layers]
        lines = [" " * width + "".join(f" {layer:^{c}}" for layer, c in zip(layers, columns, strict=True))]
        for mutant in self.mutants:
            lines.append(
                f"{mutant:{width}}" + "".join(f" {self.cell(mutant, layer):^{c}}" for layer, c in zip(layers, columns, strict=True))
            )
        return "\n".join(line.rstrip() for line in [*lines, self.summary])

    def as_markdown(self) -> str:
        """A row for each layer, a column for each mutant, then what each mutant is and when it changes nothing."""
        mutants = named(self.mutants)
        lines = ["| layer | " + " | ".join(m.name for m in mutants) + " |", "|---|" + "---|" * len(mutants)]
        for layer in self.layers:
            lines.append(f"| {layer} | " + " | ".join(self.cell(m.name, layer) for m in mutants) + " |")
        lines += ["", "| mutant | mistake | caught | survived | equivalent | equivalent where |", "|---|---|---|---|---|---|"]
        for m in mutants:
            counts = [str(self.count(m.name, outcome)) for outcome in ("caught", "SURVIVED", "equivalent")]
            lines.append(f"| {m.name} | {m.mistake} | {' | '.join(counts)} | {m.equivalent} |")
        return "\n".join([*lines, "", self.summary.capitalize() + "."])


def kill_matrix(cases: Iterable[Case], mutants: Iterable[str] | None = None, seed: int = 0) -> KillMatrix:
    """Put each mutant into each case's layer and let the checker look."""
    matrix = KillMatrix()
    for case in cases:
        if case.differentiable and "gradients" not in case.skip:
            with same_random_numbers():
                for mutant in named(mutants):
                    _kills(matrix, case, mutant, seed)
    return matrix


def _subject(case: Case, seed: int) -> LayerSubject:
    set_seed(seed)
    rng = np.random.default_rng(seed)
    return LayerSubject(case.make(), case.inputs(rng), case.options, case.training, 0.1, rng, resample=case.inputs)


def _gradients(subject: LayerSubject, seed: int) -> list[np.ndarray]:
    subject._looked = True
    rng = np.random.default_rng(seed)
    return subject.gradients(lambda shape: rng.normal(size=shape))[1]


def _kills(matrix: KillMatrix, case: Case, mutant: Mutant, seed: int) -> None:
    subject = _subject(case, seed)
    layer = type(subject.layer).__name__
    right = [_gradients(subject, each) for each in (seed, seed + 1)]
    for variant, patch in mutant.variants(subject):
        outcome, message = _outcome(subject, case, patch, right, seed, mutant.name == "overwritten")
        matrix.kills.append(Kill(mutant.name, layer, case.name, variant, outcome, message))


def _outcome(subject: LayerSubject, case: Case, patch: Patch, right: list[list[np.ndarray]], seed: int, always: bool) -> tuple[str, str]:
    with patch():
        try:
            if not always:
                wrong = [_gradients(subject, each) for each in (seed, seed + 1)]
                if all(_alike(w, r) for w, r in zip(wrong, right, strict=True)):
                    return "equivalent", ""
            subject._looked = False
            run_check(subject, seed, 1e-5, None, "auto", frozenset(case.dead))
        except GradientError as found:
            return "caught", str(found)
        except (ValueError, IndexError, TypeError) as found:  # a wrong shape is louder still
            return "caught", f"{type(found).__name__}: {found}"
    return "SURVIVED", ""


def _alike(found: list[np.ndarray], right: list[np.ndarray]) -> bool:
    return all(np.abs(a - b).max(initial=0) <= SAME * max(1.0, np.abs(b).max(initial=0)) for a, b in zip(found, right, strict=True))
