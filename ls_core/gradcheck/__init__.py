"""Gradient checks: central differences and the complex step against every hand-written backward."""

from .case import Case
from .check import check_activation, check_function, check_layer, check_loss
from .report import GradientError, Report, Row

__all__ = ["Case", "GradientError", "Report", "Row", "check_activation", "check_function", "check_layer", "check_loss"]
