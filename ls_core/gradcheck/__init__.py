from .case import Case

__all__ = ["Case"]
