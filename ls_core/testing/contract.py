"""The contract that every layer keeps, as checks of one ``Case``: what its author wrote down is enough for all of them.

>>> from ls_core.testing.contract import CHECKS, check_case
>>> from ls_core.gradcheck import Case
>>> from ls_layers import Dense
>>> check_case(Case('Dense', lambda: Dense(2), lambda g: (g.normal(size=(3, 4)),)))
>>> len(CHECKS) > 15
True

Each check is a function of the case that raises AssertionError. ``Case.skip`` names those that do not apply.
"""

from __future__ import annotations

from ..gradcheck.case import Case
from . import contract_ownership, contract_values
from .contract_base import CHECKS

PARTS = (contract_ownership, contract_values)  # importing them fills CHECKS


def check_case(case: Case) -> None:
    """Every check that applies to ``case``.

    Raises
    ------
    AssertionError
        One fails; the message says which, and what it asks for.
    """
    for name, check in CHECKS.items():
        if name not in case.skip:
            try:
                check(case)
            except Exception as problem:
                asked = " ".join((check.__doc__ or "").split())
                raise AssertionError(f"{case.name}: check '{name}' ({asked}) failed with {type(problem).__name__}: {problem}") from problem
