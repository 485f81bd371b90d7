"""The version, in a file that set-up reads without importing numpy."""

__version__ = "0.1.0"
