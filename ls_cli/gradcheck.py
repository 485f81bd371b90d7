"""ls-engine gradcheck."""

from __future__ import annotations

import argparse


def run(options: argparse.Namespace) -> int:
    from ls_core.gradcheck.table import main

    return main(options.names or None, mutants=options.mutants)
