"""``python -m benchmarks.ladder``."""

from .run import main

raise SystemExit(main())
