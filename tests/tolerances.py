"""The table of tolerances that every test uses."""

from ls_core.testing.tolerances import TOLERANCES, assert_close, difference

__all__ = ["TOLERANCES", "assert_close", "difference"]
