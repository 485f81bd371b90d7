"""Keras 3 on PyTorch, made to compute in float64 before anything else touches it."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "torch"
