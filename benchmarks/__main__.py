"""``python -m benchmarks NAME ...`` is ``python -m benchmarks.NAME ...``; so is running this folder: ``python benchmarks NAME``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

NAMES = ("steps", "kernels", "layers", "overhead", "scaling", "ladder", "compare")


def main() -> int:
    """Run the benchmark that the first argument names."""
    root = str(Path(__file__).resolve().parent.parent)
    sys.path[:] = [root, *(place for place in sys.path if place and Path(place).resolve() != Path(__file__).resolve().parent)]
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in NAMES:
        print(f"usage: python -m benchmarks {{{','.join(NAMES)}}} ...", file=sys.stderr)
        return 2
    del sys.argv[1]
    sys.argv[0] = f"benchmarks {name}"
    return int(importlib.import_module(f"benchmarks.{name}").main())


if __name__ == "__main__":
    raise SystemExit(main())
