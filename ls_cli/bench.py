"""ls-engine bench: run the benchmarks of the checkout that LS was installed from, or that the command is called in."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

WHAT = ("steps", "kernels", "layers", "overhead", "scaling", "ladder")


def checkout() -> Path:
    """The folder that holds LS's source with its benchmarks.

    Raises
    ------
    ValueError
        LS was installed without its source, and the current folder is no checkout either.
    """
    places = (Path(__file__).resolve().parent.parent, Path.cwd())
    for place in places:
        if (place / "benchmarks" / "steps.py").is_file() and (place / "ls_core").is_dir():
            return place
    raise ValueError(
        "the benchmarks belong to LS's source and are not installed with it; there are none beside "
        f"{places[0] / 'ls_cli'} or in {places[1]}. Call this in a checkout of LS, or install from one: pip install -e ."
    )


def command(options: argparse.Namespace, root: Path) -> list[str]:
    """What is run: Python on the checkout's folder of benchmarks."""
    words = [sys.executable, str(root / "benchmarks"), options.what]
    for name in ("only", "threads", "seconds", "json"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name}", str(value)]
    if options.tier:
        words += ["--tier", *options.tier]
    return [*words, "--quick"] if options.quick else words


def run(options: argparse.Namespace) -> int:
    return subprocess.run(command(options, checkout()), check=False).returncode
