"""The table of layer cases: every layer has a row here, or the test suite fails. One file per family."""

import importlib
import pkgutil

from ls_core.gradcheck.case import Case

TABLE: list[Case] = [
    case
    for family in sorted(module.name for module in pkgutil.iter_modules(__path__))
    for case in importlib.import_module(f"{__name__}.{family}").CASES
]
