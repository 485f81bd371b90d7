"""Kernel ladders for study: one computation in many ways, from Python loops to CUDA, each checked and timed alike."""

from .run import main as main
