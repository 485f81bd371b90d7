"""The judges: Keras 3 on PyTorch. Without them these files are not collected; ``make judges`` installs them and runs all."""

from __future__ import annotations

import importlib.util
import os

os.environ["KERAS_BACKEND"] = "torch"

collect_ignore_glob = [] if all(importlib.util.find_spec(name) for name in ("keras", "torch")) else ["test_*.py", "keras_judge.py"]
